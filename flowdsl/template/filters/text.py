"""Filters on text."""

from __future__ import annotations

import math
from typing import Any, Final

from flowdsl.template.filters.record import filter_named
from flowdsl.template.limits import check_size
from flowdsl.template.methods import pad, split
from flowdsl.template.numbers import JS_SPACE, number_text, to_integer
from flowdsl.template.values import UNDEFINED, Pattern, is_array, is_number, to_number, to_text, truthy

_WORD: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


def text_of(value: Any) -> str:
    """The text a filter works on; null, undefined and false are empty."""
    if isinstance(value, str):
        return value
    return "" if value is None or value is UNDEFINED or value is False else to_text(value)


def _count(value: Any, default: int) -> int:
    return to_integer(to_number(value)) if truthy(value) else default


@filter_named("capitalize", gives="text", quick=True, needs_value=True, keeps_safe=True)
def capitalize(value: Any) -> str:
    """The text with a capital first letter, the others small."""
    text = (value if type(value) is str else text_of(value)).lower()
    return text[:1].upper() + text[1:]


@filter_named("center", gives="text", needs_value=True, keeps_safe=True)
def center(value: Any, width: Any = UNDEFINED) -> str:
    """The text in the middle of `width` characters."""
    text = text_of(value)
    spaces = _count(width, 80) - len(text)
    if spaces <= 0:
        return text
    check_size(len(text) + spaces)
    return " " * math.ceil(spaces / 2 - spaces % 2) + text + " " * math.ceil(spaces / 2)


@filter_named("indent", gives="text", needs_value=True, keeps_safe=True)
def indent(value: Any, width: Any = UNDEFINED, first: Any = False) -> str:
    """The text with its lines, without or with the first, indented."""
    text = text_of(value)
    step = max(0, _count(width, 4))
    check_size(len(text) + step * (text.count("\n") + 1))
    spaces = " " * step
    indented = text.replace("\n", "\n" + spaces)
    return spaces + indented if truthy(first) and text else indented


@filter_named("lower", gives="text", quick=True, needs_value=True, elsewhere=("lowercase", "downcase"))
def lower(value: Any) -> str:
    """The text in small letters."""
    return value.lower() if type(value) is str else text_of(value).lower()


@filter_named("upper", gives="text", quick=True, needs_value=True, elsewhere=("uppercase", "upcase"))
def upper(value: Any) -> str:
    """The text in capitals."""
    return value.upper() if type(value) is str else text_of(value).upper()


@filter_named("title", gives="text", quick=True, needs_value=True, keeps_safe=True, elsewhere=("titlecase",))
def title(value: Any) -> str:
    """The text with every word capitalized; words end at a space."""
    return " ".join([capitalize(word) for word in text_of(value).split(" ")])


@filter_named(
    "trim", gives="text", quick=True, needs_value=True, keeps_safe=True, shows_value=True, elsewhere=("strip",)
)
def trim(value: Any) -> str:
    """The text without white space at its ends."""
    return text_of(value).strip(JS_SPACE)


@filter_named("nl2br", gives="text", needs_value=True, keeps_safe=True)
def nl2br(value: Any) -> str:
    """The text with `<br />` before each line end."""
    text = "" if value is None or value is UNDEFINED else to_text(value)
    check_size(len(text) + 6 * text.count("\n"))
    return text.replace("\r\n", "\n").replace("\n", "<br />\n")


@filter_named("replace", gives="replaced", needs_value=True, keeps_safe=True)
def replace(value: Any, old: Any = UNDEFINED, new: Any = UNDEFINED, count: Any = UNDEFINED) -> Any:
    """The text with `old` (text or pattern) replaced, all times or `count` times."""
    if isinstance(old, Pattern):
        from flowdsl.template import regex

        return regex.replace(text_of(value), old, to_text(new))
    if is_number(old):
        old = number_text(old)
    if is_number(value):
        value = number_text(value)
    if not isinstance(old, str) or not isinstance(value, str):
        return value
    replacement = to_text(new)
    if not old:
        check_size(len(value) + len(replacement) * (len(value) + 1))
        return replacement + replacement.join(value) + replacement
    limit = -1 if count is UNDEFINED else to_integer(to_number(count))
    if limit == 0 or limit < -1:
        return value
    found = value.count(old) if limit < 0 else min(limit, value.count(old))
    check_size(len(value) + len(replacement) * found)
    return value.replace(old, replacement, limit)


@filter_named(
    "string", gives="text", quick=True, needs_value=True, keeps_safe=True, shows_value=True, elsewhere=("str",)
)
def string(value: Any) -> str:
    """The text of the value."""
    return "" if value is None or value is UNDEFINED else to_text(value)


@filter_named("truncate", gives="text", quick=True, needs_value=True, keeps_safe=True)
def truncate(value: Any, length: Any = UNDEFINED, killwords: Any = False, end: Any = UNDEFINED) -> str:
    """The text cut to `length`, at a space unless `killwords`; `end` comes on top."""
    text = text_of(value)
    limit = _count(length, 255)
    if len(text) <= limit:
        return text
    limit = max(0, limit)
    cut = limit if truthy(killwords) else text.rfind(" ", 0, limit + 1)
    return text[: limit if cut < 0 else cut] + ("..." if end is UNDEFINED or end is None else to_text(end))


@filter_named("wordcount", gives="words")
def wordcount(value: Any) -> Any:
    """The number of words, null when there is none; letters are A to Z."""
    words, inside = 0, False
    if not truthy(value):
        return None
    for char in text_of(value):
        if char in _WORD:
            words += not inside
            inside = True
        else:
            inside = False
    return words or None


@filter_named("startsWith", gives="boolean", quick=True)
def starts_with(value: Any, part: Any = UNDEFINED) -> bool:
    """Whether the text begins with a part."""
    return text_of(value).startswith(to_text(part))


@filter_named("endsWith", gives="boolean", quick=True)
def ends_with(value: Any, part: Any = UNDEFINED) -> bool:
    """Whether the text ends with a part."""
    return text_of(value).endswith(to_text(part))


@filter_named("split", gives="split")
def split_text(value: Any, separator: Any = UNDEFINED, limit: Any = UNDEFINED) -> Any:
    """The parts of the text between separators."""
    if is_array(value):
        return value
    return [] if value is None or value is UNDEFINED else split(text_of(value), separator, limit)


@filter_named("padStart", gives="text", needs_value=True)
def pad_start(value: Any, width: Any = 0, filler: Any = UNDEFINED) -> str:
    """The text padded at its start to a width."""
    return pad(text_of(value), to_number(width), filler, before=True)


@filter_named("match")
def match(value: Any, pattern: Any = UNDEFINED, flags: Any = "") -> Any:
    """The match of a pattern with its groups, all matches with flag `g`, null when there is none."""
    from flowdsl.template import regex

    if not isinstance(pattern, Pattern):
        pattern = Pattern(to_text(pattern), to_text(flags) if truthy(flags) else "")
    return regex.find(text_of(value), pattern)
