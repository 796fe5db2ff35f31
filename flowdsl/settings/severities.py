"""Severities that a project, its user or a host gives findings: `[severity]` of a settings file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from flowdsl.codes import FINDINGS, SEVERITIES, Severity
from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic

OFF = "off"
"""The word for a finding that is not reported at all."""


def checked_severities(where: str, table: object) -> Mapping[str, str]:
    """A table of severities: code → `error`, `warning`, `note` or `off`.

    Raises:
        UsageError: a code that no finding has, one that is always an error, or another word.
    """
    if not isinstance(table, Mapping):
        raise UsageError(f'{where}: severity must be a table, such as `fan-out = "off"` below [severity]')
    codes = {code.name: code for code in FINDINGS}
    for name, severity in table.items():
        code = codes.get(name)
        if code is None:
            from flowdsl.nearest import nearest

            near = nearest(str(name), codes)
            hint = f"did you mean `{near}`?" if near else "docs/checking.md lists them"
            raise UsageError(f"{where}: no finding has the code `{name}`; {hint}")
        if severity not in (*SEVERITIES, OFF):
            words = ", ".join((*SEVERITIES, OFF))
            raise UsageError(f"{where}: {name} = {severity!r} is no severity; it is one of {words}")
        if code.severity == "error" and not code.also:
            raise UsageError(f"{where}: `{name}` is always an error, because a flow with it cannot run")
    return table


def with_severities(findings: Iterable[Diagnostic], severities: Mapping[str, str]) -> list[Diagnostic]:
    """The findings with the severities that were set, without those that are off. What is an error stays one."""
    kept = []
    for finding in findings:
        severity = severities.get(finding.code, finding.severity)
        if finding.severity == "error" or severity == finding.severity:
            kept.append(finding)
        elif severity != OFF:
            kept.append(finding._replace(severity=cast("Severity", severity)))
    return kept
