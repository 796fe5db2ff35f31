"""The form `concise`: a line for each finding, for a terminal, `grep` and editors that read places."""

from __future__ import annotations

from flowdsl.display.visible import visible_line
from flowdsl.forms.report import Report


def written(report: Report) -> str:
    """`path:line:col: severity: message [code]`, and the hint behind it."""
    return "\n".join(
        f"{visible_line(str(found.span))}: {found.severity}: {visible_line(found.message)} [{found.code}]"
        + (f" hint: {visible_line(found.hint)}" if found.hint else "")
        for found in report.findings
    )
