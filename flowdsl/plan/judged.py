"""Requests of a plan against the rules of a house."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from flowdsl.diagnostics import Diagnostic
from flowdsl.errors import TemplateError
from flowdsl.step.rules import UNKNOWN

if TYPE_CHECKING:
    from flowdsl.plan.spending import Request
    from flowdsl.settings.policy import PolicyRule


def judged(requests: Iterable[Request], rules: Iterable[PolicyRule]) -> Iterator[Diagnostic]:
    """A finding for each step and rule that it breaks, as far as that is known before a run; a run refuses the rest
    before it sends."""
    rules = tuple(rules)
    told: set[tuple[object, ...]] = set()
    for request in requests:
        for rule in rules:
            if any(request.facts.get(name) is UNKNOWN for name in rule.reads):
                continue
            key = request.span.source.path, request.span.start, rule.where, rule.text
            if key in told:
                continue
            try:
                kept = rule.is_kept(request.facts)
            except TemplateError:
                continue
            if not kept:
                told.add(key)
                yield Diagnostic("house-rule", rule.broken(request.facts), request.span, rule.severity)
