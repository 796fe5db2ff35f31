"""What a command may write over or add to: what it has written itself before, and what holds nothing. Every other file
is somebody's, and a name that is given by mistake must not cost them a flow."""

from __future__ import annotations

import os
import re
import stat

from flowdsl.errors import UsageError

_LINE = r"[^\n]*:\d+:\d+: (?:error|warning|note): "
_LISTS = r'\[\s*\]\s*\Z|\[\s*\{"path": |\[\s*\{\s*"type": "issue"'
_MAPS = r'\{\s*"\$schema": "[^"]*sarif|\{\s*"source": \{\s*"name": "flowdsl"'
_JUNIT = r'<\?xml[^>]*>\s*<testsuites name="flowdsl"'
_MADE = {
    "report": rf"\A(?:{_LISTS}|{_MAPS}|{_JUNIT}|::(?:error|warning|notice) |{_LINE})",
    "report of tests": rf"\A{_JUNIT}",
    "report of coverage": r'\A\{\s*"v": 1,\s*"percent": ',
    "baseline": r'\A\{\s*"flowdsl_baseline": ',
    "drawing": r'\A(?:---\n[^\n]*\n---\n)?flowchart |\sid="flow-title"',
    "log": r'\A\s*\{"time": "',
}
"""How each kind of file is known that is written over or added to."""
_MOST = 1_000_000


def check_written_over(path: str | None, kind: str) -> None:
    """Refuses to write over a file that is not of a kind. Devices, pipes and what cannot be read are left to the
    writing.

    Raises:
        UsageError: it is another file.
    """
    if path is None:
        return
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  pathlib is slow to import
            return
        with open(path, "rb") as file:  # noqa: PTH123
            content = file.read(_MOST)
    except OSError:
        return
    if content.strip() and re.search(_MADE[kind], content.decode("utf-8", "replace").removeprefix("\ufeff")) is None:
        raise UsageError(f"{path} is there and is no {kind}: it stays as it is; name another file")
