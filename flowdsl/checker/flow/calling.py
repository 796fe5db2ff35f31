"""Called flows: followed where they are called, with what is set there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowdsl.checker.flow.abstract_run import AbstractRun, Frame, line
from flowdsl.checker.flow.assigned_keys import first_writes
from flowdsl.checker.flow.branching import leave, way_out
from flowdsl.checker.flow.state import Entry, State, Unset, merge
from flowdsl.checker.types.kinds import ANY, Type, within
from flowdsl.nearest import nearest
from flowdsl.record import Record
from flowdsl.step.flow_shapes import Call
from flowdsl.step.spec import is_templated

if TYPE_CHECKING:
    from flowdsl.checker.flow.mentions import Mentions
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.document.document import Module, StepNode
    from flowdsl.syntax.node import Node

MAX_KNOWN = 8
"""So many outcomes of one flow are kept; with more the oldest goes."""
MAX_DEPTH = 24
"""Calls inside calls are followed so deep."""
MAX_FOLLOWED = 5_000
"""So many calls of one document are followed; what further ones set is taken as any value."""


class Outcome(Record):
    """What a called flow came to from one entry state: the keys it looked at as they were, what it changed, and what
    was found in it."""

    entry: dict[str, tuple[Type, bool] | None]
    changes: dict[str, Entry]
    dead: Unset | None
    ended: Unset | None
    findings: list[Diagnostic]


def call(run: AbstractRun, step: StepNode, state: State) -> None:
    """A step that calls a flow: the flow is followed from `state`, unless it was from one that looked the same."""
    flow = step.spec.flow
    assert isinstance(flow, Call)  # noqa: S101  the table of shapes says so
    run.options(step, state)
    node = step.keys.get(flow.ref or "")
    by_ref = node is not None and node.value is not None
    node = node if by_ref else step.keys.get(flow.name or "")
    if node is None or not isinstance(node.value, str):
        return
    if is_templated(node.value):
        _any_flow(run, state, node)
        return
    document, module = run.document, run.names.module
    found = document.flow_of(node.value, module) if by_ref else None
    if not by_ref and node.value in document.templates:
        found = document.templates[node.value], module
    if found is None:
        _unknown(run, node, by_ref, state)
        return
    steps, inside = found
    if id(steps) in run.active or len(run.active) >= MAX_DEPTH or run.followed >= MAX_FOLLOWED:
        _havoc(run, first_writes(steps), state)
        return
    _follow(run, step, steps, inside, state)


def _unknown(run: AbstractRun, node: Node, by_ref: bool, state: State) -> None:
    document, module = run.document, run.names.module
    state.open = True
    if run.names.foreign and not _is_own(run, by_ref, node.value):
        return
    known = document.flow_refs(module) if by_ref else list(document.templates)
    near = nearest(node.value, known)
    hint = f"did you mean `{near}`?" if near else f"there are {', '.join(known) or 'none'}"
    message = f"No flow found for ref '{node.value}'" if by_ref else f"No template found with name '{node.value}'"
    from flowdsl.syntax.fixes import renamed

    fix = renamed(node, near) if near else None
    run.findings.add("unknown-flow", message, node, hint=hint, fixes=[fix])


def _is_own(run: AbstractRun, by_ref: bool, name: str) -> bool:
    """Whether a document has the namespace that a name is looked up in; else it is the one of its caller."""
    document = run.document
    if not by_ref:
        return bool(document.templates)
    namespace = name.partition(".")[0]
    return bool(document.imports) if namespace == "imports" else namespace in document.scopes


def _any_flow(run: AbstractRun, state: State, node: Node) -> None:
    """A call whose flow is chosen at run time: any key may be set to anything."""
    document = run.document
    for steps in (
        *(flow for blocks in document.scopes.values() for flow in blocks.flows.values()),
        *(flow for module in document.imports.values() for flow in module.blocks.flows.values()),
        *document.templates.values(),
    ):
        run.analysed.discard(id(steps))
        _havoc(run, first_writes(steps), state)
    state.open = True


def _havoc(run: AbstractRun, written: dict[str, Node], state: State) -> None:
    for key, node in written.items():
        run.write(state, key, ANY, node)


def _follow(run: AbstractRun, step: StepNode, steps: Sequence[StepNode], inside: Module | None, state: State) -> None:
    key = (id(steps), id(inside))
    if key not in run.memo:
        run.memo[key] = (_mentions(run).of(steps, inside), [])
    keys, known = run.memo[key]
    run.followed += 1
    entry: dict[str, tuple[Type, bool] | None] | None = None
    if keys is not None and (not run.names.watched or len(run.active) > 1):
        entry = {name: (found.type, found.always) if (found := state.get(name)) else None for name in keys}
        for outcome in known:
            if _same(outcome.entry, entry):
                _apply(run, outcome, state)
                return
    frame, inner = Frame(state), State(state)
    outer, around, loops = run.ends, run.names.module, run.loops
    end_frame = Frame(state)
    run.ends, run.loops, run.names.module = [*outer, end_frame], [], inside
    mark = len(run.findings.diagnostics)
    run.returns.append(frame)
    run.active.append(id(steps))
    run.analysed.add(id(steps))
    run.steps(steps, inner)
    run.active.pop()
    run.returns.pop()
    run.ends, run.loops, run.names.module = outer, loops, around
    for changes, why in end_frame.exits:
        leave(outer[-1], way_out(state, changes), why)
    result = State(state)
    merge(result, [(inner, Unset("")), *((way_out(state, changes), why) for changes, why in frame.exits)])
    if entry is not None:
        ended = end_frame.exits[0][1] if end_frame.exits else None
        known.append(Outcome(entry, result.changes, result.dead, ended, run.findings.diagnostics[mark:]))
        del known[:-MAX_KNOWN]
    merge(state, [(result, Unset(""))])
    if result.dead is not None:
        at = line(step)
        state.dead = Unset(f"the flow called at {at} never comes back", step.name_node, "this never comes back")


def _mentions(run: AbstractRun) -> Mentions:
    if run.mentions is None:
        from flowdsl.checker.flow.mentions import Mentions  # most flows call none

        run.mentions = Mentions(run.document)
    return run.mentions


def _same(a: dict[str, tuple[Type, bool] | None], b: dict[str, tuple[Type, bool] | None]) -> bool:
    for key, one in a.items():
        other = b[key]
        if one is None or other is None:
            if one is not other:
                return False
        elif one is not other and not (
            one[1] is other[1] and (one[0] is other[0] or (within(one[0], other[0]) and within(other[0], one[0])))
        ):
            return False
    return True


def _apply(run: AbstractRun, outcome: Outcome, state: State) -> None:
    """Does to a state what a flow did to one that looked the same to it."""
    if outcome.ended is not None:
        leave(run.ends[-1], state, outcome.ended)
    run.findings.diagnostics += outcome.findings
    state.changes.update(outcome.changes)
    for key, entry in outcome.changes.items():
        run.observe(key, entry.type)
    if outcome.dead is not None:
        state.dead = outcome.dead
