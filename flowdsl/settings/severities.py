"""Severities that a project, its user or a host gives findings: `[severity]` of a settings file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from flowdsl.codes import FINDINGS, SEVERITIES, Severity
from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic

OF_SECRETS = frozenset({"secret-leak", "plain-secret", "key-for-foreign-host"})
"""Findings that say where a secret goes: the tree that is run does not make little of them."""
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


def check_project(where: str, table: Mapping[str, str]) -> None:
    """Refuses severities that a file of the project makes little of a secret with: it comes with the flow.

    Raises:
        UsageError: a finding about a secret is off, or lower than it is.
    """
    severe = {code.name: code.severity for code in FINDINGS if code.name in OF_SECRETS}
    for name, severity in table.items():
        usual = severe.get(name)
        if usual is not None and (
            severity == OFF or SEVERITIES.index(cast("Severity", severity)) > SEVERITIES.index(usual)
        ):
            raise UsageError(
                f'{where}: {name} = "{severity}" cannot stand in a file of the project, which comes with the flow: '
                "write it into your own `~/.config/flowdsl/config.toml`, or give the host's Environment(severities=…)"
            )


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
