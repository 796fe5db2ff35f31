"""The fourth stage: everything that is wrong with a flow, in one pass, before anything runs.

In: a `FlowFile` as `build` makes it. Out: its diagnostics, those of its form included. Nothing is built here, and
nothing is raised for a mistake in a file. Begin at `documents`.
"""

from __future__ import annotations

from flowdsl.checker.documents import check_document
from flowdsl.checker.findings import CheckSettings, Findings
from flowdsl.checker.flow.analysis import without_repetitions
from flowdsl.checker.options import without_signs
from flowdsl.checker.templates import resolved_value
from flowdsl.diagnostics import Diagnostic, sort_key
from flowdsl.document.document import Document
from flowdsl.document.flow_file import FlowFile

__all__ = ["CheckSettings", "check"]


def check(file: FlowFile, settings: CheckSettings) -> list[Diagnostic]:
    """Every diagnostic of a file, those of its form included, in the order of the file and each once."""
    findings = Findings(settings, file.findings)
    findings.plain = without_signs(file.source)
    for entries in file.services:
        from flowdsl.checker.declarations import check_services

        check_services(entries, findings)
    for blocks in file.blocks:
        for node in blocks.vars.values():
            resolved_value(node, findings)
    for part in file.parts:
        if isinstance(part, Document):
            check_document(part, findings)
        else:
            from flowdsl.checker.open_flows import check_open_flows

            check_open_flows(part, findings)
    return in_order(findings.diagnostics)


def in_order(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """Diagnostics in the order of the file, each once."""
    return sorted(without_repetitions(diagnostics), key=sort_key)
