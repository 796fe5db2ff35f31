"""UPDATE_PROGRESS: moves the progress bar."""

from __future__ import annotations

from pydantic import Field

from flowdsl import Step, StepContext

EXAMPLE = """\
- step: UPDATE_PROGRESS
  percentage: 50
  status: Half of the pictures are ready
"""


class UpdateProgress(
    Step,
    name="UPDATE_PROGRESS",
    category="User interface",
    examples=(EXAMPLE,),
):
    """Moves the progress bar."""

    percentage: float = Field(ge=0, le=100)
    """How much is done, 0 to 100."""
    status: str | None = None
    """The text beside the bar."""

    def run(self, ctx: StepContext) -> None:
        """Emits it to the host's sink."""
        values = {"percentage": self.percentage, "status": self.status}
        ctx.emit("UPDATE_PROGRESS", {key: value for key, value in values.items() if value is not None})
