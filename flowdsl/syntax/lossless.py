"""A file as a tree of pieces that together hold every character of it: nodes, and what stands around them.

Formatters, fixes and editors write files with this. It is made on demand from the spans of the nodes, so that reading
a file to check it costs nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from flowdsl.source import Source, Span
from flowdsl.syntax.node import Node

_COMMENT = re.compile(r"""(?:(?<!\S)|(?<=[]}[{,"']))#[^\r\n]*""")
"""YAML wants white space before a comment; libyaml takes it also behind a sign or a quote, so that it is one."""
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]*(#[^\r\n]*)")
"""The first line of a text in a block: its comment belongs to the node, and stands inside of it."""
_LINE_END = re.compile(r"\r\n?|\n|\Z")


class Piece:
    """One node as it is written: what stands before it, its text or the pieces inside it, and what stands behind it.

    `before` holds the indentation, the dash or colon, and the comments and blank lines above the node; `after` the rest
    of its last line with its line end, a comment there included. `closing` is what ends a list or map in brackets. The
    pieces of a map are its keys and values in turn. What is no node of its own stands in `before` and `after`: an alias
    or an `!include`, a key that was reported and dropped. `node` is None only for a file in which no value could be
    read.
    """

    __slots__ = ("after", "before", "closing", "node", "pieces", "text")

    def __init__(self, node: Node | None, before: Span, text: Span) -> None:
        self.node = node
        self.before = before
        self.text = text
        """The characters of a scalar; of a list or map nothing."""
        self.pieces: tuple[Piece, ...] = ()
        self.closing = self.after = text._replace(start=text.end)

    @property
    def comments(self) -> list[Span]:
        """The comments that belong to this node alone: those above it, and the one at the end of its line, which for a
        text in a block is the line of its sign."""
        found = [
            Span(part.source, found.start(), found.end())
            for part in (self.before, self.after)
            for found in _COMMENT.finditer(part.source.text, part.start, part.end)
        ]
        header = _HEADER.match(self.text.source.text, self.text.start, self.text.end)
        return found if header is None else [*found, Span(self.text.source, *header.span(1))]

    def walk(self) -> Iterator[Piece]:
        """This piece and all inside it, in the order of the file."""
        yield self
        for piece in self.pieces:
            yield from piece.walk()


def pieces_of(source: Source, root: Node | None) -> Piece:
    """The tree of a file from what `read` gives for it; its last piece ends where the file ends."""
    whole = Span(source, 0, len(source.text))
    if root is None or root.source is not source:
        return Piece(None, whole._replace(end=0), whole)
    piece, end = _piece(root, 0, len(source.text))
    piece.after = piece.after._replace(start=piece.after.start if piece.after.text else end, end=len(source.text))
    return piece


def write(piece: Piece, replaced: Mapping[Node, str] | None = None) -> bytes:
    """The bytes of a file, or of a part of it: unchanged but for the nodes that are `replaced`, each by the text given
    for it, which is written as it is."""
    source = piece.text.source
    marks = b"" if piece.before.start else "\ufeff".encode() * source.marks
    return marks + b"".join(_written(piece, replaced or {}))


def _written(piece: Piece, replaced: Mapping[Node, str]) -> Iterator[bytes]:
    yield _bytes(piece.before)
    if piece.node is not None and piece.node in replaced:
        yield replaced[piece.node].encode()
    else:
        yield _bytes(piece.text)
        for inner in piece.pieces:
            yield from _written(inner, replaced)
        yield _bytes(piece.closing)
    yield _bytes(piece.after)


def _bytes(span: Span) -> bytes:
    return span.source.encode(span.start, span.end)


def _piece(node: Node, at: int, limit: int) -> tuple[Piece, int]:
    """The piece of a node that begins behind `at`, and where it ends: before `limit`, where the next node starts or the
    bracket around it closes."""
    source = node.source
    start = min(max(node.start, at), limit)
    if node.kind == "scalar":
        piece = Piece(node, Span(source, at, start), Span(source, start, min(max(node.end, start), limit)))
        end = piece.text.end
    else:
        piece = Piece(node, Span(source, at, start), Span(source, start, start))
        end = _fill(piece, node, limit)
    line_end = _LINE_END.search(source.text, end)
    stop = line_end.end() if line_end is not None else end
    if stop > limit or source.text[end - 1 : end] in ("\r", "\n"):  # the line is not ours, or has been taken inside
        stop = end
    piece.after = Span(source, end, stop)
    return piece, stop


def _fill(piece: Piece, node: Node, limit: int) -> int:
    """Gives a list or map its pieces and its closing bracket, and says where it ends."""
    children = _own_children(node, limit)
    bracket = node.end > max((child.end for child in children), default=node.start)
    inner = min(node.end, limit) if bracket else limit
    at, pieces = piece.text.end, []
    for index, child in enumerate(children, 1):
        made, at = _piece(child, at, children[index].start if index < len(children) else inner - bracket)
        pieces.append(made)
    piece.pieces = tuple(pieces)
    end = max(at, inner) if bracket else at
    piece.closing = Span(node.source, at, end)
    return end


def _own_children(node: Node, limit: int) -> Sequence[Node]:
    """The keys and values that stand inside a node, in the order of the file; not what an alias or include names."""
    if node.kind == "list":
        inside = node.value
    else:
        inside = [part for name, value in node.value.items() for part in (node.keys[name], value)]
    own: list[Node] = []
    at = node.start
    for child in inside:
        if child.source is node.source and at <= child.start <= limit:
            own.append(child)
            at = max(child.end, child.start)
    return own
