"""The form `gitlab`: the Code Quality report of GitLab, `artifacts: reports: codequality`."""

from __future__ import annotations

import json

from flowdsl.codes import SEVERITIES
from flowdsl.forms.report import Report, fingerprints, project_path, sentence

_SEVERITIES = dict(zip(SEVERITIES, ("major", "minor", "info"), strict=True))


def written(report: Report) -> str:
    """An array with an object for each finding."""
    rows = [
        {
            "type": "issue",
            "check_name": finding.code,
            "description": " ".join(sentence(finding).replace("\nhint: ", " (hint: ", 1).split())
            + ")" * bool(finding.hint),
            "categories": ["Bug Risk"],
            "severity": _SEVERITIES[finding.severity],
            "fingerprint": fingerprint,
            "location": {
                "path": project_path(finding.span.path),
                "lines": {"begin": finding.span.first.line, "end": finding.span.last.line},
            },
        }
        for finding, fingerprint in zip(report.findings, fingerprints(report.findings), strict=True)
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)
