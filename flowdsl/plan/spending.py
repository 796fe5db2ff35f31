"""What steps spend on the ways through them: bounds of requests and of money, in all and for each kind of request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from flowdsl.plan.amount import NOTHING, Amount
from flowdsl.record import Record
from flowdsl.source import Span
from flowdsl.step.signals import Signal


class Row(NamedTuple):
    """A line of a plan: requests of one step that ask the same of the same."""

    place: str
    step: str
    service: str
    vendor: str
    host: str
    model: str | None
    size: str | None
    quality: str | None


class Bounds(NamedTuple):
    """The least and the most of requests and of USD; `least_batch_usd` and `most_batch_usd` are those through the
    vendor's batch, where it has one."""

    least: Amount = NOTHING
    most: Amount = NOTHING
    least_usd: Amount = NOTHING
    most_usd: Amount = NOTHING
    least_batch_usd: Amount = NOTHING
    most_batch_usd: Amount = NOTHING

    def plus(self, other: Bounds) -> Bounds:
        """One after the other."""
        return Bounds(*(mine.plus(its) for mine, its in zip(self, other, strict=True)))

    def or_else(self, other: Bounds) -> Bounds:
        """One of the two."""
        return Bounds(
            self.least.at_least(other.least),
            self.most.at_most(other.most),
            self.least_usd.at_least(other.least_usd),
            self.most_usd.at_most(other.most_usd),
            self.least_batch_usd.at_least(other.least_batch_usd),
            self.most_batch_usd.at_most(other.most_batch_usd),
        )

    def times(self, number: int) -> Bounds:
        """So often."""
        return Bounds(*(mine.times(number) for mine in self))

    def for_each(self, name: str) -> Bounds:
        """As often as a count says that only the run knows."""
        return Bounds(*(mine.for_each(name) for mine in self))

    def perhaps(self) -> Bounds:
        """The same, or nothing."""
        return self._replace(least=NOTHING, least_usd=NOTHING, least_batch_usd=NOTHING)

    def repeated(self, requests: int, usd: int) -> Bounds:
        """The same least, and so many times the most."""
        return self._replace(
            most=self.most.times(requests),
            most_usd=self.most_usd.times(usd),
            most_batch_usd=self.most_batch_usd.times(usd),
        )

    def without_end(self) -> Bounds:
        """Any number of times."""
        return self.perhaps()._replace(
            most=self.most.without_end(),
            most_usd=self.most_usd.without_end(),
            most_batch_usd=self.most_batch_usd.without_end(),
        )


NONE = Bounds()
Spending: TypeAlias = "Mapping[Row | None, Bounds]"
"""The bounds for each kind of request, and under None those of all together: branches share what is most, so the total
is less than the sum of the rows."""
FREE: Spending = {}
End: TypeAlias = "Literal['on'] | Signal | None"
"""How steps end: going `on`, by a signal, or by an error on purpose (None)."""
ON: Final[End] = "on"
Ways: TypeAlias = "Mapping[End, Spending]"
"""The ways that steps may end, each with what is spent until then."""
GOING_ON: Ways = {ON: FREE}


class Request(Record):
    """A request as `run --dry-run` lists it: what is asked of whom, in which iteration of which loops. `certain` is
    whether every run that ends well comes to it, `often` how often where only the run knows. `asked` is each request as
    its effect says it, where all of it is known."""

    step: str
    span: Span
    iteration: tuple[str, ...]
    service: str
    vendor: str
    host: str
    model: str | None
    options: Mapping[str, object]
    prompt: str | None
    requests: tuple[int, int | None]
    most_usd: float | None
    certain: bool
    often: str | None
    facts: Mapping[str, object]
    """What rules of a house speak of; UNKNOWN where a run decides it."""
    asked: tuple[Mapping[str, object], ...] = ()


def then(first: Spending, second: Spending) -> Spending:
    """One after the other."""
    if not first or not second:
        return first or second
    return {row: first.get(row, NONE).plus(second.get(row, NONE)) for row in dict.fromkeys((*first, *second))}


def either(choices: Iterable[Spending]) -> Spending:
    """One of several."""
    found: Spending | None = None
    for each in choices:
        if found is None:
            found = each
        elif found != each:
            rows = dict.fromkeys((*found, *each))
            found = {row: found.get(row, NONE).or_else(each.get(row, NONE)) for row in rows}
    return FREE if found is None else found


def perhaps(spending: Spending) -> Spending:
    """The same, or nothing."""
    return {row: bounds.perhaps() for row, bounds in spending.items()}


def joined(*several: Ways) -> Ways:
    """One of several ways."""
    ends = dict.fromkeys(end for ways in several for end in ways)
    return {end: either(ways[end] for ways in several if end in ways) for end in ends}


def after(first: Spending, ways: Ways) -> Ways:
    """Ways that begin with what is spent before."""
    return {end: then(first, each) for end, each in ways.items()} if first else ways
