"""Keys whose indentation puts them outside their step, where the reader of YAML can only guess which step that is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from flowdsl.diagnostics import Diagnostic, Fix, Related
from flowdsl.document.findings import Findings
from flowdsl.source import Span
from flowdsl.step.common_keys import COMMON_KEYS
from flowdsl.syntax.edits import indented

if TYPE_CHECKING:
    from flowdsl.step.registry import Registry

_STEP = re.compile(r"(\s*-\s+)step\s*:\s*(\w+)")
_MOST_LINES = 200
"""How far above a key its step is looked for: a hostile file must not take long."""


def find_owners(findings: Findings, registry: Registry) -> None:
    """Says of each such key which step above has it, the innermost one first."""
    for number, mistake in enumerate(findings.diagnostics):
        if mistake.code == "misnested-key" and mistake.related and mistake.fixes:
            findings.diagnostics[number] = _owned(mistake, registry)


def _owned(mistake: Diagnostic, registry: Registry) -> Diagnostic:
    found = None if mistake.span.text in COMMON_KEYS else owner(mistake.span, registry)
    if found is None:
        return mistake
    related = (Related(found.name, "the step above"),)
    return mistake._replace(hint=found.hint, related=related, fixes=(found.fix(mistake.span),))


class Owner(NamedTuple):
    """A step above that has a key: its name where it stands, and the column of its keys (from 0)."""

    name: Span
    column: int

    @property
    def hint(self) -> str:
        """What to do with a key of it that stands elsewhere."""
        return f"indent it to {self.column} spaces"

    def fix(self, key: Span) -> Fix:
        """The key moved to its keys."""
        return indented(key.source, key.first.line, self.column)


def owner(key: Span, registry: Registry, *, around: bool = False) -> Owner | None:
    """The innermost step above the line of a key that has one of that name, at another column than it stands at; None
    without one. `around`: only one that stands further out."""
    source, line, now = key.source, key.first.line, key.first.col - 1
    if source.line(line)[:now].strip():
        return None
    innermost = now if around else len(source.text)
    for above in range(line - 1, max(0, line - _MOST_LINES), -1):
        match = _STEP.match(source.line(above))
        if match is None or len(match[1]) >= innermost:
            continue
        innermost = column = len(match[1])
        spec = registry.spec(match[2])
        if spec is not None and key.text in spec.keys and column != now:
            start = source.offset(above, 1) + match.start(2)
            return Owner(Span(source, start, start + len(match[2])), column)
    return None
