"""What a run may still spend: paid requests and money, reserved before a request and settled after it."""

from __future__ import annotations

from flowdsl.errors import ConfigError, LimitExceeded
from flowdsl.limits import Reservation


class RunBudget:
    """The budget of one run, which belongs to one event loop: between two `await`s nobody else reserves."""

    def __init__(self, max_requests: int | None = None, max_usd: float | None = None) -> None:
        self.max_requests = max_requests
        self.max_usd = max_usd
        self.requests = 0
        self.usd = 0.0

    def reserve(self, most_usd: float | None) -> Reservation:
        """Sets one request aside; see `Budget.reserve`."""
        if self.max_requests is not None and self.requests >= self.max_requests:
            raise LimitExceeded(
                f"the run may send {self.max_requests:,} paid request{'' if self.max_requests == 1 else 's'}, "
                "and this would be one more",
                code="too-many-requests",
                hint="raise the limit: `--max-requests N` on the command line, `Limits(max_requests=N)` in a host",
            )
        if self.max_usd is not None:
            if most_usd is None:
                raise ConfigError(
                    "the run may spend a limited sum, and what this picture costs is not known",
                    code="unknown-price",
                    hint="say in the service entry what one costs at most, in USD: `prices: 0.05`; or limit the "
                    "requests in place of the money: `--max-requests N`, `Limits(max_requests=N)`",
                )
            left = self.max_usd - self.usd
            if most_usd > left:
                raise LimitExceeded(
                    f"this request can cost up to ${most_usd:.4f}; ${max(left, 0):.4f} of ${self.max_usd:.4f} are left",
                    code="budget-spent",
                    hint="raise the limit: `--max-usd X` on the command line, `Limits(max_usd=X)` in a host; or give "
                    "the step a `size` and a `quality`, which cost less than `auto` may",
                )
        self.requests += 1
        self.usd += most_usd or 0.0
        return _Reserved(self, most_usd or 0.0)


class _Reserved:
    def __init__(self, budget: RunBudget, usd: float) -> None:
        self._budget = budget
        self._usd = usd

    def settle(self, usd: float | None) -> None:
        if usd is not None:
            self._budget.usd += usd - self._usd
            self._usd = usd

    def release(self) -> None:
        self._budget.requests -= 1
        self._budget.usd -= self._usd
        self._usd = 0.0
