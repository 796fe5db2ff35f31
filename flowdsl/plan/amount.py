"""Amounts that a plan adds up: a number, and numbers times how often something is that only the run knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from flowdsl.record import Record

Factors = tuple[str, ...]
"""Counts that are not known, by name, multiplied: `len(products)`; none for a plain number."""


class Amount(Record):
    """A sum of products: `terms` maps the counts of each to the number before them. None of them is below zero, so the
    least of the sum is its plain number. `unbounded` is whether nothing bounds it."""

    terms: Mapping[Factors, float]
    unbounded: bool = False

    @property
    def number(self) -> float:
        """The plain number in it."""
        return self.terms.get((), 0.0)

    @property
    def is_number(self) -> bool:
        """Whether it is nothing but a number."""
        return not self.unbounded and all(factors == () for factors in self.terms)

    @property
    def is_nothing(self) -> bool:
        """Whether it is zero whatever the counts are."""
        return not self.unbounded and not self.terms

    def plus(self, other: Amount) -> Amount:
        """The sum of two."""
        if not other.terms and not other.unbounded:
            return self
        if not self.terms and not self.unbounded:
            return other
        terms = dict(self.terms)
        for factors, number in other.terms.items():
            terms[factors] = terms.get(factors, 0.0) + number
        return Amount(terms, self.unbounded or other.unbounded)

    def times(self, number: float) -> Amount:
        """So many times the amount."""
        if number == 1:
            return self
        if number == 0:
            return NOTHING
        return Amount({factors: each * number for factors, each in self.terms.items()}, self.unbounded)

    def for_each(self, name: str) -> Amount:
        """The amount as often as a count of this name says."""
        terms = {tuple(sorted((*factors, name))): each for factors, each in self.terms.items()}
        return Amount(terms, self.unbounded)

    def without_end(self) -> Amount:
        """The amount any number of times."""
        return self if self.is_nothing else Amount(self.terms, True)

    def at_least(self, other: Amount) -> Amount:
        """What is surely not more than either of the two."""
        if self.unbounded or other.unbounded:
            return self if not self.unbounded else other
        return self._each_of(other, min)

    def at_most(self, other: Amount) -> Amount:
        """What is surely not less than either of the two."""
        return self._each_of(other, max)._replace(unbounded=self.unbounded or other.unbounded)

    def value(self, counts: Mapping[str, int]) -> float | None:
        """The number that it is when the counts are these; None where one is missing, or nothing bounds it."""
        if self.unbounded:
            return None
        total = 0.0
        for factors, number in self.terms.items():
            for name in factors:
                if name not in counts:
                    return None
                number *= counts[name]
            total += number
        return total

    def text(self, shown: Callable[[float], str]) -> str:
        """As people write it: `2 + 12 × len(products)`."""
        parts = [_product(number, factors, shown) for factors, number in sorted(self.terms.items())]
        return " + ".join(parts) or shown(0.0)

    def _each_of(self, other: Amount, choose: Callable[[float, float], float]) -> Amount:
        if self.terms == other.terms:
            return self
        keys = dict.fromkeys((*self.terms, *other.terms))
        found = {key: choose(self.terms.get(key, 0.0), other.terms.get(key, 0.0)) for key in keys}
        return Amount({key: number for key, number in found.items() if number})


NOTHING: Final = Amount({})


def amount(number: float | None) -> Amount:
    """The amount of a number; of None one that nothing bounds."""
    return Amount({}, True) if number is None else NOTHING if not number else Amount({(): number})


def _product(number: float, factors: Factors, shown: Callable[[float], str]) -> str:
    if factors and shown(number) == "1":
        return " × ".join(factors)
    return " × ".join([*factors, shown(number)]) if factors else shown(number)
