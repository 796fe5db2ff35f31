"""Requests that go through a vendor's batch, as the journal keeps them: what is with the vendor under which name, and
what came of it.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from flowdsl.journal.database import Database
from flowdsl.journal.rows import json_text

_COLUMNS = "batch, part, digest, service, url, operation, model, state, file_id, vendor_batch, began"


class KeptPart(NamedTuple):
    """A file of requests. `state` is `prepared`, `uploaded`, `submitting`, `submitted`, `ended` or `dropped`: from
    `submitting` on the vendor may have it. `began` is a Unix time in seconds."""

    number: int
    digest: str
    service: str
    url: str
    operation: str
    model: str
    state: str
    file_id: str | None
    batch_id: str | None
    began: float


class KeptItem(NamedTuple):
    """A request. `state` is `waiting`, `done`, `failed` or `not_done`; `result` holds JSON values."""

    state: str
    part: int
    result: Any


class _Part(Protocol):
    """What is told of a part."""

    @property
    def number(self) -> int: ...
    @property
    def digest(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def began(self) -> float: ...


class VendorBatches:
    """The parts and the requests of one batch of ours, `id`, in a journal. What a method says is on the disk when it
    returns, but for single results, which the vendor still has."""

    outlives = True

    def __init__(self, database: Database, id: str) -> None:
        self.id = id
        self._database = database

    async def prepared(self, part: _Part, ids: Sequence[str]) -> None:
        """A part is about to be uploaded, with these requests."""
        kept = (part.digest, part.service, part.url, part.operation, part.model)
        values = (self.id, part.number, *kept, "prepared", None, None, part.began)
        items = [(self.id, id, part.number) for id in ids]

        def written(db: sqlite3.Connection) -> None:
            db.execute(f"INSERT INTO vendor_batches ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", values)
            insert = "INSERT OR REPLACE INTO vendor_batch_items (batch, id, part, state) VALUES (?,?,?,'waiting')"
            db.executemany(insert, items)

        await self._database.write(written)

    async def uploaded(self, number: int, file_id: str) -> None:
        """Its file is uploaded."""
        await self._set(number, "state = 'uploaded', file_id = ?", file_id)

    async def submitting(self, number: int) -> None:
        """The vendor is about to be asked for a batch."""
        await self._set(number, "state = 'submitting'")

    async def submitted(self, number: int, batch_id: str) -> None:
        """It has made one."""
        await self._set(number, "state = 'submitted', vendor_batch = ?", batch_id)

    async def lost(self, number: int) -> None:
        """It knows no such batch."""
        await self._set(number, "state = 'lost'")

    async def dropped(self, number: int) -> None:
        """It has made none, and is not asked again."""
        values = (self.id, number)

        def written(db: sqlite3.Connection) -> None:
            db.execute("UPDATE vendor_batches SET state = 'dropped' WHERE batch = ? AND part = ?", values)
            db.execute("DELETE FROM vendor_batch_items WHERE batch = ? AND part = ? AND state = 'waiting'", values)

        await self._database.write(written)

    async def ended(self, number: int, status: str) -> None:
        """The batch has ended, and what came of each request is kept."""
        await self._set(number, "state = 'ended', ended_as = ?, ended = ?", status, time.time())

    async def item(self, id: str, state: str, result: Any, files: Sequence[str] = ()) -> None:
        """What came of a request; `files` are on the disk before that is kept."""
        values = (state, json_text(result), self.id, id)
        update = "UPDATE vendor_batch_items SET state = ?, result = ? WHERE batch = ? AND id = ?"
        await self._database.write(lambda db: db.execute(update, values) and None, durable=False, files=files)

    def parts(self) -> list[KeptPart]:
        """All parts."""
        query = f"SELECT {_COLUMNS} FROM vendor_batches WHERE batch = ? ORDER BY part"
        rows = self._database.read(query, (self.id,))
        return [KeptPart(*tuple(row)[1:]) for row in rows]

    def waiting(self, number: int) -> set[str]:
        """The requests of a part that nothing has come of yet."""
        query = "SELECT id FROM vendor_batch_items WHERE batch = ? AND part = ? AND state = 'waiting'"
        return {row["id"] for row in self._database.read(query, (self.id, number))}

    def find(self, id: str) -> KeptItem | None:
        """What is known of a request."""
        query = "SELECT state, part, result FROM vendor_batch_items WHERE batch = ? AND id = ?"
        rows = self._database.read(query, (self.id, id))
        return KeptItem(rows[0]["state"], rows[0]["part"], json.loads(rows[0]["result"] or "null")) if rows else None

    async def _set(self, number: int, what: str, *values: object) -> None:
        update = f"UPDATE vendor_batches SET {what} WHERE batch = ? AND part = ?"
        await self._database.write(lambda db: db.execute(update, (*values, self.id, number)) and None)
