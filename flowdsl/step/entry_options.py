"""What `options` of a service entry may hold: defaults for the keys of the steps that have a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.errors import UsageError
from flowdsl.nearest import nearest
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


def check_entry_options(where: str, entries: Mapping[str, Mapping[str, Any]], registry: Registry) -> None:
    """Looks at the defaults under `options` of entries that a host gives.

    Raises:
        UsageError: no step has an option of that name, or none takes the value.
    """
    known = entry_options(registry)
    for name, entry in entries.items():
        for key, value in (entry.get("options") or {}).items():
            if key not in known:
                near = nearest(str(key), known)
                hint = f", did you mean `{near}`?" if near else ""
                raise UsageError(f"{where}.{name}.options: unknown option `{key}`{hint}")
            if (problem := option_problem(key, value, known)) is not None:
                raise UsageError(f"{where}.{name}.options: {problem.message}")
