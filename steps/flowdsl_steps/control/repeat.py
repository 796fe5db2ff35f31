"""Repeating what failed: TRY's `retry`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flowdsl import Options, Problem, RunError, ServiceError
from flowdsl.step.rules import UNKNOWN
from flowdsl.step.spec import Key
from flowdsl_steps.control.inner_keys import inner_problems

LONGEST_MS = 2**31 - 1
"""The longest pause, in milliseconds: 24 days, as in JavaScript."""


class Repeat(NamedTuple):
    """How often and when to try again."""

    max: int = 2
    delay_ms: float = 1000
    backoff: float = 2
    max_delay_ms: float = 30_000
    jitter: bool = True
    paid: str = "once"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Repeat:
        """The values of a `retry` map; null stands for the default."""
        return cls(**{_FIELDS[key]: value for key, value in options.items() if value is not None})

    def covers(self, error: RunError) -> bool:
        """Whether repeating can do no harm: the service says so, and nothing was charged; or an error of the author's
        own, where what was paid for is bought again on purpose."""
        if error.step == "RAISE":
            return self.paid == "again"
        return isinstance(error, ServiceError) and error.retryable and not error.charge_possible

    def delay_s(self, again: int) -> float:
        """Seconds to wait before the repetition with this number, from 0."""
        from random import uniform

        delay = min(self.delay_ms * self.backoff**again, self.max_delay_ms) / 1000
        return delay * uniform(0.5, 1) if self.jitter else delay


_FIELDS = {
    "max": "max",
    "delayMs": "delay_ms",
    "backoff": "backoff",
    "maxDelayMs": "max_delay_ms",
    "jitter": "jitter",
    "paid": "paid",
}
_KEYS = {
    "max": Key("retry.max", "integer", minimum=0, maximum=20),
    "delayMs": Key("retry.delayMs", "number", minimum=0, maximum=LONGEST_MS),
    "backoff": Key("retry.backoff", "number", minimum=1, maximum=100),
    "maxDelayMs": Key("retry.maxDelayMs", "number", minimum=0, maximum=LONGEST_MS),
    "jitter": Key("retry.jitter", "boolean"),
    "paid": Key("retry.paid", "text", choices=("once", "again")),
}


def check_repeat(options: Options) -> Iterator[Problem]:
    """What is wrong in `retry`: keys it does not have, values out of range."""
    retry = options.given.get("retry")
    if retry is not UNKNOWN and isinstance(retry, Mapping):
        yield from inner_problems("retry", retry, _KEYS)
