"""The rows of a run or a batch: what its journal has of each paid request, and what failed without one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flowdsl.image.listed import listed
from flowdsl.journal.batches import KeptBatch
from flowdsl.journal.runs import KeptRun, Request, Runs
from flowdsl.report.hidden import hidden
from flowdsl.report.of_folder import counted
from flowdsl.report.row import DONE, FAILED, IN_DOUBT, RELEASED, UNDER_WAY, Row

DEAD_LETTERS = "failed.jsonl"
RUNNING = "running"
_STATUS = {"ok": DONE, "released": RELEASED}
_FORGOTTEN = "`flowdsl runs gc` removed where its pictures are; `flowdsl report FOLDER` shows those of their folder"
_SETTLED = "the journal did not take what came: its record is done, and its pictures stand in the results of the batch"
_ITERATION = re.compile(r"#(\d+)")


def rows_of_run(runs: Runs, run: KeptRun) -> Iterator[Row]:
    """The pictures and the other requests of a run, and what it failed with where that was no request."""
    told = False
    for request in runs.requests(run.id):
        for row in _of_request(request, run.id, run.record, goes_on=run.status == RUNNING):
            told = told or row.status == FAILED
            yield row
    if run.error is not None and not told:
        yield _failure(run.error, run.id, run.record)


def rows_of_batch(runs: Runs, batch: KeptBatch) -> Iterator[Row]:
    """The same of all runs of a batch, in the order of its records."""
    told: set[str] = set()
    for run, record, request in runs.of_batch(batch.id):
        for row in _of_request(request, run, record, goes_on=batch.status == RUNNING):
            if row.status == FAILED:
                told.add(run)
            yield row
    for line in _lines(Path(batch.folder) / DEAD_LETTERS):
        said = line.get("_failed")
        if isinstance(said, dict) and said.get("run") not in told:
            number, error = said.get("record"), said.get("error")
            yield _failure(error if isinstance(error, dict) else {}, None, number if isinstance(number, int) else None)


def as_listed(rows: list[Row]) -> list[Row]:
    """Rows with what only the manifests beside their pictures say: the id of the step, and its line in the flow."""
    known: dict[str, dict[str, dict[str, Any]]] = {}
    for folder in {os.path.dirname(row.path) for row in rows if row.path is not None}:  # noqa: PTH120
        try:
            known[folder] = {str(line.get("file")): line for line in listed(Path(folder))}
        except (OSError, ValueError):
            known[folder] = {}
    return [row if row.path is None else _listed(row, known) for row in rows]


def _listed(row: Row, known: dict[str, dict[str, dict[str, Any]]]) -> Row:
    folder, name = os.path.split(row.path or "")
    line = known[folder].get(name)
    if line is None or line.get("run") != row.run:
        return row
    step, place, size = (str(line.get(name) or "") for name in ("id", "at", "size"))
    return row._replace(step=step or row.step, place=place or row.place, size=size or row.size)


def _of_request(request: Request, run: str, record: int | None, *, goes_on: bool) -> Iterator[Row]:
    asked: dict[str, Any] = request.request if isinstance(request.request, dict) else {}
    status = IN_DOUBT if request.blocks or request.is_caught else _STATUS.get(request.state, FAILED)
    if request.is_settled:
        status = DONE
    if request.is_at_vendor or (goes_on and request.state == "started"):
        status = UNDER_WAY
    row = Row(
        prompt=hidden(str(asked.get("prompt") or "")),
        model=request.model,
        service=request.service,
        size=str(asked.get("size") or ""),
        cost_usd=None if request.cost_usd is None else request.cost_usd / max(1, len(request.files)),
        most_usd=request.most_usd if status == IN_DOUBT else None,
        seconds=None if request.ended is None else round(max(0.0, request.ended - request.began), 2),
        step=request.step,
        place=request.path,
        record=record,
        iteration=counted([int(each) for each in _ITERATION.findall(request.place)]),
        status=status,
        error=hidden(request.error),
        request_id=request.request_id,
        run=run,
        made=request.ended or request.began,
    )
    if not request.files:
        came = request.state == "ok" and request.images
        yield row._replace(error=_FORGOTTEN if came else _SETTLED) if came or request.is_settled else row
    for path, revised in zip(request.files, request.revised, strict=True):
        yield row._replace(path=os.path.abspath(path), revised_prompt=hidden(revised))  # noqa: PTH100  there may be many


def _failure(error: dict[str, Any], run: str | None, record: int | None) -> Row:
    step = error.get("step")
    return Row(
        step=step if isinstance(step, str) else None,
        place=str(error.get("path") or "") or None,
        record=record,
        status=FAILED,
        error=hidden(str(error.get("message") or "it failed")),
        run=run,
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except (ValueError, RecursionError):
                    continue
                if isinstance(line, dict):
                    yield line
    except OSError:
        return
