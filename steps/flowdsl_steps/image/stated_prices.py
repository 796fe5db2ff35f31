"""What a service entry states a picture to cost, in place of the catalogue: `prices`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from flowdsl.errors import ConfigError
from flowdsl.step.service import Service, price_problem


def stated(
    service: Service, models: tuple[str | None, ...], size: str | None, quality: str | None
) -> tuple[float, float] | None:
    """The least and the most that one picture costs in USD, by the entry; None where it does not say.

    The entry may know the model by any of its names. A size or quality that is absent or `auto` can be any that is
    listed.

    Raises:
        ConfigError: `prices` is none.
    """
    prices = service.get("prices")
    if prices is None:
        return None
    problem = price_problem(prices)
    if problem is not None:
        raise ConfigError(f"service {service.name}: {problem.message}", code=problem.code, hint=problem.hint)
    if isinstance(prices, Mapping):
        prices = next((prices[name] for name in models if name in prices), {})
    found = [price for by_size in _fitting(prices, size) for price in _fitting(by_size, quality)]
    return (float(min(found)), float(max(found))) if found else None


def sum_in_usd(found: float | None) -> float | None:
    """What a vendor says that something costs, when it is a sum: one below zero would raise what a run may spend."""
    return found if found is not None and 0 <= found < math.inf else None


def _fitting(prices: Any, word: str | None) -> Iterator[Any]:
    if not isinstance(prices, Mapping):
        yield prices
    elif word is None or word == "auto":
        yield from prices.values()
    elif word in prices:
        yield prices[word]
