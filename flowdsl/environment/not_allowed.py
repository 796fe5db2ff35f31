"""What of a flow that is right in itself is not allowed where it would run, as far as no run decides it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from flowdsl.diagnostics import Diagnostic
from flowdsl.environment.flow import Flow, Surroundings
from flowdsl.plan.judged import judged
from flowdsl.step.standard_input import not_ours

if TYPE_CHECKING:
    from flowdsl.document.document import Document
    from flowdsl.settings.layers import InForce


def not_allowed(environment: Surroundings, documents: Iterable[Document], settings: InForce) -> Iterator[Diagnostic]:
    """What of flows breaks rules of the house, and which of their steps would read a standard input that is not
    theirs."""
    if settings.policy:
        for document in documents:
            yield from judged(Flow(environment, document, (), settings, False).plan().requests, settings.policy)
    if not settings.limits.standard_input:
        yield from _reading_standard_input(environment, documents)


def _reading_standard_input(environment: Surroundings, documents: Iterable[Document]) -> Iterator[Diagnostic]:
    told: set[tuple[str, int]] = set()
    for document in documents:
        for step in document.every_step():
            given = {name: node.plain() for name, node in step.keys.items()}
            key = environment.registry.step_class(step.spec.name).reads_standard_input(given)
            if key is None:
                continue
            node = step.keys.get(key)
            span = step.name_node.span if node is None else node.span
            if (span.path, span.start) not in told:
                told.add((span.path, span.start))
                error = not_ours(step.spec.name)
                yield Diagnostic(error.code, error.message, span, hint=error.hint)
