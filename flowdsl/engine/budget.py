"""What a run may still spend: paid requests and money, reserved before a request and settled after it."""

from __future__ import annotations

from flowdsl.errors import ConfigError, LimitExceeded
from flowdsl.limits import Budget, Reservation

ROUNDING_USD = 1e-9
"""Three times 0.1 is as much as 0.3."""


class RunBudget:
    """The budget of one run, which belongs to one event loop: between two `await`s nobody else reserves."""

    def __init__(
        self, max_requests: int | None = None, max_usd: float | None = None, requests: int = 0, usd: float = 0.0
    ) -> None:
        self.max_requests = max_requests
        self.max_usd = max_usd
        self.requests = requests
        self.usd = usd
        self._unpriced = 0

    async def reserve(self, most_usd: float | None, service: str | None = None) -> Reservation:
        """Sets one request aside; see `Budget.reserve`."""
        if self.max_requests is not None and self.requests >= self.max_requests:
            raise LimitExceeded(
                f"the run may send {self.max_requests:,} paid request{'' if self.max_requests == 1 else 's'}, "
                f"and this would be one more: {self._spent()}, and it can cost {_up_to(most_usd)}",
                code="too-many-requests",
                hint="raise the limit: `--max-requests N` on the command line, `Limits(max_requests=N)` in a host",
            )
        if self.max_usd is not None:
            if most_usd is None:
                raise ConfigError(
                    f"the run may spend {in_usd(self.max_usd)}, and nobody says what this picture costs at most: "
                    f"{self._spent()}",
                    code="unknown-price",
                    hint="say it in the service entry, in USD for a picture, such as `prices: 0.05`; or limit the "
                    "requests in place of the money: `--max-requests N`, `Limits(max_requests=N)`",
                )
            left = self.max_usd - self.usd
            if not most_usd <= left + ROUNDING_USD:  # nor is anything, where a figure is none
                limit = f"the limit is {in_usd(self.max_usd)}, and nothing is spent yet"
                if self.requests:
                    limit = f"{in_usd(max(left, 0))} of {in_usd(self.max_usd)} are left, as {self._spent()}"
                raise LimitExceeded(
                    f"this request can cost {_up_to(most_usd)}; {limit}",
                    code="budget-spent",
                    hint="raise the limit: `--max-usd X` on the command line, `Limits(max_usd=X)` in a host",
                )
        self.requests += 1
        self.usd += most_usd or 0.0
        self._unpriced += most_usd is None
        return _Reserved(self, most_usd)

    def _spent(self) -> str:
        """What is spent, or set aside for requests that are under way or whose outcome is not known."""
        if not self.requests:
            return "nothing is spent"
        requests = "1 request" if self.requests == 1 else f"{self.requests:,} requests"
        besides = "" if not self._unpriced else ", and what is not known," if self.usd else ""
        if self._unpriced and not self.usd:
            return f"{requests} were sent at a price that is not known"
        return f"{in_usd(self.usd)}{besides} are spent or set aside for {requests}"


class _Reserved:
    def __init__(self, budget: RunBudget, usd: float | None) -> None:
        self._budget = budget
        self._usd = usd or 0.0
        self._is_unpriced = usd is None

    def settle(self, usd: float | None) -> None:
        if usd is not None:
            self._budget.usd += usd - self._usd
            self._usd = usd
            self._price()

    def release(self) -> None:
        self._budget.requests -= 1
        self._budget.usd -= self._usd
        self._usd = 0.0
        self._price()

    def _price(self) -> None:
        self._budget._unpriced -= self._is_unpriced
        self._is_unpriced = False


class BothBudgets:
    """Two budgets that a request must both fit into: that of a run, and one that it shares with others."""

    def __init__(self, own: Budget, shared: Budget) -> None:
        self._own = own
        self._shared = shared

    async def reserve(self, most_usd: float | None, service: str | None = None) -> Reservation:
        """Sets one request aside in both, or in none; see `Budget.reserve`."""
        own = await self._own.reserve(most_usd, service)
        try:
            return _Both(own, await self._shared.reserve(most_usd, service))
        except BaseException:
            own.release()
            raise


class _Both:
    def __init__(self, own: Reservation, shared: Reservation) -> None:
        self._parts = (own, shared)

    def settle(self, usd: float | None) -> None:
        for part in self._parts:
            part.settle(usd)

    def release(self) -> None:
        for part in self._parts:
            part.release()


def _up_to(usd: float | None) -> str:
    return "a sum that is not known" if usd is None else f"up to {in_usd(usd)}"


def in_usd(usd: float) -> str:
    """A sum in USD: with four decimals, or as many as show it."""
    return f"${usd:.4f}" if usd >= 0.001 or not usd else f"${usd:.7f}".rstrip("0")
