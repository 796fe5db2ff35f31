"""YAML text to nodes: values with exact spans, and every syntax error as a diagnostic. `composer` makes the nodes.

The values are those of YAML 1.2's core schema: `yes`, `no`, `on` and `off` are text.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flowdsl.diagnostics import Diagnostic
from flowdsl.errors import UsageError
from flowdsl.source import Source, Span
from flowdsl.syntax import libyaml
from flowdsl.syntax.composer import Composer, Include, Mistake, Stop
from flowdsl.syntax.node import Node
from flowdsl.syntax.opened import read_file

if TYPE_CHECKING:
    from flowdsl.syntax.foreign_characters import Replaced

MAX_MISTAKES = 50
"""How many syntax errors are worked around to find the mistakes behind them."""
MAX_REREAD = 20_000_000
"""How many characters are read again, at most, to get past syntax errors."""
_NESTING_LIMIT = "exceeded maximum nesting depth"  # libyaml's words


def read(
    source: Source, include: Include | None = None, *, measured: bool = False
) -> tuple[Node | None, list[Diagnostic]]:
    """The root node of a document, or None when there is none to work with, and the mistakes found on the way.

    How it goes on after a syntax error. The parser stops at the first thing that it cannot read, and its state is of no
    use then. So the error is put into our words, worked around in a copy of the text, and the copy is read from its
    start: an unquoted template becomes a quoted text of the same length, a tab one blank, a sign that nothing may
    begin with a letter, and a line that fits nothing becomes blanks (`yaml_errors.recover`). Why in a copy: the
    source is what people are shown and what fixes edit, so it stays as the author wrote it. The copy has every
    other character at the place it has there, so that each span of a node read from the copy is a span of the
    source. Each round gets past one error; at most MAX_MISTAKES rounds, and MAX_REREAD characters are read, so that
    a hostile file ends. Where an error cannot be worked around, as none can that is left after the last round,
    there is no document: no findings are better than wrong ones.

    `measured` gives every node its `size` and `height`, for a file that others include.
    """
    diagnostics: list[Diagnostic] = []
    if not source.text.strip():
        span = Span(source, 0, len(source.text))
        return None, [
            Diagnostic("empty-file", "the file is empty", span, hint="a flow is a list of steps: `- step: NAME`")
        ]
    text, restored = source.text, dict[int, tuple[int, int]]()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        span = Span(source, error.start, error.start + 1)
        message = f"the character U+{ord(text[error.start]):04X} is not allowed in YAML"
        return None, [Diagnostic("yaml-syntax", message, span, hint="it is half of a character: write the whole one")]
    if not text.isascii():
        from flowdsl.syntax.foreign_spaces import foreign_indentation  # few files have a character that asks for it

        spaced = foreign_indentation(source)
        if spaced is not None:
            text, mistake = spaced
            diagnostics.append(mistake)
    foreign: Replaced | None = None
    if "\\u" in text or not text.isascii():
        from flowdsl.syntax.foreign_characters import replaced

        foreign = replaced(text)
        text = text if foreign is None else foreign.text
    for _ in range(min(MAX_MISTAKES, 1 + MAX_REREAD // len(text))):
        found: list[Diagnostic] = []
        try:
            root = _composed(source, text, found, restored, include, measured, foreign)
            return root, diagnostics + found
        except Stop:
            return None, diagnostics + found
        except (libyaml.YAMLError, Mistake) as error:
            from flowdsl.syntax.yaml_errors import recover, syntax_mistake

            mistake = (
                error.diagnostic if isinstance(error, Mistake) else syntax_mistake(Source(text, source.path), error)
            )
            mistake = _in_source(mistake, source)
            if not _follows(mistake, diagnostics):
                diagnostics.append(mistake)
            recovered = recover(text, mistake, restored)  # as long as the text, every other character in its place
            if recovered is None or recovered == text:
                return None, diagnostics
            text = recovered
    return None, diagnostics


def _composed(
    source: Source,
    text: str,
    found: list[Diagnostic],
    restored: dict[int, tuple[int, int]],
    include: Include | None,
    measured: bool,
    foreign: Replaced | None,
) -> Node | None:
    """The root node of a text, which is the source's but for syntax errors that were worked around.

    From version 0.2.6 on libyaml has a limit of its own for brackets inside brackets. It reads ahead by up to a line,
    so its error comes before the events that lead there. What stands before its limit is deeper than ours by far:
    without the rest, the finding is ours and stands where ours is exceeded, whatever libyaml is installed.
    """
    loader = libyaml.Parser(text)
    try:
        return Composer(source, loader, found, restored, include, measured, foreign).document()
    except libyaml.MarkedYAMLError as error:
        if error.problem != _NESTING_LIMIT or error.problem_mark is None:
            raise
        limit = error.problem_mark.index
    finally:
        loader.dispose()
    found.clear()
    return _composed(source, text[:limit], found, restored, include, measured, foreign)


def _in_source(mistake: Diagnostic, source: Source) -> Diagnostic:
    """A syntax error found in a copy of the text, where every character has its place in the source.

    A hint that shows the whole line shows that of the copy: where an error before it on the line was worked around, the
    fix is told in words.
    """
    fixes = tuple(
        fix._replace(edits=tuple(edit._replace(span=edit.span._replace(source=source)) for edit in fix.edits))
        for fix in mistake.fixes
    )
    related = tuple(each._replace(span=each.span._replace(source=source)) for each in mistake.related)
    hint, line = mistake.hint, mistake.span.first.line
    if hint is not None and hint.startswith("write ") and mistake.span.source.line(line) != source.line(line):
        hint = fixes[0].title if fixes else None
    return mistake._replace(span=mistake.span._replace(source=source), hint=hint, related=related, fixes=fixes)


def _follows(mistake: Diagnostic, before: list[Diagnostic]) -> bool:
    """Whether a syntax error only follows from a tab or a quote on its line."""
    line = mistake.span.first.line
    return any(d.code in ("tab", "quote-in-quotes") and d.span.first.line == line for d in before)


def source_of(flow: str | os.PathLike[str] | Source) -> tuple[Source, list[Diagnostic]]:
    """The text of a flow that is given as its path, as a text with a line break, or as a Source.

    Raises:
        UsageError: it is none of them, or a text without a line break, which is taken for a path.
        OSError: the file cannot be read.
    """
    if isinstance(flow, Source):
        return flow, []
    if isinstance(flow, str) and ("\n" in flow or not flow.strip()):
        return Source(flow), []
    if not isinstance(flow, (str, os.PathLike)):
        raise UsageError(f"a flow is a path, a text or a flowdsl.Source, not {type(flow).__name__}")
    path = os.fspath(flow)
    if (path.lstrip().startswith(("- ", "flow:", "{", "[")) or ": " in path) and not os.path.exists(path):  # noqa: PTH110
        shown = path if len(path) <= 40 else f"{path[:39]}…"
        raise UsageError(f"a text without a line break is taken for a path; if this is a flow, write Source({shown!r})")
    return read_bytes(read_file(path), path)


def read_bytes(content: bytes, path: str) -> tuple[Source, list[Diagnostic]]:
    """The text of a file: UTF-8, with or without a byte order mark. Bytes that are no UTF-8 give a diagnostic."""
    try:
        return Source(content.decode(), path), []
    except UnicodeDecodeError as error:
        source = _undecodable(content, path)
        start = len(content[: error.start].decode().lstrip("\ufeff"))
        encoding = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else None
        found = f"it looks like {encoding}" if encoding else f"byte 0x{content[error.start]:02x} is not UTF-8"
        span = Span(source, start, start + 1)
        is_text = encoding is not None or b"\0" not in content[:1024]
        hint = "save the file as UTF-8" if is_text else "it holds no text: name another file"
        return source, [Diagnostic("not-utf8", f"the file is not UTF-8: {found}", span, hint=hint)]


def _undecodable(content: bytes, path: str) -> Source:
    """A file with U+FFFD for every byte that is no part of a character."""
    text = content.decode("utf-8", "surrogateescape")
    marks = len(text) - len(text.lstrip("\ufeff"))
    escaped = {at - marks: bytes([ord(char) - 0xDC00]) for at, char in enumerate(text) if "\udc80" <= char <= "\udcff"}
    shown = "".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in text)
    return Source(shown, path, escaped)
