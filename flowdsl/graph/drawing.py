"""What of a flow is drawn: its steps in boxes, the blocks inside them, and the flows that it calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from flowdsl.document.document import BlockNode, Document, Module, StepNode
from flowdsl.graph.run_state import StepState
from flowdsl.step.flow_shapes import EXIT_WORDS, Assign, Call, Choice, Exit, Loop, Parallel, Switch, Try

_LONG = 46


class Lane(NamedTuple):
    """A block of a step: what it is called, and its steps. `on_error`: it runs after a failure."""

    label: str
    boxes: tuple[Box, ...]
    on_error: bool = False


class Box(NamedTuple):
    """One step: its name, what is said of it, and its blocks. `side_by_side`: one of the blocks runs, or all at once;
    else one behind the other. `repeats` is a loop. `passes` is whether the flow can go on without any of the blocks,
    `ends` whether it never goes on behind the step. `calls` names the section of a flow that it calls. `text` is all
    that there is to say, for who asks."""

    path: str
    name: str
    lines: tuple[str, ...]
    lanes: tuple[Lane, ...]
    kind: str
    passes: bool
    ends: bool
    calls: str | None
    place: str
    text: str

    @property
    def side_by_side(self) -> bool:
        """Whether one of the blocks runs, or all of them at once."""
        return self.kind in ("choice", "parallel")


class Section(NamedTuple):
    """A list of steps with a name: the flow itself, its `onError`, and each flow that is called."""

    name: str
    boxes: tuple[Box, ...]


class Drawing(NamedTuple):
    """A flow as it is drawn: its title, and its sections, the flow itself first."""

    title: str
    description: str
    sections: tuple[Section, ...]

    def boxes(self) -> Iterator[Box]:
        """Every box, those inside others too."""
        for section in self.sections:
            yield from _inside(section.boxes)


def _inside(boxes: Sequence[Box]) -> Iterator[Box]:
    for box in boxes:
        yield box
        for lane in box.lanes:
            yield from _inside(lane.boxes)


Costs: TypeAlias = Mapping[tuple[str, str], Sequence[str]]
"""What steps will cost, in lines, by their places (`a.flow.yaml:7`) and their names."""


def drawing(document: Document, costs: Costs | None = None, whole: str | None = None) -> Drawing:
    """What is drawn of a flow; `costs` are those of its steps, as far as that is known, and `whole` is that of a
    run."""
    return _Drawer(document, costs or {}, whole).drawing()


class _Drawer:
    def __init__(self, document: Document, costs: Costs, whole: str | None) -> None:
        self._document = document
        self._costs = costs
        self._whole = "" if whole is None else f" A run: {whole}."
        self._waiting: list[tuple[str, Sequence[StepNode], Module | None]] = []
        self._names: dict[int, str] = {}

    def drawing(self) -> Drawing:
        document = self._document
        sections = [Section("flow", self._boxes(document.steps, None))]
        if document.on_error:
            sections.append(Section("onError", self._boxes(document.on_error, None)))
        while self._waiting:
            name, steps, module = self._waiting.pop(0)
            sections.append(Section(name, self._boxes(steps, module)))
        hide = document.source.without_keys
        title = hide(document.title or document.id or document.source.path)
        count = sum(1 for section in sections for _ in _inside(section.boxes))
        said = f"{count} step{'' if count == 1 else 's'}"
        called = len(sections) - 1 - (document.on_error is not None and bool(document.on_error))
        said += f", {called} called flow{'' if called == 1 else 's'}" if called else ""
        return Drawing(title, f"The flow of {hide(document.source.path)}: {said}.{self._whole}", tuple(sections))

    def _boxes(self, steps: Sequence[StepNode], module: Module | None) -> tuple[Box, ...]:
        return tuple(self._box(step, module) for step in steps)

    def _box(self, step: StepNode, module: Module | None) -> Box:
        shape, spec = step.spec.flow, step.spec
        lanes = tuple(self._lane(step, block, module) for block in step.blocks)
        hide = step.node.source.without_keys
        said = [hide(line) for line in _said(step)]
        id = step.id and hide(step.id)
        line = step.name_node.span.first.line
        place = f"{step.name_node.span.path}:{line}"
        shown_place = f"{hide(step.name_node.span.path)}:{line}"
        said += self._costs.get((place, spec.name), ())
        head = [f"{spec.name}{f' ({id})' if id else ''}", shown_place, *said]
        return Box(
            step.path,
            spec.name,
            tuple(short(text) for text in ([f"id {id}"] if id else []) + said),
            lanes,
            _KINDS.get(type(shape), "step"),
            _passes(step),
            isinstance(shape, Exit) and not step.given((shape.when,)),
            self._called(step, module),
            shown_place,
            "\n".join(head),
        )

    def _lane(self, step: StepNode, block: BlockNode, module: Module | None) -> Lane:
        shape = step.spec.flow
        on_error = isinstance(shape, Try) and block.key == shape.catch
        label = str(block.key if block.name is None else block.name)
        label = f"{block.key} {block.name + 1}" if isinstance(block.name, int) else step.node.source.without_keys(label)
        return Lane(label, self._boxes(block.steps, module), on_error)

    def _called(self, step: StepNode, module: Module | None) -> str | None:
        found = self._document.called(step, module)
        if found is None:
            return None
        steps, inner = found
        name = self._names.get(id(steps))
        if name is None:
            shape = step.spec.flow
            named = step.named(step.given((shape.ref, shape.name))) if isinstance(shape, Call) else None
            name = self._unique(step.node.source.without_keys(named[0]) if named is not None else "called flow")
            self._names[id(steps)] = name
            self._waiting.append((name, steps, inner))
        return name

    def _unique(self, name: str) -> str:
        taken, number, found = set(self._names.values()), 2, name
        while found in taken:
            found, number = f"{name} ({number})", number + 1
        return found


_KINDS = {
    Choice: "choice",
    Switch: "choice",
    Loop: "loop",
    Try: "try",
    Parallel: "parallel",
    Call: "call",
    Exit: "exit",
}


def _passes(step: StepNode) -> bool:
    """Whether the flow can go on behind a step without having run one of its blocks."""
    shape = step.spec.flow
    if isinstance(shape, Choice):
        return not (step.block(shape.then) and step.block(shape.otherwise))
    if isinstance(shape, Switch):
        names = [block.name if shape.cases is not None else block.key for block in step.blocks]
        return shape.default not in names and shape.chosen not in names
    return isinstance(shape, Loop) and shape.least == 0


def _said(step: StepNode) -> Iterator[str]:
    """What is said of a step below its name."""
    shape = step.spec.flow
    if step.label is not None:
        yield _text(step.label.plain())
    if isinstance(shape, Loop):
        item = step.item()
        if (key := step.given((shape.items,))) is not None:
            yield f"for each {item[0] if item else 'item'} in {_text(step.keys[key].plain())}"
        elif len(shape.numbers) > 1 and step.given(shape.numbers[:1]):
            first, last = (step.keys[key].plain() if key in step.keys else "?" for key in shape.numbers[:2])
            yield f"for {item[0] if item else 'each number'} from {_text(first)} to {_text(last)}"
    on = getattr(shape, "on", ())
    if (key := step.given(on)) is not None:
        yield f"{'while ' if isinstance(shape, Loop) else ''}{_text(step.keys[key].plain())}"
    if isinstance(shape, Exit):
        condition = step.given((shape.when,))
        yield EXIT_WORDS[shape.signal] + (f" when {_text(step.keys[condition].plain())}" if condition else "")
    if isinstance(shape, Try) and (key := step.given((shape.when,))) is not None:
        yield f"catches when {_text(step.keys[key].plain())}"
    if isinstance(shape, Call) and (key := step.given((shape.ref, shape.name))) is not None:
        yield f"calls {_text(step.keys[key].plain())}"
    if step.spec.service is not None:
        service = step.service.plain() if step.service is not None else step.spec.service
        model = step.keys.get("model")
        asked = [_text(service)] if service != step.spec.name else []
        asked += [_text(model.plain())] if model is not None else []
        if asked:
            yield f"asks {', '.join(asked)}"
    if isinstance(shape, Assign) or not step.blocks:
        written = list(dict.fromkeys(name for name, _ in step.writes()))
        if written:
            yield f"→ {', '.join(written)}"


def _text(value: object) -> str:
    if isinstance(value, str):
        return " ".join(value.split())
    import json

    return json.dumps(value, ensure_ascii=False, default=str)


def short(text: str) -> str:
    """A text in one line of a box."""
    from flowdsl.display.visible import visible_line
    from flowdsl.display.width import clipped, width

    line = visible_line(" ".join(text.split()))
    return line if width(line) <= _LONG else f"{clipped(line, _LONG - 1)}…"


def state_lines(state: StepState | None) -> tuple[str, ...]:
    """What is said of a step that ran: how often, how long, what it cost."""
    if state is None:
        return ()
    parts = [f"{state.times}×"] if state.times != 1 else []
    parts += [f"{state.failed} failed"] if state.failed and state.times > 1 else []
    parts += [f"{state.in_doubt} in doubt"] if state.in_doubt and state.times > 1 else []
    parts += [f"{state.reused} reused"] if state.reused and state.word != "reused" else []
    parts += [f"{state.seconds:.1f} s"] if state.seconds >= 0.05 else []
    parts += [f"${state.cost_usd:.4g}"] if state.cost_usd is not None else []
    return (f"{state.word}{': ' if parts else ''}{', '.join(parts)}",)
