"""A field of a step class as a key of the language."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import annotated_types

from flowdsl.errors import PluginError
from flowdsl.step.block import Block
from flowdsl.step.marks import Condition, Deferred, Expression, InFile, ProjectFile, Prompt, Reads, Secrets, Verbatim
from flowdsl.step.models import FieldInfo, PydanticUndefined
from flowdsl.step.spec import Key

_BOUNDS = (
    ("minimum", "ge"),
    ("maximum", "le"),
    ("min_length", "min_length"),
    ("max_length", "max_length"),
    ("pattern", "pattern"),
)
_KINDS: dict[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "list",
    dict: "map",
    Any: "any",
    Block: "steps",
}


def key_of(field: str, info: FieldInfo) -> Key:
    """A field as a key: its YAML name, type and constraints."""
    kind, choices, marks = _kind(info.annotation)
    marks = [*marks, *info.metadata]
    bounds: dict[str, Any] = {}
    for mark in marks:
        for name, attribute in _BOUNDS:
            if getattr(mark, attribute, None) is not None:
                bounds[name] = getattr(mark, attribute)
        if isinstance(mark, (annotated_types.Gt, annotated_types.Lt)):
            raise PluginError(f"field `{field}`: use ge and le; bounds are inclusive in the language")
    default = None if info.default is PydanticUndefined else info.default
    return Key(
        name=info.alias or field,
        field=field,
        type=kind,
        choices=choices,
        required=info.is_required(),
        default=default,
        summary=info.description or "",
        verbatim=any(isinstance(mark, Verbatim) for mark in marks),
        condition=any(isinstance(mark, Condition) for mark in marks),
        expression=any(isinstance(mark, Expression) for mark in marks),
        deferred=any(isinstance(mark, Deferred) for mark in marks),
        prompt=any(isinstance(mark, Prompt) for mark in marks),
        names=tuple(name for mark in marks if isinstance(mark, Deferred) for name in mark.names),
        reads=tuple(type for mark in marks if isinstance(mark, Reads) for type in mark.types),
        file=next((mark.part for mark in marks if isinstance(mark, InFile)), ""),
        differs=next((mark.differs for mark in marks if isinstance(mark, InFile)), ()),
        numbers=next((mark.numbers for mark in marks if isinstance(mark, InFile)), ()),
        project_file=any(isinstance(mark, ProjectFile) for mark in marks),
        secret=any(isinstance(mark, Secrets) for mark in marks),
        deprecated=info.deprecated if isinstance(info.deprecated, str) else None,
        **bounds,
    )


def _kind(annotation: Any) -> tuple[str, tuple[Any, ...], list[Any]]:
    """Key type, choices and annotated marks of a field's type; None is left out, because null means absent."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        kind, choices, marks = _kind(arguments[0])
        return kind, choices, [*marks, *arguments[1:]]
    if origin is typing.Literal:
        return ("text" if all(isinstance(a, str) for a in arguments) else "any"), arguments, []
    if origin in (typing.Union, types.UnionType):
        members = [a for a in arguments if a is not type(None)]
        if len(members) == 1:
            return _kind(members[0])
        kinds = {_kind(member)[0] for member in members}
        return ("number" if kinds == {"integer", "number"} else "any"), (), []
    if origin in (list, tuple, Sequence):
        return ("branches" if Block in arguments else "list"), (), []
    if origin in (dict, Mapping):
        return ("cases" if Block in arguments else "map"), (), []
    return _KINDS.get(annotation, "any"), (), []
