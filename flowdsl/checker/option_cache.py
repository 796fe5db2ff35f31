"""Checking the options of steps: steps that say the same are checked once, within a file and across files."""

from __future__ import annotations

from collections.abc import Iterable

from flowdsl.image.own_models import OWN_MODELS
from flowdsl.step.problem import Problem
from flowdsl.step.rules import UNKNOWN, Options
from flowdsl.step.spec import StepSpec

MOST = 1024
"""How many results are remembered; when there are more, all are forgotten."""

_known: dict[tuple[object, ...], tuple[Problem, ...]] = {}


def problems_of(spec: StepSpec, options: Options) -> Iterable[Problem]:
    """The problems of a step's options. Only steps with a service are remembered: to check others takes no longer;
    and none that reads files, which may be others by now."""
    service, given = options.service, options.given
    if service is None or spec.reads_files:
        return spec.problems(options)
    name = spec.writes_to
    if name is not None and isinstance(given.get(name), str) and spec.keys[name].problem(given[name]) is None:
        given = {**given, name: UNKNOWN}  # how an output is called says nothing about the request
        options = options.replaced(given)
    types = tuple(map(type, given.values()))  # 1, 1.0 and true are equal, and not the same
    own = OWN_MODELS.get()
    said = (service.fingerprint, options.as_of, options.reads_text, None if own is None else own.key)
    key = (spec, *said, tuple(given.items()), types)
    try:
        found = _known.get(key)
    except TypeError:  # a list or a map cannot be looked up
        return spec.problems(options)
    if found is None:
        if len(_known) >= MOST:
            _known.clear()
        found = _known[key] = tuple(spec.problems(options))
    return found
