"""The tokens of expressions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from flowdsl.template.problems import Mistake, strange

Token = tuple[str, Any, int, int]

_TOKEN: Final = re.compile(
    r"""[ \n\t\r\xa0]*(?:
    (?P<NAME>(?!r/)(?:[A-Za-z_$]|[^\W\d])[A-Za-z0-9_$]*[\w$]*)(?P<MEMBERS>(?:\.(?!r/)[A-Za-z_$][A-Za-z_$0-9]*(?![\w$]))+)?
    |(?P<OP>[+*/~|.,:<>=!()\[\]{}](?![=*/&|])
        |(?!-?%\}|-\}\})(?:===|!==|==|!=|<=|>=|\*\*|//|&&|\|\||[-+*/%~|.,:<>=!()\[\]{}]))
    |(?P<NUMBER>[0-9]+(?:\.[0-9]*)?)
    |(?P<STRING>"[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')
    |(?P<REGEX>r/(?:[^/]|(?<=\\)/)*/[gimy]*)
    |(?P<CLOSE>-?%\}|-\}\})
    |(?P<END>\Z)
    |(?P<STRANGE>.))""",
    re.VERBOSE | re.DOTALL,
)
_NAME: Final = _TOKEN.groupindex["NAME"]
_MEMBERS: Final = _TOKEN.groupindex["MEMBERS"]
_OP: Final = _TOKEN.groupindex["OP"]
_WORDS: Final = {
    "and": "and",
    "or": "or",
    "not": "not",
    "in": "in",
    "is": "is",
    "if": "if",
    "else": "else",
    "true": "true",
    "false": "false",
    "none": "none",
    "null": "none",
    "&&": "and",
    "||": "or",
}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


def unescaped(body: str) -> str:
    """The text of a string literal: only `\\n`, `\\t` and `\\r` are special, any other `\\c` is `c`."""
    return _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[1]), body) if "\\" in body else body


def tokens(text: str, at: int, close: str) -> tuple[list[Token], int, bool]:
    """The tokens from the offset `at` up to the tag's end (`}}`, `%}`, or "" for the end of the text).

    `.name.name` behind a name is one token of kind `.`, see `apart`. The last token is END. Also given: the offset
    after the tag, and whether it strips the white space that follows.
    Raises: Mistake.
    """
    found: list[Token] = []
    opened, braces, match, word_kind = at, 0, _TOKEN.match, _WORDS.get
    dotted = False  # the last token was a `.`: a word behind it is a name, whatever it means elsewhere
    while True:
        token = match(text, at)
        assert token is not None  # noqa: S101  the last alternatives take anything
        group = token.lastindex or 0
        start, at = token.span(group)
        end = at
        if group == _NAME:
            word = token[group]
            found.append(("NAME" if dotted else word_kind(word, "NAME"), word, start, end))
            dotted = False
        elif group == _MEMBERS:
            word, end = token[_NAME], start
            start = end - len(word)
            found.append(("NAME" if dotted else word_kind(word, "NAME"), word, start, end))
            found.append((".", token[group], end, at))
            dotted = False
        elif group == _OP:
            sign = token[group]
            if sign == "{":
                braces += 1
            elif sign == "}":
                if not braces and text.startswith("}}", start) and close:
                    return _closed(found, text, "}}", close, start, end + 1, opened)
                braces = max(0, braces - 1)
            found.append((word_kind(sign, sign), sign, start, end))
            dotted = sign == "."
        elif (kind := token.lastgroup or "") in _CONSTANTS:
            found.append((kind, _CONSTANTS[kind](text, start, end), start, end))
            dotted = False
        elif kind == "CLOSE" and close and not (text[start:end] == "-}}" and braces):
            return _closed(found, text, text[start:end], close, start, end, opened)
        elif kind == "END":
            if close:
                raise _unclosed(text, opened, close, braces)
            found.append(("END", None, end, end))
            return found, end, False
        elif kind == "CLOSE":
            found.append((text[start], text[start], start, start + 1))
            at = start + 1
            dotted = False
        else:
            raise strange(text, start)


def apart(tokens: list[Token]) -> list[Token]:
    """The tokens as the grammar has them: each `.name.name` in its parts."""
    found: list[Token] = []
    for token in tokens:
        kind, value, start, _end = token
        if kind != "." or value == ".":
            found.append(token)
            continue
        for name in value[1:].split("."):
            end = start + 1 + len(name)
            found += ((".", ".", start, start + 1), ("NAME", name, start + 1, end))
            start = end
    return found


def _string(text: str, start: int, end: int) -> str:
    return unescaped(text[start + 1 : end - 1])


def _regex(text: str, start: int, end: int) -> tuple[str, str]:
    body, _, flags = text[start + 2 : end].rpartition("/")
    return body, flags


def _closed(
    found: list[Token], text: str, sign: str, close: str, start: int, end: int, opened: int
) -> tuple[list[Token], int, bool]:
    if sign[-2:] != close:
        opening = "{{" if close == "}}" else "{%"
        raise Mistake(f"this `{opening}` is closed with `{sign[-2:]}`", start, end, f"close it with `{close}`")
    found.append(("END", None, start, start))
    return found, end, sign[0] == "-"


def _unclosed(text: str, opened: int, close: str, braces: int) -> Mistake:
    opening = "{{" if close == "}}" else "{%"
    at = text.rfind(opening, 0, opened)
    hint = (
        "a `{` inside it is not closed"
        if braces
        else f'close it with `{close}`; for a literal write `{{{{ "{opening}" }}}}`'
    )
    return Mistake(f"this `{opening}` is never closed", at, at + 2, hint)


def _number(text: str, start: int, end: int) -> int | float:
    following = text[end : end + 1]
    if following.isalnum() or following in ("_", "$"):
        stop = end
        while stop < len(text) and (text[stop].isalnum() or text[stop] in "_$"):
            stop += 1
        raise Mistake(
            f"`{text[start:stop]}` is neither a number nor a name",
            start,
            stop,
            "numbers are decimal digits, as in 12 or 1.5",
        )
    digits = text[start:end]
    if len(digits) > 300:
        raise Mistake("a number of more than 300 digits", start, end)
    return int(digits) if digits.isdigit() else float(digits)


_CONSTANTS: Final[dict[str, Callable[[str, int, int], Any]]] = {
    "NUMBER": _number,
    "REGEX": _regex,
    "STRING": _string,
}
