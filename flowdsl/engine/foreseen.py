"""The options of the steps still to come that need nothing of what is made until then: resolved and checked before the
first step that is paid, as a wrong one would end the run after it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from flowdsl.document.document import inside
from flowdsl.engine.failures import check_output_folder
from flowdsl.engine.resolvers import config_error, is_constant, plain_option
from flowdsl.errors import RunError, StepError
from flowdsl.step import flow_shapes
from flowdsl.step.flow_shapes import Call, Exit, Leaf, Loop, Parallel
from flowdsl.step.rules import UNKNOWN, Options
from flowdsl.step.signals import Signal
from flowdsl.step.spec import BLOCK_TYPES
from flowdsl.template import holds_secret, parse

if TYPE_CHECKING:
    from flowdsl.document.document import Document, Module, StepNode
    from flowdsl.engine.frame import Frame
    from flowdsl.engine.state import Run
    from flowdsl.step.key import Key
    from flowdsl.syntax.node import Node

_FIXED: Final = frozenset({"inputs", "env", "secret"})
"""Names whose values are the same throughout a run."""
_MOST_FILES: Final = 500


class Foreseen:
    """What is known, at a step that will be paid, of the steps behind it. `known` are the FlowContext keys that have
    their final values until the step that is looked at, `counts` says how many items will be in others."""

    def __init__(self, run: Run, frame: Frame, step: StepNode) -> None:
        self.run = run
        self.frame = frame
        self.known: set[str] = set()
        self.counts: dict[str, int] = {}
        self._called: list[Sequence[StepNode]] = []
        self._after: Iterable[StepNode] = run.program.document.steps
        after = _after(run.program.document.steps, step)
        if after is not None:
            self.known = set(frame.context)
            self._after = after[1]
            self._pass(after[0])

    def check(self) -> None:
        """Resolves and checks what is known of the options of every step that the run surely comes to.

        Raises:
            RunError: one of them is wrong, as it would be then.
        """
        self._check(self._after)

    def _check(self, steps: Iterable[StepNode], module: Module | None = None) -> None:
        for step in steps:
            flow = step.spec.flow
            if isinstance(flow, Leaf):
                try:
                    self._options(step)
                except RunError as error:
                    error.step, error.path = step.spec.name, step.path
                    raise
            self._pass(step)
            if isinstance(flow, (flow_shapes.Sequence, Parallel)):
                for block in step.blocks:
                    self._check(block.steps, module)
            elif isinstance(flow, Call):
                called = self.run.program.document.called(step, module)
                if called is not None and called[0] not in self._called:
                    self._called.append(called[0])
                    self._check(*called)
                    self._called.pop()
            if may_end(self.run.program.document, step, module):
                return

    def _options(self, step: StepNode) -> None:
        spec = step.spec
        given: dict[str, Any] = {}
        numbered: tuple[str, list[Any]] | None = None
        for name, node in step.keys.items():
            key = spec.keys.get(name)
            if key is None or key.type in BLOCK_TYPES or key.expression:
                given[name] = UNKNOWN
            elif key.verbatim or is_constant(node):
                given[name] = node.plain()
            elif key.numbers and not self._is_known(node) and self._is_known(node, key.numbers):
                numbered = name, list(self._numbered(step, name, key))
                given[name] = UNKNOWN
            else:
                given[name] = self._value(step, name, key, self.frame.names) if self._is_known(node) else UNKNOWN
        found = {name for name, value in given.items() if value is not UNKNOWN and not is_constant(step.keys[name])}
        if found or numbered:
            self._judge(step, given)
        for value in dict.fromkeys(numbered[1]) if numbered else ():
            self._judge(step, {**given, numbered[0]: value} if numbered else given)
        for name, value in given.items():
            if isinstance(value, str) and (key := spec.keys.get(name)) is not None and key.file == "folder":
                self._folder(step, name, value)

    def _value(self, step: StepNode, name: str, key: Key, names: Mapping[str, Any]) -> Any:
        return plain_option(key, self.run.program.option(step, name)(self.frame.context, names), templated=True)

    def _numbered(self, step: StepNode, name: str, key: Key) -> Iterator[Any]:
        """The values of an option for each file, as far as it is known how many there are; else for the first."""
        number, how_many = key.numbers
        count = self._count(step)
        if count is None and any(each.root == how_many for each in parse(step.keys[name].value).references):
            return
        for index in range(1, min(1 if count is None else count, _MOST_FILES) + 1):
            yield self._value(step, name, key, {**self.frame.names, number: index, how_many: count})

    def _count(self, step: StepNode) -> int | None:
        """How many items there are in the list that a step works on."""
        name = next((each.name for each in step.inputs), next((port.type for port in step.spec.inputs), None))
        for each, node in step.keys.items():
            if each in step.spec.keys and step.spec.keys[each].reads:
                parsed = parse(node.value) if isinstance(node.value, str) and not is_constant(node) else None
                paths = [ref.path for ref in parsed.references if ref.root == "flowContext"] if parsed else []
                name = node.value if parsed is None else None
                if parsed is not None and parsed.is_native and parsed.body is None and len(paths) == 1:
                    name = ".".join(paths[0])
        return self.counts.get(name) if isinstance(name, str) else None

    def _judge(self, step: StepNode, given: Mapping[str, Any]) -> None:
        service = self.run.service(step) if step.spec.service is not None else None
        options = Options(step.spec.name, given, step.spec.defaults, service, self.run.as_of)
        for problem in step.spec.problems(options):
            if problem.severity == "error":
                raise config_error(step, problem, secret=holds_secret(given.get(problem.key or "")))

    def _folder(self, step: StepNode, name: str, folder: str) -> None:
        """Looks whether files can be written to a folder inside the output folder."""
        if not self.run.program.step_class(step.spec.name).writes_files:
            return
        try:
            check_output_folder(os.path.join(self.run.output, self.run.secrets.hide(folder)))  # noqa: PTH118
        except StepError as error:
            error.span = step.keys[name].span
            raise

    def _is_known(self, node: Node, numbers: tuple[str, ...] = ()) -> bool:
        """Whether the texts of a node read nothing but what is known, and draw no lots."""
        if node.kind != "scalar":
            children = node.value if node.kind == "list" else node.value.values()
            return all(self._is_known(child, numbers) for child in children)
        if not isinstance(node.value, str) or "{" not in node.value:
            return True
        if "random" in node.value:
            return False
        return all(
            reference.root in _FIXED
            or reference.root in numbers
            or (reference.root == "flowContext" and next(iter(reference.path), None) in self.known)
            for reference in parse(node.value).references
        )

    def _pass(self, step: StepNode) -> None:
        """Takes note of what a step, and those inside it, change."""
        document = self.run.program.document
        if any(isinstance(each.spec.flow, Call) for each in inside(step)):
            self.known.clear()
            self.counts.clear()
        for each in inside(step):
            for name, _ in each.writes():
                self.known.discard(name)
                self.counts.pop(name, None)
        flow = step.spec.flow
        if isinstance(flow, Loop) and flow.collect and not may_end(document, step):
            collected, items = step.named(flow.collect[1]), step.keys.get(flow.items or "")
            if collected is not None and items is not None and self._is_known(items):
                found = self.run.program.option(step, flow.items or "")(self.frame.context, self.frame.names)
                self._counted(collected[0], len(found) if isinstance(found, list) else None)
        elif isinstance(flow, Leaf):
            ports = [port for port in step.spec.outputs if not step.outputs and not port.optional]
            for port, (name, _) in zip(ports, step.writes(), strict=False):
                node, key = step.keys.get(port.counted_by), step.spec.keys.get(port.counted_by)
                if key is not None and (node is None or self._is_known(node)):
                    value = key.default if node is None else self._value(step, key.name, key, self.frame.names)
                    self._counted(name, value)

    def _counted(self, name: str, count: Any) -> None:
        if isinstance(count, int):
            self.counts[name] = count


def may_end(
    document: Document, step: StepNode, module: Module | None = None, active: tuple[Sequence[StepNode], ...] = ()
) -> bool:
    """Whether a step, or one inside it, may end the flow here; of the steps of a called flow only some can."""
    for each in inside(step):
        flow = each.spec.flow
        if isinstance(flow, Exit) and (not active or flow.signal in (None, Signal.END)):
            return True
        if isinstance(flow, Call):
            called = document.called(each, module)
            if called is None:
                return True
            steps, inner = called
            if steps not in active and any(may_end(document, one, inner, (*active, steps)) for one in steps):
                return True
    return False


def _after(steps: Sequence[StepNode], step: StepNode) -> tuple[StepNode, list[StepNode]] | None:
    """The step that is a step or has it inside, with all that is behind it; None when it is not among these."""
    for number, each in enumerate(steps):
        if any(one is step for one in inside(each)):
            if isinstance(each.spec.flow, flow_shapes.Sequence):
                for block in each.blocks:
                    found = _after(block.steps, step)
                    if found is not None:
                        return found[0], [*found[1], *steps[number + 1 :]]
            return each, list(steps[number + 1 :])
    return None
