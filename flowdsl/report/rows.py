"""The rows of a report: a picture each, or a request or a record that has none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from flowdsl.image.manifest import NAME
from flowdsl.journal.runs import KeptRun, Request, Runs
from flowdsl.secrets.plain import HIDDEN, plain_secrets

IN_DOUBT = "in doubt"


class Row(NamedTuple):
    """A picture, or what came in its place. `status` is `done`, `failed`, `in doubt` or `released`; `path` is absolute,
    None where there is none; `seconds` is how long the request took, `made` a Unix time in seconds."""

    path: str | None
    prompt: str
    model: str
    service: str
    size: str
    usd: float | None
    seconds: float | None
    step: str
    record: int | None
    status: str
    error: str
    run: str
    made: float | None


def rows_of_run(runs: Runs, run: KeptRun) -> Iterator[Row]:
    """The pictures and the other requests of a run."""
    for request in runs.requests(run.id):
        yield from _of_request(request, run)


def rows_of_batch(runs: Runs, batch: str, folder: Path) -> Iterator[Row]:
    """The same of all runs of a batch, and its records that failed before anything was asked for."""
    seen = set()
    for run in reversed(runs.all(batch=batch)):
        seen.add(run.id)
        yield from rows_of_run(runs, run)
    for line in _lines(folder / "failed.jsonl"):
        said = line.get("_failed")
        if isinstance(said, dict) and said.get("run") not in seen:
            yield _without_picture(said.get("record"), str((said.get("error") or {}).get("message") or ""))


def rows_of_folder(folder: Path) -> Iterator[Row]:
    """The pictures of a manifest.

    Raises:
        OSError: there is none that can be read.
        ValueError: it is none of ours.
    """
    found = json.loads((folder / NAME).read_text(encoding="utf-8"))
    images = found.get("images") if isinstance(found, dict) else None
    if not isinstance(images, list):
        raise ValueError(f"{folder / NAME} is no manifest of pictures")
    for line in images:
        yield Row(
            path=str(folder / str(line.get("file"))),
            prompt=hidden(str(line.get("prompt") or "")),
            model=str(line.get("model") or ""),
            service=str(line.get("service") or ""),
            size=str(line.get("size") or ""),
            usd=line.get("cost_usd"),
            seconds=None,
            step=str(line.get("id") or line.get("step") or ""),
            record=None,
            status="done",
            error="",
            run=str(line.get("run") or ""),
            made=_unix(line.get("made")),
        )


def hidden(text: str) -> str:
    """A text without keys that stand in it in plain."""
    for start, end in reversed(plain_secrets(text)):
        text = text[:start] + HIDDEN + text[end:]
    return text


def _of_request(request: Request, run: KeptRun) -> Iterator[Row]:
    asked: dict[str, Any] = request.request if isinstance(request.request, dict) else {}
    status = IN_DOUBT if request.blocks else {"ok": "done", "released": "released"}.get(request.state, "failed")
    own = None if request.cost_usd is None or not request.files else request.cost_usd / len(request.files)
    row = Row(
        path=None,
        prompt=hidden(str(asked.get("prompt") or "")),
        model=request.model or "",
        service=request.service or "",
        size=str(asked.get("size") or ""),
        usd=own,
        seconds=None if request.ended is None else round(max(0.0, request.ended - request.began), 2),
        step=f"{request.step} {request.path}",
        record=run.record,
        status=status,
        error=hidden(request.error or ""),
        run=run.id,
        made=request.ended or request.began,
    )
    if not request.files:
        yield row
    for path in request.files:
        yield row._replace(path=path)


def _without_picture(record: Any, error: str) -> Row:
    number = record if isinstance(record, int) else None
    return Row(None, "", "", "", "", None, None, "", number, "failed", hidden(error), "", None)


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except ValueError:
                    continue
                if isinstance(line, dict):
                    yield line
    except OSError:
        return


def _unix(text: Any) -> float | None:
    from datetime import datetime

    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None
