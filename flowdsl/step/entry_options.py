"""What `options` of a service entry may hold: defaults for the keys of the steps that have a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.step.key import Key, is_templated
from flowdsl.step.problem import Problem
from flowdsl.step.registry import Registry

EntryOptions = Mapping[str, tuple[Key, ...]]
"""The keys of steps that have a service, by name: several steps may have one of the same name."""


def entry_options(registry: Registry) -> EntryOptions:
    """The keys that `options` may give a default for; those of all steps, as any of them may name the entry."""
    found: dict[str, tuple[Key, ...]] = {}
    for spec in map(registry.spec, registry):
        if spec is not None and spec.service is not None:
            for name, key in spec.keys.items():
                found[name] = (*found.get(name, ()), key)
    return found


def option_problem(name: str, value: Any, known: EntryOptions) -> Problem | None:
    """What is wrong with the value of an option that exists, or None where one of the steps takes it."""
    if value is None or (isinstance(value, str) and is_templated(value)):
        return None
    problems = [key.problem(value) for key in known[name]]
    return None if None in problems else problems[0]
