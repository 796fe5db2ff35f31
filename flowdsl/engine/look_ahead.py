"""What the steps still to come will surely need, looked at before the first of them is paid: their service entries and
the secrets that they read. What only some runs come to (a branch, a `catch`, what stands behind an END) is not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

from flowdsl.engine.resolvers import is_constant
from flowdsl.errors import RunError
from flowdsl.step.flow_shapes import Exit, Leaf, Parallel, Sequence

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.engine.program import Program
    from flowdsl.engine.secrets import Secrets
    from flowdsl.step.service import Service
    from flowdsl.syntax.node import Node

_ALONE: Final = re.compile(r"\{\{-?\s*secret\(\s*(?:'([^'\\]+)'|\"([^\"\\]+)\")\s*\)\s*(?:\|[^}|]*)?-?\}\}")
"""A secret that is read whenever the text is: nothing decides whether it is."""


class Looking(Protocol):
    """What is asked of a run: its program, its secrets, and the service entry of a step."""

    program: Program
    secrets: Secrets

    def service(self, step: StepNode) -> Service:
        """The service entry of a step."""
        ...


def look_ahead(run: Looking) -> None:
    """Looks up the services and secrets of every step that the run surely comes to.

    Raises:
        ConfigError: a service is not configured.
        TemplateError: a secret is not set.
    """
    for step in _surely(run.program.document.steps):
        try:
            _require(run, step)
        except RunError as error:
            error.step, error.path, error.span = step.spec.name, step.path, error.span or step.name_node.span
            raise


def _require(run: Looking, step: StepNode) -> None:
    if step.spec.service is not None:
        service = run.service(step)
        given = {name: node.plain() for name, node in step.keys.items() if is_constant(node)}
        run.program.step_class(step.spec.name).require(service, given)
    for name, node in step.keys.items():
        key = step.spec.keys.get(name)
        for text in () if key is not None and key.verbatim else _texts(node):
            for found in _ALONE.finditer(text):
                run.secrets.secret(found[1] or found[2])


def _surely(steps: Iterable[StepNode]) -> Iterator[StepNode]:
    """The steps that every run comes to that none of them ends."""
    for step in steps:
        flow = step.spec.flow
        if isinstance(flow, Leaf) and not isinstance(flow, Exit):
            yield step
        elif isinstance(flow, (Sequence, Parallel)):
            for block in step.blocks:
                yield from _surely(block.steps)
        if _leaves(step):
            return


def _leaves(step: StepNode) -> bool:
    """Whether a step, or one inside it, may end the flow here."""
    if isinstance(step.spec.flow, Exit):
        return True
    return any(_leaves(inner) for block in step.blocks for inner in block.steps)


def _texts(node: Node) -> Iterator[str]:
    if node.kind != "scalar":
        for child in node.value if node.kind == "list" else node.value.values():
            yield from _texts(child)
    elif isinstance(node.value, str) and "secret" in node.value and "{%" not in node.value and "{#" not in node.value:
        yield node.value
