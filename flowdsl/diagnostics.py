"""Diagnostics: what is wrong, where, and what would be right, as values and as text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from flowdsl.display.visible import shown, styled, visible, visible_line
from flowdsl.record import Record
from flowdsl.source import Source, Span

if TYPE_CHECKING:
    from flowdsl.codes import Severity


class Related(Record):
    """Another place that has to do with a diagnostic, and why."""

    span: Span
    message: str


class Edit(Record):
    """Characters of a file and the text to put in their place: an empty span inserts, an empty text removes."""

    span: Span
    text: str


class Fix(Record):
    """Edits that correct a finding, none of which touch each other.

    A fix is `safe` when what it writes is what the file said all along, only spelt right: it can be applied unseen.
    Others are a guess at what was meant, or take something away. One to choose `by_hand` makes the finding go away, and
    perhaps not the mistake: editors offer it, and no command applies it.
    """

    title: str
    edits: tuple[Edit, ...]
    safe: bool = False
    by_hand: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The fix as JSON values; each edit replaces the characters from `line`, `col` up to `end_line`, `end_col`."""
        return {
            "title": self.title,
            "safe": self.safe,
            "edits": [{"path": edit.span.path, **_place(edit.span), "text": edit.text} for edit in self.edits],
        }


def usual_severity(code: str) -> Severity:
    """The severity of a code in the table of `codes`, which is imported with the first finding: few files have one."""
    from flowdsl.codes import severity_of

    return severity_of(code)


def gravity(severity: Severity) -> int:
    """The place of a severity among all, 0 for the gravest."""
    from flowdsl.codes import SEVERITIES

    return SEVERITIES.index(severity)


