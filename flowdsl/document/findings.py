"""The diagnostics of one file, as the stages find them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from flowdsl.diagnostics import Diagnostic, Fix, Related
from flowdsl.nearest import nearest
from flowdsl.source import Span
from flowdsl.syntax import fixes
from flowdsl.syntax.node import Node
from flowdsl.syntax.quoting import beside_quotes

if TYPE_CHECKING:
    from flowdsl.codes import Severity

MISSING = frozenset({"missing-key", "missing-prompt", "missing-input", "empty-flow", "maybe-undefined"})
"""The codes of findings about what is not there."""
_READ = 400
"""So many characters of a line that had to be left out are looked at."""
_UNREAD = MISSING | {"lost-images", "dropped-error", "unused-variable", "unused-block", "unused-import"}
"""The codes of findings that a part of the file which could not be read may answer."""
FILE_CODES = frozenset({"missing-file", "import-cycle", "outside-root", "not-a-module", "include-cycle"})
"""The codes of findings about another file."""


_ABOUT_NAMES = frozenset({"unknown-key", "wrong-pattern", "unknown-step", "duplicate-key"})


def _invisible(name: str) -> str:
    """What to say of characters in a name that nobody sees, or takes for a space."""
    odd = next((char for char in name if char != " " and (char.isspace() or not char.isprintable())), None)
    if odd is None:
        return ""
    from flowdsl.syntax.foreign_spaces import named

    return f"; it holds {named(odd)}"


def _left_out(mistakes: Iterable[Diagnostic]) -> Iterator[str]:
    """The keys of lines that had to be left out: those of the mistakes, and of what moves with them."""
    import re

    for mistake in mistakes:
        yield mistake.span.text
        for edit in (edit for fix in mistake.fixes for edit in fix.edits):
            if mistake.code in ("misnested-key", "indentation"):  # also as a value: `collectKey: all`
                yield from re.findall(r"[A-Za-z_]\w{0,99}", edit.span.source.line(edit.span.first.line)[:_READ])


class Findings:
    """The diagnostics of one file, and what they say about the rest of it."""

    __slots__ = ("diagnostics", "maybe_written", "misindented")

    def __init__(self, diagnostics: Iterable[Diagnostic] = ()) -> None:
        self.diagnostics = list(diagnostics)
        self.misindented = any(mistake.code in ("tab", "misnested-key", "indentation") for mistake in self.diagnostics)
        """Whether lines had to be left out to read the file: then nothing is reported as missing."""
        self.maybe_written = set(_left_out(self.diagnostics)) if self.misindented else set[str]()
        """FlowContext keys that a part of the file with a mistake of its own may set."""

    @property
    def failed_imports(self) -> bool:
        """Whether a file could not be read that may hold what is missing."""
        return any(found.code in FILE_CODES for found in self.diagnostics)

    def add(
        self,
        code: str,
        message: str,
        at: Node | Span,
        *,
        hint: str | None = None,
        severity: Severity | None = None,
        related: tuple[Related, ...] = (),
        fixes: Iterable[Fix | None] = (),
    ) -> None:
        """Records a diagnostic; of its `fixes` those that there are.

        `severity` is given where it is not the usual one of the code.
        """
        if self.misindented and code in _UNREAD:
            return
        self.misindented |= code == "misnested-key"
        span = at if isinstance(at, Span) else at.span
        if code in ("wrong-type", "missing-key") and span.text.startswith(
            "!include"
        ):  # the file was not read, which was reported
            return
        if code in _ABOUT_NAMES and not span.text.isascii():
            message += _invisible(span.text)
        if hint is not None and ("'" in hint or '"' in hint) and "`" in hint:
            hint = beside_quotes(hint, span)
        made = tuple(fix for fix in fixes if fix is not None)
        self.diagnostics.append(Diagnostic(code, message, span, severity, hint, related, made))

    def unknown_key(
        self,
        key: Node,
        names: Iterable[str],
        where: str,
        renamed: Mapping[str, str] | None = None,
        *,
        beside: Container[str] = (),
    ) -> str | None:
        """Records a key that does not exist, with the nearest of those that do, which it gives.

        `renamed` maps old names to present ones; `beside` are the keys of the same map.
        """
        near = nearest(key.value, [*names, *(renamed or ())])
        near = (renamed or {}).get(near, near) if near else None
        hint = f"did you mean `{near}`?" if near else None
        fix = fixes.renamed(key, near) if near and near not in beside else None
        self.add("unknown-key", f"`{key.value}` is not a key of {where}", key, hint=hint, fixes=[fix])
        return near
