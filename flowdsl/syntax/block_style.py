"""Nodes as YAML that a person reads: long texts stand in blocks, short maps on one line, comments where they belong.

In: a tree of nodes, which need not stand in a file as they are. Out: text that reads back as the same values. The
comments of the file that the nodes come from stay with the nodes; those of nodes that are gone, with the next one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from flowdsl.source import Source, Span
from flowdsl.syntax.core_schema import plain_value
from flowdsl.syntax.lossless import Piece, pieces_of
from flowdsl.syntax.node import Node
from flowdsl.syntax.quoting import written

WIDTH = 100
"""Longer lines are folded."""
_SHORT = 76
_PROSE = re.compile(r"[A-Za-z][\w ,.()/!?;+-]{0,90}(?<! )")
_NO_BLOCK = re.compile(
    r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[ ]\n|\n[ ]"
)


def block_style(root: Node, source: Source, written_root: Node | None) -> str:
    """The text of a file with these values. `written_root` is what `source` holds, whose comments are kept."""
    return _Writer(_Comments(source, written_root, root)).text(root)


class _Comments:
    """The comments of a file, each given out once, at the node it belongs to."""

    def __init__(self, source: Source, written_root: Node | None, root: Node) -> None:
        self._above: dict[int, list[str]] = {}
        self._beside: dict[int, list[str]] = {}
        self._source = source
        own = [node for node in _all(root) if node.source is source]
        starts = sorted({node.start for node in own})
        self._last = {node.start: node for node in own if node.kind == "scalar"}
        self.left: list[str] = []
        if written_root is None or not starts:
            return
        for piece in pieces_of(source, written_root).walk():
            for comment in piece.comments:
                self._keep(comment, piece, starts)

    def _keep(self, comment: Span, piece: Piece, starts: list[int]) -> None:
        """Puts a comment to its node, or where that is gone to the next one; at the end of the file, to none."""
        text = self._source.hide(comment.text)
        alone = not self._source.text[: comment.start].rpartition("\n")[2].strip()
        start = comment.start if alone or piece.node is None else piece.node.start
        index = bisect_left(starts, start)
        if index == len(starts):
            self.left.append(text)
        elif not alone and starts[index] == start:
            self._beside.setdefault(start, []).append(text)
        else:
            self._above.setdefault(starts[index], []).append(text)

    def above(self, *nodes: Node) -> list[str]:
        """Those that stand above one of the nodes."""
        return self._taken(self._above, nodes)

    def beside(self, *nodes: Node) -> list[str]:
        """Those at the end of the line of one of the nodes: of scalars made of the same place, of the last."""
        return self._taken(self._beside, tuple(node for node in nodes if self._last.get(node.start, node) is node))

    def has(self, node: Node) -> bool:
        """Whether one is left for the node or what is in it."""
        return any(each.start in self._above or each.start in self._beside for each in _all(node))

    def _taken(self, found: dict[int, list[str]], nodes: tuple[Node, ...]) -> list[str]:
        own = (node for node in nodes if node.source is self._source)
        return [text for node in own for text in found.pop(node.start, ())]


def _all(node: Node) -> Iterator[Node]:
    yield node
    if node.kind == "map":
        for name, value in node.value.items():
            yield node.keys[name]
            yield from _all(value)
    elif node.kind == "list":
        for item in node.value:
            yield from _all(item)


class _Writer:
    def __init__(self, comments: _Comments) -> None:
        self._comments = comments

    def text(self, root: Node) -> str:
        lines = self._block(root, 0) if root.value and root.kind != "scalar" else [self._inline(root)]
        return "\n".join([*lines, *self._comments.left]) + "\n"

    def _block(self, node: Node, depth: int) -> list[str]:
        """The lines of a list or map that is not empty."""
        pad, lines = "  " * depth, list[str]()
        if node.kind == "list":
            for item in node.value:
                lines += [f"{pad}{text}" for text in self._comments.above(item)]
                lines += self._value(item, f"{pad}-", depth + 1, of_list=True)
            return lines
        for name, value in node.value.items():
            key = node.keys[name]
            if depth == 0 and lines and value.kind != "scalar":
                lines.append("")
            lines += [f"{pad}{text}" for text in self._comments.above(key, value)]
            lines += self._value(value, f"{pad}{written(name)}:", depth + 1, key)
        return lines

    def _value(
        self, node: Node, before: str, depth: int, key: Node | None = None, *, of_list: bool = False
    ) -> list[str]:
        """The lines of a value behind its key or dash."""
        pad = "  " * (depth - 1)
        if node.kind == "scalar":
            beside = self._comments.beside(*((node,) if key is None else (node, key)))
            block = self._scalar_block(node.value, "  " * depth) if isinstance(node.value, str) else None
            if block is not None:
                return [*(f"{pad}{text}" for text in beside), f"{before} {block[0]}", *block[1:]]
            return [f"{before} {self._inline(node)}" + (f"  {' '.join(beside)}" if beside else "")]
        if not node.value or (
            self._is_short(node, of_list=of_list)
            and not self._comments.has(node)
            and len(line := f"{before} {self._inline(node)}") <= _SHORT
        ):
            return [f"{before} {self._inline(node)}"] if not node.value else [line]
        beside = self._comments.beside(*((node,) if key is None else (key, node)))
        inner = self._block(node, depth)
        if of_list:  # the first line stands behind the dash; comments above it, above the dash
            first = next(at for at, line in enumerate(inner) if line.strip() and not line.lstrip().startswith("#"))
            above = [line.strip() for line in inner[:first] if line.strip()]
            return [
                *(f"{pad}{text}" for text in beside),
                *above,
                f"{before} {inner[first].lstrip()}",
                *inner[first + 1 :],
            ]
        return [*(f"{pad}{text}" for text in beside), before, *inner]

    def _is_short(self, node: Node, *, of_list: bool) -> bool:
        """Whether a list or map may stand on one line: names and numbers alone."""
        if node.kind == "list":
            return all(item.kind == "scalar" and not self._is_long(item) for item in node.value)
        if "step" in node.value:
            return False
        return of_list and all(item.kind == "scalar" and not self._is_long(item) for item in node.value.values())

    def _is_long(self, node: Node) -> bool:
        return isinstance(node.value, str) and (len(node.value) > 40 or "\n" in node.value or "{" in node.value)

    def _inline(self, node: Node) -> str:
        if node.kind == "list":
            return f"[{', '.join(map(self._within, node.value))}]"
        if node.kind == "map":
            return f"{{{', '.join(f'{written(name)}: {self._within(value)}' for name, value in node.value.items())}}}"
        value = node.value
        if isinstance(value, str) and _PROSE.fullmatch(value) and plain_value(value) == value:
            return value
        return written(value)

    def _within(self, node: Node) -> str:
        """A value inside brackets, where commas end it."""
        return self._inline(node) if node.kind != "scalar" else written(node.value)

    def _scalar_block(self, text: str, pad: str) -> list[str] | None:
        """The lines of a long text; None where it is short, or cannot be one."""
        body = text.rstrip("\n")
        if not ("\n" in body or len(text) > WIDTH) or body[0] in " \n" or _NO_BLOCK.search(text) or body[-1] == " ":
            return None
        ends = len(text) - len(body)
        mark = "-" if not ends else "" if ends == 1 else "+"
        lines = body.split("\n")
        folds = max(map(len, lines)) > WIDTH
        if folds:
            lines = [line for at, each in enumerate(lines) for line in (*([""] if at else ()), *_folded(each))]
        rows = [f"{pad}{line}" if line else "" for line in lines]
        return [f"{'>' if folds else '|'}{mark}", *rows, *([""] * (ends - 1))]


def _words(line: str) -> Iterator[str]:
    """The parts of a line between single blanks, each template a part of one."""
    word = ""
    for part in re.split(r"(?<=[^ ]) (?=[^ ])", line):
        word = f"{word} {part}" if word else part
        if all(word.count(opened) <= word.count(closed) for opened, closed in (("{{", "}}"), ("{%", "%}"))):
            yield word
            word = ""
    if word:
        yield word


def _folded(line: str) -> list[str]:
    """A line as several, broken at single blanks, and not inside of a template."""
    rows, row = [], ""
    for word in _words(line):
        if row and len(row) + len(word) >= WIDTH:
            rows.append(row)
            row = word
        else:
            row = f"{row} {word}" if row else word
    return [*rows, row]
