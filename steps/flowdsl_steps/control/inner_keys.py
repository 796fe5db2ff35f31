"""The keys inside an option that holds a map, checked as the keys of a step are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowdsl import Problem
from flowdsl.nearest import nearest
from flowdsl.step.problem import spelt
from flowdsl.step.spec import Key

_ELSEWHERE = {
    **dict.fromkeys(("maxAttempts", "max_attempts", "attempts", "times", "count", "retries"), "max"),
    **dict.fromkeys(("delay", "wait", "interval", "delay_ms"), "delayMs"),
}
"""Keys of other tools, and what they are here."""


def inner_problems(option: str, given: Mapping[str, Any], keys: Mapping[str, Key]) -> Iterator[Problem]:
    """What is wrong with the map `given` as an option: keys that are not among `keys`, and values that do not fit."""
    for name, value in given.items():
        key = keys.get(name)
        if key is None:
            near = nearest(name, keys) or next((word for word in (_ELSEWHERE.get(name),) if word in keys), None)
            hint = f"did you mean `{near}`?" if near else f"it has {', '.join(keys)}"
            message, fixes = f"`{name}` is not a key of `{option}`", spelt(name, near)
            yield Problem("unknown-key", message, key=option, inside=(name,), hint=hint, fixes=fixes)
        elif value is not None and (problem := key.problem(value)) is not None:
            yield problem._replace(key=option, inside=(name,))
