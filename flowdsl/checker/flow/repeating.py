"""Loops: followed until another round says nothing new. The package says why that ends, and what is widened."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import TYPE_CHECKING

from flowdsl.checker.flow.abstract_run import AbstractRun, Frame, line
from flowdsl.checker.flow.assigned_keys import first_writes
from flowdsl.checker.flow.branching import leave, way_out
from flowdsl.checker.flow.conditions import constant, constant_condition, truth_states
from flowdsl.checker.flow.jumps import one_at_a_time, side_by_side
from flowdsl.checker.flow.state import Entry, State, Unset, covers, joined, merge, overlay
from flowdsl.checker.types.kinds import ALL, ANY, LIST, OF_INTEGER, OF_NUMBER, Type, join, list_of
from flowdsl.checker.types.results import item_of
from flowdsl.diagnostics import Diagnostic, Related
from flowdsl.step.flow_shapes import Call, Exit, Loop
from flowdsl.step.signals import Signal

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.syntax.node import Node

PLAIN_ROUNDS = 2
"""The rounds after which a loop that still says something new has what its body writes taken as any value."""
FAULTS = frozenset({"unknown-member", "wrong-type"})
"""Findings about a value that does not fit, which hold for one iteration as for all."""


class Known:
    """A loop at its place: what is known of the items, and which iterations it makes."""

    __slots__ = ("at", "deciding", "endless", "flow", "index", "item", "least", "most", "side_by_side", "step", "what")

    def __init__(self, run: AbstractRun, step: StepNode, state: State) -> None:
        flow = step.spec.flow
        assert isinstance(flow, Loop)  # noqa: S101  the table of shapes says so
        self.step, self.flow, self.at = step, flow, line(step)
        self.item, self.index = step.item(), step.index()
        self.what = OF_NUMBER if step.given(flow.numbers) else ANY
        self.least, self.most = flow.least, 2
        self.deciding = step.given(flow.on)
        run.options(step, state, frozenset((*flow.on, *flow.collect[:1])))
        _of_numbers(self)
        items = step.keys.get(flow.items or "")
        if flow.items is not None and items is not None:
            mark = len(run.findings.diagnostics)
            type = run.option(step, flow.items, items, state)
            del run.findings.diagnostics[mark:]
            self.what = item_of(type) if type.kinds & LIST else ANY
            if self.item is not None:
                run.names.spellings.keep_items(self.item[1], items, state)
            if type.fixed is not None and type.kinds & ALL == LIST:
                self.least = min(len(type.fixed), 2)
                self.most = self.least if items.kind == "list" else 2
        self.endless = False
        if self.deciding is not None:
            found = constant(run, step, state, self.deciding)
            self.endless = found is not None and found[0]
            if found is not None and not found[0]:
                self.most = 0
        self.side_by_side = side_by_side(step)


def _of_numbers(loop: Known) -> None:
    """How many iterations literal bounds make."""
    keys = loop.step.keys
    start, end, by = (keys[key].value if key in keys else None for key in (*loop.flow.numbers, "", "", "")[:3])
    if isinstance(start, int) and isinstance(end, int) and isinstance(by, (int, type(None))):
        loop.what = OF_INTEGER
    if not isinstance(start, (int, float)) or not isinstance(end, (int, float)):
        return
    if by is None:
        by = 1 if start <= end else -1
    if isinstance(by, (int, float)) and by:
        loop.most = 0 if (end - start) * by < 0 else 1 if abs(end - start) < abs(by) else 2
        loop.least = min(loop.most, 1)


def loop(run: AbstractRun, step: StepNode, state: State) -> None:
    """A step that runs a block any number of times: the block is followed until another round says nothing new, from a
    head that holds before each iteration; `state` goes on after none of them, the last one, or a BREAK."""
    known = Known(run, step, state)
    if known.most == 0:
        _never(run, known, state)
        return
    mark = len(run.findings.diagnostics)
    carried = run.heads.get(id(step), {})
    dropped: list[Diagnostic] = []
    for round in count(1):
        head = _head(state, carried, known)
        breaks, backs, gone = _iterate(run, known, head)
        back = _joined_back(head, backs)
        if known.side_by_side or covers(_seen(head, back), back):
            break
        dropped += run.findings.diagnostics[mark:]
        del run.findings.diagnostics[mark:]
        carried = _wider(carried, back)
        if round > PLAIN_ROUNDS:
            carried = _widened(carried, step.block(known.flow.body))
    run.heads[id(step)] = carried
    _keep_faults(run, dropped, mark)
    _once(run, known, backs, gone)
    _go_on(run, known, state, head, backs, breaks)


def _keep_faults(run: AbstractRun, dropped: list[Diagnostic], mark: int) -> None:
    """Keeps, as warnings, faults of a first iteration that a later one does not show: what fails gives any value."""
    found = run.findings.diagnostics
    places = {diagnostic.span for diagnostic in found[mark:]}
    for diagnostic in dropped:
        if diagnostic.code in FAULTS and diagnostic.span not in places:
            places.add(diagnostic.span)
            found.append(diagnostic._replace(severity="warning"))


def _never(run: AbstractRun, known: Known, state: State) -> None:
    step, keys = known.step, known.step.keys
    if known.deciding is not None:
        constant_condition(run, step, state, known.deciding)
    else:
        message = f"this {step.spec.name} never runs an iteration"
        if known.flow.items in keys:
            message += ": it has no items"
        else:
            start, end, *by = (keys[key].value for key in known.flow.numbers if key in keys)
            message += f": from {start} there is no way to {end}"
            message += f" by {by[0]}" if by else ""
        node = _node_of(step, (known.flow.items, *reversed(known.flow.numbers[1:])))
        run.findings.add("loop-never-runs", message, node)
    _collect(run, step, state, [])


def _node_of(step: StepNode, keys: Iterable[str | None]) -> Node:
    """The node of the first of some options that is there, else of the step's name."""
    return next((step.keys[key] for key in keys if key is not None and key in step.keys), step.name_node)


