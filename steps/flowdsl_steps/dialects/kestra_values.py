"""Values of Kestra's properties: durations, the truth of a condition, the values of a loop."""

from __future__ import annotations

import json
import re
from typing import Any

from flowdsl.errors import TemplateError
from flowdsl_steps.expressions.pebble import Finish
from flowdsl_steps.expressions.pebble_expression import FILTERED, JOINED, Expression

_DURATION = re.compile(
    r"P(?:(?P<D>\d+)D)?(?:T(?=\d)(?:(?P<H>\d+)H)?(?:(?P<M>\d+)M)?(?:(?P<S>\d+(?:\.\d+)?)S)?)?", re.IGNORECASE
)
_SECONDS = {"D": 86_400, "H": 3600, "M": 60, "S": 1}
_PLAIN = re.compile(r"(\d+)\s*(ms|s|m|h|d)", re.IGNORECASE)


def seconds_of(text: str) -> float | None:
    """The seconds of a duration such as `PT2M30S`; None for what is none."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        return None
    return float(sum(float(value) * _SECONDS[unit] for unit, value in found.groupdict().items() if value is not None))


def meant_duration(text: str) -> str | None:
    """A duration as it is written, for one as others write it: `10m`, or 10 for seconds."""
    if text.strip().isdecimal():
        return f"PT{text.strip()}S"
    found = _PLAIN.fullmatch(text.strip())
    if found is None:
        return None
    unit = found[2].lower()
    if unit == "ms":
        return f"PT{int(found[1]) / 1000:g}S"
    return f"P{found[1]}D" if unit == "d" else f"PT{found[1]}{unit.upper()}"


def truth(text: str) -> bool:
    """The truth of a text: `false`, `0`, `-0` and blanks are false. Source: Kestra's TruthUtils."""
    return text.strip().lower() not in ("", "false", "0", "-0")


def _true(found: Expression) -> str | None:
    """The same truth as an expression here."""
    if found.within("truth"):
        return found.code
    if found.within("text"):
        return f"({found.tight(FILTERED)} | trim | lower) not in ['', 'false', '0', '-0']"
    return f"{found.tight(JOINED)} != 0" if found.within("whole") else None


def _values(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return [{"key": key, "value": value} for key, value in found.items()]
    if not isinstance(found, list):
        raise TemplateError("`values` is no JSON list", hint='write a list, or a text such as `["a", "b"]`')
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def each_values(text: str) -> list[str]:
    """What a ForEach runs through, each value as a text and none twice.

    Raises:
        TemplateError: the text is no list, or holds a null.
    """
    return each_of(_values(text))


def each_of(values: list[Any]) -> list[str]:
    """What a ForEach makes of its values.

    Raises:
        TemplateError: a value is null.
    """
    if any(value is None for value in values):
        raise TemplateError("a value of `values` is null")
    return [*dict.fromkeys(map(_text, values))]


def loop_values(text: str) -> list[str]:
    """What a Loop runs through, each value as a text."""
    return loop_of(_values(text))


def loop_of(values: list[Any]) -> list[str]:
    """What a Loop makes of its values."""
    return [*map(_text, values)]


def _of_texts(found: Expression) -> bool:
    kind = found.kind
    return kind is not None and found.within("list") and kind.item is not None and kind.item.within("text")


TRUTH = Finish(truth, _true, "compare it: `{{ … == 'x' }}`")
"""A condition."""
EACH = Finish(
    each_values,
    lambda found: f"{found.tight(FILTERED)} | unique" if _of_texts(found) else None,
    "write the values as a list, or give the input `itemType: STRING`",
)
"""The values of a ForEach."""
ALL = Finish(
    loop_values,
    lambda found: found.code if _of_texts(found) else None,
    "write the values as a list, or give the input `itemType: STRING`",
)
"""The values of a Loop."""
