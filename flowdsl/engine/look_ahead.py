"""What the steps still to come will surely need, looked at before the first of them is paid: their service entries and
the secrets that they read. What only some runs come to (a branch, a `catch`, what stands behind an END) is not."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Final

from flowdsl.engine.foreseen import Foreseen
from flowdsl.engine.iterations import around
from flowdsl.engine.resolvers import is_constant
from flowdsl.engine.trail import GOES_ON, possible
from flowdsl.errors import RunError
from flowdsl.step import flow_shapes
from flowdsl.step.flow_shapes import Call, Exit, Leaf, Parallel
from flowdsl.step.rules import UNKNOWN
from flowdsl.template.foreign import ForeignText

if TYPE_CHECKING:
    from flowdsl.document.document import Document, Module, StepNode
    from flowdsl.engine.frame import Frame
    from flowdsl.engine.state import Run
    from flowdsl.step.service import Service
    from flowdsl.syntax.node import Node

_ALONE: Final = re.compile(r"\{\{-?\s*secret\(\s*(?:'([^'\\]+)'|\"([^\"\\]+)\")\s*\)\s*(?:\|[^}|]*)?-?\}\}")
"""A secret that is read whenever the text is: nothing decides whether it is."""
_MOST_REQUIRED: Final = 1000


def look_ahead(run: Run, frame: Frame, paid: StepNode) -> Service | None:
    """Looks up the services and secrets of every step that the run surely comes to, and the options of those behind the
    one that will be paid; gives the service entry of that one, unless its options decide it. What is wrong stays so:
    another step that would be paid, of a `catch` for one, is told the same.

    Raises:
        ConfigError: a service is not configured, an option breaks a rule.
        TemplateError: a secret is not set, a template fails.
        StepError: files cannot be written to a folder.
    """
    if run.foreseen is None:
        try:
            return _look(run, frame, paid)
        except RunError as error:
            around(error).settle()
            run.foreseen = copy(error)
    raise copy(run.foreseen)


def _look(run: Run, frame: Frame, paid: StepNode) -> Service | None:
    required: dict[int, Service | None] = {}

    def require(step: StepNode) -> None:
        if id(step) in required:
            return
        required[id(step)] = None
        try:
            required[id(step)] = _require(run, step)
        except RunError as error:
            error.step, error.path, error.span = step.spec.name, step.path, error.span or step.name_node.span
            raise

    document = run.program.document
    for step in (*_surely(document, document.steps), *_misspelt_services(run)):
        require(step)
    Foreseen(run, frame, require).check(paid)
    return None if paid.spec.holds_settings else required.get(id(paid))


def _misspelt_services(run: Run) -> Iterator[StepNode]:
    """The steps, on whatever path, whose service entry is not there while one of a similar name is."""
    document, layers = run.program.document, run.layers
    for step in document.every_step():
        name = str(step.service.value) if step.service is not None and step.spec.service is not None else None
        if name is None or name == step.spec.service or layers.has(name, document.services):
            continue
        if layers.nearest(name, document.services)[0] is not None:
            yield step


def _require(run: Run, step: StepNode) -> Service | None:
    service = None
    if step.spec.service is not None:
        given = {name: node.plain() for name, node in step.keys.items() if is_constant(node)}
        service = run.service(step, _unknown_else(given, step))
        _require_service(run, step, service, given)
    for name, node in step.keys.items():
        key = step.spec.keys.get(name)
        for text in () if key is not None and key.verbatim else _texts(node):
            for found in _ALONE.finditer(text):
                run.secrets.secret(found[1] or found[2])
    return service


def _require_service(run: Run, step: StepNode, service: Service, given: Mapping[str, Any]) -> None:
    """Looks whether a step can do with its service entry, once for equal entries: runs of a batch have the same. Files
    may change meanwhile, so those of certificates are looked at each time."""
    known = id(step), hashlib.sha256(service.fingerprint.encode("utf-8", "surrogatepass")).digest()
    if known in run.program.required:
        return
    run.program.step_class(step.spec.name).require(service, given)
    if service.get("caPem") or service.get("clientPem"):
        return
    if len(run.program.required) >= _MOST_REQUIRED:
        run.program.required.clear()
    run.program.required.add(known)


def _unknown_else(given: Mapping[str, Any], step: StepNode) -> Mapping[str, Any]:
    """The options of a step that holds settings itself, those that a template decides being UNKNOWN."""
    if not step.spec.holds_settings:
        return given
    return {name: given.get(name, _known(node)) for name, node in step.keys.items()}


def _known(node: Node) -> Any:
    if node.kind != "map":
        return UNKNOWN
    return {key: item.plain() if is_constant(item) else UNKNOWN for key, item in node.value.items()}


def _surely(
    document: Document, steps: Sequence[StepNode], module: Module | None = None, active: tuple[object, ...] = ()
) -> Iterator[StepNode]:
    """The steps that every run comes to that none of them ends."""
    for step in steps:
        flow = step.spec.flow
        if isinstance(flow, Leaf) and not isinstance(flow, Exit):
            yield step
        elif isinstance(flow, (flow_shapes.Sequence, Parallel)):
            for block in step.blocks:
                yield from _surely(document, block.steps, module, active)
        elif isinstance(flow, Call):
            called = document.called(step, module)
            if called is not None and called[0] not in active:
                yield from _surely(document, *called, (*active, called[0]))
        if possible(document, step, module) != GOES_ON:
            return


def _texts(node: Node) -> Iterator[str]:
    if node.kind != "scalar":
        for child in node.value if node.kind == "list" else node.value.values():
            yield from _texts(child)
    elif isinstance(node.value, ForeignText):
        return  # what its language calls a secret may be another one
    elif isinstance(node.value, str) and "secret" in node.value and "{%" not in node.value and "{#" not in node.value:
        yield node.value
