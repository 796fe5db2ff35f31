"""Where the options of a step come from: each with its value, as far as it is known before the run, and its origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flowdsl.document.document import Document, StepNode
from flowdsl.secrets.plain import HIDDEN
from flowdsl.services import SETTINGS
from flowdsl.step.service import Service
from flowdsl.step.spec import BLOCK_TYPES

BUILT_IN = "built-in default"


class Option(NamedTuple):
    """An option or a service setting: its value, and where that came from."""

    name: str
    value: Any
    origin: str


def options_of(step: StepNode, service: Service | None) -> Iterator[Option]:
    """The options of a step that have a value, in the order of its keys; variables of a SET behind them."""
    for name in dict.fromkeys((*step.spec.keys, *step.keys)):
        key = step.spec.keys.get(name)
        if key is not None and key.type in BLOCK_TYPES:
            continue
        node = step.keys.get(name)
        if node is not None and not (node.kind == "scalar" and node.value is None):
            yield Option(name, node.plain(), _written(step, name))
        elif service is not None and service.option(name) is not None:
            yield Option(name, service.option(name), _from_service(service, name))
        elif key is not None and key.default is not None:
            yield Option(name, key.default, BUILT_IN)


def settings_of(service: Service) -> Iterator[Option]:
    """The settings of a service entry in force, without those under `options`; secrets hidden."""
    for name in (*SETTINGS, *sorted(service.settings.keys() - SETTINGS.keys())):
        value = service.get(name)
        if value is not None and name != "options":
            hidden = name in service.secret or name == "headers"
            yield Option(name, HIDDEN if hidden else value, service.origins.get(name, BUILT_IN))


def step_at(document: Document, path: str, line: int) -> StepNode | None:
    """The innermost step of a file that stands on a line, or None."""
    from os.path import realpath

    real = realpath(path)
    found = None
    for step in document.every_step():
        node = step.node
        if not node.span.first.line <= line <= _last_line(step) or realpath(node.source.path) != real:
            continue
        if found is None or node.start >= found.node.start:
            found = step
    return found


def _last_line(step: StepNode) -> int:
    """The line of a step's last character that is no space: its node may reach to the next step."""
    node = step.node
    return node.source.position(node.start + len(node.span.text.rstrip()) - 1).line


def _written(step: StepNode, name: str) -> str:
    """Which key of the step gave the option."""
    own: Mapping[str, Any] = step.node.value
    node = step.keys[name]
    if own.get(name) is node:
        return "step"
    old = next((old for old, present in step.spec.deprecated_keys.items() if present == name and old in own), None)
    return f"step, as `{old}`" if old is not None and own[old] is node else "step, under `options`"


def _from_service(service: Service, name: str) -> str:
    """Which layer of the service entry gave the option, and whether under `options`."""
    direct = service.settings.get(name) is not None
    origin = service.origins.get(name if direct else "options", BUILT_IN)
    under = "" if direct else ", under `options`"
    return f"service {service.name} in {origin}{under}"
