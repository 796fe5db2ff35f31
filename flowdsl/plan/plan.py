"""Plan: the bounds of what a run spends, with the requests that they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flowdsl.plan.spending import FREE, NONE, Bounds, Request, Row, either
from flowdsl.plan.walk import Walk
from flowdsl.record import Record
from flowdsl.secrets.plain import without_keys

if TYPE_CHECKING:
    from flowdsl.engine.frame import Frame


class Plan(Record):
    """What a run of a flow spends.

    `bounds` are those of a run: what is least holds for every run that ends well, what is most for every run at all,
    whatever fails in it. `rows` are the same for each kind of request; branches share what is most, so the rows can add
    up to more; `each` is what one picture of a kind costs. `assumed` is what the most takes for granted, in a few words
    each; `reasons` says why a bound is open or wide, and where. `requests` are the requests in order, as far as they
    are known; `secrets` says which secret goes to which host.
    """

    title: str | None
    bounds: Bounds
    rows: Mapping[Row, Bounds]
    each: Mapping[Row, tuple[float, float] | None]
    assumed: tuple[str, ...]
    reasons: Mapping[str, tuple[str, ...]]
    requests: tuple[Request, ...]
    secrets: tuple[tuple[str, str, str], ...]
    records: int | None = None
    """Of a batch: over so many records."""

    @property
    def most_usd(self) -> float | None:
        """The most that a run costs in USD; None where nothing says it."""
        return self.bounds.most_usd.value({})

    @property
    def most_requests(self) -> float | None:
        """The most requests that a run sends; None where nothing says it."""
        return self.bounds.most.value({})


def planned(frame: Frame, secrets: Sequence[tuple[str, str, str]] = (), title: str | None = None) -> Plan:
    """The plan of what begins with a frame; `secrets` are names of secrets, the hosts they go to, and places."""
    walk = Walk(frame)
    ways = walk.whole()
    well = {end: spending for end, spending in ways.items() if end is not None}
    every, ended = either(ways.values()), either(well.values()) if well else FREE
    rows = {
        row: ended.get(row, NONE)._replace(
            most=bounds.most, most_usd=bounds.most_usd, most_batch_usd=bounds.most_batch_usd
        )
        for row, bounds in every.items()
    }
    total = rows.pop(None, NONE)
    return Plan(
        title=title and walk.document.source.without_keys(title),
        bounds=total,
        rows={row: bounds for row, bounds in rows.items() if row is not None},
        each=walk.buying.each,
        assumed=tuple(walk.buying.assumed),
        reasons={why: tuple(places) for why, places in walk.buying.reasons.items()},
        requests=tuple(walk.buying.requests),
        secrets=tuple((without_keys(secret), without_keys(host), place) for secret, host, place in secrets),
    )
