"""The parser of Bloblang: Lark on the grammar in bloblang.lark, and what it says of a text that is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken
from lark.lark import PostLex

from flowdsl_steps.expressions.bloblang_calls import SUBSET
from flowdsl_steps.expressions.bloblang_nodes import Mistake
from flowdsl_steps.expressions.bloblang_query import Build

MAX_TOKENS = 20_000
"""So many parts a mapping may have."""
MAX_TEXT = 65_536
"""So many characters a mapping may have."""
_OPEN, _CLOSED = frozenset({"LPAR", "LSQB", "LBRACE"}), frozenset({"RPAR", "RSQB", "RBRACE"})
_GOES_ON = frozenset({"PLUS", "MINUS", "BAR", "AND", "OR", "COMPARE", "NOT", "ASSIGN", "COMMA", "LABEL", "IF", "ELSE"})
"""Behind these a line end is none: an operator stands at the end of its line."""
_OPERATORS = frozenset({"PLUS", "MINUS", "BAR", "AND", "OR", "COMPARE"})
_WORDS = frozenset({"NAME", "THIS", "ROOT", "META", "IF", "ELSE", "TRUE", "FALSE", "NULL", "INTEGER"})
_PROSE = re.compile(r"[A-Za-z][\w'’-]*[,.!?;:]?(?:\s+[\w'’&“”/()-]+[,.!?;:]?)+", re.DOTALL)
_STATEMENTS = {
    "let": "variables (`let`, `$name`)",
    "map": "`map`",
    "import": "`import`",
    "from": "`from`",
    "match": "`match`",
}
_WITHOUT = {
    "let": "write its value in the places that read it",
    "match": "write `if … { … } else if … { … } else { … }`",
    "map": "write its assignments in the place that applies it",
}
"""What says the same without them."""


class LineEnds(PostLex):
    """Leaves out the line ends that end no statement: in brackets, behind an operator, and before `else`."""

    always_accept = ("_NL",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """The tokens that the grammar sees."""
        depth, count = 0, 0
        before, waiting = "", None
        for token in stream:
            count += 1
            if count > MAX_TOKENS:
                raise Mistake(
                    f"the mapping has more than {MAX_TOKENS:,} parts", token.start_pos or 0, token.end_pos or 0
                )
            if token.type == "_NL":
                if depth == 0 and before and before not in _GOES_ON:
                    waiting = waiting or token
                continue
            if waiting is not None and token.type != "ELSE":
                yield waiting
            waiting = None
            depth += (token.type in _OPEN) - (token.type in _CLOSED)
            before = token.type
            yield token


@cache
def _parser() -> Lark:
    grammar = files("flowdsl_steps.expressions").joinpath("bloblang.lark").read_text(encoding="utf-8")
    return Lark(
        grammar, parser="lalr", lexer="basic", start=["mapping", "query"], postlex=LineEnds(), transformer=Build()
    )


def parsed(text: str, start: str) -> Any:
    """What a text builds: assignments for `mapping`, a query for `query`.

    Raises:
        Mistake: it is not of the part of Bloblang that is supported.
    """
    if len(text) > MAX_TEXT:
        raise Mistake(f"a mapping has at most {MAX_TEXT:,} characters", 0, len(text))
    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as error:
        raise _mistake(error, text, start) from None


def is_prose(text: str) -> bool:
    """Whether a text is words rather than a query: of two or more, with nothing between them."""
    return _PROSE.fullmatch(text.strip()) is not None


def _mistake(error: UnexpectedInput, text: str, start: str) -> Mistake:
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        return _unexpected(error.token, text, start)
    if isinstance(error, UnexpectedCharacters):
        return _odd_character(text, error.pos_in_stream or 0)
    if isinstance(error, (UnexpectedEOF, UnexpectedToken)):
        end = len(text.rstrip())
        at = max(0, end - 1)
        for opening, closing in ("()", "[]", "{}"):
            if text.count(opening) > text.count(closing):
                return Mistake(f"a `{opening}` is not closed", at, end, f"end it with `{closing}`")
        return Mistake("it breaks off here", at, end, f"something is missing behind `{text[at:end]}`")
    return Mistake("this is no Bloblang", 0, len(text), SUBSET)


def _unexpected(token: Token, text: str, start: str) -> Mistake:
    at, end = token.start_pos or 0, token.end_pos or 0
    line = text[:at].rpartition("\n")[2]
    word = text[:at].split()[-1] if text[:at].split() else ""
    sign = "." if token.startswith(".") else str(token)
    if (token.type in _OPERATORS or sign == ".") and "\n" in text[:at] and not line.strip():
        return Mistake(f"a line cannot begin with `{sign}`", at, end, "put it at the end of the line above")
    if token.type == "ASSIGN" and re.search(r"(?m)^\s*if\b[^\n]*\{", text[:at]):
        message = "not supported here: `if` around assignments"
        return Mistake(message, at, end, "write `root.name = if … { … } else { … }`")
    if token.type == "ASSIGN":
        hint = (
            "an assignment stands in a mapping" if start == "query" else "write one assignment a line: `root.name = …`"
        )
        return Mistake("nothing is assigned here", at, end, hint)
    if word in _STATEMENTS and token.type in (*_WORDS, "TEXT"):
        begin = text[:at].rindex(word)
        hint = f"{_WITHOUT[word]}; {SUBSET}" if word in _WITHOUT else SUBSET
        return Mistake(f"not supported here: {_STATEMENTS[word]}", begin, begin + len(word), hint)
    if token.type in _WORDS and start == "mapping" and re.match(r"[\w.\"]+\s+=\s", text[at:]):
        return Mistake("an assignment begins a line of its own", at, end, "put a line end before it")
    if token.type == "MINUS":
        sign = "->" if text[at : at + 2] == "->" else "-"
        return Mistake(f"not supported here: `{sign}`", at, at + len(sign), SUBSET)
    if token.type in _WORDS and re.search(r"\w\s+$", text[:at]):
        return Mistake(f"an operator is missing before `{token}`", at, end, SUBSET)
    shown = "the end of the line" if token.type == "_NL" else f"`{token}`"
    return Mistake(f"{shown} cannot stand here", at, max(end, at + 1), SUBSET)


_SIGNS = {
    "*": "not supported here: `*`",
    "/": "not supported here: `/`",
    "%": "not supported here: `%`",
    "$": "not supported here: variables (`let`, `$name`)",
    "&": "`&` is no operator: `&&` is",
}


def _odd_character(text: str, at: int) -> Mistake:
    char = text[at : at + 1]
    if char == "=" and text[at : at + 2] != "==":
        around = text[max(0, at - 1) : at + 2]
        instead = f"{'' if around[:1].isspace() else ' '}= " if not text[at + 1 : at + 2].isspace() else " ="
        return Mistake("`=` has a space on both sides", at, at + 1, "write ` = `", instead)
    if char in "'‘’“”":
        return Mistake(
            'a text stands in double quotes, `"…"`',
            at,
            at + 1,
            "put double quotes around the text, and single ones of YAML around all",
        )
    if char == '"':
        return Mistake("the text is not closed", at, at + len(text[at:].partition("\n")[0]), 'end it with `"`')
    if char == ".":
        hint = "a dot stands at the end of a name, and before the next one: `this.a.b`"
        line = text[:at].rpartition("\n")[2]
        if not line.strip() and "\n" in text[:at]:
            return Mistake("a line cannot begin with `.`", at, at + 1, "put the dot at the end of the line above")
        return Mistake("a name is missing behind the dot", at, at + 1, hint)
    message = _SIGNS.get(char, f"`{char}` cannot stand here")
    return Mistake(message, at, at + 1, SUBSET)
