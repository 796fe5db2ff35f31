"""What a flow emits for people while it runs (notifications, progress, responses, events), as lines of text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.display.visible import visible, visible_line

if TYPE_CHECKING:
    from flowdsl.events import Emitted

PROGRESS = ("SHOW_PROGRESS", "UPDATE_PROGRESS", "HIDE_PROGRESS")
RESPONSE = "SHOW_RESPONSE"
_CELLS = 20
_SHOWN = 200


def kind_of(event: Emitted) -> str:
    """What an event is: the name of the step that emits such things; `EMIT_EVENT` for those of the author's own."""
    if event.step == "EMIT_EVENT":
        return event.step
    return event.name


class Bar:
    """The state of a progress bar: what it says, and how much is done in percent (None: nobody said)."""

    __slots__ = ("auto_hide", "percent", "shown", "status")

    def __init__(self) -> None:
        self.shown = False
        self.auto_hide = False
        self.percent: float | None = None
        self.status = ""

    def take(self, name: str, payload: Any) -> None:
        """Follows SHOW_PROGRESS, UPDATE_PROGRESS or HIDE_PROGRESS."""
        values = payload if isinstance(payload, Mapping) else {}
        if name == "SHOW_PROGRESS":
            self.percent, self.auto_hide = None, bool(values.get("autoHide"))
        self.shown = name != "HIDE_PROGRESS"
        self.percent = values.get("percentage", self.percent)
        self.status = " ".join(visible(str(values.get("status", self.status))).split())
        if self.auto_hide and self.percent == 100:
            self.shown = False

    def line(self) -> str:
        """The bar as a moving line."""
        if self.percent is None:
            return self.status
        full = round(self.percent / 100 * _CELLS)
        return f"{'█' * full}{'░' * (_CELLS - full)} {self.text()}"

    def text(self) -> str:
        """The bar in words: `50 % Painting`."""
        return " ".join(filter(None, [f"{self.percent:g} %" if self.percent is not None else "", self.status]))


def notification(payload: Any) -> tuple[str, str]:
    """How a notification is meant (`info`, `warning`, …), and its text."""
    values = payload if isinstance(payload, Mapping) else {"message": payload}
    title = f"{values['title']}: " if values.get("title") else ""
    return str(values.get("notificationType") or "info"), visible(f"{title}{_text(values.get('message', ''))}")


def response(payload: Any) -> str:
    """The text of a SHOW_RESPONSE."""
    return visible(_text(payload.get("message", "") if isinstance(payload, Mapping) else payload))


def debug(event: Emitted) -> list[str]:
    """What DEBUG shows: the place, then each FlowContext key on a line."""
    values = event.payload if isinstance(event.payload, Mapping) else {}
    name = (values.get("config") or {}).get("id")
    context = values.get("context") or {}
    count = f"{len(context)} key{'' if len(context) == 1 else 's'}"
    lines = [f"debug {event.path}{f' ({visible_line(str(name))})' if name else ''}: {count}"]
    return lines + [f"  {visible_line(key)}: {short(value)}" for key, value in context.items()]


def own_event(event: Emitted) -> str:
    """An event of the author's own on one line."""
    payload = "" if event.payload is None else f": {short(event.payload)}"
    return f"event {visible_line(event.name)}{payload}"


def short(value: Any) -> str:
    """A value as JSON on one line, cut when it is long."""
    from flowdsl.template.json_values import to_json

    text = visible_line(json.dumps(to_json(value), ensure_ascii=False))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else short(value)
