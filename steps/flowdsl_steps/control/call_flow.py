"""CALL_FLOW: CALL_TEMPLATE by its newer name."""

from __future__ import annotations

from flowdsl_steps.control.call_template import CallTemplate


class CallFlow(
    CallTemplate,
    name="CALL_FLOW",
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
  - step: CALL_FLOW
    ref: local.flows.title
""",
    ),
):
    """Runs a reusable flow on the same FlowContext; the same step as CALL_TEMPLATE.

    The flow can end itself (END_IF) or the run (END); it cannot break a loop around the call. Calls stand at most 64
    deep inside each other.
    """
