"""Severities that a project, its user or a host gives findings: `[severity]` of a settings file."""

from __future__ import annotations

import os
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
        raise _refused(where, "", "severity must be a table", 'write `fan-out = "off"` below [severity]')
    codes = {code.name: code for code in FINDINGS}
    for name, severity in table.items():
        code = codes.get(name)
        if code is None:
            from flowdsl.nearest import nearest

            near = nearest(str(name), codes)
            hint = f"did you mean `{near}`?" if near else "docs/checking.md lists them"
            raise _refused(where, name, f"no finding has the code `{name}`", hint, of_key=True)
        if severity not in (*SEVERITIES, OFF):
            hint = f"it is one of {', '.join((*SEVERITIES, OFF))}"
            raise _refused(where, name, f"{name} = {severity!r} is no severity", hint)
        if code.severity == "error" and not code.also:
            said = f"`{name}` is always an error, because a flow with it cannot run"
            raise _refused(where, name, said, "remove it", of_key=True)
    return table


def _refused(where: str, name: str, said: str, hint: str, *, of_key: bool = False) -> UsageError:
    """The error for a severity: with its place, where a file says it."""
    if not os.path.isfile(where):  # noqa: PTH113  a host says it
        return UsageError(f"{where}: {said}; {hint}")
    from flowdsl.settings.mistakes import mistake

    return mistake(where, ("severity", name) if name else ("severity",), said, hint, of_key=of_key)


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
            said = f'{name} = "{severity}" cannot stand in a file of the project, which comes with the flow'
            own = "your own `~/.config/flowdsl/config.toml`, or give the host's Environment(severities=…)"
            raise _refused(where, name, said, f"write it into {own}")


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
