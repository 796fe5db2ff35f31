"""Limits of a run, all in one place, and what keeps its spending below them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from flowdsl.errors import UsageError
from flowdsl.record import Record
from flowdsl.template.limits import TemplateLimits


class Limits(Record):
    """What a run may use at most.

    `timeout_s` is the deadline of the whole run in seconds (None: no deadline), `steps` how many steps may run,
    `image_bytes` the size of one picture, `response_bytes` the size of one response of a service, `context_bytes` that
    of all values of the run together (it is measured now and then), `template` what one template may use,
    `private_addresses` whether steps such as REST may reach this machine and its own network. `max_requests` is how
    many paid requests a run may send, `max_usd` what they may cost together in USD (None: no limit). The most that a
    request can cost is reserved before it is sent, and is not given back where its outcome is unknown. A settings file
    can lower `max_requests`, `max_usd`, `concurrency` and `private_addresses`, unless `fixed` names them.
    `fewer_images` is whether a service may send fewer pictures than it was asked for: that is noted, or else an error.
    `files_by_value` is whether inputs, and what else a run comes by, may name the files of the project that steps read:
    where somebody else gives the inputs, only the flow itself may. `standard_input` is whether steps may read the
    standard input of the process: where a server runs flows for others, it is not theirs. `concurrency` is how many
    requests for pictures go at the same time, whatever services they are for: of all runs that share a journal, of each
    run without one.
    """

    timeout_s: float | None = None
    steps: int = 1_000_000
    image_bytes: int = 64 * 1024 * 1024
    response_bytes: int = 1024 * 1024 * 1024
    context_bytes: int = 1024 * 1024 * 1024
    template: TemplateLimits = TemplateLimits()
    private_addresses: bool = False
    max_requests: int | None = None
    max_usd: float | None = None
    fixed: frozenset[str] = frozenset()
    fewer_images: bool = True
    files_by_value: bool = True
    standard_input: bool = True
    concurrency: int | None = None


_NUMBERS = (
    "timeout_s", "steps", "image_bytes", "response_bytes", "context_bytes", "max_requests", "max_usd", "concurrency",
)  # fmt: skip


def expect_limits(limits: Any) -> None:
    """Raises UsageError for an argument that is given and is no `Limits`, or holds what is no limit."""
    if limits is None:
        return
    if not isinstance(limits, Limits):
        raise UsageError(f"limits takes flowdsl.Limits(…), not {type(limits).__name__}")
    for name in _NUMBERS:
        value = getattr(limits, name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (is_number and value >= 0):
            raise UsageError(f"{name} of flowdsl.Limits takes a number that is not below 0, not {value!r}")


class Reservation(Protocol):
    """What is set aside for one paid request. Neither settled nor released, it stays set aside: the outcome is
    unknown. Only where it is for a `Sending` (see `Sending.reserving`) a journal knows better when the process is gone:
    what had not begun was not sent."""

    def settle(self, usd: float | None) -> None:
        """The request cost so much in USD; None: all that was set aside, for nothing says what it cost."""
        ...

    def release(self) -> None:
        """The request cost nothing: it was refused, or never sent."""
        ...


class Budget(Protocol):
    """Keeps what is spent below a limit, whoever shares it."""

    async def reserve(self, most_usd: float | None, service: str | None = None) -> Reservation:
        """Sets one request to a service aside, and the most that it can cost in USD; None when that is not known. Of a
        caller that is cancelled nothing stays set aside.

        Raises:
            LimitExceeded: that is more than is left.
            ConfigError: money is limited and the price is not known.
        """
        ...


class Allowance(Record):
    """What a service says of what it still allows: of a `kind`, `requests` or `images`, `left` of `most`, and all of
    them again in `full_s` seconds (None: it does not say when)."""

    kind: str
    most: int
    left: int
    full_s: float | None = None


class Pace(Protocol):
    """How fast services may be asked, by all who share it."""

    async def take(
        self, service: str, pause_s: float, *, model: str = "", images: int = 1, image_pause_s: float = 0.0
    ) -> None:
        """Waits until a request for so many `images` may be sent: `pause_s` after the one before it, `image_pause_s`
        after each of its images; with 0 only as long as the service has asked for, or has said that it allows for the
        model."""
        ...

    def push_back(self, service: str, pause_s: float) -> None:
        """A service asks for a pause: nobody asks it before that is over."""
        ...

    def learn(self, service: str, model: str, allowance: Allowance) -> None:
        """A service says what it still allows for a model."""
        ...

    def slot(self, service: str, most: int) -> AbstractAsyncContextManager[None]:
        """One of as many places as a service has for requests at the same time: waits for one that is free. It is free
        again after the block, and when the process is killed."""
        ...
