"""The rows of a folder of pictures: the lines of its manifests."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flowdsl.image.listed import listed
from flowdsl.report.hidden import hidden
from flowdsl.report.row import Row


def rows_of_folder(folder: Path) -> Iterator[Row]:
    """The pictures of a folder, as its manifests list them. Those of runs without a journal, and of manifests from
    before they had that mark, do not say whether they were simulated.

    Raises:
        OSError: there is none that can be read.
        ValueError: it is none of ours.
    """
    return (_row(folder, line) for line in listed(folder))


def _row(folder: Path, line: dict[str, Any]) -> Row:
    file = _text(line, "file") or _text(line, "original")
    iterations = line.get("iteration")
    return Row(
        path=None if file is None else os.path.abspath(folder / file),  # noqa: PTH100  there may be many
        prompt=hidden(_text(line, "prompt")),
        revised_prompt=hidden(_text(line, "revised_prompt")),
        model=_text(line, "model"),
        service=_text(line, "service"),
        size=_text(line, "size"),
        cost_usd=_number(line.get("cost_usd")),
        step=_text(line, "id") or _text(line, "step"),
        place=_text(line, "at"),
        iteration=counted(iterations if isinstance(iterations, list) else []),
        request_id=_text(line, "request_id"),
        run=_text(line, "run"),
        made=_unix(line.get("made")),
        simulated=True if line.get("simulated") is True else None,
    )


def counted(iterations: list[Any]) -> str | None:
    """Iterations from the outermost, counted from 1."""
    return ".".join(str(each + 1) for each in iterations if isinstance(each, int)) or None


def _text(line: dict[str, Any], name: str) -> str | None:
    value = line.get(name)
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    is_one = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_one else None


def _unix(text: Any) -> float | None:
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
