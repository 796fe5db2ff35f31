"""The form `sarif`: SARIF 2.1.0, which code scanning and editors read."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from flowdsl.codes import CODES, PAGES, address
from flowdsl.diagnostics import Diagnostic, Fix
from flowdsl.forms.report import Report, fingerprints, project_path, sentence
from flowdsl.source import Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
"""The schema that the document names."""


def written(report: Report) -> str:
    """One log with one run."""
    from flowdsl import __version__

    names = list(dict.fromkeys(finding.code for finding in report.findings))
    prints = fingerprints(report.findings)
    driver = {
        "name": "flowdsl",
        "version": __version__,
        "semanticVersion": __version__,
        "informationUri": PAGES,
        "rules": [_rule(name) for name in names],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report)],
        "results": [
            _result(finding, names.index(finding.code), known)
            for finding, known in zip(report.findings, prints, strict=True)
        ],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(name: str) -> dict[str, Any]:
    """What is known of a code; one of a package that brings its own steps has no row in the table."""
    code, url = CODES.get(name), address(name)
    if code is None or url is None:
        return {"id": name}
    said = {"text": code.meaning}
    return {
        "id": name,
        "shortDescription": said,
        "fullDescription": said,
        "help": {"text": f"{code.meaning} `flowdsl explain {name}` says more.", "markdown": f"[{name}]({url})"},
        "helpUri": url,
        "defaultConfiguration": {"level": code.severity},
    }


def _invocation(report: Report) -> dict[str, Any]:
    """Whether every path was checked, and why not."""
    said: dict[str, Any] = {"executionSuccessful": not report.unreadable}
    if report.unreadable:
        said["toolExecutionNotifications"] = [
            {
                "level": "error",
                "message": {"text": why},
                "locations": [{"physicalLocation": {"artifactLocation": _file(path)}}],
            }
            for path, why in report.unreadable
        ]
    return said


def _result(finding: Diagnostic, rule: int, fingerprint: str) -> dict[str, Any]:
    said: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity,
        "message": {"text": sentence(finding)},
        "locations": [{"physicalLocation": _physical(finding.span)}],
        "partialFingerprints": {"flowdsl/v1": fingerprint},
    }
    if finding.related:
        said["relatedLocations"] = [
            {"id": number, "physicalLocation": _physical(related.span), "message": {"text": related.message}}
            for number, related in enumerate(finding.related)
        ]
    fixes = [_fix(fix) for fix in finding.shown_fixes() if fix.edits and not fix.by_hand]
    return {**said, "fixes": fixes} if fixes else said


def _fix(fix: Fix) -> dict[str, Any]:
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        replacement = {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
        changes.setdefault(edit.span.path, []).append(replacement)
    return {
        "description": {"text": fix.title},
        "artifactChanges": [{"artifactLocation": _file(path), "replacements": made} for path, made in changes.items()],
    }


def _physical(span: Span) -> dict[str, Any]:
    return {"artifactLocation": _file(span.path), "region": _region(span)}


def _region(span: Span) -> dict[str, int]:
    (line, col), (end_line, end_col) = span.first, span.last
    return {"startLine": line, "startColumn": col, "endLine": end_line, "endColumn": end_col}


def _file(path: str) -> dict[str, str]:
    found = project_path(path)
    return (
        {"uri": f"file://{quote(found)}"} if found.startswith("/") else {"uri": quote(found), "uriBaseId": "%SRCROOT%"}
    )
