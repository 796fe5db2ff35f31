"""What was paid, summed up: from the view `costs` of a journal's file, which other tools may read as well."""

from __future__ import annotations

from typing import Any, NamedTuple

from flowdsl.journal.database import Database
from flowdsl.journal.tags import REQUEST_TAG, TARGET_TAG

BY = ("flow", "service", "model", "day", "tag")
"""What costs are summed by."""
_SUMS = """
    count(*) AS requests, coalesce(sum(images), 0) AS images, coalesce(sum(usd), 0.0) AS usd,
    coalesce(sum(NOT in_doubt AND NOT at_vendor AND usd IS NULL), 0) AS unpriced,
    coalesce(sum(in_doubt), 0) AS in_doubt,
    iif(sum(in_doubt AND most_usd IS NULL), NULL, coalesce(sum(iif(in_doubt, most_usd, 0.0)), 0.0)) AS in_doubt_usd,
    coalesce(sum(at_vendor), 0) AS at_vendor,
    iif(sum(at_vendor AND most_usd IS NULL), NULL, coalesce(sum(iif(at_vendor, most_usd, 0.0)), 0.0)) AS at_vendor_usd,
    coalesce(sum(in_doubt AND state = 'released'), 0) AS released
"""
_WHERE = "simulated = :simulated AND day >= :since AND day <= :until AND state != 'refused'"
_TAGGED = f"""costs LEFT JOIN json_each(json_remove(costs.tags, '$."{REQUEST_TAG}"', '$."{TARGET_TAG}"')) AS tag"""
_TAG = "coalesce(tag.key || '=' || tag.value, '')"


class Costs(NamedTuple):
    """What requests cost together. `usd` is what is known, `unpriced` how many of them came at a price that is not;
    `in_doubt` may be done, and billed, at `in_doubt_usd` at most (None: nothing says what one costs); `at_vendor` a
    vendor works on, and bills at `at_vendor_usd` at most. `released` of those in doubt were let be sent again: what
    became of the first sending stays unknown."""

    key: str | None
    requests: int
    images: int
    usd: float
    unpriced: int
    in_doubt: int
    in_doubt_usd: float | None
    at_vendor: int = 0
    at_vendor_usd: float | None = 0.0
    released: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The sums as JSON values."""
        return self._asdict()


def costs(database: Database, by: str, *, simulated: bool, since: str, until: str) -> list[Costs]:
    """The sums by flow, service, model, day or tag of a journal, from a day to another, both included, and the sum of
    all as the last. A request of a run with two tags counts at both, and once in the sum.

    Raises:
        JournalError: the journal cannot be read.
    """
    key, table = (_TAG, _TAGGED) if by == "tag" else (f"coalesce({by}, '')", "costs")
    order = "1" if by == "day" else "usd DESC, 1"
    values = {"simulated": simulated, "since": since, "until": until}
    rows = database.read(
        f"SELECT {key} AS key, {_SUMS} FROM {table} WHERE {_WHERE} GROUP BY 1 ORDER BY {order}",
        values,
    )
    whole = database.read(f"SELECT NULL AS key, {_SUMS} FROM costs WHERE {_WHERE}", values)
    return [Costs(*row) for row in (*rows, *whole)]
