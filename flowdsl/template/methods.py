"""The JavaScript methods a template may call on text, lists, numbers and booleans.

Source: ECMA-262, sections 20 to 23. Positions count code points, not UTF-16 units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flowdsl.errors import TemplateError
from flowdsl.template.limits import check_items, check_size
from flowdsl.template.numbers import JS_SPACE, number_text, to_integer
from flowdsl.template.values import UNDEFINED, Pattern, is_array, join_texts, strict_eq, to_number, to_text


def _at(value: Any, default: int) -> int:
    return default if value is UNDEFINED else to_integer(to_number(value))


def _bounds(length: int, start: Any, end: Any) -> tuple[int, int]:
    low, high = _at(start, 0), _at(end, length)
    low = max(0, length + low) if low < 0 else min(low, length)
    high = max(0, length + high) if high < 0 else min(high, length)
    return low, max(low, high)


def _slice(value: Any, start: Any = UNDEFINED, end: Any = UNDEFINED, *_: Any) -> Any:
    low, high = _bounds(len(value), start, end)
    return value[low:high]


def _substring(text: str, start: Any = UNDEFINED, end: Any = UNDEFINED, *_: Any) -> str:
    low, high = (max(0, min(_at(v, d), len(text))) for v, d in ((start, 0), (end, len(text))))
    return text[min(low, high) : max(low, high)]


def _substr(text: str, start: Any = UNDEFINED, length: Any = UNDEFINED, *_: Any) -> str:
    low, _high = _bounds(len(text), start, UNDEFINED)
    return text[low : low + max(0, _at(length, len(text)))]


def split(text: str, separator: Any = UNDEFINED, limit: Any = UNDEFINED, *_: Any) -> list[Any]:
    """The parts of a text between separators.

    Raises: TemplateError when there would be too many.
    """
    if separator is UNDEFINED:
        parts: list[Any] = [text]
    elif isinstance(separator, Pattern):
        from flowdsl.template import regex

        parts = regex.split(text, separator)
    else:
        between = to_text(separator)
        check_items(text.count(between) if between else len(text))
        parts = list(text) if not between else text.split(between)
    return parts if limit is UNDEFINED else parts[: max(0, _at(limit, 0))]


def replace(text: str, old: Any = UNDEFINED, new: Any = UNDEFINED, *_: Any, every: bool = False) -> str:
    """The text with `old` replaced once, or with `every` everywhere; `$&` and `$$` count in `new`.

    Raises: TemplateError when a pattern without `g` is to be replaced everywhere, and from `regex`.
    """
    from flowdsl.template import regex

    if not isinstance(old, Pattern):
        escaped = "".join("\\" + c if c in r"\^$.*+?()[]{}|/" else c for c in to_text(old))
        old = Pattern(escaped, "g" if every else "")
    elif every and "g" not in old.flags:
        raise TemplateError("replaceAll needs a pattern with the flag `g`")
    return regex.replace(text, old, to_text(new))


def _replace_all(text: str, old: Any = UNDEFINED, new: Any = UNDEFINED, *_: Any) -> str:
    return replace(text, old, new, every=True)


def _match(text: str, pattern: Any = UNDEFINED, *_: Any) -> Any:
    from flowdsl.template import regex

    return regex.find(text, pattern if isinstance(pattern, Pattern) else Pattern(to_text(pattern), ""))


def repeat(text: str, count: Any = UNDEFINED, *_: Any) -> str:
    """The text so many times.

    Raises: TemplateError for a negative number, and when the text gets too long.
    """
    times = _at(count, 0)
    if times < 0:
        raise TemplateError(f"a text cannot be repeated {times} times")
    check_size(len(text) * times)
    return text * times


def pad(text: str, width: Any, filler: Any, *, before: bool) -> str:
    """The text padded to a width in characters, `before` or after it.

    Raises: TemplateError when the text gets too long.
    """
    missing = _at(width, 0) - len(text)
    fill = " " if filler is UNDEFINED else to_text(filler)
    if missing <= 0 or not fill:
        return text
    check_size(len(text) + missing)
    padding = (fill * (missing // len(fill) + 1))[:missing]
    return padding + text if before else text + padding


def _concat_list(items: Any, *others: Any) -> list[Any]:
    found = list(items)
    for other in others:
        check_items(len(found) + (len(other) if is_array(other) else 1))
        found.extend(other if is_array(other) else [other])
    return found


def _concat_text(text: str, *others: Any) -> str:
    parts = [text, *(to_text(other) for other in others)]
    check_size(sum(map(len, parts)))
    return "".join(parts)


def index_in_list(items: Any, value: Any, start: Any = UNDEFINED, *_: Any) -> int:
    """The first index of an item, -1 when there is none."""
    low, _high = _bounds(len(items), start, UNDEFINED)
    return next((i for i in range(low, len(items)) if strict_eq(items[i], value)), -1)


def _last_index(items: Any, value: Any = UNDEFINED, *_: Any) -> int:
    return next((i for i in range(len(items) - 1, -1, -1) if strict_eq(items[i], value)), -1)


def includes(items: Any, value: Any = UNDEFINED, *_: Any) -> bool:
    """Whether a list holds a value (NaN finds itself)."""
    return index_in_list(items, value) >= 0 or (
        isinstance(value, float) and value != value and any(isinstance(i, float) and i != i for i in items)
    )


def _flat(items: Any, depth: Any = UNDEFINED, *_: Any) -> list[Any]:
    found = list(items)
    for _round in range(min(_at(depth, 1), 20)):
        if not any(is_array(i) for i in found):
            break
        check_items(sum(len(i) if is_array(i) else 1 for i in found))
        found = [x for i in found for x in (i if is_array(i) else (i,))]
    return found


def _item_at(value: Any, index: Any = UNDEFINED, *_: Any) -> Any:
    at = _at(index, 0)
    at = at + len(value) if at < 0 else at
    return value[at] if 0 <= at < len(value) else UNDEFINED


def _to_fixed(number: Any, digits: Any = UNDEFINED, *_: Any) -> str:
    places = _at(digits, 0)
    if not 0 <= places <= 100:
        raise TemplateError(f"toFixed takes 0 to 100 digits, not {places}")
    if isinstance(number, float) and (number != number or abs(number) >= 1e21):
        return number_text(number)
    from decimal import ROUND_HALF_UP, Context, Decimal

    exact = Decimal(number)
    text = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, Context(prec=1000))
    return format(text if text or exact < 0 else abs(text), "f")


def _number_text(number: Any, base: Any = UNDEFINED, *_: Any) -> str:
    radix = _at(base, 10)
    if radix == 10 or not isinstance(number, int):
        return number_text(number)
    if not 2 <= radix <= 36:
        raise TemplateError(f"toString takes a base from 2 to 36, not {radix}")
    digits, rest = "", abs(number)
    while rest:
        rest, digit = divmod(rest, radix)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return ("-" if number < 0 else "") + (digits or "0")


def _find_text(text: str, part: Any = UNDEFINED, start: Any = UNDEFINED, *_: Any) -> int:
    return text.find(to_text(part), max(0, _at(start, 0)))


def _starts(text: str, part: Any = UNDEFINED, start: Any = UNDEFINED, *_: Any) -> bool:
    return text.startswith(to_text(part), max(0, _at(start, 0)))


def _ends(text: str, part: Any = UNDEFINED, end: Any = UNDEFINED, *_: Any) -> bool:
    return text[: max(0, _at(end, len(text)))].endswith(to_text(part))


TEXT: Final[Mapping[str, Callable[..., Any]]] = {
    "at": _item_at,
    "charAt": lambda text, index=0, *_: text[_at(index, 0)] if 0 <= _at(index, 0) < len(text) else "",
    "concat": _concat_text,
    "endsWith": _ends,
    "includes": lambda text, part=UNDEFINED, start=UNDEFINED, *_: _find_text(text, part, start) >= 0,
    "indexOf": _find_text,
    "lastIndexOf": lambda text, part=UNDEFINED, *_: text.rfind(to_text(part)),
    "match": _match,
    "padEnd": lambda text, width=0, fill=UNDEFINED, *_: pad(text, width, fill, before=False),
    "padStart": lambda text, width=0, fill=UNDEFINED, *_: pad(text, width, fill, before=True),
    "repeat": repeat,
    "replace": replace,
    "replaceAll": _replace_all,
    "slice": _slice,
    "split": split,
    "startsWith": _starts,
    "substr": _substr,
    "substring": _substring,
    "toLowerCase": lambda text, *_: text.lower(),
    "toString": lambda text, *_: text,
    "toUpperCase": lambda text, *_: text.upper(),
    "trim": lambda text, *_: text.strip(JS_SPACE),
    "trimEnd": lambda text, *_: text.rstrip(JS_SPACE),
    "trimStart": lambda text, *_: text.lstrip(JS_SPACE),
}
LIST: Final[Mapping[str, Callable[..., Any]]] = {
    "at": _item_at,
    "concat": _concat_list,
    "flat": _flat,
    "includes": includes,
    "indexOf": lambda items, value=UNDEFINED, start=UNDEFINED, *_: index_in_list(items, value, start),
    "join": lambda items, sep=UNDEFINED, *_: join_texts(items, "," if sep is UNDEFINED else to_text(sep)),
    "lastIndexOf": _last_index,
    "slice": _slice,
    "toString": lambda items, *_: to_text(items),
}
NUMBER: Final[Mapping[str, Callable[..., Any]]] = {"toFixed": _to_fixed, "toString": _number_text}
BOOLEAN: Final[Mapping[str, Callable[..., Any]]] = {"toString": lambda value, *_: to_text(value)}
METHODS: Final = {"text": TEXT, "list": LIST, "number": NUMBER, "boolean": BOOLEAN}
