"""SHOW_PROGRESS: shows a progress bar."""

from __future__ import annotations

from flowdsl import Step, StepContext

EXAMPLE = """\
- step: SHOW_PROGRESS
  status: Painting
"""


class ShowProgress(
    Step,
    name="SHOW_PROGRESS",
    category="User interface",
    examples=(EXAMPLE,),
):
    """Shows a progress bar."""

    status: str | None = None
    """The text beside the bar."""
    position: str | None = None
    """Where the host puts it, for example `top` or `bottom`."""
    autoHide: bool | None = None
    """Whether it goes away at 100 percent."""

    def run(self, ctx: StepContext) -> None:
        """Emits it to the host's sink."""
        values = {"status": self.status, "position": self.position, "autoHide": self.autoHide}
        ctx.emit("SHOW_PROGRESS", {key: value for key, value in values.items() if value is not None})