def _head(state: State, carried: dict[str, Entry], known: Known) -> State:
    """The state where an iteration begins: before the first, or after any other."""
    head = State(state)
    step, index, at = known.step, known.index, known.at
    if known.flow.item is not None and known.flow.items in step.keys and known.flow.item not in step.keys:
        head.open = head.open or known.flow.item not in step.spec.defaults  # which name the steps read is not known
    if not carried:
        return head
    why = Unset(
        f"the first iteration of the loop at {at} comes before it", step.name_node, "in the first iteration", kept=True
    )
    only_first = why._replace(later=index[0]) if index is not None else why
    for key, entry in carried.items():
        found = joined(state, key, [(state.get(key), only_first if entry.always else why), (entry, why)])
        found.stale = None  # what is carried may be wanted; `stale` is what an iteration fails to set anew
        head.changes[key] = found
    return head


def _iterate(
    run: AbstractRun, known: Known, head: State
) -> tuple[list[tuple[dict[str, Entry], Unset]], list[tuple[dict[str, Entry], Unset]], Unset | None]:
    """One iteration: the ways BREAK leaves it, those it ends on, and why its end is never reached if it is not."""
    step = known.step
    if known.deciding is not None:
        run.option(step, known.deciding, step.keys[known.deciding], head)
    body = State(truth_states(step, known.deciding, head)(True))
    for named, type in ((known.item, known.what), (known.index, OF_INTEGER)):
        if named is not None:
            run.write(body, named[0], type, named[1], implied=True)
    outs, agains = Frame(head), Frame(head)
    run.loops.append((outs, agains))
    read: dict[str, object] = {}
    if known.side_by_side:
        run.names.watched.append((read, head))  # type: ignore[arg-type]  # spans, as the names put them in
    ends, around = run.ends, run.names.iteration
    in_order = known.item is not None and known.most > 1 and not known.side_by_side
    run.names.iteration = (step, head) if in_order else None
    run.steps(step.block(known.flow.body), body)
    run.ends = ends
    run.loops.pop()
    if step.spec.resolved_late:
        run.late_options(step, body)
    backs = list(agains.exits)
    if body.dead is None:
        for key in known.flow.collect[:1]:
            if key in step.keys:
                run.write(body, _COLLECTED, run.option(step, key, step.keys[key], body), step.keys[key], implied=True)
        end = Frame(head)
        leave(end, body, Unset(f"the loop at {known.at} may end before it", step.name_node, "it may end before"))
        backs += end.exits
    run.names.iteration = around
    if known.side_by_side:
        run.names.watched.pop()
        _lost_updates(run, known, backs, read)
    return outs.exits, backs, body.dead


_COLLECTED = " collected"
"""Stands for what `collect` gives; no key of the FlowContext has a blank in it."""


def _joined_back(head: State, backs: list[tuple[dict[str, Entry], Unset]]) -> dict[str, Entry]:
    changed = dict.fromkeys(key for changes, _ in backs for key in changes)
    found = {}
    for key in changed:
        entries = [(changes.get(key) or head.get(key), why) for changes, why in backs]
        if any(entry is not None and not entry.narrowed for entry, _ in entries):
            found[key] = joined(head, key, entries)
    return found


def _seen(head: State, back: dict[str, Entry]) -> dict[str, Entry]:
    return {key: entry for key in back if (entry := head.get(key)) is not None}


def _wider(carried: dict[str, Entry], back: dict[str, Entry]) -> dict[str, Entry]:
    """What was carried into an iteration, joined with what came back from it."""
    found = dict(carried)
    for key, entry in back.items():
        known = carried.get(key)
        if known is not None:
            always, unset = known.always and entry.always, known.unset or entry.unset
            entry = Entry(join(known.type, entry.type), known.where, always, unset, implied=known.implied)
        found[key] = entry
    return found


def _widened(carried: dict[str, Entry], body: Iterable[StepNode]) -> dict[str, Entry]:
    """What was carried as any value, and with it what the body writes in a place that no round came to yet: each of
    these would take a further round."""
    found = {key: Entry(ANY, node) for key, node in first_writes(body).items()}
    for key, entry in carried.items():
        found[key] = Entry(ANY, entry.where, entry.always, entry.unset, implied=entry.implied)
    return found


