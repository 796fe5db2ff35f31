"""The text of a file in the one style, made of libyaml's tokens: what stands between two of them is written anew.

A token keeps its characters. Only white space changes: where lines are indented to, what separates two tokens of a
line, how many blank lines there are. Two kinds of token have lines of their own: a text in a block, whose content moves
as a whole, and a text over several lines, whose continuation lines move to where its place is indented to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from flowdsl.source import Source
from flowdsl.syntax import libyaml
from flowdsl.syntax.foreign_characters import replaced

_BREAK = re.compile(r"\r\n?|\n")
_HEADER = re.compile(r"([|>][-+0-9]*)([ \t]*)(#.*)?")
_STEP = 2
"""How many columns deeper it is inside a list or map."""
_BESIDE = 2
"""How many blanks stand before a comment at the end of a line, at least."""
_MARKS = frozenset(("AnchorToken", "TagToken", "AliasToken"))
_OPENING = frozenset(("FlowSequenceStartToken", "FlowMappingStartToken"))
_CLOSING = frozenset(("FlowSequenceEndToken", "FlowMappingEndToken"))
_BLOCKS = {"BlockSequenceStartToken": "list", "BlockMappingStartToken": "map"}
_AT_MARGIN = frozenset(("DocumentStartToken", "DocumentEndToken", "DirectiveToken"))


class _Level:
    """A list or map that is open: the column that it had and the one it gets.

    One in brackets has two: `new`, of lines in it, and `outer`, of the bracket that closes it. `line` is the line that
    opens it. A list is `implicit` that stands in the column of its map's keys: to the parser, it neither begins nor
    ends.
    """

    __slots__ = ("implicit", "kind", "line", "new", "old", "outer")

    def __init__(self, kind: str, old: int, new: int, *, implicit: bool = False, outer: int = 0, line: int = 0) -> None:
        self.kind = kind
        self.old = old
        self.new = new
        self.implicit = implicit
        self.outer = outer
        self.line = line


def laid_out(source: Source) -> str:
    """The text of a file without mistakes of syntax in the one style, with the line ends that most of its lines have.

    Raises:
        libyaml.YAMLError: it has such mistakes.
    """
    return _Layout(source.text).written()


def line_end_of(text: str) -> str:
    """The line end that most lines of a text have."""
    windows = text.count("\r\n")
    return "\r\n" if windows > text.count("\n") - windows else "\n"


def _tokens(text: str) -> Iterator[Any]:
    foreign = replaced(text)  # as long as the text
    loader = libyaml.Parser(text if foreign is None else foreign.text)
    try:
        while loader.check_token():
            yield loader.get_token()
    finally:
        loader.dispose()


class _Layout:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: list[str] = []
        self.line: str | None = None
        """The line that is being written, which is none of `lines` yet."""
        self.levels: list[_Level] = []
        self.end = 0
        """Where the token before ends."""
        self.kind = ""
        """Its kind."""
        self.comments: list[tuple[int, int, int]] = []
        """Comments at the ends of lines: the line, where on it the white space before the comment begins, and the
        column that the comment had."""
        self.unended = False
        """The file ends inside a text whose value would have a line end, if the file had one."""

    def written(self) -> str:
        structure: list[Any] = []
        for token in _tokens(self.text):
            kind, start = token.__class__.__name__, token.start_mark.index
            if kind == "StreamEndToken":
                self.between(len(self.text), "", structure, 0)
                if "#" in self.text[self.end :]:
                    self.kind = "comment"
                break
            if start == token.end_mark.index:  # what the parser concludes from columns, and no character says
                structure.append(token)
                continue
            self.between(start, kind, structure, token.start_mark.column)
            structure.clear()
            self.add(token, kind, start)
        self.close_line()
        self.align()
        while self.lines and not self.lines[-1] and not self.keeps_lines():
            self.lines.pop()
        text = "\n".join(self.lines) + "\n" * (bool(self.lines) and not self.unended)
        line_end = line_end_of(self.text)
        return text if line_end == "\n" else text.replace("\n", line_end)

    def keeps_lines(self) -> bool:
        """Whether the blank lines at the end are those of a text, which counts them."""
        return self.kind == "kept"

    def close_line(self) -> None:
        if self.line is not None:
            self.lines.append(self.line)
        self.line = None

    def between(self, start: int, kind: str, structure: Sequence[Any], column: int) -> None:
        """Writes what stands between two tokens, and moves to where the next one begins."""
        gap = self.text[self.end : start]
        parts = _BREAK.split(gap) if "\n" in gap or "\r" in gap else [gap]
        levels, key = self.levels.copy() if "#" in gap else self.levels, False
        inner = levels[-1].new if levels and levels[-1].kind == "brackets" else None
        ended = kind == "BlockEntryToken"
        for token in structure:
            name = token.__class__.__name__
            key |= name == "KeyToken"
            ended = (ended or name == "BlockEndToken") and name != "BlockSequenceStartToken"
            ended |= self.restructure(name, token.start_mark.column)
        if kind in ("KeyToken", "ValueToken"):
            ended |= self.leave_implicit_list()
        elif kind == "BlockEntryToken":
            self.enter_implicit_list(column)
        first = self.line is None and not self.lines
        if len(parts) == 1 and kind and not first:
            self.line = (self.line or "") + self.separator(kind, gap)
            return
        if self.kind == "BlockEntryToken" and not ended and "#" not in gap and kind:
            self.line = f"{self.line} "  # an item begins behind its dash
            return
        if not first:
            self.beside(parts.pop(0), self.end)
        self.close_line()
        indent = self.indent_of(kind, key=key)
        if parts and (kind or not parts[-1].strip(" \t")):  # what stands behind the last line end is no line
            parts.pop()
        self.above(parts, column, indent, levels, inner)
        if kind:
            self.line = " " * indent

    def restructure(self, name: str, column: int) -> bool:
        """Opens or closes lists and maps in block style; says whether one has been closed."""
        if name in _BLOCKS:
            self.levels.append(_Level(_BLOCKS[name], column, self.inside()))
            return False
        if name == "BlockEndToken":
            self.leave_implicit_list()
            self.levels.pop()
            return True
        return name == "KeyToken" and self.leave_implicit_list()

    def inside(self) -> int:
        """The column of what is inside the innermost list or map."""
        block = next((level for level in reversed(self.levels) if level.kind != "brackets"), None)
        return 0 if block is None else block.new + _STEP

    def enter_implicit_list(self, column: int) -> None:
        if self.levels and self.levels[-1].kind == "map":
            self.levels.append(_Level("list", column, self.inside(), implicit=True))

    def leave_implicit_list(self) -> bool:
        if self.levels and self.levels[-1].implicit:
            self.levels.pop()
            return True
        return False

    def indent_of(self, kind: str, *, key: bool) -> int:
        """The column of a token that begins a line; `key`: a key begins with it."""
        if not self.levels or kind in _AT_MARGIN:
            return 0
        level = self.levels[-1]
        if level.kind == "brackets":
            return level.outer if kind in _CLOSING else level.new
        starts = kind in ("BlockEntryToken", "KeyToken", "ValueToken") or key
        return level.new if starts else level.new + _STEP

    def beside(self, text: str, at: int) -> None:
        """Writes the comment at the end of a line, if there is one; `at` is where the text begins in the file."""
        comment = text.lstrip(" \t")
        if comment.startswith("#"):
            before = text[: len(text) - len(comment)]
            blanks = _BESIDE if "\t" in before else max(_BESIDE, len(before))
            start = max(self.text.rfind("\n", 0, at), self.text.rfind("\r", 0, at)) + 1
            self.comments.append((len(self.lines), len(self.line or ""), at + len(before) - start))
            self.line = (self.line or "") + " " * blanks + comment.rstrip(" \t")

    def align(self) -> None:
        """Puts comments below each other that were, where they stand on lines that follow each other."""
        at = 0
        for index in range(1, len(self.comments) + 1):
            line, _, column = self.comments[index - 1]
            if index < len(self.comments) and (line + 1, column) == self.comments[index][::2]:
                continue
            group, at = self.comments[at:index], index
            if len(group) == 1:
                continue
            parts = [(line, self.lines[line][:end], self.lines[line][end:].lstrip()) for line, end, _ in group]
            blanks = min(len(self.lines[line]) - len(text) - len(comment) for line, text, comment in parts)
            width = max(len(text) for _, text, _ in parts) + blanks
            for line, text, comment in parts:
                self.lines[line] = text.ljust(width) + comment

    def above(
        self, parts: Sequence[str], column: int, indent: int, levels: Sequence[_Level], inner: int | None
    ) -> None:
        """Writes the comments and blank lines above a token, which had one column and gets another; `levels` were open
        above them, and lines in brackets are indented by `inner`."""
        for part in parts:
            comment = part.strip(" \t")
            if comment:
                old = len(part) - len(part.lstrip(" \t"))
                new = inner if inner is not None else _comment_column(old, column, indent, levels)
                self.lines.append(" " * new + comment)
            elif self.lines and self.lines[-1]:
                self.lines.append("")

    def separator(self, kind: str, gap: str) -> str:
        """What stands between two tokens of one line."""
        before, kept = self.kind, " " if gap else ""
        if before in ("BlockEntryToken", "KeyToken", "DocumentStartToken") or before in _MARKS:
            return kept or " " * (kind not in ("FlowEntryToken", "ValueToken") and kind not in _CLOSING)
        if kind in _CLOSING or kind == "FlowEntryToken":
            return kept if before == "ValueToken" else ""
        if kind == "ValueToken":
            return kept if before in _OPENING or before == "FlowEntryToken" else ""
        if before in _OPENING:
            return kept if before == kind == "FlowMappingStartToken" else ""  # two in a row look like a template
        return " " if before in ("ValueToken", "FlowEntryToken") else kept

    def add(self, token: Any, kind: str, start: int) -> None:
        """Writes a token, behind what `between` has written."""
        self.end, self.kind = token.end_mark.index, kind
        written = self.text[start : self.end]
        if kind == "ScalarToken" and token.style in ("|", ">"):
            self.block(written, start)
            return
        if kind in _OPENING:
            self.open_brackets()
        elif kind in _CLOSING:
            self.levels.pop()
        if "\n" not in written and "\r" not in written:
            self.line = f"{self.line}{written}"
            return
        indent = self.levels[-1].new if self.levels and self.levels[-1].kind == "brackets" else self.inside()
        head, *middle, last = _BREAK.split(written)
        self.lines.append(f"{self.line}{head}")
        self.lines += [" " * indent + line.lstrip(" \t") if line.strip(" \t") else "" for line in middle]
        self.line = " " * indent + last.lstrip(" \t")

    def open_brackets(self) -> None:
        line, level = len(self.lines), self.levels[-1] if self.levels else None
        if level is not None and level.kind == "brackets":
            outer = level.outer if level.line == line else level.new
        elif self.line is not None and not self.line.strip():
            outer = len(self.line)
        else:
            outer = 0 if level is None else level.new + (_STEP if level.kind == "list" else 0)
        self.levels.append(_Level("brackets", 0, outer + _STEP, outer=outer, line=line))

    def block(self, written: str, start: int) -> None:
        """Writes a text in a block: its content keeps its form, and moves as a whole."""
        head, *content = _BREAK.split(written)
        header = _HEADER.fullmatch(head)
        indicators, blanks, comment = header.groups() if header is not None else (head, "", None)
        old, new = self.block_columns(indicators, content)
        blank = [len(line) <= old and not line.strip(" ") for line in content]
        count = len(content)
        if count and blank[-1]:  # what stands behind the last line end is no line of the text
            count -= 1
        keeps = "+" in indicators
        while count and blank[count - 1] and not keeps:
            count -= 1
        self.line = (self.line or "") + indicators
        self.beside(blanks + (comment or ""), start + len(indicators))
        rows = zip(content[:count], blank, strict=False)
        self.lines += [self.line, *("" if is_blank else " " * new + line[old:] for line, is_blank in rows)]
        self.line = self.lines.pop()
        ends = [found.start() for found in _BREAK.finditer(written)]
        self.unended = "-" not in indicators and len(ends) == count > 0 and self.end == len(self.text)
        self.end = start + (ends[count] if count < len(ends) else len(written))
        self.kind = "kept" if keeps else "text"

    def block_columns(self, indicators: str, content: Sequence[str]) -> tuple[int, int]:
        """The column that the content of a text in a block has, and the one that it gets."""
        digit = next((int(char) for char in indicators if char.isdigit()), None)
        if digit is not None:
            level = self.levels[-1] if self.levels else None
            return (digit, digit) if level is None else (level.old + digit, level.new + digit)
        first = next((line for line in content if line.strip(" ")), None)
        if first is None:  # blank lines alone, however long they are
            return max(map(len, content), default=0), self.inside()
        return len(first) - len(first.lstrip(" ")), self.inside()


def _comment_column(old: int, next_old: int, next_new: int, levels: Sequence[_Level]) -> int:
    """The column of a comment on a line of its own: that of what follows, or where it stands deeper, of what it stands
    in."""
    if old <= next_old:
        return next_new
    columns = [(level.old, level.new) for level in levels] + [(next_old, next_new)]
    nearest = max(column for column, _ in columns if column <= old)
    return next(new for column, new in reversed(columns) if column == nearest)
