"""The texts a template prints: literal text, outputs, and an `if` that holds nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from flowdsl.template.expressions import Expressions
from flowdsl.template.nodes import If, Literal, Node, Output, Statement, Text
from flowdsl.template.writer import Line, Piece, Writer

# More texts than these are collected in a list: Python's compiler nests arguments.
FEW: Final = 32
MAX_CHOICES: Final = 4


class Texts:
    """Writes the codes of printed texts."""

    def __init__(
        self, writer: Writer, expressions: Expressions, placeholder: re.Pattern[str] | None, *, escaping: bool
    ) -> None:
        self.writer = writer
        self.expressions = expressions
        self.escaping = escaping
        self.placeholder = placeholder

    def origin(self, node: Node) -> None:
        """The lines that follow come from a node."""
        self.writer.origin = (node.start, node.end)

    def apart(self, node: Node, write: Callable[[Node], str]) -> tuple[str, list[Line]]:
        """The code of a node that may not run, with the lines it needs, which are not written yet."""
        self.origin(node)
        return self.expressions.apart(lambda: write(node))

    def pieces(self, statement: Statement) -> list[Piece] | None:
        """The codes of the texts that literal text, an output or a simple `if` gives; None for any other statement."""
        if isinstance(statement, Text):
            return [[(code, self.writer.origin)] for code in self.text(statement.text)]
        if isinstance(statement, Output):
            return [[(self.printed(statement.expression), self.writer.origin)]]
        return self.chosen(statement) if isinstance(statement, If) else None

    def chosen(self, statement: If) -> list[Piece] | None:
        """The code of an `if` as an expression, when literal text and outputs are all that its branches hold."""
        branches = statement.branches
        if len(branches) > MAX_CHOICES or any(
            not isinstance(s, (Text, Output)) for _c, inner in branches for s in inner
        ):
            return None
        written = []
        for condition, inner in branches:
            code, needed = ("", []) if condition is None else self.apart(condition, self.expressions.condition)
            origin = self.writer.origin
            found, more = self.expressions.apart(lambda inner=inner: [p for s in inner for p in self.pieces(s) or []])  # type: ignore[misc]  # mypy cannot infer a lambda's default
            if needed or more or len(found) > FEW:
                return None
            written.append((code, origin, found))
        single = all(len(found) == 1 for _code, _origin, found in written)
        piece: Piece = []
        for code, origin, found in written:
            parts = [(text + ("" if single else ","), place) for part in found for text, place in part]
            piece += parts if single else [("(", origin), *parts, (")", origin)]
            piece.append((f" if {code} else " if code else "", origin))
        if written[-1][0]:
            piece.append(("''" if single else "()", self.writer.origin))
        return [[("(" if single else "*(", piece[0][1]), *piece, (")", self.writer.origin)]]

    def text(self, text: str) -> list[str]:
        """The codes of literal text with its placeholders."""
        if self.placeholder is None or not text:
            return [self.writer.constant(text)] if text else []
        pieces, at = [], 0
        for found in self.placeholder.finditer(text):
            if found.start() > at:
                pieces.append(self.writer.constant(text[at : found.start()]))
            pieces.append(f"placeholder(names, {self.writer.constant(found[0])})")
            at = found.end()
        return pieces if at == len(text) else [*pieces, self.writer.constant(text[at:])]

    def printed(self, node: Node) -> str:
        """The code of an output's text."""
        self.origin(node)
        if isinstance(node, Literal) and isinstance(node.value, str) and not self.escaping:
            return self.writer.constant(node.value)
        code = self.expressions.code(node)
        if not self.escaping and self.expressions.is_text(node):
            return code
        if self.expressions.kind(node) == "int" and not self.escaping:
            return f'f"{{{code}}}"'
        site = self.writer.places.site(node)
        if self.escaping:
            return f"show({code}, {site})"
        temp, bound = self.expressions.bound(code)
        whole = f"type({temp}) is int and LEAST < {temp} < MOST"
        return f'({temp} if type({bound}) is str else f"{{{temp}}}" if {whole} else show({temp}, {site}))'
