"""What equal requests of a plan, and those that were bought before, would save if each were bought once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from flowdsl.plan.plan import Plan
from flowdsl.plan.shown import usd

Known = Callable[[Mapping[str, object], int], bool]
"""Whether a request was bought before, by what its effect says, and which of the equal ones of a step it is."""


class Shared(NamedTuple):
    """So many of all requests that are known ask for what is bought anyway; `usd` is what they cost at most, None where
    nobody knows it."""

    requests: int
    of: int
    usd: float | None


def shared(plan: Plan, known: Known | None = None) -> Shared:
    """What is bought anyway, as an equal request comes before, or as it is `known`."""
    seen: set[tuple[str, int]] = set()
    number, of, total = 0, 0, 0.0
    is_known = True
    for request in plan.requests:
        counts: Counter[str] = Counter()
        for asked in request.asked:
            of += 1
            text = json.dumps(asked, sort_keys=True, default=repr)
            key = text, counts[text]
            counts[text] += 1
            if key not in seen and (known is None or not known(asked, key[1])):
                seen.add(key)
                continue
            number += 1
            is_known = is_known and request.most_usd is not None
            total += (request.most_usd or 0.0) / len(request.asked)
    return Shared(number, of, total if is_known else None)


def lines(found: Mapping[str, Shared]) -> Iterable[str]:
    """What each `--cache` would save, in words."""
    for cache, each in found.items():
        less = "at a price that nobody knows" if each.usd is None else f"up to {usd(each.usd)} less"
        before = "" if cache == "run" else ", or for what was bought before"
        asks = f"{each.requests} of {each.of} requests ask{'s' if each.requests == 1 else ''}"
        yield f"{asks} for the same as another{before}: `--cache {cache}` buys that once, {less}"


def to_json(found: Mapping[str, Shared]) -> dict[str, dict[str, float | None]]:
    """The same as JSON values."""
    return {
        cache: {"requests": each.requests, "usd": None if each.usd is None else round(each.usd, 9)}
        for cache, each in found.items()
    }
