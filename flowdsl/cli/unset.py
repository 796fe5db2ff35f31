"""What a flow needs of its environment and does not find there: for `validate --env`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from flowdsl.cli.destinations import destinations_of
from flowdsl.cli.origins import service_of
from flowdsl.document.document import Document, StepNode
from flowdsl.errors import ConfigError
from flowdsl.services import ServiceLayers
from flowdsl.step.registry import Registry


def unset(documents: Iterable[Document], layers: ServiceLayers, registry: Registry) -> list[str]:
    """A line for each secret that is read and not set, and for each service entry that lacks a setting, such as a key
    that its environment variable would give."""
    steps = [(step, document) for document in documents for step in document.every_step()]
    lines = [line for step, document in steps for line in _unset_of(step, document, layers, registry)]
    seen: dict[str, str] = {}
    for place, what in lines:
        seen.setdefault(what, place)
    return [f"{place}: {what}" for what, place in seen.items()]


def _unset_of(
    step: StepNode, document: Document, layers: ServiceLayers, registry: Registry
) -> Iterator[tuple[str, str]]:
    place = str(step.name_node.span)
    for name in dict.fromkeys(found.secret for found in destinations_of(step, document, layers)):
        if os.environ.get(name) is None:
            yield place, f"{name} is not set"
    service = service_of(step, document, layers)
    if service is None:
        return
    from flowdsl.engine.resolvers import is_constant

    given = {name: node.plain() for name, node in step.keys.items() if is_constant(node)}
    try:
        layers.require(service, step.spec, document.services)
        registry.step_class(step.spec.name).require(service, given)
    except ConfigError as error:
        if error.code == "service-not-configured":
            yield place, f"{error.message}{f'; {error.hint}' if error.hint else ''}"
