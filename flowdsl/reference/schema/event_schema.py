"""The JSON Schemas of what leaves a run: its events, as `flowdsl run --events` prints them, result and error."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import fields
from types import NoneType
from typing import Any

from flowdsl.errors import SERVICE_FACTS, RunError
from flowdsl.events import PLACE, VERSION, Event, FlowFinished, Note, StepFinished
from flowdsl.reference.schema.step_schema import MARK

_TYPES: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    NoneType: {"type": "null"},
    Any: {},
    RunError: {"$ref": "#/$defs/error"},
    tuple[str, ...]: {"type": "array", "items": {"type": "string"}},
    tuple[Mapping[str, Any], ...]: {"type": "array", "items": {"type": "object"}},
    dict[str, Any]: {"type": "object"},
    Mapping[str, Any]: {"type": "object"},
}
_COUNT = {"type": "integer", "minimum": 0}
_OPTIONAL: Mapping[Any, tuple[str, ...]] = {Note: ("step", "path"), StepFinished: ("signal",)}
"""What an event says only where there is something to say."""


def event_schema() -> dict[str, Any]:
    """The schema of one event; its `oneOf` has a place for each kind."""
    kinds: tuple[type, ...] = typing.get_args(Event)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": MARK,
        "title": "An event of a flowdsl run",
        "oneOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds],
        "$defs": {**{kind.__name__: _kind(kind) for kind in kinds}, "error": _error()},
    }


def error_schema() -> dict[str, Any]:
    """The schema of `RunError.to_dict()`."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$comment": MARK, "title": "An error of a run"}
    return {**head, **_error()}


def result_schema() -> dict[str, Any]:
    """The schema of `Result.to_dict()`."""
    image = {
        "type": "object",
        "properties": {
            **{name: {"type": "string"} for name in ("path", "mime", "sha256", "url", "revised_prompt")},
            **dict.fromkeys(("width", "height"), _COUNT),
        },
        "required": ["path", "mime", "sha256"],
        "additionalProperties": False,
    }
    note = {"code": _TYPES[str], "text": _TYPES[str]}
    iteration = {"anyOf": [_COUNT, {"type": "null"}]}
    doubt = {"invocation": _COUNT, "step": _TYPES[str], "path": _TYPES[str], "iteration": iteration}
    properties: dict[str, Any] = {
        "v": {"const": VERSION},
        "run": {"type": "string"},
        "tags": {"description": "What the host called the run.", "type": "object", "additionalProperties": _TYPES[str]},
        "outputs": {"type": "object"},
        "images": {"description": "Every picture in the outputs.", "type": "array", "items": image},
        "made": {"description": "Every picture that the run stored.", "type": "array", "items": image},
        "files": {
            "description": "The path of every file that a step wrote.",
            "type": "array",
            "items": {"type": "string"},
        },
        "in_doubt": {
            "description": "Requests whose work a service may have done, and billed, without the run having it.",
            "type": "array",
            "items": {"type": "object", "properties": doubt, "required": list(doubt), "additionalProperties": False},
        },
        "steps": _COUNT,
        "elapsed_s": {"type": "number", "minimum": 0},
        "cost_usd": {"type": ["number", "null"]},
        "reused": {"description": "How many paid requests a repetition did not send again.", **_COUNT},
        "recovered": {"description": "How many paid requests a run that was resumed did not send again.", **_COUNT},
        "notes": {
            "description": "What steps noted.",
            "type": "array",
            "items": {"type": "object", "properties": note, "required": list(note), "additionalProperties": False},
        },
        "failed": {"description": "What failed of a run that did, and where.", "type": ["object", "null"]},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": MARK,
        "title": "The result of a flowdsl run",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _kind(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    properties: dict[str, Any] = {"v": {"const": VERSION}, "event": {"const": kind.__name__}, "run": _TYPES[str]}
    properties |= _invocation(root=kind is FlowFinished)
    if kind is Note:  # the flow itself has some too: of pictures that cannot be named at its end
        properties |= {"invocation": _COUNT, "parent": properties["iteration"]}
    properties |= {field.name: _type(hints[field.name]) for field in fields(kind) if field.name not in PLACE}
    return {
        "description": " ".join(kind.__doc__.split()),
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in _OPTIONAL.get(kind, ())],
        "additionalProperties": False,
    }


def _invocation(*, root: bool) -> dict[str, Any]:
    """What an event says of its invocation; that of the flow itself has no step, and no parent."""
    if root:
        return {"invocation": {"const": 0}, "parent": {"type": "null"}, "iteration": {"type": "null"}}
    nullable = {"anyOf": [_COUNT, {"type": "null"}]}
    place = {"step": {"type": "string"}, "path": {"type": "string"}}
    return {"invocation": {"type": "integer", "minimum": 1}, "parent": _COUNT, "iteration": nullable, **place}


def _type(hint: Any) -> dict[str, Any]:
    if hint in _TYPES:
        return _TYPES[hint]
    return {"anyOf": [_TYPES[member] for member in typing.get_args(hint)]}


def _error() -> dict[str, Any]:
    text, nullable = {"type": "string"}, {"type": ["string", "null"]}
    said = {"type": ["string", "integer", "boolean", "null"]}
    properties = {"type": text, "code": text, "message": text, "hint": nullable, "step": nullable, "path": nullable}
    properties |= {"charge_possible": {"type": "boolean"}}
    required = list(properties)
    properties |= {"file": text, "line": {"type": "integer"}, "col": {"type": "integer"}}
    properties |= {name: said for name in SERVICE_FACTS if name not in properties}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
