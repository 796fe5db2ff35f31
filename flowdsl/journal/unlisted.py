"""Pictures that no manifest lists although their run has ended, as the disk took no line more: they are listed later,
by what the journal has of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowdsl.image.manifest import add_to_manifest
from flowdsl.image.shelf import ORIGINALS, Folder
from flowdsl.journal.runs import kept_pictures, request_id_of

if TYPE_CHECKING:
    import sqlite3

    from flowdsl.journal.database import Database

_UNLISTED = """SELECT names.run AS run, names.original AS original, names.file AS file
    FROM runs JOIN names ON names.run = runs.id
    WHERE runs.{of} = ? AND runs.status IN ('done', 'failed', 'dropped') AND NOT names.is_listed ORDER BY names.run"""

_LIST = "UPDATE names SET is_listed = 1 WHERE run = ? AND original = ? AND file = ?"


def unlisted(database: Database, id: str, *, of: str = "batch") -> list[sqlite3.Row]:
    """The files of pictures that no manifest lists, of the runs of a batch, or of one run (`of="id"`). A run that
    goes on lists its own."""
    return database.read(_UNLISTED.format(of=of), (id,))


def list_again(database: Database, id: str, *, of: str = "batch") -> int:
    """Lists them; gives how many. One whose file is gone is listed nowhere any more. Where the disk still takes
    nothing, they stay for the next time.

    Raises:
        JournalError: the journal cannot be read or written.
    """
    number = 0
    for run, found in groupby(unlisted(database, id, of=of), lambda row: str(row["run"])):
        rows = list(found)
        try:
            number += _list_of_run(database, run, rows)
        except OSError:
            break
        _keep_listed(database, [(run, row["original"], row["file"]) for row in rows])
    return number


def _keep_listed(database: Database, files: list[tuple[str, str, str]]) -> None:
    def listed(db: sqlite3.Connection) -> None:
        db.executemany(_LIST, files)

    database.submit(listed).result()


def _list_of_run(database: Database, run: str, rows: list[sqlite3.Row]) -> int:
    known, number = dict(_known(database, run)), 0
    for at, found in groupby(rows, lambda row: Path(row["original"]).parent):
        if at.name != ORIGINALS:  # no folder of the author's
            continue
        folder = at.parent
        there = Folder(str(folder)).lists(run)
        lines = [_line(folder, row, known.get(row["original"], {}), run) for row in found]
        fresh = [line for line in lines if line is not None and line["file"] not in there]
        if fresh:
            add_to_manifest(folder, at / ".lock", run, fresh)
        number += len(fresh)
    return number


def _line(folder: Path, row: sqlite3.Row, facts: Mapping[str, Any], run: str) -> dict[str, Any] | None:
    """A picture in the manifest, with what is known of it; None for one whose file is gone."""
    file, original = Path(row["file"]), Path(row["original"])
    try:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    paths = {
        "file": file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file),
        "original": original.relative_to(folder).as_posix(),
    }
    found = {**paths, **facts, "file_sha256": digest, "run": run}
    return {name: value for name, value in found.items() if value is not None}


def _known(database: Database, run: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the ledger has of each picture of a run, by the path of its bytes as they came."""
    query = """SELECT ledger.*, runs.tags AS tags FROM ledger JOIN runs ON runs.id = ledger.run
        WHERE ledger.run = ? AND state = 'ok' AND result IS NOT NULL ORDER BY ledger.began, place, number"""
    for row in database.read(query, (run,)):
        result, asked = json.loads(row["result"]), json.loads(row["request"]) or {}
        pictures = list(kept_pictures(result))
        for image, revised in pictures:
            yield (
                image["path"],
                {
                    "prompt": asked.get("prompt"),
                    "model": row["model"],
                    "service": row["service"],
                    "revised_prompt": revised,
                    "mime": image["mime"],
                    "size": f"{image['width']}x{image['height']}" if image["width"] else None,
                    "quality": asked.get("quality"),
                    "seed": asked.get("seed"),
                    "step": row["step"],
                    "cost_usd": None if row["cost_usd"] is None else row["cost_usd"] / len(pictures),
                    "simulated": bool(row["simulated"]) or None,
                    "request_id": request_id_of(result),
                    "sha256": image["sha256"],
                    "tags": json.loads(row["tags"]) or None,
                    "made": datetime.fromtimestamp(row["ended"], UTC).isoformat(timespec="seconds"),
                },
            )
