"""The form `github`: workflow commands, which GitHub Actions shows beside the lines of a pull request."""

from __future__ import annotations

import os

from flowdsl.codes import SEVERITIES
from flowdsl.diagnostics import Diagnostic
from flowdsl.forms.report import Report, project_path, sentence

_COMMANDS = dict(zip(SEVERITIES, ("error", "warning", "notice"), strict=True))


def written(report: Report) -> str:
    """A command for each finding, and one for each path that could not be checked."""
    commands = [_command(finding) for finding in report.findings]
    commands += [f"::error file={_property(_path(path))}::{_text(why)}" for path, why in report.unreadable]
    return "\n".join(commands)


def _command(finding: Diagnostic) -> str:
    first, last = finding.span.first, finding.span.last
    place = {"file": _path(finding.span.path), "line": first.line}
    if first.line == last.line:  # columns count within one line
        place |= {"col": first.col, "endLine": last.line, "endColumn": last.col}
    else:
        place |= {"endLine": last.line}
    place["title"] = f"{finding.code} ({finding.severity})"
    given = ",".join(f"{name}={_property(str(value))}" for name, value in place.items())
    where = f"{place['file']}:{first.line}:{first.col}: "
    return f"::{_COMMANDS[finding.severity]} {given}::{_text(where + sentence(finding))}"


def _path(path: str) -> str:
    """A path as the repository has it, wherever in it the command runs."""
    workspace = os.environ.get("GITHUB_WORKSPACE", "")
    return project_path(path, workspace if os.path.isabs(workspace) else "")  # noqa: PTH117  pathlib is slow to import


def _text(text: str) -> str:
    """A text that is all of one command: a line end in it would begin another."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
