"""Keys whose indentation puts them outside their step, where the reader of YAML can only guess which step that is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from flowdsl.diagnostics import Diagnostic, Fix, Related
from flowdsl.document.findings import Findings
from flowdsl.document.root_keys import ROOT_KEYS
from flowdsl.nearest import nearest
from flowdsl.source import Span
from flowdsl.step.common_keys import COMMON_KEYS
from flowdsl.syntax.edits import indented

if TYPE_CHECKING:
    from flowdsl.step.registry import Registry
    from flowdsl.step.spec import StepSpec

_STEP = re.compile(r"(\s*-\s+)step\s*:\s*(\w+)")
_ROOT = re.compile(r"([A-Za-z]\w*)\s*:")
_MOST_LINES = 200
"""How far above a key its step is looked for: a hostile file must not take long."""


def find_owners(findings: Findings, registry: Registry) -> None:
    """Says of each such key which step above is to have it and lacks it: of several the one whose keys stand nearest. A
    key of the flow itself moves to the edge."""
    for number, mistake in enumerate(findings.diagnostics):
        if mistake.code == "misnested-key" and mistake.related and mistake.fixes:
            findings.diagnostics[number] = _owned(mistake, registry)
        elif mistake.code == "indentation" and mistake.span.text in ROOT_KEYS:
            findings.diagnostics[number] = _of_root(mistake) or mistake


def _owned(mistake: Diagnostic, registry: Registry) -> Diagnostic:
    key = mistake.span
    open_steps = list(_open_steps(key, registry))
    now = key.first.col - 1
    having = [
        each for each, spec in open_steps if key.text in COMMON_KEYS or (spec is not None and key.text in spec.keys)
    ]
    lacking = [each for each in having if not _stands_in(each, key)]
    if not having:
        near = [each for each, spec in open_steps if spec is not None and nearest(key.text, spec.keys) is not None]
        having = lacking = near
    if key.text in ROOT_KEYS and (not lacking or min(abs(each.column - now) for each in lacking) >= now):
        root = _of_root(mistake)
        if root is not None:
            return root
    candidates = lacking or having
    if not candidates:
        return mistake
    found = min(candidates, key=lambda each: abs(each.column - now))  # of two as near the inner one, which comes first
    related = (Related(found.name, "the step above"),)
    fix = indented(key.source, key.first.line, found.column, beside=True)
    return mistake._replace(hint=found.hint, related=related, fixes=(fix,))


def _of_root(mistake: Diagnostic) -> Diagnostic | None:
    """A key of the flow that is indented below others of it, at the edge; None where no other stands there."""
    key = mistake.span
    above = range(key.first.line - 1, max(0, key.first.line - _MOST_LINES), -1)
    lines = ((number, _ROOT.match(key.source.line(number))) for number in above)
    number, first = next(((number, match) for number, match in lines if match is not None), (0, None))
    if first is None or first[1] not in ROOT_KEYS or key.source.line(key.first.line)[: key.first.col - 1].strip():
        return None
    start = key.source.offset(number, 1)
    related = (Related(Span(key.source, start, start + len(first[1])), "the flow has its keys here"),)
    fix = indented(key.source, key.first.line, 0, title="remove its indentation")
    message = f"`{key.text}` is a key of the flow, and its indentation puts it elsewhere"
    return Diagnostic("misnested-key", message, key, mistake.severity, "remove its indentation", related, (fix,))


def _open_steps(key: Span, registry: Registry) -> Iterator[tuple[Owner, StepSpec | None]]:
    """The steps that a line may belong to, the innermost first: each further out than the one before it."""
    source, line, innermost = key.source, key.first.line, len(key.source.text) + 1
    for above in range(line - 1, max(0, line - _MOST_LINES), -1):
        match = _STEP.match(source.line(above))
        if match is None or len(match[1]) >= innermost:
            continue
        innermost = len(match[1])
        start = source.offset(above, 1) + match.start(2)
        yield Owner(Span(source, start, start + len(match[2])), innermost), registry.spec(match[2])


def _stands_in(owner: Owner, key: Span) -> bool:
    """Whether a step has a key already, above the line of another one of that name."""
    own = re.compile(rf"[ -]{{{owner.column}}}{re.escape(key.text)}\s*:")
    lines = range(owner.name.first.line, key.first.line)
    return any(own.match(key.source.line(number)) for number in lines)


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
