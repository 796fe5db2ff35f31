"""What a run that is resumed uses again and what it buys, as far as its plan says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from flowdsl.environment.flow import Flow
    from flowdsl.journal.earlier import Kept
    from flowdsl.journal.runs import KeptRun
    from flowdsl.plan import Plan


class _Foreseen(NamedTuple):
    """How many requests are used again and what they cost, how many are bought and what they cost at most; whether
    there may be more, which only the run knows."""

    used: int
    saved_usd: float
    bought: int
    most_usd: float | None
    is_open: bool


def used_again(run: KeptRun, flow: Flow, inputs: Mapping[str, Any], state: Path, *, resend: bool) -> str | None:
    """What is said of it before a run goes on that stands in the journal of the folder `state`; None where nothing is
    known. With `resend` what is in doubt is sent."""
    from flowdsl.journal.earlier import Kept
    from flowdsl.journal.journal import Journal

    try:
        plan = flow.plan(inputs)
    except ConfigError:  # inputs that do not fit, which the run will say
        return None
    with Journal(state) as journal:
        kept = Kept(journal.database, run.id)
    return None if kept.began_at is not None else _said(_foreseen(plan, kept, resend=resend), run.paid)


def _foreseen(plan: Plan, kept: Kept, *, resend: bool) -> _Foreseen:
    from flowdsl.journal.rows import PAID, Rows, digest

    rows = Rows(row for row in kept.rows if row.key == PAID and (row.state != "ok" or row.result is not None))
    used, saved, bought, known = 0, 0.0, 0, 0
    most: float | None = 0.0
    for request in plan.requests:
        if not request.certain or request.often is not None:
            continue
        for each in request.asked:
            known += 1
            row = rows.take("", digest(PAID, each))
            if row is not None and row.state == "ok":
                used, saved = used + 1, saved + (row.cost_usd or 0.0)
                continue
            if row is not None and (row.vendor_order is not None or not resend):
                continue  # the vendor has it, or it is held
            bought += 1
            price = request.most_usd
            most = None if most is None or price is None else most + price / len(request.asked)
    return _Foreseen(used, saved, bought, most, is_open=plan.bounds.most.value({}) != known)


def _said(found: _Foreseen, paid: int) -> str | None:
    from flowdsl.plan.shown import usd

    if found.is_open and not (found.used or found.bought):
        return None
    used, bought = "nothing", []
    if found.used:
        least = "at least " if found.is_open else ""
        used = f"{least}{found.used} of {paid} request{'' if paid == 1 else 's'}, which saves {usd(found.saved_usd)}"
    if found.bought:
        price = "at a price that is not known" if found.most_usd is None else f"up to {usd(found.most_usd)}"
        bought.append(f"{found.bought} request{'' if found.bought == 1 else 's'}, {price}")
    if found.is_open:
        bought.append("what only the run knows")
    return f"used again: {used}; to be bought: {', and '.join(bought) or 'nothing'}"
