"""A program: a checked document as functions that are ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from flowdsl.source import Span
from flowdsl.step.compiling import Execute, Names, Resolver
from flowdsl.step.flow_shapes import Loop

if TYPE_CHECKING:
    from flowdsl.document.document import Document, Module, StepNode
    from flowdsl.engine.namespaces import Namespaces, Reading
    from flowdsl.step.step import Step
    from flowdsl.template.filters import Filters


class CompiledStep:
    """One step, ready to run. `items` are the FlowContext keys of a loop's item; None of a step that is no loop."""

    __slots__ = ("execute", "items", "label", "name", "path", "span", "wrote")

    def __init__(self, step: StepNode, execute: Execute, label: Resolver | None) -> None:
        self.name = step.spec.name
        self.path = step.path
        self.span: Span = step.name_node.span
        self.execute = execute
        self.label = label
        self.items: tuple[str, ...] | None = None
        if isinstance(step.spec.flow, Loop):
            item = step.item()
            self.items = () if item is None else (item[0],)
        self.wrote = tuple(dict.fromkeys(name for name, _ in step.writes()))


class Program:
    """The steps of a flow, the resolvers of its outputs (None: the outputs are the FlowContext), its `onError`.

    `compile` makes the steps of a reusable flow, and is asked on the flow's first call. `step_class` gives the class
    of a step by its name, `option` the resolver of an option of a step. `filters` are the host's. `marks` is whether
    its templates keep the marks of secrets, `writes_files` whether one of the steps writes into the output folder.
    `required` are digests of steps with the service entries that they were found to do with.
    """

    __slots__ = (
        "_compile",
        "_flows",
        "_namespaces",
        "document",
        "filters",
        "marks",
        "on_error",
        "option",
        "outputs",
        "required",
        "step_class",
        "steps",
        "writes_files",
    )

    def __init__(
        self,
        document: Document,
        steps: tuple[CompiledStep, ...],
        on_error: tuple[CompiledStep, ...] | None,
        outputs: Mapping[str, Resolver] | None,
        namespaces: Namespaces | None,
        compile: Callable[[Sequence[StepNode]], tuple[CompiledStep, ...]],
        step_class: Callable[[str], type[Step]],
        option: Callable[[StepNode, str], Resolver],
        *,
        marks: bool = False,
        writes_files: bool = False,
        filters: Filters = (),
    ) -> None:
        self.document = document
        self.steps = steps
        self.on_error = on_error
        self.writes_files = writes_files
        self.required: set[tuple[int, bytes]] = set()
        self.outputs = outputs
        self._namespaces = namespaces
        self._compile = compile
        self.step_class = step_class
        self.option = option
        self.marks = marks
        self.filters = filters
        self._flows: dict[int, tuple[CompiledStep, ...]] = {}

    def names_for(self, reading: Reading, module: Module | None = None) -> Names:
        """The names of a run with its namespaces of blocks; inside a module `imports` are the module's."""
        return reading.names if self._namespaces is None else self._namespaces.names_for(reading, module)

    def flow(self, steps: Sequence[StepNode]) -> tuple[CompiledStep, ...]:
        """The compiled steps of a reusable flow."""
        found = self._flows.get(id(steps))
        if found is None:
            found = self._flows[id(steps)] = self._compile(steps)
        return found
