"""What END and END_IF share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl import Options, Problem, holds
from flowdsl.step.rules import UNKNOWN
from flowdsl.step.spec import Key
from flowdsl_steps.control.inner_keys import inner_problems

if TYPE_CHECKING:
    from flowdsl import StepContext

_KEYS = {
    "message": Key("notification.message", "text", min_length=1),
    "title": Key("notification.title", "text"),
    "type": Key("notification.type", choices=("info", "warning", "error", "message", "task", "success")),
}


def ends(ctx: StepContext) -> bool:
    """Whether the condition is true or absent; then the notification is emitted.

    Raises:
        ConfigError: an invalid notification, once its templates are resolved.
    """
    if "condition" in ctx.given and not holds(ctx.evaluate("condition")):
        return False
    notification: dict[str, Any] | None = ctx.evaluate("notification")
    if notification is not None:
        payload = {"message": notification.get("message"), "notificationType": notification.get("type") or "info"}
        if notification.get("title") is not None:
            payload["title"] = notification["title"]
        ctx.emit("SHOW_NOTIFICATION", payload)
    return True


def check_notification(options: Options) -> Iterator[Problem]:
    """What is wrong in `notification`: keys it does not have, no message, a type that is not known."""
    given = options.given.get("notification")
    if given is UNKNOWN or not isinstance(given, Mapping):
        return
    yield from inner_problems("notification", given, _KEYS)
    if given.get("message") is None:
        yield Problem("missing-key", "`notification` needs `message`", key="notification", hint="add `message:`")
