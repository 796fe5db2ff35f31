"""What a check found, and the parts that several forms make of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.source import Span

_LONGEST = 400


class Report(NamedTuple):
    """What a check found: the findings, without the secrets of their files; the paths that were checked; those that
    could not be, with the reason; the severities that fail the check."""

    findings: Sequence[Diagnostic]
    checked: Sequence[str] = ()
    unreadable: Sequence[tuple[str, str]] = ()
    failing: frozenset[str] = frozenset({"error"})


def sentence(finding: Diagnostic) -> str:
    """The message of a finding, and its hint on a line of its own."""
    return f"{finding.message}\nhint: {finding.hint}" if finding.hint else finding.message


def project_path(path: str, root: str = "") -> str:
    """A path with slashes as it counts from a folder, by default the working folder; one outside stays absolute."""
    if path.startswith("<"):
        return path
    below = os.path.relpath(path, root or None)
    below = os.path.abspath(path) if below == ".." or below.startswith(f"..{os.sep}") else below  # noqa: PTH100
    return below.replace(os.sep, "/")


def fingerprints(findings: Iterable[Diagnostic], *, with_path: bool = True) -> list[str]:
    """What each finding is known by from one version of a file to the next: it stays the same when lines are put in
    above or below, and differs for each of several that are alike."""
    seen: Counter[tuple[str, ...]] = Counter()
    found = []
    for finding in findings:
        parts = (project_path(finding.span.path) if with_path else "", finding.code, *_words(finding.span))
        found.append(_digest((*parts, str(seen[parts]))))
        seen[parts] += 1
    return found


def _words(span: Span) -> tuple[str, str]:
    """The line of a place, and what it marks, without secrets: one could be guessed until it gives the same digest."""
    source = span.source
    line = source.line(span.first.line).strip()
    return source.hide(line[:_LONGEST]), source.hide(span.text[:_LONGEST].strip())


def _digest(parts: Sequence[str]) -> str:
    from hashlib import sha256

    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
