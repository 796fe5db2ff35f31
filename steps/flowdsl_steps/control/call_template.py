"""CALL_TEMPLATE: a flow inside a flow."""

from __future__ import annotations

from collections.abc import Awaitable

from flowdsl import AtLeastOne, Call, Signal, Step, StepContext


class CallTemplate(
    Step,
    name="CALL_TEMPLATE",
    rules=(AtLeastOne("name", "ref"),),
    flow=Call(ref="ref", name="name"),
    category="Control",
    examples=(
        """\
blocks:
  flows:
    title:
      - step: SET
        title: "{{ flowContext.text | title }}"
flow:
  - step: SET
    text: a lighthouse in a storm
  - step: CALL_TEMPLATE
    ref: local.flows.title
""",
    ),
):
    """Runs a reusable flow on the same FlowContext.

    The flow can end itself (END_IF) or the run (END); it cannot break a loop around the call. Calls stand at most 64
    deep inside each other.
    """

    name: str | None = None
    """The name of one of the kit's TEMPLATES."""
    ref: str | None = None
    """Where the flow is: `local.flows.NAME`, `section.flows.NAME`, `global.flows.NAME`, `imports.ALIAS.flows.NAME`.
    Wins over `name`."""

    def run(self, ctx: StepContext) -> Awaitable[Signal | None]:
        """Runs the flow."""
        return ctx.call_flow(name=self.name, ref=self.ref)
