"""Values of Bloblang: their types, how they become text and JSON, how they compare, and what makes a query fail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from flowdsl.template import DEFAULT_LIMITS

T = TypeVar("T", str, bytes, range)
_EXPONENT = 6
"""From so many digits before the point on, a number with a fraction is written with an exponent, as Go's `%g` does."""
_SMALLEST = -4


class Failed(Exception):
    """A query that fails, in the engine's words: `|`, `.or()` and `.catch()` go on from it."""


class OverLimit(Exception):
    """A query that takes too long or makes too much: nothing goes on from that."""


class _Sign:
    """A value that is none."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


DELETED: Final = _Sign("delete")
"""What `deleted()` gives: the field, or the whole message, goes."""
NOTHING: Final = _Sign("nothing")
"""What an `if` without `else` gives where it does not hold: nothing is assigned."""
TEXTS = frozenset({"string", "bytes"})


def kind(value: Any) -> str:
    """The type of a value, as the engine calls it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, bytes):
        return "bytes"
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else value.name if isinstance(value, _Sign) else "unknown"


def mismatch(wanted: str, value: Any, origin: str) -> Failed:
    """The failure of a value of the wrong type; `origin` says where it came from."""
    found = kind(value)
    shown = f" ({_brief(value)})" if found in ("string", "number", "bool") else ""
    return Failed(f"expected {wanted} value, got {found} from {origin}{shown}")


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else to_text(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def to_text(value: Any) -> str:
    """A value in a text: texts and bytes as they are, null as `null`, lists and maps as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, _Sign):
        raise Failed(f"a text cannot be made of {value.name}")
    return sized(to_json(value))


def _number(value: float) -> str:
    """A number as Go writes it with `%g`."""
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[repr(value)]
    from decimal import Decimal

    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    figures = "".join(map(str, digits)).rstrip("0")
    power, minus = len(digits) + int(exponent) - 1, "-" if sign else ""
    if not figures:
        return f"{minus}0"
    if power < _SMALLEST or power >= _EXPONENT:
        mantissa = f"{figures[0]}.{figures[1:]}" if len(figures) > 1 else figures
        return f"{minus}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if power < 0:
        return f"{minus}0.{'0' * (-power - 1)}{figures}"
    tail = figures[power + 1 :]
    return f"{minus}{figures[: power + 1].ljust(power + 1, '0')}{'.' if tail else ''}{tail}"


def to_json(value: Any) -> str:
    """A value as the JSON of a message: keys in order, no spaces, bytes as text."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=_plain)
    except (RecursionError, ValueError):
        raise OverLimit("a value is nested too deep, or holds itself") from None


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise Failed(f"JSON has no form for {kind(value)}")


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def from_json(content: bytes) -> Any:
    """The value of a message that is JSON."""
    try:
        return json.loads(content, parse_constant=_no_number)
    except RecursionError:
        raise Failed("unable to reference message as structured (with 'this.x'): it is nested too deep") from None
    except ValueError as error:
        reason = "it is no text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise Failed(f"unable to reference message as structured (with 'this.x'): parse as json: {reason}") from None


def sized(text: T) -> T:
    """A text or bytes, when they are not too long."""
    if len(text) > DEFAULT_LIMITS.max_output:
        raise OverLimit(f"a text is longer than {DEFAULT_LIMITS.max_output:,} characters")
    return text


def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same; of different types they never are."""
    if isinstance(left, bytes) or isinstance(right, bytes):
        return kind(left) in TEXTS and kind(right) in TEXTS and as_bytes(left) == as_bytes(right)
    if kind(left) != kind(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    return bool(left == right)


def as_bytes(value: str | bytes) -> bytes:
    """A text as bytes."""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def member(value: Any, path: Sequence[str]) -> Any:
    """What stands at a path of a value; null where there is nothing, or a value that has no members."""
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and len(name) < 10:
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value


def path_of(text: str) -> list[str]:
    """The names of a path in a text, where `~1` stands for a dot and `~0` for `~`."""
    return [name.replace("~1", ".").replace("~0", "~") for name in text.split(".")] if text else []


def put(root: Any, path: Sequence[str], value: Any) -> Any:
    """The root with a value at a path, or, for `DELETED`, without what stands there. Maps are made on the way."""
    if not path:
        return value
    if root is None or root is NOTHING:
        root = {}
    at = root
    for depth, name in enumerate(path):
        is_last = depth == len(path) - 1
        if isinstance(at, list) and name.isdecimal() and len(name) < 10 and int(name) < len(at):
            key: Any = int(name)
        elif isinstance(at, dict):
            key = name
        else:
            where = ".".join(path[:depth]) or "the root"
            raise Failed(f"unable to set the target path {'.'.join(path)}: {where} is {kind(at)}, which has no fields")
        if is_last:
            if value is not DELETED:
                at[key] = value
            elif isinstance(at, list) or key in at:
                del at[key]
        else:
            if (isinstance(at, dict) and at.get(key) is None) or (isinstance(at, list) and at[key] is None):
                if value is DELETED:
                    return root
                at[key] = {}
            at = at[key]
    return root
