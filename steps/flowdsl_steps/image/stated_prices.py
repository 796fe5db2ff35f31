"""What a request costs: by the `prices` of its service entry, in place of the catalogue, else as its vendor says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.errors import ConfigError, PluginError
from flowdsl.step.service import Service, price_problem

if TYPE_CHECKING:
    from flowdsl.step.step_context import StepContext
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.request import ImageRequest
    from flowdsl_steps.image.vendor import Endpoint, Vendor

_MOST_USD = 1e9
"""A larger number is no sum for pictures."""


class Prices:
    """What requests of one step cost in USD; they go a way that costs `share` of the price."""

    def __init__(self, ctx: StepContext, vendor: Vendor, endpoint: Endpoint, share: float = 1.0) -> None:
        self._ctx = ctx
        self._vendor = vendor
        self._endpoint = endpoint
        self._share = share
        self._most: dict[int, tuple[ImageRequest, float | None]] = {}

    def most(self, request: ImageRequest) -> float | None:
        """The most that a request can cost; None when nobody says."""
        known = self._most.get(id(request))
        if known is None:
            known = self._most[id(request)] = request, self._found_most(request)
        return known[1]

    def _found_most(self, request: ImageRequest) -> float | None:
        found = self._stated(request, request.size, request.quality)
        most = self._vendor.most(request, self._endpoint) if found is None else found[1] * request.n
        return self._shared(sum_in_usd(most))

    def cost(self, request: ImageRequest, received: Received) -> float | None:
        """What a request cost: by the entry's prices where they leave no doubt, else as the vendor says."""
        found = self._stated(request, received.size or request.size, received.quality or request.quality)
        if found is not None and found[0] == found[1]:
            return self._shared(found[1] * len(received.images))
        try:
            usd = self._vendor.cost(request, self._endpoint, received)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return None  # figures may be anything, and the picture is paid for
        except PluginError as error:
            self._ctx.note("plugin-fault", str(error))
            return None
        return self._shared(sum_in_usd(usd))

    def _shared(self, usd: float | None) -> float | None:
        return None if usd is None else usd * self._share

    def _stated(self, request: ImageRequest, size: str | None, quality: str | None) -> tuple[float, float] | None:
        service = self._ctx.service
        assert service is not None  # noqa: S101  a step that buys has one
        return stated(service, (self._endpoint.label, request.model, service.get("model")), size, quality)


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
    return found if found is not None and 0 <= found < _MOST_USD else None


def _fitting(prices: Any, word: str | None) -> Iterator[Any]:
    if not isinstance(prices, Mapping):
        yield prices
    elif word is None or word == "auto":
        yield from prices.values()
    elif word in prices:
        yield prices[word]
