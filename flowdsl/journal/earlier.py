"""What an earlier run bought before a step: for a run that begins at that step."""

from __future__ import annotations

import json
from collections.abc import Collection, Container, Iterator, Mapping
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
    took what is before a step from, with the places of these steps; `steps` are those of its flow then."""

    def __init__(self, database: Database, run: str) -> None:
        self.rows = [_row(each) for each in database.read(_ROWS, {"run": run})]
        names = database.read("SELECT original, file, is_listed FROM names WHERE run = ?", (run,))
        self.names: dict[str, list[str]] = {}
        for each in names:  # equal pictures are stored once, and have a file each
            self.names.setdefault(each["original"], []).append(each["file"])
        self.listed = frozenset(each["file"] for each in names if each["is_listed"])
        found = database.read("SELECT as_of, given FROM runs WHERE id = ?", (run,))
        self.as_of = date.fromisoformat(found[0]["as_of"]) if found else None
        given = json.loads(found[0]["given"]) if found else {}
        self.began_at: Mapping[str, Any] | None = given.get("from")
        self.steps: Mapping[str, str] = given.get("steps", {})


class Earlier:
    """The effects of an earlier run, each to be taken once by what stands before a step: by steps at the top of a flow
    that have one of these places, and what they run. That run may have begun at a step itself."""

    def __init__(self, database: Database, run: str, before: Collection[str]) -> None:
        self._before = frozenset(before)
        kept = Kept(database, run)
        rows, self.names, self.listed, self.steps = kept.rows, kept.names, kept.listed, kept.steps
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
        self.brought = [row for row in rows if row.state == "ok"]
        self.bought = [row for row in self.brought if row.key == PAID]
        self._rows = Rows(rows)

    def take(self, invocation: Invocation, digest: bytes) -> Row | None:
        """The row for a request that an invocation makes before the step."""
        if not invocation.step or top_of(invocation.key) in self._before:
            return self._rows.take(invocation.key, digest)
        return None


def reused(
    database: Database, given: Mapping[str, Any], error: Mapping[str, Any] | None, own: Container[str]
) -> frozenset[str]:
    """Where a run that began at a step took what an earlier one has: what that bought or asked before the step, but
    where the run did something of its `own`, or that it did not come to. `given` and `error` are those of the run."""
    if (began_at := given.get("from")) is None:
        return frozenset()
    before = list(began_at["before"])
    ended = top_of_step(str((error or {}).get("path", "")))
    before = before[: before.index(ended) + 1] if ended in before else before
    found = Earlier(database, began_at["run"], began_at["before"])
    moved = _moved(found.steps, given.get("steps", {}))
    tops = ((top_of_step(top_of(row.place)), row.place) for row in found.brought)
    places = ("/".join(_at(part, moved) for part in place.split("/")) for top, place in tops if top in moved)
    return frozenset(place for place in places if top_of(place) in before and place not in own)


def _moved(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Where the steps at the top of a flow stand now, by where they stood: told apart by their texts, and of those that
    have changed the first of a kind is the first of that kind."""
    found: dict[str, str] = {}
    for by_text in (True, False):
        left: dict[str, list[str]] = {}
        for name, place, digest in _tops(now):
            if place not in found.values():
                left.setdefault(digest if by_text else name, []).append(place)
        for name, place, digest in _tops(then):
            if place not in found and (places := left.get(digest if by_text else name)):
                found[place] = places.pop(0)
    return found


def _tops(steps: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Those of steps, `NAME flow[1]`, that stand at the top of the flow: their names, places and texts."""
    found = ((*name.split(" ", 1), digest) for name, digest in steps.items())
    return ((name, place, digest) for name, place, digest in found if place == top_of_step(place))


def _at(part: str, moved: Mapping[str, str]) -> str:
    """An invocation at another place: `flow[2].do[0]#1` of `flow[1].do[0]#1`."""
    step = top_of_step(part.partition("#")[0])
    return moved.get(step, step) + part[len(step) :]


def top_of_step(place: str) -> str:
    """The place of the step at the top of the flow around a place: `flow[1]` of `flow[1].do[0]`."""
    return place.partition(".")[0]


def _is_gone(row: Row) -> bool:
    return row.state == "released" or (row.state == "ok" and row.result is None)


def top_of(place: str) -> str:
    """The place of the step at the top of the flow in which something stands, by the key of its invocation."""
    return place.partition("/")[0].partition("#")[0]


def _row(row: Any) -> Row:
    values = {name: row[name] for name in Row._fields}
    return Row(**{**values, "is_final": bool(row["is_final"])})
