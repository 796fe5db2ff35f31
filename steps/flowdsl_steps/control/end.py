"""END: the end of the run."""

from __future__ import annotations

from typing import Annotated, Any

from flowdsl import Condition, Deferred, Exit, Signal, Step, StepContext
from flowdsl_steps.control.exit import check_notification, ends


class End(
    Step,
    name="END",
    check=check_notification,
    flow=Exit(Signal.END, when="condition"),
    category="Control",
    examples=(
        """\
- step: SET
  names: []
- step: END
  condition: "{{ flowContext.names | length == 0 }}"
  notification:
    type: warning
    message: There is nobody to paint
""",
    ),
):
    """Ends the whole run, successfully, also from inside a called flow."""

    condition: Annotated[Any, Condition(), Deferred()] = None
    """Only when this is true; without it always."""
    notification: Annotated[dict[str, Any] | None, Deferred()] = None
    """The notification to emit when it ends, as SHOW_NOTIFICATION does: `message`, `type`, `title`."""

    def run(self, ctx: StepContext) -> Signal | None:
        """The signal, unless the condition is false."""
        return Signal.END if ends(ctx) else None
