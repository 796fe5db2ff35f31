"""EMIT_EVENT: something for the host."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flowdsl import Step, StepContext


class EmitEvent(
    Step,
    name="EMIT_EVENT",
    aliases=("DISPATCH_EVENT",),
    category="Control",
    examples=(
        """\
- step: SET
  text: A lighthouse in a storm
- step: EMIT_EVENT
  name: prompt.ready
  payload:
    prompt: "{{ flowContext.text }}"
""",
    ),
):
    """Emits an event of the author's own to the host's sink; the flow goes on."""

    name: str = Field(min_length=1)
    """The event's name."""
    payload: Any = None
    """What goes with it."""

    def run(self, ctx: StepContext) -> None:
        """Emits the event."""
        ctx.emit(self.name, self.payload)
