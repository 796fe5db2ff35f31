"""The options of a step still to come, as far as they are known: resolved and checked as the step would."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from flowdsl.engine.failures import check_output_folder
from flowdsl.engine.resolvers import config_error, is_constant
from flowdsl.errors import RunError, StepError
from flowdsl.step.flow_shapes import Loop
from flowdsl.step.rules import UNKNOWN, Options
from flowdsl.step.spec import BLOCK_TYPES
from flowdsl.template import holds_secret, parse

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.engine.known import Known
    from flowdsl.engine.state import Run
    from flowdsl.step.key import Key
    from flowdsl.step.problem import Problem
    from flowdsl.step.service import Service

_MOST_FILES: Final = 500
_MOST_ITEMS: Final = 1_000_000


class ForeseenOptions:
    """Checks the options of steps before they run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._services: dict[int, Service] = {}
        self._folders: set[str] = set()

    def check(self, step: StepNode, known: Known, *, deferred: bool = True) -> None:
        """Checks what is known of the options of a step; without `deferred`, not those that it resolves itself.

        Raises:
            RunError: one of them is wrong, as it would be then.
        """
        spec = step.spec
        given: dict[str, Any] = {}
        numbered: tuple[str, list[Any]] | None = None
        for name, node in step.keys.items():
            key = spec.keys.get(name)
            if key is None or key.type in BLOCK_TYPES or key.expression:
                given[name] = UNKNOWN
            elif key.verbatim or is_constant(node):
                given[name] = node.plain()
            elif key.deferred and not deferred:
                given[name] = UNKNOWN
            elif key.numbers and not known.knows(node) and known.knows(node, numbers=key.numbers):
                numbered = name, list(self._numbered(step, name, key, known))
                given[name] = UNKNOWN
            else:
                given[name] = known.value(step, name) if known.knows(node) else UNKNOWN
        found = {name for name, value in given.items() if value is not UNKNOWN and not is_constant(step.keys[name])}
        if found or numbered:
            self._judge(step, given)
        for value in dict.fromkeys(numbered[1]) if numbered else ():
            self._judge(step, {**given, numbered[0]: value} if numbered else given)
        for name, value in given.items():
            if isinstance(value, str) and (key := spec.keys.get(name)) is not None and key.file == "folder":
                self._folder(step, name, value)

    def count(self, step: StepNode, known: Known) -> None:
        """Takes note of how many items there will be in what a step writes, where one of its options says it."""
        ports = [port for port in step.spec.outputs if not step.outputs and not port.optional]
        for port, (name, _) in zip(ports, step.written_outputs(), strict=False):
            node, key = step.keys.get(port.counted_by), step.spec.keys.get(port.counted_by)
            if key is not None and (node is None or known.knows(node, key)):
                value = key.default if node is None else known.value(step, key.name)
                if isinstance(value, int):
                    known.counts[name] = value

    def items(self, step: StepNode, flow: Loop, known: Known, *, begun: bool = False) -> Sequence[Any] | None:
        """The items of a loop, or its numbers; None where they are not known, or a condition decides. `begun`: the
        step looked at them itself, and took them.

        Raises:
            RunError: they are wrong, as they would be then.
        """
        if step.given(flow.on) is not None or (flow.item is not None and step.item() is None):
            return None
        name = step.given((flow.items,))
        if name is not None:
            node, key = step.keys[name], step.spec.keys[name]
            if not known.knows(node, key):
                return None
            value = known.value(step, name)
            problem = None if value is None or key.expression else key.problem(value)
            if problem is not None and not begun:
                raise self._error(step, problem, value)
            return value if isinstance(value, list) else None
        if not flow.numbers or step.given(flow.numbers[:1]) is None:
            return None
        numbers: list[int] = []
        for each in flow.numbers:
            given = step.keys.get(each) if step.given((each,)) is not None else None
            if given is not None and not known.knows(given, step.spec.keys[each]):
                return None
            if given is not None:
                found = known.value(step, each)
                if not isinstance(found, int) or isinstance(found, bool):
                    return None
                numbers.append(found)
        if len(numbers) < 2 or (len(numbers) > 2 and not numbers[2]):
            return None
        start, end = numbers[:2]
        by = numbers[2] if len(numbers) > 2 else 1 if start <= end else -1
        found_numbers = range(start, end + (1 if by > 0 else -1), by)
        return found_numbers if len(found_numbers) <= _MOST_ITEMS else None

    def collected(self, step: StepNode, flow: Loop, known: Known, collected: list[Any]) -> list[Any] | None:
        """What a loop has collected with one iteration more; None when it is not known."""
        name = step.given(flow.collect[:1])
        if name is None or not known.knows(step.keys[name], step.spec.keys[name]):
            return None
        collected.append(known.value(step, name))
        return collected

    def _numbered(self, step: StepNode, name: str, key: Key, known: Known) -> Iterator[Any]:
        """The values of an option for each file, as far as it is known how many there are; else for the first."""
        number, how_many = key.numbers
        count = self._count(step, known)
        if count is None and any(each.root == how_many for each in parse(step.keys[name].value).references):
            return
        for index in range(1, min(1 if count is None else count, _MOST_FILES) + 1):
            yield known.value(step, name, {number: index, how_many: count})

    def _count(self, step: StepNode, known: Known) -> int | None:
        """How many items there are in the list that a step works on."""
        name = next((each.name for each in step.inputs), next((port.type for port in step.spec.inputs), None))
        for each, node in step.keys.items():
            if each in step.spec.keys and step.spec.keys[each].reads:
                parsed = parse(node.value) if isinstance(node.value, str) and not is_constant(node) else None
                paths = [ref.path for ref in parsed.references if ref.root == "flowContext"] if parsed else []
                name = node.value if parsed is None else None
                if parsed is not None and parsed.is_native and parsed.body is None and len(paths) == 1:
                    name = ".".join(paths[0])
        return known.count(name) if isinstance(name, str) else None

    def _judge(self, step: StepNode, given: Mapping[str, Any]) -> None:
        service = None
        if step.spec.service is not None:
            service = None if step.spec.holds_settings else self._services.get(id(step))
            if service is None:
                service = self._services[id(step)] = self.run.service(step, given)
        options = Options(step.spec.name, given, step.spec.defaults, service, self.run.as_of)
        if step.spec.reads_files:
            options.project_file = partial(self.run.project_file, at=step.node.span)
        for problem in step.spec.problems(options):
            if problem.severity == "error":
                raise self._error(step, problem, given.get(problem.key or ""))

    def _error(self, step: StepNode, problem: Problem, value: Any) -> RunError:
        return config_error(step, problem, secret=holds_secret(value))

    def _folder(self, step: StepNode, name: str, folder: str) -> None:
        """Looks whether files can be written to a folder inside the output folder."""
        if folder in self._folders or not self.run.program.step_class(step.spec.name).writes_files:
            return
        try:
            check_output_folder(os.path.join(self.run.output, self.run.secrets.hide(folder)))  # noqa: PTH118
        except StepError as error:
            error.span = step.keys[name].span
            raise
        self._folders.add(folder)
