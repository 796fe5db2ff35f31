"""Called flows: followed where they are called, with what is set there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from flowdsl.checker.branching import leave, way_out
from flowdsl.checker.paths import Frame, Paths, line
from flowdsl.checker.state import Entry, State, Unset, merge
from flowdsl.checker.types import ANY, Type, within
from flowdsl.checker.writes import first_writes, mentioned
from flowdsl.nearest import nearest
from flowdsl.step.flow_shapes import Call
from flowdsl.step.spec import is_templated

if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.document.document import Module, StepNode
    from flowdsl.syntax.yaml_reader import Node

MAX_KNOWN = 8
"""So many outcomes of one flow are kept; with more the oldest goes."""
MAX_DEPTH = 24
"""Calls inside calls are followed so deep."""
MAX_FOLLOWED = 5_000
"""So many calls of one document are followed; what further ones set is taken as any value."""


class Outcome(NamedTuple):
    """What a called flow came to from one entry state: the keys it looked at as they were, what it changed, and what
    was found in it."""

    entry: dict[str, tuple[Type, bool] | None]
    changes: dict[str, Entry]
    dead: Unset | None
    ended: Unset | None
    findings: list[Diagnostic]


def call(paths: Paths, step: StepNode, state: State) -> None:
    """Follows the called flow."""
    flow = step.spec.flow
    assert isinstance(flow, Call)  # noqa: S101  the table of shapes says so
    paths.options(step, state)
    node = step.keys.get(flow.ref or "")
    by_ref = node is not None and node.value is not None
    node = node if by_ref else step.keys.get(flow.name or "")
    if node is None or not isinstance(node.value, str):
        return
    if is_templated(node.value):
        _any_flow(paths, state, node)
        return
    document, module = paths.document, paths.names.module
    found = document.flow_of(node.value, module) if by_ref else None
    if not by_ref and node.value in document.templates:
        found = document.templates[node.value], module
    if found is None:
        _unknown(paths, node, by_ref, state)
        return
    steps, inside = found
    if id(steps) in paths.active or len(paths.active) >= MAX_DEPTH or paths.followed >= MAX_FOLLOWED:
        _havoc(paths, first_writes(steps), state)
        return
    _follow(paths, step, steps, inside, state)


def _unknown(paths: Paths, node: Node, by_ref: bool, state: State) -> None:
    document, module = paths.document, paths.names.module
    state.open = True
    if paths.names.foreign and not _is_own(paths, by_ref, node.value):
        return
    known = document.flow_refs(module) if by_ref else list(document.templates)
    near = nearest(node.value, known)
    hint = f"did you mean `{near}`?" if near else f"there are {', '.join(known) or 'none'}"
    message = f"No flow found for ref '{node.value}'" if by_ref else f"No template found with name '{node.value}'"
    paths.findings.add("unknown-flow", message, node, hint=hint)


def _is_own(paths: Paths, by_ref: bool, name: str) -> bool:
    """Whether a document has the namespace that a name is looked up in; else it is the one of its caller."""
    document = paths.document
    if not by_ref:
        return bool(document.templates)
    namespace = name.partition(".")[0]
    return bool(document.imports) if namespace == "imports" else namespace in document.scopes


def _any_flow(paths: Paths, state: State, node: Node) -> None:
    """A call whose flow is chosen at run time: any key may be set to anything."""
    document = paths.document
    for steps in (
        *(flow for blocks in document.scopes.values() for flow in blocks.flows.values()),
        *(flow for module in document.imports.values() for flow in module.blocks.flows.values()),
        *document.templates.values(),
    ):
        paths.analysed.discard(id(steps))
        _havoc(paths, first_writes(steps), state)
    state.open = True


def _havoc(paths: Paths, written: dict[str, Node], state: State) -> None:
    for key, node in written.items():
        paths.write(state, key, ANY, node)


def _follow(paths: Paths, step: StepNode, steps: Sequence[StepNode], inside: Module | None, state: State) -> None:
    document = paths.document
    key = (id(steps), id(inside))
    if key not in paths.memo:
        paths.memo[key] = (mentioned(steps, document, inside), [])
    keys, known = paths.memo[key]
    paths.followed += 1
    entry: dict[str, tuple[Type, bool] | None] | None = None
    if keys is not None and (not paths.names.watched or len(paths.active) > 1):
        entry = {name: (found.type, found.always) if (found := state.get(name)) else None for name in keys}
        for outcome in known:
            if _same(outcome.entry, entry):
                _apply(paths, outcome, state)
                return
    frame, inner = Frame(state), State(state)
    outer, around, loops = paths.ends, paths.names.module, paths.loops
    end_frame = Frame(state)
    paths.ends, paths.loops, paths.names.module = [*outer, end_frame], [], inside
    mark = len(paths.findings.diagnostics)
    paths.returns.append(frame)
    paths.active.append(id(steps))
    paths.analysed.add(id(steps))
    paths.steps(steps, inner)
    paths.active.pop()
    paths.returns.pop()
    paths.ends, paths.loops, paths.names.module = outer, loops, around
    for changes, why in end_frame.exits:
        leave(outer[-1], way_out(state, changes), why)
    result = State(state)
    merge(result, [(inner, Unset("")), *((way_out(state, changes), why) for changes, why in frame.exits)])
    if entry is not None:
        ended = end_frame.exits[0][1] if end_frame.exits else None
        known.append(Outcome(entry, result.changes, result.dead, ended, paths.findings.diagnostics[mark:]))
        del known[:-MAX_KNOWN]
    merge(state, [(result, Unset(""))])
    if result.dead is not None:
        at = line(step)
        state.dead = Unset(f"the flow called at {at} never comes back", step.name_node, "this never comes back")


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


def _apply(paths: Paths, outcome: Outcome, state: State) -> None:
    """Does to a state what a flow did to one that looked the same to it."""
    if outcome.ended is not None:
        leave(paths.ends[-1], state, outcome.ended)
    paths.findings.diagnostics += outcome.findings
    state.changes.update(outcome.changes)
    for key, entry in outcome.changes.items():
        paths.observe(key, entry.type)
    if outcome.dead is not None:
        state.dead = outcome.dead
