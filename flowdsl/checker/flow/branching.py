"""Paths that part and meet again: choices, caught errors, blocks side by side, and signals that leave a block early."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from flowdsl.checker.flow.abstract_run import AbstractRun, Frame, line
from flowdsl.checker.flow.conditions import constant_condition, truth_states
from flowdsl.checker.flow.state import Entry, State, Unset, joined, merge
from flowdsl.checker.types.kinds import ANY, OF_ERROR, Type, join
from flowdsl.diagnostics import Related
from flowdsl.step.flow_shapes import EXIT_WORDS, Choice, Exit, Parallel, Switch, Try
from flowdsl.step.signals import Signal

if TYPE_CHECKING:
    from flowdsl.document.document import BlockNode, StepNode
    from flowdsl.syntax.node import Node

MANY = 8
"""So many ways out of one block are kept apart."""


def choice(run: AbstractRun, step: StepNode, state: State) -> None:
    """A step that runs one of two blocks: `state` goes on after either."""
    flow = step.spec.flow
    assert isinstance(flow, Choice)  # noqa: S101  the table of shapes says so
    deciding = step.given(flow.on)
    run.options(step, state)
    constant_condition(run, step, state, deciding)
    truth = truth_states(step, deciding, state)
    ways = [_way(run, step, block, truth(block.key == flow.then), state) for block in step.blocks]
    present = [block.key for block in step.blocks]
    for key, holds in ((flow.then, True), (flow.otherwise, False)):
        if key not in present:
            ways.append(_no_way(step, key, truth(holds), state))
    _meet(run, step, state, ways)


def switch(run: AbstractRun, step: StepNode, state: State) -> None:
    """A step that runs one of many blocks: `state` goes on after any of those that can run."""
    flow = step.spec.flow
    assert isinstance(flow, Switch)  # noqa: S101  the table of shapes says so
    deciding = step.given(flow.on)
    run.options(step, state)
    constant_condition(run, step, state, deciding)
    truth = truth_states(step, deciding, state)
    blocks = {str(block.name) if flow.cases is not None else block.key: block for block in step.blocks}
    if flow.chosen is not None:
        only = flow.chosen if flow.chosen in blocks else flow.default
        blocks = {name: block for name, block in blocks.items() if name == only}
    ways = []
    for name, block in blocks.items():
        fits = True if name and name != flow.default else None  # a value that is empty fits no name
        ways.append(_way(run, step, block, truth(fits), state))
    if flow.default not in blocks and not (flow.chosen is not None and blocks):
        if flow.cases is not None and flow.default is not None:
            _other_default(run, step, step.keys.get(flow.cases), flow.default)
        ways.append(_no_way(step, flow.default, state, state))
    _meet(run, step, state, ways)


def _meet(run: AbstractRun, step: StepNode, state: State, ways: list[tuple[State, Unset]]) -> None:
    """Continues a state after one of several blocks."""
    iteration = run.names.iteration
    if iteration is None:
        merge(state, ways)
        return
    from flowdsl.checker.flow.stale import mark_left_out, pictures_of

    pictures = pictures_of(ways)
    if not pictures:
        merge(state, ways)
        return
    before = State(state)
    before.base, before.changes = state.base, dict(state.changes)
    merge(state, ways)
    mark_left_out(iteration, before, state, pictures, ways, step)


_DEFAULTS = frozenset({"else", "otherwise", "default", "_", "*"})


def _other_default(run: AbstractRun, step: StepNode, cases: Node | None, default: str) -> None:
    """Reports a case that has the name that other languages give to the one for every other value."""
    key = next((key for name, key in cases.keys.items() if name.lower() in _DEFAULTS), None) if cases else None
    if key is not None:
        from flowdsl.syntax.fixes import renamed

        message = f"`{key.value}` is a value like the others here, and {step.spec.name} has nothing for those"
        hint = f"write `{default}`, which runs for every other value"
        run.findings.add("no-effect", message, key, hint=hint, fixes=[renamed(key, default)])


def _way(run: AbstractRun, step: StepNode, block: BlockNode, begin: State, state: State) -> tuple[State, Unset]:
    """The state after a block, and why it leaves a key unset: it does not set it."""
    way = State(begin)
    run.steps(block.steps, way)
    return _flat(way, state), Unset(*_not_set(step, block))


def _no_way(step: StepNode, key: str | None, begin: State, state: State) -> tuple[State, Unset]:
    """The state where the block of a key would run, and there is none."""
    if key is None:
        why = Unset(f"the {step.spec.name} at {line(step)} may run nothing", step.name_node, "it may run nothing")
    else:
        why = Unset(f"the {step.spec.name} at {line(step)} has no `{key}`", step.name_node, f"no `{key}` here")
    return _flat(State(begin), state), why


def _flat(way: State, state: State) -> State:
    """A state directly over another that it branched from."""
    if way.base is state:
        return way
    flat = State(state)
    flat.changes, flat.dead = way.since(state), way.dead
    return flat


def _not_set(step: StepNode, block: BlockNode) -> tuple[str, Node, str]:
    """Why a block leaves a key unset: it does not set it."""
    node = step.key_nodes.get(block.key, step.name_node)
    if isinstance(block.name, str):
        node = step.keys[block.key].keys.get(block.name, node)
        return f"the case `{block.name}` at {node.span.first.line} does not set it", node, "this case does not set it"
    return f"the {block.key} branch at {node.span.first.line} does not set it", node, "this branch does not set it"


def exit_(run: AbstractRun, step: StepNode, state: State) -> None:
    """A step that ends what it stands in: what is known goes to the frame it leaves to, and `state` is dead, or goes on
    where its condition is false."""
    flow = step.spec.flow
    assert isinstance(flow, Exit)  # noqa: S101  the table of shapes says so
    deciding = step.given((flow.when,))
    run.options(step, state)
    at = line(step)
    constant_condition(run, step, state, deciding)
    truth = truth_states(step, deciding, state)
    ended = _flat(State(truth(True)), state) if deciding is not None else state
    early = Unset(f"the {step.spec.name} at {at} can come before it", step.name_node, "this can come before it")
    if flow.signal in (Signal.BREAK, Signal.CONTINUE) and not run.loops:
        return  # outside a loop it is a mistake of its own, and what follows is still looked at
    if flow.signal is not None:
        leave(_left_by(run, flow.signal), ended, early)
    if deciding is None:
        verb = EXIT_WORDS[flow.signal]
        state.dead = Unset(f"the {step.spec.name} at {at} {verb} before it", step.name_node, f"this {verb}")
    else:
        merge(state, [(_flat(State(truth(False)), state), early)])


def _left_by(run: AbstractRun, signal: Signal) -> Frame:
    """What a signal leaves."""
    if signal is Signal.END:
        return run.ends[-1]
    if signal is Signal.RETURN:
        return run.returns[-1] if run.returns else run.ends[-1]
    return run.loops[-1][signal is Signal.CONTINUE]


def leave(frame: Frame, state: State, why: Unset) -> None:
    """Adds to a frame what is known in `state`, where a signal leaves the block; `why` a key may be unset after it."""
    if frame.wanted is not None:
        found = {key: entry for key in frame.wanted if (entry := state.get(key)) is not None}
    else:
        found = state.since(frame.base)
    if len(frame.exits) < MANY:
        frame.exits.append((found, why))
    else:
        _fold(frame, found, why)
    frame.last = found


def _fold(frame: Frame, found: dict[str, Entry], why: Unset) -> None:
    """Joins a further way out with the latest one: only what differs costs anything."""
    base, last = frame.base, frame.last
    known, reason = frame.exits[-1]
    if known is last:
        known = dict(known)
    for key in [key for key, entry in found.items() if last.get(key) is not entry]:
        before = known[key] if key in known else base.get(key)
        known[key] = joined(base, key, [(before, reason), (found[key], why)])
    for key in known.keys() - found.keys():
        if known[key].always or base.get(key) is not None:
            known[key] = joined(base, key, [(known[key], reason), (base.get(key), why)])
    frame.exits[-1] = (known, reason)


def way_out(base: State, changes: dict[str, Entry]) -> State:
    """A state over another with the changes of one way out of a block."""
    state = State(base)
    state.changes = changes
    return state


def attempt(run: AbstractRun, step: StepNode, state: State) -> None:
    """A step that catches errors: `catch` may begin after any part of the body; `final` follows whatever happened."""
    flow = step.spec.flow
    assert isinstance(flow, Try)  # noqa: S101  the table of shapes says so
    run.options(step, state, frozenset({flow.when or ""}))
    if flow.retry is not None and flow.anew is not None and flow.retry in step.keys:
        from flowdsl.checker.flow.judged_purchases import check_judged

        check_judged(step, flow, step.keys[flow.retry], run.findings)
    first: dict[str, Type] = {}
    frames = [*run.ends[-1:], *run.returns[-1:], *(frame for pair in run.loops[-1:] for frame in pair)]
    marks = [len(frame.exits) for frame in frames]
    run.observers.append(first)
    tried = State(state)
    run.steps(step.block(flow.body), tried)
    run.observers.pop()
    early = Unset(
        f"the {step.spec.name} at {line(step)} can fail before it sets it", step.name_node, "this can fail before"
    )
    failing = _anywhere(state, first, early)
    if run.names.iteration is not None:
        from flowdsl.checker.flow.stale import mark_failing

        mark_failing(run.names.iteration, state, failing, first, step, early)
    run.write(failing, flow.error, OF_ERROR, step.name_node, implied=True)
    if flow.when is not None and flow.when in step.keys:
        run.option(step, flow.when, step.keys[flow.when], failing)
    second: dict[str, Type] = {}
    run.observers.append(second)
    caught = State(failing)
    run.steps(step.block(flow.catch), caught)
    run.observers.pop()
    catch = next((block for block in step.blocks if block.key == flow.catch), None)
    deciding = step.given((flow.when,))
    goes_on = deciding is not None and step.keys[deciding].value is False  # nothing is caught
    if flow.catch is not None and flow.catch not in step.keys and not goes_on:
        _dropped(run, step, flow.body, flow.catch)
    not_caught = early if catch is None else Unset(*_not_set(step, catch))
    only = f"the {step.spec.name} at {line(step)} sets it only in its {flow.catch or 'catch'}"
    not_tried = Unset(only, step.name_node, f"only its {flow.catch or 'catch'} sets it")
    after = State(state)
    merge(after, [(tried, not_tried)] if goes_on else [(tried, not_tried), (_flat(caught, state), not_caught)])
    final = step.block(flow.final)
    if final:
        for key, type in (*second.items(), (flow.error, OF_ERROR)):
            first[key] = join(first[key], type) if key in first else type
        _finally(run, final, after, _anywhere(state, first, early), list(zip(frames, marks, strict=True)))
    merge(state, [(after, early)])


def _dropped(run: AbstractRun, step: StepNode, body: str, catch: str) -> None:
    """Reports that the error of a paid step goes unseen."""
    from flowdsl.syntax.fixes import added

    paid = next((inner for inner in _inside(step.block(body)) if inner.spec.service is not None), None)
    if paid is None:
        return
    message = f"when {paid.spec.name} fails, nobody sees it: this {step.spec.name} without `{catch}` drops the error"
    hint = f"add `{catch}:` with the steps to run then; `{catch}: []` says that it is meant"
    related = (Related(paid.name_node.span, "this is paid for"),)
    fix = added(step.node, f"{catch}: []")
    run.findings.add("dropped-error", message, step.name_node, hint=hint, related=related, fixes=[fix])


def _inside(steps: Iterable[StepNode]) -> Iterator[StepNode]:
    for step in steps:
        yield step
        for block in step.blocks:
            yield from _inside(block.steps)


def _anywhere(state: State, written: dict[str, Type], early: Unset) -> State:
    """The state after any part of what wrote these keys."""
    found = State(state)
    for key, type in written.items():
        known = state.get(key)
        if known is None:
            found.changes[key] = Entry(ANY if state.open else type, None, state.open, early)
        else:
            before = type if known.supposed else known.type
            entry = Entry(join(before, type), known.where, known.always, known.unset, implied=known.implied)
            found.changes[key] = entry
    return found


def _finally(
    run: AbstractRun, steps: Iterable[StepNode], after: State, begin: State, left: list[tuple[Frame, int]]
) -> None:
    """Follows the last block from wherever it may begin; what it sets is set on every way on."""
    written: dict[str, Type] = {}
    last = State(begin)
    run.observers.append(written)
    run.steps(steps, last)
    run.observers.pop()
    for frame, mark in left:
        for index in range(min(mark, MANY - 1), len(frame.exits)):
            changes, why = frame.exits[index]
            changes = {
                key: Entry(join(entry.type, written[key]), entry.where, entry.always, entry.unset)
                if key in written
                else entry
                for key, entry in changes.items()
            }
            frame.exits[index] = (changes, why)
    if after.dead is None:
        after.dead = last.dead
    for key, entry in last.changes.items():
        if not entry.narrowed:
            same = Unset("")
            after.changes[key] = entry if entry.always else joined(after, key, [(after.get(key), same), (entry, same)])


def parallel(run: AbstractRun, step: StepNode, state: State) -> None:
    """A step that runs blocks side by side: each is followed from `state` as it is, then what they change is merged."""
    flow = step.spec.flow
    assert isinstance(flow, Parallel)  # noqa: S101  the table of shapes says so
    run.options(step, state)
    branches: list[State] = []
    ended: Unset | None = None
    may_end = False
    for block in sorted(step.blocks, key=lambda block: flow.blocks.index(block.key)):
        branch = State(state)
        frame = Frame(branch)
        loops, run.loops = run.loops, []
        run.ends.append(frame)
        run.returns.append(frame)
        inner = State(branch)
        run.steps(block.steps, inner)
        run.ends.pop()
        run.returns.pop()
        run.loops = loops
        may_end = may_end or bool(frame.exits)
        ended = ended or inner.dead
        if inner.dead is not None and not frame.exits:
            continue  # it always fails: nothing of it is merged
        ways = [(inner, Unset("")), *((way_out(branch, changes), why) for changes, why in frame.exits)]
        merge(branch, ways)
        branch.dead = None
        branches.append(branch)
    _conflicts(run, step, branches)
    _merge_branches(state, branches)
    if may_end:
        early = Unset(
            f"the {step.spec.name} at {line(step)} can end the run before it", step.name_node, "it can end here"
        )
        leave(run.ends[-1], state, early)
        if run.returns:
            leave(run.returns[-1], state, early)
    state.dead = ended


def _merge_branches(state: State, branches: list[State]) -> None:
    found: dict[str, Entry] = {}
    for branch in branches:
        for key, entry in branch.changes.items():
            if entry.narrowed:
                continue
            known = found.get(key)
            if known is None:
                before = state.get(key)
                found[key] = (
                    entry
                    if entry.always or before is None
                    else joined(state, key, [(before, Unset("")), (entry, Unset(""))])
                )
            else:
                always = known.always or entry.always
                found[key] = Entry(join(known.type, entry.type), known.where, always, entry.unset or known.unset)
    state.changes.update(found)


def _conflicts(run: AbstractRun, step: StepNode, branches: list[State]) -> None:
    """Reports keys that two branches write."""
    seen: dict[str, Entry] = {}
    for branch in branches:
        for key, entry in branch.changes.items():
            if entry.narrowed or entry.implied or entry.where is None:
                continue
            first = seen.setdefault(key, entry)
            if first is not entry and first.where is not None and first.where is not entry.where:
                related = (Related(first.where.span, "another branch sets it here"),)
                message = f"two branches of the {step.spec.name} at {line(step)} set `{key}`: the later one wins"
                hint = "give each branch its own key"
                run.findings.add("parallel-write-conflict", message, entry.where, hint=hint, related=related)
