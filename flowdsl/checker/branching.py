"""Paths that part and meet again: choices, TRY, PARALLEL, and the signals that leave a block early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdsl.checker.deciding import constant_condition, decided_by, truth_states
from flowdsl.checker.paths import Frame, Paths, line
from flowdsl.checker.state import Entry, State, Unset, joined, merge
from flowdsl.checker.types import ANY, OF_ERROR, Type, join
from flowdsl.diagnostics import Related

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.syntax.yaml_reader import Node

HERE = "standalone"
"""The block of PLATFORM that runs here."""
MANY = 8
"""So many ways out of one block are kept apart."""


def choice(paths: Paths, step: StepNode, state: State) -> None:
    """One of the blocks, or none."""
    deciding = decided_by(step)
    paths.options(step, state)
    constant_condition(paths, step, state, deciding)
    blocks = step.blocks
    if HERE in blocks:
        blocks = {HERE: blocks[HERE]}
    elif step.spec.name == "PLATFORM":
        blocks = {"default": blocks["default"]} if "default" in blocks else {}
    ways: list[tuple[State, Unset]] = []
    complete = False
    states = truth_states(step, deciding, state)
    for name, steps in blocks.items():
        way = State(states(name))
        paths.steps(steps, way)
        ways.append((_flat(way, state), Unset(*_not_set(step, name))))
        complete = complete or name in ("else", "cases.default", "default", HERE)
    if not complete:
        word = "else" if "then" in blocks or "else" in blocks else "default"
        text = f"the {step.spec.name} at {line(step)} has no `{word}`"
        ways.append((_flat(State(states("else")), state), Unset(text, step.name_node, f"no `{word}` here")))
    merge(state, ways)


def _flat(way: State, state: State) -> State:
    """A state directly over another that it branched from."""
    if way.base is state:
        return way
    flat = State(state)
    flat.changes, flat.dead = way.since(state), way.dead
    return flat


def _not_set(step: StepNode, name: str) -> tuple[str, Node, str]:
    """Why a branch leaves a key unset: it does not set it."""
    key, _, case = name.partition(".")
    node = step.node.keys.get(key, step.name_node)
    if case:
        node = step.keys[key].keys.get(case, node)
        return f"the case `{case}` at {node.span.first.line} does not set it", node, "this case does not set it"
    return f"the {key} branch at {node.span.first.line} does not set it", node, "this branch does not set it"


def signal(paths: Paths, step: StepNode, state: State) -> None:
    """END, END_IF, BREAK, CONTINUE, RAISE; another step of this shape may end what it stands in."""
    deciding = decided_by(step)
    paths.options(step, state)
    name, at = step.spec.name, line(step)
    if deciding is not None:
        constant_condition(paths, step, state, deciding)
    states = truth_states(step, deciding, state)
    ended = _flat(State(states("then")), state) if deciding is not None else state
    early = Unset(f"the {name} at {at} can come before it", step.name_node, "this can come before it")
    if name == "END":
        leave(paths.ends[-1], ended, early)
    elif name == "END_IF":
        leave(paths.returns[-1] if paths.returns else paths.ends[-1], ended, early)
    elif name in ("BREAK", "CONTINUE") and paths.loops:
        leave(paths.loops[-1][name == "CONTINUE"], ended, early)
    elif name != "RAISE":
        return  # outside a loop it is a mistake of its own, and what follows is still looked at
    if deciding is None:
        words = {"END": "ends the run", "END_IF": "ends the flow", "RAISE": "fails"}
        verb = words.get(name, "leaves the loop" if name == "BREAK" else "ends the pass")
        state.dead = Unset(f"the {name} at {at} {verb} before it", step.name_node, f"this {verb}")
    else:
        merge(state, [(_flat(State(states("else")), state), early)])


def leave(frame: Frame, state: State, why: Unset) -> None:
    """Keeps what is known where a signal leaves a block."""
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
    """A state over another with what is known on one way out of a block."""
    state = State(base)
    state.changes = changes
    return state


def attempt(paths: Paths, step: StepNode, state: State) -> None:
    """TRY: `catch` may begin after any part of `try`; `finally` follows whatever happened."""
    paths.options(step, state, frozenset({"when"}))
    first: dict[str, Type] = {}
    frames = [*paths.ends[-1:], *paths.returns[-1:], *(frame for pair in paths.loops[-1:] for frame in pair)]
    marks = [len(frame.exits) for frame in frames]
    paths.observers.append(first)
    tried = State(state)
    paths.steps(step.blocks.get("try", []), tried)
    paths.observers.pop()
    early = Unset(f"the TRY at {line(step)} can fail before it sets it", step.name_node, "this can fail before")
    failing = _anywhere(state, first, early)
    paths.write(failing, "error", OF_ERROR, step.name_node, implied=True)
    if "when" in step.keys:
        paths.option(step, "when", step.keys["when"], failing)
    second: dict[str, Type] = {}
    paths.observers.append(second)
    caught = State(failing)
    paths.steps(step.blocks.get("catch", []), caught)
    paths.observers.pop()
    not_caught = early
    if "catch" in step.blocks:
        not_caught = Unset(*_not_set(step, "catch"))
    not_tried = Unset(f"the TRY at {line(step)} sets it only in its catch", step.name_node, "only its catch sets it")
    after = State(state)
    merge(after, [(tried, not_tried), (_flat(caught, state), not_caught)])
    if step.blocks.get("finally"):
        for key, type in (*second.items(), ("error", OF_ERROR)):
            first[key] = join(first[key], type) if key in first else type
        _finally(paths, step, after, _anywhere(state, first, early), list(zip(frames, marks, strict=True)))
    merge(state, [(after, early)])


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


def _finally(paths: Paths, step: StepNode, after: State, begin: State, left: list[tuple[Frame, int]]) -> None:
    """Follows `finally` from wherever it may begin; what it sets is set on every way on."""
    written: dict[str, Type] = {}
    last = State(begin)
    paths.observers.append(written)
    paths.steps(step.blocks["finally"], last)
    paths.observers.pop()
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
        if not entry.refined:
            same = Unset("")
            after.changes[key] = entry if entry.always else joined(after, key, [(after.get(key), same), (entry, same)])


def parallel(paths: Paths, step: StepNode, state: State) -> None:
    """All blocks, each on its own copy; what they change is merged."""
    paths.options(step, state)
    branches: list[State] = []
    ended: Unset | None = None
    may_end = False
    for steps in step.blocks.values():
        branch = State(state)
        frame = Frame(branch)
        loops, paths.loops = paths.loops, []
        paths.ends.append(frame)
        paths.returns.append(frame)
        inner = State(branch)
        paths.steps(steps, inner)
        paths.ends.pop()
        paths.returns.pop()
        paths.loops = loops
        may_end = may_end or bool(frame.exits)
        ended = ended or inner.dead
        if inner.dead is not None and not frame.exits:
            continue  # it always fails: nothing of it is merged
        ways = [(inner, Unset("")), *((way_out(branch, changes), why) for changes, why in frame.exits)]
        merge(branch, ways)
        branch.dead = None
        branches.append(branch)
    _conflicts(paths, step, branches)
    _merge_branches(state, branches)
    if may_end:
        early = Unset(f"the PARALLEL at {line(step)} can end the run before it", step.name_node, "it can end here")
        leave(paths.ends[-1], state, early)
        if paths.returns:
            leave(paths.returns[-1], state, early)
    state.dead = ended


def _merge_branches(state: State, branches: list[State]) -> None:
    found: dict[str, Entry] = {}
    for branch in branches:
        for key, entry in branch.changes.items():
            if entry.refined:
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


def _conflicts(paths: Paths, step: StepNode, branches: list[State]) -> None:
    """Reports keys that two branches write."""
    seen: dict[str, Entry] = {}
    for branch in branches:
        for key, entry in branch.changes.items():
            if entry.refined or entry.implied or entry.where is None:
                continue
            first = seen.setdefault(key, entry)
            if first is not entry and first.where is not None and first.where is not entry.where:
                related = (Related(first.where.span, "another branch sets it here"),)
                message = f"two branches of the {step.spec.name} at {line(step)} set `{key}`: the later one wins"
                hint = "give each branch its own key"
                paths.findings.add(
                    "parallel-write-conflict", message, entry.where, hint=hint, severity="warning", related=related
                )
