"""SHOW_NOTIFICATION: emits a notification."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flowdsl import Step, StepContext

EXAMPLE = """\
- step: SHOW_NOTIFICATION
  notificationType: success
  message: The pictures are ready
"""


class ShowNotification(
    Step,
    name="SHOW_NOTIFICATION",
    aliases=("CTX_SHOW_NOTIFICATION",),
    category="User interface",
    examples=(EXAMPLE,),
):
    """Emits a notification: the host shows it, without a host it is printed."""

    message: str = Field(min_length=1)
    """The text."""
    notificationType: Literal["info", "warning", "error", "message", "task", "success"] = "info"
    """How it is meant."""
    title: str | None = None
    """A heading."""

    def run(self, ctx: StepContext) -> None:
        """Emits it to the host's sink."""
        values = {"message": self.message, "notificationType": self.notificationType, "title": self.title}
        ctx.emit("SHOW_NOTIFICATION", {key: value for key, value in values.items() if value is not None})
