"""What a step may pay for, said before it runs: what `flowdsl plan` asks each step class, by its `buys`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.record import Record

if TYPE_CHECKING:
    from flowdsl.step.rules import Options


class Expected(Record):
    """What is known of one execution of a step before it runs.

    `options` are its options, and its service entry, as in a check: what only the run decides is UNKNOWN. `inputs` has
    the values of its inputs by their type, where they are known. `counts` says of options and inputs that are UNKNOWN,
    by name, how many items there will be in them, as far as that is known; `longest` of prompts that are, how many
    bytes they have at most.
    """

    options: Options
    inputs: Mapping[str, Any] = {}
    counts: Mapping[str, int] = {}
    longest: Mapping[str, int] = {}


class Purchase(Record):
    """Paid requests that one execution of a step sends; one `Purchase` for all requests that are of a kind.

    `least` and `most` requests (None: nobody knows), `least_usd` and `most_usd` for all of them together (None: no
    price is known). `images` is how many pictures they ask for at most. `usd_each` are the least and the most that one
    of the pictures costs. `prompt` is None where only the run knows it. `unknown` says, a sentence each, why a bound is
    not closer, or is missing. `assumed` says, in a few words each, what the most takes for granted: `prompts of up to
    2,000 bytes`; a run that goes beyond it can cost more. `asked` is each request as the effect of the step
    says it, where all of it is known: equal ones can share one purchase. `batch_discount` is the share that the
    vendor's batch takes off the price, where it has one: 0.5 is half.
    """

    service: str
    vendor: str
    host: str
    model: str | None = None
    size: str | None = None
    quality: str | None = None
    least: int = 1
    most: int | None = 1
    images: int | None = 1
    least_usd: float = 0.0
    most_usd: float | None = None
    usd_each: tuple[float, float] | None = None
    prompt: str | None = None
    unknown: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    asked: tuple[Mapping[str, Any], ...] = ()
    batch_discount: float = 0.0
