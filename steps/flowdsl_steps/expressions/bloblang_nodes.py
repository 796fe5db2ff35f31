"""What a text of Bloblang is built of: queries, each a function over a `Scope`, and assignments; and mistakes in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lark import Token

from flowdsl.template import DEFAULT_LIMITS
from flowdsl_steps.expressions.bloblang_scope import Scope


class Mistake(Exception):
    """What is wrong with a text of Bloblang, at its characters from `start` to `end`; `instead` is what would be right
    in their place."""

    def __init__(self, message: str, start: int, end: int, hint: str | None = None, instead: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.hint = hint
        self.instead = instead


class Query:
    """A part of a query: `run` gives its value.

    `kind` is the type of the value where that is known, `origin` what failures call it, `path` where it stands in a
    document, for a target of an assignment: `root`, or `this`, and the names below. `is_plain` says of a name that it
    is one without `this`.
    """

    __slots__ = ("depth", "end", "is_literal", "is_plain", "kind", "origin", "path", "run", "start")

    def __init__(
        self,
        run: Callable[[Scope], Any],
        start: int,
        end: int,
        origin: str,
        kind: str = "unknown",
        *,
        inner: Sequence[Query] = (),
        is_literal: bool = False,
        path: tuple[str, ...] | None = None,
        is_plain: bool = False,
    ) -> None:
        self.run = run
        self.start = start
        self.end = end
        self.origin = origin
        self.kind = kind
        self.is_literal = is_literal
        self.path = path
        self.is_plain = is_plain
        self.depth: int = 1 + max((each.depth for each in inner), default=0)
        if self.depth > DEFAULT_LIMITS.max_depth:
            raise Mistake(f"the query is nested more than {DEFAULT_LIMITS.max_depth} deep", start, end)


class Assignment(NamedTuple):
    """One line of a mapping: what is assigned to `root` at a path, or to a key of the metadata (None: all of it)."""

    query: Query
    path: tuple[str, ...] = ()
    is_meta: bool = False
    key: str | None = None


class Named(NamedTuple):
    """An argument by its name."""

    name: str
    query: Query


class Arguments(NamedTuple):
    """The arguments of a call, and where they end."""

    queries: list[Query | Named]
    end: int


def unquoted(token: Token, begin: int = 0) -> str:
    """The text that stands in quotes; the escapes are Go's, which are JSON's and a few more."""
    quoted = str(token)[begin:]
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError:
        pass
    made, at, inner = [], 0, quoted[1:-1]
    while at < len(inner):
        char = inner[at]
        if char != "\\":
            made.append(char)
            at += 1
            continue
        letter = inner[at + 1]
        size = {"x": 2, "u": 4, "U": 8}.get(letter, 0)
        digits = inner[at + 2 : at + 2 + size]
        simple = _ESCAPES.get(letter)
        if simple is None and (not size or len(digits) < size or not all(each in _HEX for each in digits)):
            place = token.start_pos or 0
            hint = r"write `\\` for a backslash"
            raise Mistake(f"`\\{letter}` is no escape", place + begin + 1 + at, place + begin + 3 + at, hint)
        made.append(simple if simple is not None else chr(min(int(digits, 16), 0x10FFFF)))
        at += 2 + size
    return "".join(made)


_HEX = frozenset("0123456789abcdefABCDEF")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