def _once(run: AbstractRun, known: Known, backs: list[tuple[dict[str, Entry], Unset]], gone: Unset | None) -> None:
    """Reports a loop that cannot run a second iteration."""
    step = known.step
    if known.most == 1:
        message, hint = f"this {step.spec.name} runs one iteration only", "take its steps out of the loop"
        node = _node_of(step, (known.flow.items, *known.flow.numbers[1:2]))
        run.findings.add("loop-runs-once", message, node, hint=hint)
    elif not backs and gone is not None and step.block(known.flow.body):
        related = (Related(gone.node.span, gone.label),) if gone.node is not None else ()
        message = f"this {step.spec.name} cannot run a second iteration: {gone.text.removesuffix(' before it')}"
        hint = "give it a condition, or take its steps out of the loop"
        run.findings.add("loop-runs-once", message, step.name_node, hint=hint, related=related)
    if known.endless and not _can_leave(step.block(known.flow.body)):
        constant = known.deciding or ""
        message = "this condition is always true, and nothing in the loop leaves it"
        run.findings.add("constant-condition", message, step.keys[constant])


def _can_leave(steps: Iterable[StepNode]) -> bool:
    """Whether one of the steps, or of those inside them, can end a loop around it; a call can."""
    for step in steps:
        flow = step.spec.flow
        if isinstance(flow, Call) or (isinstance(flow, Exit) and flow.signal is not Signal.CONTINUE):
            return True
        if any(_can_leave(block.steps) for block in step.blocks):
            return True
    return False


def _go_on(
    run: AbstractRun,
    known: Known,
    state: State,
    head: State,
    backs: list[tuple[dict[str, Entry], Unset]],
    breaks: list[tuple[dict[str, Entry], Unset]],
) -> None:
    """The state after the loop: after no iteration, after the last one, or after a BREAK."""
    step = known.step
    collected = [changes.pop(_COLLECTED).type for changes, _ in backs if _COLLECTED in changes]
    ways: list[tuple[State, Unset]] = []
    none = Unset(f"the loop at {known.at} may run no iteration", step.name_node, "it may run no iteration")
    if not known.endless:
        if known.least == 0:
            after = truth_states(step, known.deciding, head)(False)
            ways.append((_over(state, State(), after.since(state), none), none))
        ways += [(_over(state, head, changes, why), why) for changes, why in backs]
    ways += [(_over(state, head, changes, why), why) for changes, why in breaks]
    if not ways:
        if known.endless:
            state.dead = Unset(f"the {step.spec.name} at {known.at} never ends", step.name_node, "this never ends")
        else:
            text = f"the {step.spec.name} at {known.at} always ends what it stands in"
            state.dead = Unset(text, step.name_node, "this always ends it")
        return
    merge(state, ways)
    for changes, _ in backs:
        for key, entry in changes.items():
            if known.side_by_side and not entry.implied and not entry.narrowed and key in state.changes:
                state.changes[key].rivals = step
    _collect(run, step, state, collected)


def _over(state: State, head: State, changes: dict[str, Entry], why: Unset) -> State:
    """The state on one way out of a loop; what no iteration has set yet is unset because of that way."""
    whole = dict(head.changes)
    overlay(whole, changes)
    for key, entry in whole.items():
        if not entry.always and state.get(key) is None and (key in head.changes) is (key not in changes):
            whole[key] = Entry(entry.type, entry.where, always=False, unset=why, implied=entry.implied)
        elif entry.unset is not None and entry.unset.kept:
            unset = entry.unset._replace(kept=False)
            whole[key] = Entry(entry.type, entry.where, entry.always, unset, entry.narrowed, entry.implied)
    return way_out(state, whole)


def _collect(run: AbstractRun, step: StepNode, state: State, types: list[Type]) -> None:
    """Sets the list of what each iteration gave."""
    flow = step.spec.flow
    named = step.named(flow.collect[1]) if isinstance(flow, Loop) and flow.collect else None
    if named is None:
        return
    item = types[0] if types else ANY
    for other in types[1:]:
        item = join(item, other)
    run.write(state, named[0], list_of(item), named[1])


def _lost_updates(
    run: AbstractRun, known: Known, backs: list[tuple[dict[str, Entry], Unset]], read: dict[str, object]
) -> None:
    """Reports keys that iterations side by side read before they set them: each loses what the others set."""
    seen = set()
    for changes, _ in backs:
        for key, entry in changes.items():
            if key in seen or key not in read or entry.implied or entry.narrowed or entry.where is None:
                continue
            seen.add(key)
            related = (Related(read[key], "read here"),)  # type: ignore[arg-type]  # a span, as the names put it in
            message = (
                f"the iterations of the {known.step.spec.name} at {known.at} run side by side, and each sets "
                f"`{key}` anew: what the others set is lost"
            )
            in_order = one_at_a_time(known.step, "leave {} out")
            hint = "".join(f"use `{kept}`, or " for kept in known.flow.collect[:1]) + in_order
            run.findings.add("parallel-write-conflict", message, entry.where, hint=hint, related=related)
