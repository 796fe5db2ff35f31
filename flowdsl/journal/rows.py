"""What stands in the journal of one run, and what a further attempt of the run takes from it."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from flowdsl.engine.effects import Effect

PAID = "image"
"""The kind of effects that stand in the ledger."""
KEPT = frozenset({"http", "file", "random", "sleep"})
"""Kinds whose results are kept as well: what a service said, where files were written, what was drawn by lot."""
DOUBT = frozenset({"started", "unknown"})
"""States of requests that may be done and billed."""
STARTED = """INSERT OR REPLACE INTO ledger (state, id, run, place, number, digest, step, path, service, vendor, model,
    request, most_usd, vendor_order, simulated, began) VALUES ('started',?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"""
CAME = """UPDATE ledger SET state = 'ok', result = ?, images = ?, cost_usd = ?, ended = ?
    WHERE id = ? AND state = 'started'"""
FAILED = """UPDATE ledger SET state = ?, result = ?, is_final = is_final OR ?, ended = ?
    WHERE id = ? AND state = 'started'"""
NOT_SENT = "DELETE FROM ledger WHERE id = ? AND began = ?"
KEEP = "INSERT OR REPLACE INTO journal (run, key, place, number, digest, state, result) VALUES (?,?,?,?,?,?,?)"


class Row(NamedTuple):
    """One effect as it is kept, of a `run`. `number` counts the effects of equal request and place, from 0."""

    key: str
    place: str
    number: int
    digest: bytes
    state: str
    result: str | None
    is_final: bool = False
    cost_usd: float | None = None
    most_usd: float | None = None
    began: float = 0.0
    vendor_order: str | None = None
    run: str = ""

    @property
    def blocks(self) -> bool:
        """Whether nobody may go on before it is decided what became of it: it may be billed, and nothing took that
        as an answer."""
        return self.state == "started" or (self.state == "unknown" and self.is_final)


def json_text(value: Any, default: Callable[[Any], str] = repr) -> str:
    """A value as the journal keeps it. Half a character, as a service may say it, stands as JSON has it: the database
    takes none, and what is paid for would be in doubt."""
    text = json.dumps(value, ensure_ascii=False, default=default)
    return text.encode("utf-8", "backslashreplace").decode()


def digest(key: str, request: Any) -> bytes:
    """What is equal for equal requests: SHA-256 over what is asked. Where that is sent is no part of it."""
    if isinstance(request, dict) and key == PAID:
        request = {name: value for name, value in request.items() if name != "url"}
    text = json.dumps([key, request], sort_keys=True, ensure_ascii=False, default=repr)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def asked_by(effect: Effect) -> tuple[Any, ...]:
    """What the row of a paid request says of it, from `step` to `most_usd`."""
    asks = effect.request if isinstance(effect.request, dict) else {}
    who = [asks.get(name) for name in ("service", "vendor", "model")]
    at = effect.invocation
    return at.step, at.path, *who, json_text(asks.get("request")), effect.most_usd


def row_id(run: str, place: str, number: int, digest: bytes) -> bytes:
    """The key of a paid request: equal requests of a run are told apart by where in the run they are made."""
    head = json.dumps([run, place, number]).encode()
    return hashlib.sha256(head + digest).digest()


def spent(rows: Iterable[Row]) -> tuple[int, float]:
    """How many requests, and what they cost at most: what is in doubt may be billed."""
    paid = [row for row in rows if row.key == PAID and row.state != "refused"]
    return len(paid), sum((row.most_usd if row.cost_usd is None else row.cost_usd) or 0.0 for row in paid)


class Rows:
    """The effects of a run that were kept, each to be taken once, and the numbers of new ones.

    What stands at its own place is taken first; a result whose place has moved, because steps or items were added or
    left out, serves an equal request elsewhere.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: dict[bytes, list[Row]] = defaultdict(list)
        self._numbers: dict[tuple[bytes, str], int] = defaultdict(int)
        self._last: tuple[str, Any, bytes] = "", None, b""
        for row in sorted(rows, key=lambda row: (row.number, row.began, row.place)):  # a clock may jump back
            at = (row.digest, row.place)
            self._numbers[at] = max(self._numbers[at], row.number + 1)
            if row.state != "released" and not (row.state == "refused" and row.is_final):
                self._rows[row.digest].append(row)

    def take(self, place: str, digest: bytes) -> Row | None:
        """The row for a request: a result, a request in doubt, or a failure that the run went on after."""
        rows = self._rows.get(digest)
        if not rows:
            return None
        found = next((row for row in rows if row.place == place), None)
        if found is None:
            found = next((row for row in rows if row.state == "ok" or row.blocks), None)
        if found is not None:
            rows.remove(found)
        return found

    def digest(self, effect: Effect) -> bytes:
        """The digest of an effect. That of the last request is remembered: it is asked for before it is performed. One
        of a kind of its own may be the step's, and say something else by now."""
        key, request, found = self._last
        if key != effect.key or request is not effect.request or request.__class__ is not dict:
            found = digest(effect.key, effect.request)
            self._last = effect.key, effect.request, found
        return found

    def number(self, place: str, digest: bytes) -> int:
        """The number of a new effect."""
        self._numbers[digest, place] += 1
        return self._numbers[digest, place] - 1
