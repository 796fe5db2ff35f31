"""What of a flow ran: its steps, both ways of every branch, catch blocks, and how often loops went round.

Everything is counted by the shapes of the steps and by the events of the runs, so that a loop of somebody else counts
as FOR does. A point is known by file, line and column, and flows that are imported count where they stand.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.document.document import Document, Module, StepNode, inside
from flowdsl.events import StepFailed, StepFinished, StepStarted
from flowdsl.secrets.plain import without_keys
from flowdsl.step.flow_shapes import Call, Choice, Exit, Loop, Switch, Try

if TYPE_CHECKING:
    from flowdsl.events import Event, Invocation
    from flowdsl.source import Span

KINDS = ("steps", "branches", "catches", "iterations")
"""What is counted. All but the iterations are part of the total: a loop over a list that is written down goes round
once and for all."""
_MANY = 2


class Point(NamedTuple):
    """Something that can run: what kind it is of, where its step stands, the name of the step, and which way of it."""

    kind: str
    path: str
    line: int
    col: int
    step: str
    way: str

    def text(self) -> str:
        """The point for people: `12 IF: else`."""
        return f"{self.line} {self.step}{f': {without_keys(self.way)}' if self.way else ''}"


def points(document: Document) -> set[Point]:
    """All that can run of a flow, and of those that it calls."""
    found: set[Point] = set()
    for step in _reachable(document):
        found.add(_point("steps", step))
        found.update(_ways(step))
    if document.on_error:
        found.add(_point("catches", document.on_error[0], "onError"))
    return found


class Tracker:
    """A listener of one run: the points that it came to are in `hit`."""

    def __init__(self, document: Document) -> None:
        self._steps = {step.path: step for step in _reachable(document)}
        self._ways = {path: set(_ways(step)) for path, step in self._steps.items() if step.spec.flow is not None}
        self._on_error = document.on_error[0] if document.on_error else None
        self._opened: dict[int, dict[str, int]] = {}
        self.hit: set[Point] = set()

    def __call__(self, event: Event) -> None:
        """Takes note of an event."""
        if isinstance(event, StepStarted):
            self._started(event)
        elif isinstance(event, (StepFinished, StepFailed)):
            step = self._steps.get(event.invocation.path)
            if step is not None:
                opened = self._opened.pop(event.invocation.id, {})
                self._ended(step, opened, event)

    def _started(self, event: StepStarted) -> None:
        step = self._steps.get(event.path)
        if step is None:
            return
        self.hit.add(_point("steps", step))
        if step is self._on_error:
            self.hit.add(_point("catches", step, "onError"))
        outer: Invocation | None = event.parent
        owner = self._steps.get(outer.path) if outer is not None else None
        if owner is None or outer is None:
            return
        for block in owner.blocks:
            if block.steps and event.path == block.steps[0].path:  # an iteration begins with its first step
                opened = self._opened.setdefault(outer.id, {})
                opened[block.path] = opened.get(block.path, 0) + 1
                self._hit(owner, _way(block.key, block.name))

    def _hit(self, step: StepNode, way: str) -> None:
        """Takes note of a way of a step, where it has that one."""
        self.hit.update(point for point in self._ways.get(step.path, ()) if point.way == way)

    def _ended(self, step: StepNode, opened: Mapping[str, int], event: StepFinished | StepFailed) -> None:
        shape, is_done = step.spec.flow, isinstance(event, StepFinished)
        if isinstance(shape, (Choice, Switch)) and is_done and not opened:
            self._hit(step, _NEITHER)
        elif isinstance(shape, Loop):
            times = sum(opened.values())
            if is_done or times >= _MANY:
                self._hit(step, _rounds(times))
        elif isinstance(shape, Try):
            caught = any(block.key == shape.catch and block.path in opened for block in step.blocks)
            if not caught:
                self._hit(step, _NO_ERROR if is_done else _GOES_ON)
        elif isinstance(shape, Exit):
            has_ended = not isinstance(event, StepFinished) or event.signal is not None
            self._hit(step, _ENDS if has_ended else _STAYS)


_NEITHER, _NO_ERROR, _GOES_ON, _ENDS, _STAYS = "no block", "no error", "the error goes on", "ends", "does not end"


def _ways(step: StepNode) -> Iterator[Point]:
    """The points of a step beside itself."""
    shape = step.spec.flow
    if isinstance(shape, Choice):
        taken = [key for key in (shape.then, shape.otherwise) if key is not None and step.block(key)]
        yield from (_point("branches", step, key) for key in taken)
        if len(taken) < 2:
            yield _point("branches", step, _NEITHER)
    elif isinstance(shape, Switch):
        yield from _cases(step, shape)
    elif isinstance(shape, Loop):
        yield from (_point("iterations", step, way) for way in _expected_rounds(step, shape))
    elif isinstance(shape, Try) and shape.catch is not None and step.block(shape.catch):
        yield _point("branches", step, _NO_ERROR)
        yield _point("catches", step, shape.catch)
        if step.given((shape.when,)):
            yield _point("branches", step, _GOES_ON)
    elif isinstance(shape, Exit) and step.given((shape.when,)):
        yield _point("branches", step, _ENDS)
        yield _point("branches", step, _STAYS)


def _cases(step: StepNode, shape: Switch) -> Iterator[Point]:
    keys = (shape.cases,) if shape.cases is not None else shape.blocks
    blocks = [block for block in step.blocks if block.key in keys]

    def name(block: Any) -> Any:
        return block.name if shape.cases is not None else block.key

    if shape.chosen is not None:  # one block runs, whatever happens
        fixed = [block for block in blocks if name(block) == shape.chosen]
        fixed = fixed or [block for block in blocks if name(block) == shape.default]
        yield from (_point("branches", step, _way(block.key, block.name)) for block in fixed if block.steps)
        return
    yield from (_point("branches", step, _way(block.key, block.name)) for block in blocks if block.steps)
    if not any(name(block) == shape.default for block in blocks):
        yield _point("branches", step, _NEITHER)


def _expected_rounds(step: StepNode, shape: Loop) -> Iterator[str]:
    """The numbers of iterations that a loop can have: 0, 1, many, as far as the file says no more."""
    if not step.block(shape.body):
        return
    fixed = _literal_rounds(step, shape)
    if fixed is not None:
        yield _rounds(fixed)
        return
    yield from (_rounds(times) for times in (0, 1, _MANY) if times >= shape.least)


def _literal_rounds(step: StepNode, shape: Loop) -> int | None:
    items = step.keys.get(shape.items) if shape.items is not None else None
    if items is not None:
        return len(items.value) if items.kind == "list" else None
    numbers = [step.keys[key].value if key in step.keys else None for key in shape.numbers[:3]]
    first, last, by = (*numbers, None, None, None)[:3]
    if not isinstance(first, int) or not isinstance(last, int) or not isinstance(by, int | None) or by == 0:
        return None
    by = (1 if last >= first else -1) if by is None else by
    return len(range(first, last + (1 if by > 0 else -1), by))


def _rounds(times: int) -> str:
    return "0 iterations" if times == 0 else "1 iteration" if times == 1 else "many iterations"


def _way(key: str, name: str | int | None) -> str:
    return key if name is None else f"{key}.{name}"


def _point(kind: str, step: StepNode, way: str = "") -> Point:
    span: Span = step.name_node.span
    line, col = span.first
    return Point(kind, _relative(span.path), line, col, step.spec.name, way)


def _relative(path: str) -> str:
    return path if path.startswith("<") else os.path.relpath(os.path.realpath(path))


def _reachable(document: Document) -> Iterator[StepNode]:
    """The steps of a flow, of its `onError`, and of the flows that it calls, each once."""
    waiting: list[tuple[Sequence[StepNode], Module | None]] = [(document.steps, None), (document.on_error or (), None)]
    seen: set[int] = set()
    while waiting:
        steps, module = waiting.pop(0)
        if id(steps) in seen:
            continue
        seen.add(id(steps))
        for step in (inner for outer in steps for inner in inside(outer)):
            yield step
            if isinstance(step.spec.flow, Call):
                called = document.called(step, module)
                if called is not None:
                    waiting.append(called)
                else:  # a template decides: any of them
                    refs = (document.flow_of(ref, module) for ref in document.flow_refs(module))
                    waiting += [found for found in refs if found is not None]
                    waiting += [(template, module) for template in document.templates.values()]


class Coverage:
    """The points that there are, and those that ran, over any number of cases."""

    def __init__(self) -> None:
        self.points: set[Point] = set()
        self.hit: set[Point] = set()

    def add(self, points: Iterable[Point], hit: Iterable[Point] = ()) -> None:
        """Takes in what one case could come to, and what it came to."""
        self.points.update(points)
        self.hit.update(hit)

    def share(self, kinds: Iterable[str] = KINDS[:3], path: str | None = None) -> tuple[int, int]:
        """How many points of some kinds ran, and how many there are; of one file, or of all."""
        kinds = tuple(kinds)
        wanted = {point for point in self.points if point.kind in kinds and path in (None, point.path)}
        return len(wanted & self.hit), len(wanted)

    @property
    def percent(self) -> float:
        """The share of steps, branches and catch blocks that ran, in per cent; 100 of nothing."""
        ran, total = self.share()
        return 100.0 * ran / total if total else 100.0

    def missing(self, path: str) -> list[Point]:
        """The points of a file that did not run, in the order of the file; of a step that did not, itself alone."""
        left = {point for point in self.points - self.hit if point.path == path}
        idle = {point[1:5] for point in left if point.kind == "steps"}
        left = {point for point in left if point.kind == "steps" or point[1:5] not in idle}
        return sorted(left, key=lambda point: (point.line, point.col, KINDS.index(point.kind), point.way))

    @property
    def paths(self) -> list[str]:
        """The files, in order."""
        return sorted({point.path for point in self.points})

    def to_dict(self) -> dict[str, Any]:
        """The coverage as JSON values."""
        files = {path: self._file(path) for path in self.paths}
        totals = {kind: _figures(self.share((kind,))) for kind in KINDS}
        return {"v": 1, "percent": round(self.percent, 2), "totals": totals, "files": files}

    def _file(self, path: str) -> dict[str, Any]:
        points = sorted(point for point in self.points if point.path == path)
        told = [
            {name: value for name, value in point._asdict().items() if name != "path"}
            | {"way": without_keys(point.way), "ran": point in self.hit}
            for point in points
        ]
        return {**{kind: _figures(self.share((kind,), path)) for kind in KINDS}, "points": told}


def _figures(share: tuple[int, int]) -> dict[str, int]:
    return {"ran": share[0], "all": share[1]}
