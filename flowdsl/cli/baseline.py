"""A baseline: findings that are known already, so that only new ones are reported."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.errors import UsageError
from flowdsl.forms.report import likeness

if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic

_VERSION = 1
_KEYS = ("code", "message", "like")
_Known = tuple[str, str]
"""Path, and what findings that are alike have in common."""


class Baseline:
    """The file of `--baseline`. Paths in it count from its folder; a finding is known by its line, wherever in the file
    that stands now."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._left: Counter[_Known] = Counter()
        self._said: dict[_Known, str] = {}
        for name, row in _rows(path):
            known = name, row["like"]
            self._left[known] += 1
            self._said[known] = f"{name}: {row['code']}: {row['message']}"

    def new(self, findings: Iterable[Diagnostic]) -> list[Diagnostic]:
        """The findings that are not known."""
        found = []
        for finding in findings:
            known = _path_in(self._path, finding.span.path), likeness(finding)
            if self._left[known] > 0:
                self._left[known] -= 1
            else:
                found.append(finding)
        return found

    def stale(self, checked: Iterable[str]) -> list[str]:
        """What is known of files that were checked, or are gone, and no longer found there."""
        here = {_path_in(self._path, path) for path in checked}
        folder = os.path.dirname(self._path)  # noqa: PTH120
        return [
            self._said[known]
            for known, number in self._left.items()
            if number > 0 and (known[0] in here or not os.path.exists(os.path.join(folder, known[0])))  # noqa: PTH110, PTH118
        ]


def baseline_text(path: str, findings: Sequence[Diagnostic]) -> str:
    """What a baseline at a path says of these findings."""
    rows: dict[str, list[dict[str, str]]] = {}
    for finding in (finding.hidden() for finding in findings):
        row = {"code": finding.code, "message": finding.message, "like": likeness(finding)}
        rows.setdefault(_path_in(path, finding.span.path), []).append(row)
    ordered = {name: rows[name] for name in sorted(rows)}
    return json.dumps({"flowdsl_baseline": _VERSION, "findings": ordered}, indent=2, ensure_ascii=False) + "\n"


def _path_in(baseline: str, path: str) -> str:
    if path.startswith("<"):
        return path
    folder = os.path.realpath(os.path.dirname(baseline) or ".")  # noqa: PTH120
    return os.path.relpath(os.path.realpath(path), folder).replace(os.sep, "/")


def _rows(path: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The paths and findings that a file names.

    Raises:
        UsageError: it cannot be read, or is no baseline.
    """
    from flowdsl.syntax.opened import read_file

    try:
        content: Any = json.loads(read_file(path).decode("utf-8"))
    except OSError as error:
        more = f"; `--write-baseline {path}` writes one" if isinstance(error, FileNotFoundError) else ""
        raise UsageError(f"--baseline {path}: {error.strerror or error}{more}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--baseline {path}: it is no baseline: it is not JSON ({error})") from error
    version = content.get("flowdsl_baseline") if isinstance(content, dict) else None
    if version != _VERSION:
        was = "it has no `flowdsl_baseline`" if version is None else f"it is of the version {version}, not {_VERSION}"
        raise UsageError(f"--baseline {path}: it is no baseline that is known here: {was}")
    rows = content.get("findings")
    for name, found in rows.items() if isinstance(rows, dict) else [("findings", None)]:
        for row in found if isinstance(found, list) else [None]:
            if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in _KEYS):
                raise UsageError(f"--baseline {path}: it is no baseline: what `{name}` holds is no list of findings")
            yield name, row
