"""Checking: everything that is wrong with a flow, in one pass, before anything runs.

`check(source, settings)` never raises for a mistake in the file: it reports it.
"""

from __future__ import annotations

from flowdsl.checker.files import Files
from flowdsl.checker.findings import CheckSettings, Findings
from flowdsl.checker.flow.analysis import without_repetitions
from flowdsl.checker.roots import Checked
from flowdsl.checker.structure import check_root
from flowdsl.diagnostics import Diagnostic, sort_key
from flowdsl.source import Source
from flowdsl.syntax.yaml_reader import read

__all__ = ["CheckSettings", "Checked", "check"]


def check(source: Source, settings: CheckSettings) -> tuple[Checked | None, list[Diagnostic]]:
    """The document of a flow and its diagnostics in the order of the file; no document when nothing could be made of
    it."""
    files = Files(source)
    root, slips = read(source, files.include)
    findings = Findings(settings, slips)
    checked = check_root(source, root, findings, files) if root is not None else None
    return checked, sorted(without_repetitions(findings.diagnostics), key=sort_key)
