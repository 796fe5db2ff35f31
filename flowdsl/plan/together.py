"""Plans of several runs as one: what they spend together."""

from __future__ import annotations

from flowdsl.plan.plan import Plan
from flowdsl.plan.spending import NONE


def nothing(title: str | None) -> Plan:
    """The plan of no run."""
    return Plan(title, NONE, {}, {}, (), {}, (), ())


def together(plan: Plan, other: Plan, often: int = 1) -> Plan:
    """A plan and so many times another: the sums of both, for each kind of request too."""
    rows = dict(plan.rows)
    each = dict(plan.each)
    for row, bounds in other.rows.items():
        rows[row] = rows.get(row, NONE).plus(bounds.times(often))
        mine, its = each.get(row, other.each.get(row)), other.each.get(row)
        both = None if mine is None or its is None else (min(mine[0], its[0]), max(mine[1], its[1]))
        each[row] = both
    reasons = {why: (*plan.reasons.get(why, ()),) for why in (*plan.reasons, *other.reasons)}
    for why, places in other.reasons.items():
        reasons[why] = tuple(dict.fromkeys((*reasons[why], *places)))
    return Plan(
        title=plan.title,
        bounds=plan.bounds.plus(other.bounds.times(often)),
        rows=rows,
        each=each,
        assumed=tuple(dict.fromkeys((*plan.assumed, *other.assumed))),
        reasons=reasons,
        requests=(*plan.requests, *other.requests),
        secrets=tuple(dict.fromkeys((*plan.secrets, *other.secrets))),
    )
