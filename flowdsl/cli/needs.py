"""What a real run still needs that the machine does not have: for `validate --env`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from flowdsl.document.document import Document, StepNode
from flowdsl.engine.resolvers import is_constant
from flowdsl.environment.destinations import destinations_of, service_of
from flowdsl.errors import ConfigError
from flowdsl.services import ServiceLayers
from flowdsl.step.service import Service, check_key
from flowdsl.step.spec import is_templated
from flowdsl.step.step import Step

_KEYS = ("apiKey", "authKey")


def needs(documents: Iterable[Document], layers: ServiceLayers, step_class: Callable[[str], type[Step]]) -> list[str]:
    """What the steps of flows lack, each once and with its place: a service entry that is incomplete,
    and secrets that are not set. `step_class` gives the class of a step by its name."""
    found: dict[str, str] = {}
    for document in documents:
        for step in document.every_step():
            for problem in _needs(step, document, layers, step_class):
                found.setdefault(problem, f"{step.name_node.span}: not ready: {problem}")
    return list(found.values())


def lacking(
    service: Service, step: StepNode, document: Document, layers: ServiceLayers, step_class: Callable[[str], type[Step]]
) -> ConfigError | None:
    """What a service entry lacks that a request of the step needs, or says and cannot be."""
    given = {name: node.plain() for name, node in step.keys.items() if is_constant(node)}
    try:
        layers.require(service, step.spec, document.services)
        step_class(step.spec.name).require(service, given)
        for name in _KEYS:
            text = service.get(name)
            if isinstance(text, str) and text == text.strip() != "" and not is_templated(text):
                check_key(service, name)
    except ConfigError as error:
        return error
    return None


def _needs(
    step: StepNode, document: Document, layers: ServiceLayers, step_class: Callable[[str], type[Step]]
) -> Iterator[str]:
    service = service_of(step, document, layers)
    error = None if service is None else lacking(service, step, document, layers, step_class)
    if error is not None:
        yield f"{error.message}; {error.hint}" if error.hint else error.message
    for secret, _, _ in destinations_of(step, document, layers):
        if not os.environ.get(secret):
            yield f"{secret} is not set in the environment"
