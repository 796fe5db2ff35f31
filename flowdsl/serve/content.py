"""What the log says of a request beside its facts, where that was asked for: its prompt and fields, the inputs of its
run, and what a service made of the prompts. No secret, no picture and no address of one is in it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

from flowdsl.secrets.plain import HIDDEN, may_be_secret, without_keys

CONTENT = "content"
"""Where it stands in the state of a request; not there where it was not asked for."""
_LONGEST = 32_000
"""So long a prompt may be."""
_MOST = 2 * _LONGEST
"""So many characters of the values of a request are shown: a body has room for a thousand times as many, and nobody
else is responded to while they are looked through."""
_OF_A_VALUE = 4
"""So many characters each value counts beside its own."""
_DATA = re.compile(r"data:[\w.+-]{1,100}+/[\w.+-]{1,100}+[^,\s]{0,100}+,\S*", re.ASCII | re.IGNORECASE)
_BYTES = re.compile(r"[A-Za-z0-9+/_-]{200,}={0,2}")
_OWN = re.compile(r"(/pictures/)[0-9a-f]{40}/[^\s\"'<>]*", re.ASCII)
_ADDRESS = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_QUERY = re.compile(r"[?#].*")


def note_fields(state: dict[str, Any], body: Mapping[str, Any], known: Container[str]) -> None:
    """Notes the prompt of a request for pictures, and its other fields, of those that there are."""
    if CONTENT in state:
        given = {name: value for name, value in body.items() if name in known and value is not None}
        room = _Room()
        prompt = {"prompt": room.shown(given.pop("prompt"))} if "prompt" in given else {}
        state[CONTENT] |= {**prompt, "fields": {name: room.shown(value) for name, value in given.items()}}


def note_inputs(state: dict[str, Any], inputs: Any, secret: Container[str]) -> None:
    """Notes the inputs of a run of a flow; the values of those that are `secret` are not shown."""
    if CONTENT in state and isinstance(inputs, Mapping):
        state[CONTENT]["inputs"] = _Room().shown(inputs, secret)


def note_revised(state: dict[str, Any], prompts: Iterable[str | None]) -> None:
    """Notes the prompts as a service rewrote them, one for each picture."""
    if CONTENT in state and any(revised := [*prompts]):
        state[CONTENT]["revised_prompts"] = [_Room().shown(each) for each in revised]


class _Room:
    """What is left of the characters that are shown of a request."""

    def __init__(self) -> None:
        self._left = _MOST

    def shown(self, value: Any, secret: Container[str] = ()) -> Any:
        """A JSON value as it may stand in a log; without those of its own that are `secret` by their names."""
        try:
            return self._shown(value, secret)
        except RecursionError:
            return HIDDEN

    def _shown(self, value: Any, secret: Container[str] = ()) -> Any:
        self._left -= _OF_A_VALUE
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            found: dict[str, Any] = {}
            for name, each in value.items():
                if self._left <= 0:
                    found["…"] = "…"
                    break
                found[self._text(name)] = HIDDEN if name in secret or _is_secret(name, each) else self._shown(each)
            return found
        if isinstance(value, (list, tuple)):
            items: list[Any] = []
            for each in value:
                if self._left <= 0:
                    items.append("…")
                    break
                items.append(self._shown(each))
            return items
        if isinstance(value, int):
            self._left -= value.bit_length() // 3
        return value if value is None or isinstance(value, (bool, int, float)) else HIDDEN

    def _text(self, text: str) -> str:
        most = max(0, min(_LONGEST, self._left))
        self._left -= len(text)
        if len(text) > most:
            text = f"{text[:most]}…"
        text = _BYTES.sub("…", _DATA.sub("data:…", text))
        return without_keys(_ADDRESS.sub(lambda found: _QUERY.sub("", found[0]), _OWN.sub(r"\1…", text)))


def _is_secret(name: str, value: Any) -> bool:
    return isinstance(value, (str, int)) and may_be_secret(name, str(value))
