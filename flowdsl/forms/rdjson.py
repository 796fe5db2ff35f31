"""The form `rdjson`: the diagnostics of reviewdog, which it puts as comments into a review."""

from __future__ import annotations

import json
from typing import Any

from flowdsl.codes import PAGES, SEVERITIES, address
from flowdsl.diagnostics import Diagnostic
from flowdsl.forms.report import Report, project_path, sentence
from flowdsl.source import Source, Span

_SEVERITIES = dict(zip(SEVERITIES, ("ERROR", "WARNING", "INFO"), strict=True))


def written(report: Report) -> str:
    """One object."""
    said = {
        "source": {"name": "flowdsl", "url": PAGES},
        "diagnostics": [_diagnostic(finding) for finding in report.findings],
    }
    return json.dumps(said, indent=2, ensure_ascii=False)


def _diagnostic(finding: Diagnostic) -> dict[str, Any]:
    url = address(finding.code)
    said: dict[str, Any] = {
        "message": sentence(finding),
        "location": _location(finding.span),
        "severity": _SEVERITIES[finding.severity],
        "code": {"value": finding.code, **({"url": url} if url else {})},
    }
    # Each suggestion is applied by itself, so that a fix of several edits is none.
    single = [fix.edits[0] for fix in finding.shown_fixes() if len(fix.edits) == 1 and not fix.by_hand]
    edits = [edit for edit in single if edit.span.path == finding.span.path]
    if edits:
        said["suggestions"] = [{"range": _range(edit.span), "text": edit.text} for edit in edits]
    if finding.related:
        said["related_locations"] = [
            {"message": related.message, "location": _location(related.span)} for related in finding.related
        ]
    return said


def _location(span: Span) -> dict[str, Any]:
    return {"path": project_path(span.path), "range": _range(span)}


def _range(span: Span) -> dict[str, Any]:
    return {"start": _position(span.source, *span.first), "end": _position(span.source, *span.last)}


def _position(source: Source, line: int, col: int) -> dict[str, int]:
    """A place in reviewdog's count: columns are bytes of UTF-8."""
    return {"line": line, "column": len(source.line(line)[: col - 1].encode("utf-8", "surrogatepass")) + 1}