class Diagnostic(Record):
    """One finding: `code` is a stable kebab-case word, `span` the characters it is about, `fixes` what corrects it:
    any one of them does.

    `severity` is given where it is not the one that `codes.py` has for the code. A secret that stands in the file in
    plain text is taken out where the finding is shown: by `to_dict`, `render` and `repr`.
    """

    code: str
    message: str
    span: Span
    severity: Severity
    hint: str | None
    related: tuple[Related, ...]
    fixes: tuple[Fix, ...]

    def __init__(
        self,
        code: str,
        message: str,
        span: Span,
        severity: Severity | None = None,
        hint: str | None = None,
        related: tuple[Related, ...] = (),
        fixes: tuple[Fix, ...] = (),
    ) -> None:
        super().__init__(code, message, span, severity or usual_severity(code), hint, related, fixes)

    def __repr__(self) -> str:
        hide = self.span.source.hide
        return f"<Diagnostic {self.span} {self.severity} {self.code}: {hide(self.message)}>"

    def hidden(self) -> Diagnostic:
        """The finding with the secrets of its file taken out of its texts, for whoever reads them one by one."""
        hide = self.span.source.hide
        message, hint = hide(self.message), None if self.hint is None else hide(self.hint)
        related = tuple(place._replace(message=hide(place.message)) for place in self.related)
        same = (message, hint, related) == (self.message, self.hint, self.related)
        return self if same else self._replace(message=message, hint=hint, related=related)

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON values; lines and columns count from 1, `end_col` is one past the last character.

        A fix that would repeat a secret of the file is left out.
        """
        hide = self.span.source.hide
        return {
            "path": self.span.path,
            **_place(self.span),
            "severity": self.severity,
            "code": self.code,
            "message": hide(self.message),
            "hint": None if self.hint is None else hide(self.hint),
            "related": [
                {"path": r.span.path, "line": r.span.first.line, "col": r.span.first.col, "message": hide(r.message)}
                for r in self.related
            ],
            "fixes": [fix.to_dict() for fix in self.shown_fixes()],
        }

    def shown_fixes(self) -> list[Fix]:
        """The fixes that repeat no secret of the file."""
        return [fix for fix in self.fixes if not _repeats_secret(fix)]


def _repeats_secret(fix: Fix) -> bool:
    return any(edit.span.source.hide(f"{fix.title} {edit.text}") != f"{fix.title} {edit.text}" for edit in fix.edits)


def _place(span: Span) -> dict[str, int]:
    line, col = span.first
    end_line, end_col = span.last
    return {"line": line, "col": col, "end_line": end_line, "end_col": end_col}


def fixed(source: Source, fix: Fix) -> str:
    """The text of a source with the edits of a fix that are about it."""
    parts, at = list[str](), len(source.text)
    for edit in sorted((edit for edit in fix.edits if edit.span.source is source), key=_edit_place, reverse=True):
        parts += [source.text[edit.span.end : at], edit.text]
        at = edit.span.start
    return "".join([*parts, source.text[:at]][::-1])


def _edit_place(edit: Edit) -> tuple[int, int]:
    return edit.span.start, edit.span.end


def sort_key(diagnostic: Diagnostic) -> tuple[str, int, int]:
    """Orders diagnostics by path and place."""
    return diagnostic.span.path, diagnostic.span.start, diagnostic.span.end


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether one of them is an error."""
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def counts(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors, 1 warning`; empty when there is nothing to count."""
    from flowdsl.codes import SEVERITIES

    parts = []
    for severity in SEVERITIES:
        number = sum(diagnostic.severity == severity for diagnostic in diagnostics)
        if number:
            parts.append(f"{number} {severity}{'' if number == 1 else 's'}")
    return ", ".join(parts)


def render(diagnostics: Iterable[Diagnostic], *, color: bool = False) -> str:
    """The diagnostics as text for people, a blank line between two; ANSI colours when asked.

    Nothing in the file or in a message steers the terminal: such characters are shown as escapes.
    """
    paint = _Paint(color)
    parts: list[str] = []
    for number, diagnostic in enumerate(diagnostics):
        parts += ("\n\n" if number else "", *_render_one(diagnostic, paint))
    return shown(*parts)


class _Paint:
    """Wraps text in ANSI colours, or leaves it."""

    CODES: ClassVar = {"error": "1;31", "warning": "1;33", "note": "1;36", "dim": "2", "bold": "1", "hint": "32"}

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, kind: str, text: str) -> str:
        return styled(self.CODES[kind], text) if self.on else text


def _render_one(diagnostic: Diagnostic, paint: _Paint) -> Iterator[str]:
    severity, hide = diagnostic.severity, diagnostic.span.source.hide
    yield from (paint("bold", visible_line(str(diagnostic.span))), ": ", paint(severity, severity))
    yield from (f": {_within(hide(diagnostic.message))} ", paint("dim", f"[{diagnostic.code}]"))
    yield from _excerpt(diagnostic.span, "^", paint, severity)
    for related in diagnostic.related:
        yield f"\n  {visible_line(str(related.span))}: {_within(hide(related.message))}"
        yield from _excerpt(related.span, "-", paint, "dim")
    if diagnostic.hint:
        yield from ("\n  ", paint("hint", "hint"), f": {hide(diagnostic.hint)}")


def _within(message: str) -> str:
    """A message of which no line begins where a finding begins: those of a list in it are indented."""
    return message if "\n" not in message else "\n  ".join(map(visible_line, message.split("\n  ")))


def _excerpt(span: Span, mark: str, paint: _Paint, kind: str) -> Iterator[str]:
    """The source line of a span and the marks under it; a span over several lines is marked to the end of its first."""
    source: Source = span.source
    if not source.text:
        return
    first, last = span.first, span.last
    whole = source.line(first.line)
    text, place = _concealed(whole, span.start - first.col + 1, source.secrets)
    start = place(first.col - 1)
    end = place(last.col - 1) if last.line == first.line else len(text.rstrip())
    shift = max(0, start - 100) if len(text) > 160 else 0
    line = _columns(text[shift : shift + 160])
    before = _width(_columns(text[shift:start]))
    length = max(1, _width(_columns(text[start : min(end, shift + 160)])))
    bar = paint("dim", "|")
    yield from ("\n", paint("dim", str(first.line).rjust(4)), " ", bar, f" {line}".rstrip())
    yield from ("\n     ", bar, f" {' ' * before}", paint(kind, mark * length))


def _columns(text: str) -> str:
    """A part of a line as it is shown."""
    return visible(text).expandtabs(4)


def _concealed(line: str, offset: int, secrets: Sequence[tuple[int, int]]) -> tuple[str, Callable[[int], int]]:
    """A line, which begins at `offset`, with stars for its secrets, and what tells where a column of it went."""
    from flowdsl.secrets.plain import HIDDEN

    there = secrets[max(bisect_left(secrets, (offset,)) - 1, 0) : bisect_left(secrets, (offset + len(line),))]
    here = [(max(start - offset, 0), min(end - offset, len(line))) for start, end in there]
    here = [(start, end) for start, end in here if start < end]
    parts, at = [], 0
    for start, end in here:
        parts += [line[at:start], HIDDEN]
        at = end

    def place(column: int) -> int:
        moved = 0
        for start, end in here:
            if column <= start:
                break
            if column < end:
                return start + moved + len(HIDDEN) * (column > start)
            moved += len(HIDDEN) - (end - start)
        return column + moved

    return "".join([*parts, line[at:]]), place


def _width(text: str) -> int:
    """Columns a terminal needs for a part of a line."""
    if text.isascii():
        return len(text)
    from flowdsl.display.width import width  # few findings need it

    return width(text)
