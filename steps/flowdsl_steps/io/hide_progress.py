"""HIDE_PROGRESS: takes the progress bar away."""

from __future__ import annotations

from flowdsl import Step, StepContext

EXAMPLE = """\
- step: HIDE_PROGRESS
"""


class HideProgress(
    Step,
    name="HIDE_PROGRESS",
    category="User interface",
    examples=(EXAMPLE,),
):
    """Takes the progress bar away."""

    def run(self, ctx: StepContext) -> None:
        """Emits it to the host's sink."""
        ctx.emit("HIDE_PROGRESS", {})
