"""What a run that begins at a step can cost: without what it takes from the run before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from flowdsl.cli.journaled import changed_inputs, state_of
from flowdsl.document.document import inside

if TYPE_CHECKING:
    from flowdsl.document.document import Document, Module, StepNode
    from flowdsl.environment.flow import Flow
    from flowdsl.journal.earlier import Earlier
    from flowdsl.journal.runs import KeptRun
    from flowdsl.plan import Plan
    from flowdsl.plan.spending import Bounds


def places_of(flow: Flow, tops: Sequence[StepNode]) -> set[str]:
    """The places of steps at the top of a flow, and of all that run inside them, as a plan has them."""
    from flowdsl.plan.buying import place_of

    document = flow.document
    return {place_of(step) for step in document.every_step() for top in tops if runs_inside(top, step, document)}


def of_places(plan: Plan, places: set[str]) -> Bounds:
    """What a plan has for some places."""
    from flowdsl.plan.spending import NONE, Bounds

    return reduce(Bounds.plus, (bounds for row, bounds in plan.rows.items() if row.place in places), NONE)


def bought_anew(run: KeptRun, flow: Flow, at: int, inputs: Mapping[str, Any], plan: Plan) -> Bounds:
    """What a run buys that begins at a step, the `at`th at the top of the flow: that and all after it; and what stands
    before it from the first step on that may ask for something else than in the earlier run, or of which that has not
    kept everything."""
    from flowdsl.journal.earlier import Earlier
    from flowdsl.journal.journal import Journal

    tops = list(flow.document.steps)
    before = [step.path for step in tops[:at]]
    with Journal(state_of(flow.document.source.path)) as journal:
        earlier = Earlier(journal.database, run.id, before)
    first = 0
    if not changed_inputs(run, flow, inputs):
        while first < at and _is_kept(tops[first], run, flow, earlier, plan):
            first += 1
    kept = places_of(flow, tops[:first]) - places_of(flow, tops[first:])  # not what runs after a failure
    return of_places(plan, {row.place for row in plan.rows} - kept)


def _is_kept(top: StepNode, run: KeptRun, flow: Flow, earlier: Earlier, plan: Plan) -> bool:
    from flowdsl.journal.earlier import top_of
    from flowdsl.journal.rows import PAID, digest
    from flowdsl.journal.steps import steps_of

    now, then = steps_of(flow.document), run.given.get("steps", {})
    own = {name: text for name, text in now.items() if name.partition(" ")[2].partition(".")[0] == top.path}
    if any(then.get(name) != text for name, text in own.items()) or top.path in map(top_of, earlier.gone):
        return False
    places = places_of(flow, [top])
    bought = [row for row in earlier.bought if top_of(row.place) == top.path]
    most = of_places(plan, places).most.value({})
    if run.status != "done" and (most is None or most > len(bought)):
        return False
    asked = (each for request in plan.requests for each in request.asked if _place(request.span) in places)
    return Counter(digest(PAID, each) for each in asked) <= Counter(row.digest for row in bought)


def _place(span: Any) -> str:
    return f"{span.path}:{span.first.line}"


def runs_inside(top: StepNode, wanted: StepNode, document: Document) -> bool:
    """Whether a step is inside another one, or in a flow that is called there."""
    seen: set[int] = set()
    waiting: list[tuple[Sequence[StepNode], Module | None]] = [((top,), None)]
    while waiting:
        steps, module = waiting.pop()
        if id(steps) in seen:
            continue
        seen.add(id(steps))
        for step in (inner for outer in steps for inner in inside(outer)):
            if step is wanted:
                return True
            if (called := document.called(step, module)) is not None:
                waiting.append(called)
    return False
