"""What an earlier run bought before a step: for a run that begins at that step."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from flowdsl.journal.rows import PAID, Row, Rows

if TYPE_CHECKING:
    from flowdsl.events import Invocation
    from flowdsl.journal.database import Database

_ROWS = """
    SELECT run, key, place, number, digest, state, result, 0 AS is_final, NULL AS cost_usd, NULL AS most_usd,
        0.0 AS began, NULL AS vendor_order
    FROM journal WHERE run = :run
    UNION ALL
    SELECT run, 'image', place, number, digest, state, result, is_final, cost_usd, most_usd, began, vendor_order
    FROM ledger WHERE run = :run
"""


class Kept:
    """What stands in a journal of one run: its effects, the files of its pictures by the paths of the bytes as they
    came, those files that stand in the manifest, and the day that it takes for today. `began_at` is the run that it
    took what is before a step from, with the places of these steps."""

    def __init__(self, database: Database, run: str) -> None:
        self.rows = [_row(each) for each in database.read(_ROWS, {"run": run})]
        names = database.read("SELECT original, file, is_listed FROM names WHERE run = ?", (run,))
        self.names: dict[str, list[str]] = {}
        for each in names:  # equal pictures are stored once, and have a file each
            self.names.setdefault(each["original"], []).append(each["file"])
        self.listed = frozenset(each["file"] for each in names if each["is_listed"])
        found = database.read("SELECT as_of, given FROM runs WHERE id = ?", (run,))
        self.as_of = date.fromisoformat(found[0]["as_of"]) if found else None
        self.began_at: Mapping[str, Any] | None = json.loads(found[0]["given"]).get("from") if found else None


class Earlier:
    """The effects of an earlier run, each to be taken once by what stands before a step: by steps at the top of a flow
    that have one of these places, and what they run. That run may have begun at a step itself."""

    def __init__(self, database: Database, run: str, before: Collection[str]) -> None:
        self._before = frozenset(before)
        kept = Kept(database, run)
        rows, self.names, self.listed = kept.rows, kept.names, kept.listed
        seen = {run}
        while (began_at := kept.began_at) is not None and began_at["run"] not in seen:
            places = set(began_at["before"])
            kept = Kept(database, began_at["run"])
            rows = [*rows, *(row for row in kept.rows if top_of(row.place) in places)]
            self.names = {**kept.names, **self.names}
            self.listed |= kept.listed
            seen.add(began_at["run"])
        self.gone = [row.place for row in rows if row.key == PAID and _is_gone(row)]
        """Where it bought something that is not there any more, or is to be bought again."""
        rows = [row for row in rows if row.state != "ok" or row.result is not None]  # else it is cleaned up
        self.bought = [row for row in rows if row.key == PAID and row.state == "ok"]
        self._rows = Rows(rows)

    def take(self, invocation: Invocation, digest: bytes) -> Row | None:
        """The row for a request that an invocation makes before the step."""
        if not invocation.step or top_of(invocation.key) in self._before:
            return self._rows.take(invocation.key, digest)
        return None


def _is_gone(row: Row) -> bool:
    return row.state == "released" or (row.state == "ok" and row.result is None)


def top_of(place: str) -> str:
    """The place of the step at the top of the flow in which something stands, by the key of its invocation."""
    return place.partition("/")[0].partition("#")[0]


def _row(row: Any) -> Row:
    values = {name: row[name] for name in Row._fields}
    return Row(**{**values, "is_final": bool(row["is_final"])})
