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
_DATA = re.compile(r"data:[\w.+-]+/[\w.+-]+[^,\s]{0,100},\S*", re.ASCII | re.IGNORECASE)
_BYTES = re.compile(r"[A-Za-z0-9+/_-]{200,}={0,2}")
_OWN = re.compile(r"(/pictures/)[0-9a-f]{40}/[^\s\"'<>]*", re.ASCII)
_QUERY = re.compile(r"(https?://[^\s?#\"'<>]+)[?#][^\s\"'<>]*", re.IGNORECASE)


def note_fields(state: dict[str, Any], body: Mapping[str, Any], known: Container[str]) -> None:
    """Notes the prompt of a request for pictures, and its other fields, of those that there are."""
    if CONTENT in state:
        given = {name: _shown(value) for name, value in body.items() if name in known and value is not None}
        prompt = {"prompt": given.pop("prompt")} if "prompt" in given else {}
        state[CONTENT] |= {**prompt, "fields": given}


def note_inputs(state: dict[str, Any], inputs: Any, secret: Container[str]) -> None:
    """Notes the inputs of a run of a flow; the values of those that are `secret` are not shown."""
    if CONTENT in state and isinstance(inputs, Mapping):
        shown = {_text(name): HIDDEN if name in secret else _named(name, value) for name, value in inputs.items()}
        state[CONTENT]["inputs"] = shown


def note_revised(state: dict[str, Any], prompts: Iterable[str | None]) -> None:
    """Notes the prompts as a service rewrote them, one for each picture."""
    if CONTENT in state and any(revised := [*prompts]):
        state[CONTENT]["revised_prompts"] = [_shown(each) for each in revised]


def _named(name: str, value: Any) -> Any:
    is_secret = isinstance(value, (str, int)) and may_be_secret(name, str(value))
    return HIDDEN if is_secret else _shown(value)


def _shown(value: Any) -> Any:
    """A JSON value as it may stand in a log."""
    try:
        return _all_shown(value)
    except RecursionError:
        return HIDDEN


def _all_shown(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(name): _named(name, each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_all_shown(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float)) else HIDDEN


def _text(text: str) -> str:
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    text = _BYTES.sub("…", _DATA.sub("data:…", text))
    return without_keys(_QUERY.sub(r"\1", _OWN.sub(r"\1…", text)))
