"""The form `json`: an array of the findings, each with the address that explains its code."""

from __future__ import annotations

import json

from flowdsl.codes import address
from flowdsl.forms.report import Report


def written(report: Report) -> str:
    """One array, a finding a line."""
    lines = []
    for finding in report.findings:
        values = finding.to_dict()
        before = {name: values.pop(name) for name in ("path", "line", "col", "end_line", "end_col", "severity", "code")}
        lines.append(json.dumps({**before, "url": address(finding.code), **values}, ensure_ascii=False))
    return "[\n{}\n]".format(",\n".join(lines)) if lines else "[]"
