"""JavaScript's regular expressions on the `regex` package, with a time limit.

Source: ECMA-262, sections 22.1 (String) and 22.2 (RegExp).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from time import monotonic
from typing import Any, Final

from flowdsl.errors import TemplateError
from flowdsl.template.limits import check_size, limit_error
from flowdsl.template.numbers import JS_SPACE
from flowdsl.template.values import UNDEFINED, Pattern

TIMEOUT_S: Final = 0.5
MAX_EXPANDED: Final = 20_000
"""How many characters and groups a pattern may have with its repetitions written out: compiling it does that."""
_SPACES: Final = "".join(f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in JS_SPACE)
_CLASSES: Final = {
    "d": "0-9",
    "w": "A-Za-z0-9_",
    "s": _SPACES,
}
_BOUNDARY: Final = {
    "b": "(?:(?<=[A-Za-z0-9_])(?![A-Za-z0-9_])|(?<![A-Za-z0-9_])(?=[A-Za-z0-9_]))",
    "B": "(?:(?<=[A-Za-z0-9_])(?=[A-Za-z0-9_])|(?<![A-Za-z0-9_])(?![A-Za-z0-9_]))",
}
_LINE_ENDS: Final = "\\n\\r\\u2028\\u2029"


def translate(source: str, flags: str) -> str:
    """The pattern in the `regex` package's syntax.

    Raises: ValueError when JavaScript would not take it either.
    """
    out: list[str] = []
    at, inside = 0, False
    while at < len(source):
        char = source[at]
        if char == "\\":
            piece, at = _escape(source, at + 1, inside)
            out.append(piece)
            continue
        if inside:
            inside = char != "]"
            out.append("\\" + char if char in "[&|~-" and not _is_range(source, at) else char)
        elif char == "[":
            piece, width, inside = _open_class(source, at)
            out.append(piece)
            at += width
            continue
        elif char == ".":
            out.append("." if "s" in flags else f"[^{_LINE_ENDS}]")
        elif char in "^$":
            out.append(_anchor(char, "m" in flags))
        elif char == "{" and not _is_count(source, at):
            out.append("\\{")
        elif char == "}" and not _closes_count(source, at):
            out.append("\\}")
        elif source.startswith("(?<", at) and source[at + 3 : at + 4] not in ("=", "!"):
            out.append("(?P<")
            at += 3
            continue
        else:
            out.append(char)
        at += 1
    return "".join(out)


def expanded_size(source: str) -> int:
    """About how many characters and groups a pattern has with its repetitions written out as often as they must be."""
    sizes, last, at = [0], 0, 0
    while at < len(source):
        char = source[at]
        found = _COUNT.match(source, at) if char == "{" else None
        if found is not None:
            times = max(int(found[1][:6]), 1)
            sizes[-1] += last * (times - 1)
            last *= times
            at = found.end()
            continue
        if char == "(":
            sizes.append(1)
        elif char == ")" and len(sizes) > 1:
            last = sizes.pop()
            sizes[-1] += last
        else:
            last, at = 1, _CLASS.match(source, at).end() - 1  # type: ignore[union-attr]  # it matches any character
            sizes[-1] += 1
        at += 1
    return sum(sizes)


_COUNT: Final = re.compile(r"\{(\d+)(?:,\d*)?\}")
_CLASS: Final = re.compile(r"\[(?:[^\]\\]|\\.)*\]|\\.|.", re.DOTALL)


def _is_range(source: str, at: int) -> bool:
    return source[at] == "-" and source[at - 1] != "[" and source[at + 1 : at + 2] not in ("", "]")


def _open_class(source: str, at: int) -> tuple[str, int, bool]:
    if source.startswith("[^]", at):
        return "[\\x00-\\U0010ffff]", 3, False
    if source.startswith("[]", at):
        return "(?!)", 2, False
    return ("[^", 2, True) if source.startswith("[^", at) else ("[", 1, True)


def _anchor(char: str, lines: bool) -> str:
    if char == "^":
        return f"(?:(?<=[{_LINE_ENDS}])|\\A)" if lines else "\\A"
    return f"(?=[{_LINE_ENDS}]|\\Z)" if lines else "\\Z"


def _is_count(source: str, at: int) -> bool:
    end = source.find("}", at)
    body = source[at + 1 : end] if end > 0 else ""
    low, comma, high = body.partition(",")
    return low.isdigit() and (not comma or not high or high.isdigit())


def _closes_count(source: str, at: int) -> bool:
    start = source.rfind("{", 0, at)
    return start >= 0 and _is_count(source, start) and source.find("}", start) == at


def _escape(source: str, at: int, inside: bool) -> tuple[str, int]:
    if at >= len(source):
        raise ValueError("a backslash ends the pattern")
    char = source[at]
    if char.lower() in _CLASSES:
        members = _CLASSES[char.lower()]
        if char.islower():
            return (members if inside else f"[{members}]"), at + 1
        return (f"[^{members}]" if not inside else f"{_complement(char)}"), at + 1
    if char in _BOUNDARY:
        return ("\\x08" if inside and char == "b" else _BOUNDARY[char]), at + 1
    if char in "nrtfv":
        return "\\" + char, at + 1
    if char == "0" and not source[at + 1 : at + 2].isdigit():
        return "\\x00", at + 1
    if char.isdigit():
        return "\\" + char, at + 1
    if char in "xu":
        width = 2 if char == "x" else 4
        digits = source[at + 1 : at + 1 + width]
        if len(digits) == width and all(c in "0123456789abcdefABCDEF" for c in digits):
            return f"\\{char}{digits}", at + 1 + width
        return char, at + 1
    if source.startswith("k<", at) and ">" in source[at:]:
        end = source.index(">", at)
        return f"(?P={source[at + 2 : end]})", end + 1
    return (char if char.isalnum() else "\\" + char), at + 1


def _complement(char: str) -> str:
    if char == "D":
        return "\\x00-/:-\\U0010ffff"
    if char == "W":
        return "\\x00-/:-@\\[-\\^`{-\\U0010ffff"
    ends = sorted(ord(c) for c in JS_SPACE)
    ranges = zip([0, *(e + 1 for e in ends)], [*(e - 1 for e in ends), 0x10FFFF], strict=True)
    return "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges if low <= high)


@lru_cache(maxsize=256)
def compiled(source: str, flags: str) -> Any:
    """The compiled pattern.

    Raises: TemplateError when it is not a regular expression.
    """
    import regex

    try:
        if len(source) > 5000:
            raise ValueError("it is longer than 5,000 characters")
        if expanded_size(source) > MAX_EXPANDED:
            raise ValueError(f"its repetitions stand for more than {MAX_EXPANDED:,} characters")
        return regex.compile(translate(source, flags), regex.IGNORECASE if "i" in flags else 0)
    except (regex.error, ValueError, OverflowError, RecursionError) as error:
        raise TemplateError(f"`/{source[:60]}/` is not a regular expression: {error}") from None


def searcher(pattern: Pattern) -> Any:
    """The compiled form of a pattern."""
    return compiled(pattern.source, pattern.flags)


def matches(text: str, pattern: Pattern) -> Iterator[Any]:
    """The matches one after the other; after an empty one the search goes on one character later.

    Raises: TemplateError when it takes too long.
    """
    machine = searcher(pattern)
    deadline = monotonic() + TIMEOUT_S
    sticky = "y" in pattern.flags
    at = 0
    while at <= len(text):
        left = deadline - monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            match = (machine.match if sticky else machine.search)(text, at, timeout=left)
        except TimeoutError:
            raise limit_error(f"the pattern `/{pattern.source[:60]}/` takes too long", f"{TIMEOUT_S:g} s") from None
        if match is None:
            return
        yield match
        at = match.end() + (match.end() == match.start())


def replace(text: str, pattern: Pattern, new: str) -> str:
    """The text with the first match replaced, or all of them with flag `g`; `$1 $& $$ $<n>` count in `new`.

    Raises: TemplateError when it takes too long or the result is too long.
    """
    expand = _expander(new)
    out: list[str] = []
    size, at = 0, 0
    for match in matches(text, pattern):
        out += (text[at : match.start()], expand(match))
        size += len(out[-1])
        check_size(size)
        at = match.end()
        if "g" not in pattern.flags:
            break
    return "".join(out) + text[at:]


def _expander(new: str) -> Callable[[Any], str]:
    if "$" not in new:
        return lambda match: new

    def expand(match: Any) -> str:
        out, at = [], 0
        while (dollar := new.find("$", at)) >= 0:
            piece, width = _dollar(match, new[dollar + 1 : dollar + 3], new[dollar:])
            out.append(new[at:dollar] + piece)
            at = dollar + width
        return "".join(out) + new[at:]

    return expand


def _dollar(match: Any, two: str, rest: str) -> tuple[str, int]:
    if two[:1] == "$":
        return "$", 2
    if two[:1] == "&":
        return match.group(), 2
    if two[:1] == "`":
        return match.string[: match.start()], 2
    if two[:1] == "'":
        return match.string[match.end() :], 2
    for width in (2, 1):
        digits = two[:width]
        if len(digits) == width and digits.isascii() and digits.isdigit() and 0 < int(digits) <= match.re.groups:
            return match.group(int(digits)) or "", width + 1
    if two[:1] == "<" and ">" in rest and match.re.groupindex:
        name = rest[2 : rest.index(">")]
        return (match.groupdict().get(name) or ""), len(name) + 3
    return "$", 1


def find(text: str, pattern: Pattern) -> Any:
    """JavaScript's `match`: all matches with flag `g`, else the first with its groups; null when there is none."""
    if "g" in pattern.flags:
        return [match.group() for match in matches(text, pattern)] or None
    match = next(matches(text, pattern), None)
    return None if match is None else [match.group(), *_groups(match)]


def _groups(match: Any) -> list[Any]:
    return [UNDEFINED if group is None else group for group in match.groups()]


def split(text: str, pattern: Pattern) -> list[Any]:
    """JavaScript's `split` at a pattern; groups become items."""
    found: list[Any] = []
    last = 0
    for match in matches(text, Pattern(pattern.source, pattern.flags.replace("y", ""))):
        if not text:
            return []
        if match.end() == match.start() and match.start() in (last, len(text)):
            continue
        found += (text[last : match.start()], *_groups(match))
        last = match.end()
    return [*found, text[last:]]
