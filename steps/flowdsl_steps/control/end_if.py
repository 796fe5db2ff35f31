"""END_IF: the end of a called flow."""

from __future__ import annotations

from typing import Annotated, Any

from flowdsl import Condition, Deferred, Exit, Signal, Step, StepContext
from flowdsl_steps.control.exit import check_notification, ends


class EndIf(
    Step,
    name="END_IF",
    check=check_notification,
    flow=Exit(Signal.RETURN, when="condition"),
    category="Control",
    examples=(
        """\
inputs:
  prompt: {type: string, default: ""}
blocks:
  flows:
    paint:
      - step: END_IF
        condition: "{{ not inputs.prompt }}"
      - step: OPENAI_IMAGE_GENERATION
        model: gpt-image-2
        instruction: "{{ inputs.prompt }}, oil on canvas"
flow:
  - step: CALL_FLOW
    ref: local.flows.paint
  - step: SET
    text: "painted: {{ flowContext.imageList is defined }}"
""",
        """\
- step: SET
  picture: null
- step: END_IF
  condition: "{{ not flowContext.picture }}"
""",
    ),
):
    """Returns from the innermost called flow; at top level it ends the run, successfully."""

    condition: Annotated[Any, Condition(), Deferred()] = None
    """Only when this is true; without it always."""
    notification: Annotated[dict[str, Any] | None, Deferred()] = None
    """The notification to emit when it ends, as SHOW_NOTIFICATION does: `message`, `type`, `title`."""

    def run(self, ctx: StepContext) -> Signal | None:
        """The signal, unless the condition is false."""
        return Signal.RETURN if ends(ctx) else None
