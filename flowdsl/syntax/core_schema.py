"""The values of plain scalars by YAML 1.2's core schema. Source: YAML 1.2.2, 10.3.2 Tag Resolution."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

SPECIAL_FIRST = frozenset("0123456789+-.~nNtTfF")
"""What numbers and constants begin with: whatever begins otherwise, and is not empty, is a text."""
_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_DIGITS = 4000
"""Python prints no integer above 4,300 digits."""


@cache
def _others() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Numbers that are no decimal integers, compiled when a text needs them: decimal ones, and integers by base."""
    decimal = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    return re.compile(decimal), re.compile(rf"0o[0-7]{{1,{_DIGITS}}}|0x[0-9a-fA-F]{{1,3000}}")


def plain_value(text: str) -> Any:
    """The value of a scalar without quotes and tag: null, a boolean, a number, or the text itself."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0].isalpha():
        return text
    digits = text[1:] if text[0] in "+-" else text
    if digits.isdecimal() and digits.isascii() and len(digits) <= _DIGITS:
        return int(text)
    decimal, based = _others()
    if decimal.fullmatch(text):
        return float(text)
    if based.fullmatch(text):
        return int(text, 0)
    return text
