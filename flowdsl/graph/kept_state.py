"""What a run did with each step, as far as its journal says: what it paid for, and what it asked of others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from flowdsl.graph.drawing import Box, Drawing
from flowdsl.graph.run_state import StepState
from flowdsl.journal.runs import KeptRun, Request, Runs

_ITERATION = re.compile(r"#\d+")


def kept_states(drawing: Drawing, runs: Runs, chosen: Sequence[KeptRun]) -> dict[str, StepState]:
    """The state of each step, by its place in the flow, of some runs of it.

    A journal has the steps that pay or ask something; of a run that began at a step, those that took a result from the
    run before it stand there. That those around them ran follows, and those before them in the same block, and where a
    run is done those up to its end; of all others nothing is known.
    """
    states: dict[str, StepState] = {}
    for run in chosen:
        requests, others = runs.requests(run.id), runs.places(run.id)
        reused = runs.reused(run, {*_places(requests, others)})
        invocations = {step for place in (*_places(requests, others), *reused) for step in _around(place)}
        for invocation in invocations:
            states.setdefault(_path(invocation), StepState()).times += 1
        for place in reused:
            states[_path(place)].reused += 1
        _take(requests, states)
        for place in {place for place, failed in others if failed}:
            states[_path(place)].failed += 1
        path = run.error.get("path") if run.error is not None else None
        if isinstance(path, str):
            for box in _way(drawing, path):
                state = states.setdefault(box.path, StepState())
                state.failed = max(state.failed, 1)
                state.times = max(state.times, 1)
    flow, *called = drawing.sections
    # of a step that shares a purchase of another run (`--cache`) the journal has nothing: that it ran is known so
    _infer(flow.boxes, states, to_end=any(run.status == "done" for run in chosen) and _has_one_end(drawing))
    for section in called:
        _infer(section.boxes, states)
    return states


def _has_one_end(drawing: Drawing) -> bool:
    """Whether a run of a flow that is done has come to its last step."""
    has_handler = any(section.name == "onError" for section in drawing.sections)
    return not has_handler and not any(box.kind == "exit" for box in drawing.boxes())


def _places(requests: Iterable[Request], others: Iterable[tuple[str, bool]]) -> Iterator[str]:
    yield from (request.place for request in requests)
    yield from (place for place, _ in others)


def _around(place: str) -> Iterator[str]:
    """The invocations around one, and itself: `a/b#0/c` is in `a/b#0`, which is in `a`."""
    parts = place.split("/")
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[:count])


def _path(invocation: str) -> str:
    return _ITERATION.sub("", invocation.rpartition("/")[2])


def _take(requests: Sequence[Request], states: dict[str, StepState]) -> None:
    last: dict[str, Request] = {}
    for request in requests:
        state = states[_path(request.place)]
        last[request.place] = request
        if request.ended is not None:
            state.seconds += max(0.0, request.ended - request.began)
        if request.cost_usd is not None:
            state.cost_usd = (state.cost_usd or 0.0) + request.cost_usd
    for request in last.values():  # what was sent again counts as it ended
        state = states[_path(request.place)]
        state.in_doubt += request.blocks
        state.failed += not request.blocks and request.state != "ok"


def _way(drawing: Drawing, path: str) -> list[Box]:
    """The boxes from the outermost to the one of a place; none where no box has it."""

    def inside(boxes: Sequence[Box]) -> list[Box]:
        for box in boxes:
            if box.path == path:
                return [box]
            for lane in box.lanes:
                if found := inside(lane.boxes):
                    return [box, *found]
        return []

    return next((found for section in drawing.sections if (found := inside(section.boxes))), [])


def _infer(boxes: Sequence[Box], states: dict[str, StepState], *, to_end: bool = False) -> bool:
    """Notes the steps that must have run because others did, or all where they ran `to_end`; whether one of a block
    has."""
    last = len(boxes) - 1 if to_end else -1
    for index, box in enumerate(boxes):
        inner = [_infer(lane.boxes, states) for lane in box.lanes]
        if box.path in states or any(inner):
            last = max(last, index)
    for box in boxes[: last + 1]:
        if box.path not in states:
            states[box.path] = StepState()
            states[box.path].times = 1
    return last >= 0
