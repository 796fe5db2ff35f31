"""How fast a service may be asked, over all processes that share a journal: a row for each service.

The row holds when the next request may begin, in Unix seconds; whoever asks moves it on by the pause between two
requests (the generic cell rate algorithm, with a burst of one, as ITU-T I.371 has it). A service that says that it is
asked too often moves it on as far as it says, for everybody. What a service says of its own limits is kept in rows of
the same kind, with the burst that it allows. A clock that is set back takes the rows along: each knows when it was
written.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from flowdsl.journal.database import Database
from flowdsl.journal.slots import slot
from flowdsl.journal.turns import AHEAD_S, Turns
from flowdsl.limits import Allowance

LONGEST_S = 600.0
"""The longest pause that a service gets because it asks for it."""
SLOWEST_S = 60.0
"""A limit that allows less than one in this time is not paced: nobody would wait for it."""
KNOWN_S = 3600.0
"""So long counts what a service has said of its limits."""
_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[Path, str, str], Turns]] = WeakKeyDictionary()
UNPACED_S = 0.05
"""So much later this process hears of what others were told by a service that nobody had limited."""
_MOST_UNPACED = 1000
_MINUTE_S = 60.0
_ASKED = """
    SELECT (SELECT at FROM pace WHERE service = :service) AS at,
        (SELECT written FROM pace WHERE service = :service) AS written,
        EXISTS (SELECT 1 FROM learned WHERE service = :service AND model = :model) AS is_learned
"""


class Pace:
    """The pace of services in a journal's file. `clock` gives Unix seconds."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def take(
        self, service: str, pause_s: float, *, model: str = "", images: int = 1, image_pause_s: float = 0.0
    ) -> None:
        """Waits until a request may be sent; see `limits.Pace`. A caller that is cancelled at the end of that has used
        its turn.

        Raises:
            JournalError: the journal cannot be written.
        """
        wait_s = 0.0
        if not (pause_s or image_pause_s):  # what nobody has limited costs no writing
            asked = service, model
            if time.monotonic() < self._database.unpaced.get(asked, 0.0):
                return
            rows = self._database.read(_ASKED, {"service": service, "model": model})
            if not rows or not rows[0]["is_learned"]:
                if rows and rows[0]["at"] is not None:
                    wait_s = _moved(rows[0], self._clock()) - self._clock()
                if wait_s <= 0.0:
                    if len(self._database.unpaced) >= _MOST_UNPACED:
                        self._database.unpaced.clear()
                    self._database.unpaced[asked] = time.monotonic() + UNPACED_S
                await asyncio.sleep(max(wait_s, 0.0))
                return

        def claim(db: sqlite3.Connection) -> float:
            now = self._clock()
            pauses = {service: pause_s, f"{service} images": image_pause_s * images}
            free = {key: _next(db, key, now) for key, own_s in pauses.items() if own_s}
            learned = _learned(db, service, model, images, now)
            wait_s = max(now, *free.values(), *(begins for begins, *_ in learned)) - now
            if wait_s <= AHEAD_S:
                for key, at in free.items():
                    _write(db, key, at + pauses[key], now)
                for _, kind, at in learned:
                    _write_learned(db, service, model, kind, at, now)
            return wait_s

        of_loop = _TURNS.setdefault(asyncio.get_running_loop(), {})
        await of_loop.setdefault((self._database.folder, service, model), Turns()).wait(self._database, claim)

    def push_back(self, service: str, pause_s: float) -> None:
        """A service asks for a pause: nobody asks it before that is over."""

        def pushed(db: sqlite3.Connection) -> None:
            now = self._clock()
            _write(db, service, max(_next(db, service, now), now + min(pause_s, LONGEST_S)), now)

        self._limited(pushed)

    def learn(self, service: str, model: str, allowance: Allowance) -> None:
        """A service says what it still allows for a model."""
        kind, most, left, full_s = allowance.kind, allowance.most, allowance.left, allowance.full_s
        if most < 1 or not 0 <= left <= most:
            return
        used = most - left

        def learned(db: sqlite3.Connection) -> None:
            now = self._clock()
            query = "SELECT most, gap, at, written FROM learned WHERE service = ? AND model = ? AND kind = ?"
            row = db.execute(query, (service, model, kind)).fetchone()
            gap = _MINUTE_S / most if row is None or row["most"] != most else row["gap"]
            if used and full_s:  # what is left is rounded down, by half of one on average
                gap = full_s / (used - 0.5 if used > 1 else 1)
            if gap > SLOWEST_S:
                return
            at = now + used * gap
            if row is not None and row["most"] == most:  # what is on its way, the service does not know yet
                at = max(at, now + (_moved(row, now) - now) * gap / row["gap"])
            db.execute(
                "INSERT OR REPLACE INTO learned (service, model, kind, most, gap, at, written, heard)"
                " VALUES (?,?,?,?,?,?,?,?)",
                (service, model, kind, most, gap, at, now, now),
            )

        self._limited(learned)

    def _limited(self, limit: Callable[[sqlite3.Connection], None]) -> None:
        """Writes a limit down, which counts from then on."""
        self._database.submit(limit, durable=False).add_done_callback(lambda _: self._database.unpaced.clear())

    def slot(self, service: str, most: int) -> AbstractAsyncContextManager[None]:
        """One of the places of a service; see `limits.Pace`."""
        return slot(self._database.folder, service, most)


def _learned(
    db: sqlite3.Connection, service: str, model: str, images: int, now: float
) -> list[tuple[float, str, float]]:
    """When a service allows a request, by what it said of each kind, and what stands in the row of that kind then."""
    query = "SELECT kind, most, gap, at, written FROM learned WHERE service = ? AND model = ? AND ? < heard + ?"
    found = []
    for row in db.execute(query, (service, model, now, KNOWN_S)).fetchall():
        if row["written"] > now:
            _write_learned(db, service, model, row["kind"], _moved(row, now), now)
        number = min(images, row["most"]) if row["kind"] == "images" else 1
        at = max(_moved(row, now), now) + number * row["gap"]
        found.append((at - row["most"] * row["gap"], row["kind"], at))
    return found


def _next(db: sqlite3.Connection, service: str, now: float) -> float:
    """When the next request to a service may begin."""
    row = db.execute("SELECT at, written FROM pace WHERE service = ?", (service,)).fetchone()
    if row is None:
        return now
    if row["written"] > now:
        _write(db, service, _moved(row, now), now)
    return max(_moved(row, now), now)


def _moved(row: Any, now: float) -> float:
    """The time of a row, by the clock as it is now."""
    return float(row["at"]) - max(float(row["written"]) - now, 0.0)


def _write(db: sqlite3.Connection, service: str, at: float, now: float) -> None:
    db.execute("INSERT OR REPLACE INTO pace (service, at, written) VALUES (?, ?, ?)", (service, at, now))


def _write_learned(db: sqlite3.Connection, service: str, model: str, kind: str, at: float, now: float) -> None:
    update = "UPDATE learned SET at = ?, written = ? WHERE service = ? AND model = ? AND kind = ?"
    db.execute(update, (at, now, service, model, kind))
