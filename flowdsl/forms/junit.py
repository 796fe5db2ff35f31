"""The form `junit`: JUnit's XML, which Jenkins, GitLab and CircleCI show as tests.

A file is a suite. Each finding in it is a case: one that fails the check is a failure, and another passes with the
finding as its output. A file without findings is one case that passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape

from flowdsl.diagnostics import Diagnostic
from flowdsl.forms.report import Report, project_path, sentence

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def written(report: Report) -> str:
    """One document."""
    by_path: dict[str, list[Diagnostic]] = {project_path(path): [] for path in report.checked}
    for finding in report.findings:
        by_path.setdefault(project_path(finding.span.path), []).append(finding)
    suites = [_suite(path, found, report.failing) for path, found in by_path.items()]
    suites += [_unreadable(path, why) for path, why in report.unreadable]
    tests = sum(max(len(found), 1) for found in by_path.values()) + len(report.unreadable)
    failures = sum(finding.severity in report.failing for finding in report.findings)
    counts = f'tests="{tests}" failures="{failures}" errors="{len(report.unreadable)}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="flowdsl" {counts}>',
        *suites,
        "</testsuites>",
    ]
    return "\n".join(lines)


def _suite(path: str, findings: list[Diagnostic], failing: frozenset[str]) -> str:
    failures = sum(finding.severity in failing for finding in findings)
    name = _quoted(path)
    counts = f'tests="{max(len(findings), 1)}" failures="{failures}" errors="0" skipped="0" time="0"'
    cases = [line for finding in findings for line in _case(path, finding, failing)]
    cases = cases or [f'    <testcase classname={name} name="no findings" time="0"/>']
    return "\n".join([f"  <testsuite name={name} {counts}>", *cases, "  </testsuite>"])


def _case(path: str, finding: Diagnostic, failing: frozenset[str]) -> Iterator[str]:
    line, col = finding.span.first
    place = f"{path}:{line}:{col}"
    text = escape(_xml(f"{place}: {finding.severity}: {sentence(finding)}"))
    name = _quoted(f"{finding.code} at {line}:{col}")
    yield f'    <testcase classname={_quoted(path)} name={name} time="0">'
    if finding.severity in failing:
        said = _quoted(f"line {line}: {finding.message}")
        yield f"      <failure message={said} type={_quoted(finding.code)}>{text}</failure>"
    else:
        yield f"      <system-out>{text}</system-out>"
    yield "    </testcase>"


def _unreadable(path: str, why: str) -> str:
    name = _quoted(project_path(path))
    return "\n".join(
        (
            f'  <testsuite name={name} tests="1" failures="0" errors="1" skipped="0" time="0">',
            f'    <testcase classname={name} name="cannot be checked" time="0">',
            f'      <error message={_quoted(why)} type="unreadable"/>',
            "    </testcase>",
            "  </testsuite>",
        )
    )


def _xml(text: str) -> str:
    """A text with what XML has no form for as escapes."""
    return _NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _quoted(text: str) -> str:
    return '"{}"'.format(escape(_xml(text), {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}))
