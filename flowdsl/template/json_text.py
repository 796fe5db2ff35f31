"""JSON as JavaScript writes and reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.errors import TemplateError
from flowdsl.template.limits import Visit, check_size, join_checked
from flowdsl.template.numbers import is_finite, number_text, to_integer
from flowdsl.template.values import UNDEFINED, is_array, own_keys, property_key


def stringify(value: Any, indent: Any = UNDEFINED) -> Any:
    """The JSON text of a value, undefined for undefined; `indent` is a number up to 10 or a text up to 10 characters.

    Raises: TemplateError when the value is nested too deep.
    """
    gap = indent[:10] if isinstance(indent, str) else " " * max(0, min(10, to_integer(indent)))
    return _write(value, gap, "\n" if gap else "", Visit(), 0)


def quote(text: str) -> str:
    """The JSON text of a string; only what JSON demands is escaped."""
    from json.encoder import encode_basestring

    check_size(len(text))
    return encode_basestring(text)


def _write(value: Any, gap: str, line: str, visit: Visit, depth: int) -> Any:
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value) if is_finite(value) else "null"
    if is_array(value):
        visit.enter(len(value), depth)
        items = (_write(item, gap, line + gap, visit, depth + 1) for item in value)
        return _wrap("[", ["null" if item is UNDEFINED else item for item in items], "]", gap, line)
    if isinstance(value, Mapping):
        visit.enter(len(value), depth)
        colon = ": " if gap else ":"
        pairs = []
        for key in own_keys(value):
            text = _write(value[key], gap, line + gap, visit, depth + 1)
            if text is not UNDEFINED:
                pairs.append(quote(property_key(key)) + colon + text)
        return _wrap("{", pairs, "}", gap, line)
    if value is UNDEFINED or callable(value):
        return UNDEFINED
    return "{}"


def _wrap(opening: str, parts: list[str], closing: str, gap: str, line: str) -> str:
    if not parts:
        return opening + closing
    inner = join_checked("," + line + gap if gap else ",", parts)
    return f"{opening}{line}{gap}{inner}{line}{closing}" if gap else opening + inner + closing


def parse(text: str) -> Any:
    """The value of a JSON text.

    Raises: TemplateError when it is not JSON.
    """
    import json

    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        raise TemplateError(f"this text is not JSON: {error}") from None
    except RecursionError:
        raise TemplateError("this JSON is nested too deep") from None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")
