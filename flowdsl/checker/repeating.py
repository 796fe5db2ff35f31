"""Loops: followed until another pass says nothing new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdsl.checker.branching import leave, way_out
from flowdsl.checker.deciding import constant, constant_condition, decided_by, truth_states
from flowdsl.checker.paths import Frame, Paths, line
from flowdsl.checker.results import item_of
from flowdsl.checker.state import Entry, State, Unset, covers, joined, merge, overlay
from flowdsl.checker.types import ALL, ANY, LIST, OF_INTEGER, OF_NUMBER, Type, join, list_of
from flowdsl.diagnostics import Diagnostic, Related

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode

MAX_PASSES = 4
"""After so many rounds what still changes is taken as any value."""
FAULTS = frozenset({"unknown-member", "wrong-type"})
"""Findings about a value that does not fit, which hold for one pass as for all."""
LATER = frozenset({"collect", "condition", "test"})
"""Options that are resolved at each pass."""


class Loop:
    """A loop at its place: what is known before it, and which passes it makes."""

    __slots__ = ("deciding", "endless", "least", "most", "side_by_side", "step", "var", "what")

    def __init__(self, paths: Paths, step: StepNode, state: State) -> None:
        self.step = step
        self.what = OF_NUMBER
        self.least, self.most = 0, 2
        self.deciding = decided_by(step)
        node = step.keys.get("var")
        self.var = node.value if node is not None and isinstance(node.value, str) else None
        paths.options(step, state, LATER)
        _of_numbers(self)
        items = step.keys.get("items")
        if items is not None:
            mark = len(paths.findings.diagnostics)
            type = paths.option(step, "items", items, state)
            del paths.findings.diagnostics[mark:]
            self.what = item_of(type) if type.kinds & LIST else ANY
            if type.fixed is not None and type.kinds & ALL == LIST:
                self.least = min(len(type.fixed), 2)
                self.most = self.least if items.kind == "list" else 2
        self.endless = False
        if self.deciding is not None:
            found = constant(paths, step, state, self.deciding)
            self.endless = found is not None and found[0]
            if found is not None and not found[0]:
                self.most = 0
        node = step.keys.get("concurrency")
        self.side_by_side = node is not None and node.value is not None and node.value != 1


def _of_numbers(loop: Loop) -> None:
    """How many passes literal bounds make."""
    keys = loop.step.keys
    start, end, by = (keys[key].value if key in keys else None for key in ("start", "end", "by"))
    if isinstance(start, int) and isinstance(end, int) and isinstance(by, (int, type(None))):
        loop.what = OF_INTEGER
    if not isinstance(start, (int, float)) or not isinstance(end, (int, float)):
        return
    if by is None:
        by = 1 if start <= end else -1
    if isinstance(by, (int, float)) and by:
        loop.most = 0 if (end - start) * by < 0 else 1 if abs(end - start) < abs(by) else 2
        loop.least = min(loop.most, 1)


def loop(paths: Paths, step: StepNode, state: State) -> None:
    """Any number of passes."""
    known = Loop(paths, step, state)
    if known.most == 0:
        _never(paths, known, state)
        return
    mark = len(paths.findings.diagnostics)
    carried = paths.heads.get(id(step), {})
    dropped: list[Diagnostic] = []
    for round in range(MAX_PASSES):
        head = _head(state, carried, step)
        breaks, backs, gone = _pass(paths, known, head)
        back = _joined_back(head, backs)
        if known.side_by_side or covers(_seen(head, back), back):
            break
        dropped += paths.findings.diagnostics[mark:]
        del paths.findings.diagnostics[mark:]
        carried = _wider(carried, back, widen=round >= MAX_PASSES - 2)
    paths.heads[id(step)] = carried
    _keep_faults(paths, dropped, mark)
    _once(paths, known, backs, gone)
    _go_on(paths, known, state, head, backs, breaks)


def _keep_faults(paths: Paths, dropped: list[Diagnostic], mark: int) -> None:
    """Keeps, as warnings, faults of a first pass that a later one does not show: what fails gives any value."""
    found = paths.findings.diagnostics
    places = {diagnostic.span for diagnostic in found[mark:]}
    for diagnostic in dropped:
        if diagnostic.code in FAULTS and diagnostic.span not in places:
            places.add(diagnostic.span)
            found.append(diagnostic._replace(severity="warning"))


def _never(paths: Paths, loop: Loop, state: State) -> None:
    step = loop.step
    if loop.deciding is not None:
        constant_condition(paths, step, state, loop.deciding)
    else:
        keys = step.keys
        node = keys.get("items") or keys.get("by") or keys.get("end") or step.name_node
        message = f"this {step.spec.name} never runs a pass"
        if "items" in keys:
            message += ": it has no items"
        else:
            message += f": from {keys['start'].value} there is no way to {keys['end'].value}"
            message += f" by {keys['by'].value}" if "by" in keys else ""
        paths.findings.add("loop-never-runs", message, node, severity="warning")
    _collect(paths, step, state, [])


def _head(state: State, carried: dict[str, Entry], step: StepNode) -> State:
    """The state where a pass begins: before the first, or after any other."""
    head = State(state)
    node = step.keys.get("var")
    why = Unset(f"the first pass of the loop at {line(step)} comes before it", step.name_node, "in the first pass")
    only_first = why._replace(later=f"{node.value}_index") if node is not None else why
    for key, entry in carried.items():
        head.changes[key] = joined(state, key, [(state.get(key), only_first if entry.always else why), (entry, why)])
    return head


def _pass(
    paths: Paths, known: Loop, head: State
) -> tuple[list[tuple[dict[str, Entry], Unset]], list[tuple[dict[str, Entry], Unset]], Unset | None]:
    """One pass: the ways BREAK leaves it, those it ends on, and why its end is never reached if it is not."""
    step = known.step
    if known.deciding is not None:
        paths.option(step, known.deciding, step.keys[known.deciding], head)
    begin = truth_states(step, known.deciding, head)("do")
    body = State(begin)
    if known.var is not None:
        where = step.keys["var"]
        paths.write(body, known.var, known.what, where, implied=True)
        paths.write(body, f"{known.var}_index", OF_INTEGER, where, implied=True)
    outs, agains = Frame(head), Frame(head)
    paths.loops.append((outs, agains))
    read: dict[str, object] = {}
    if known.side_by_side:
        paths.names.watched.append((read, head))  # type: ignore[arg-type]  # spans, as the names put them in
    ends = paths.ends
    paths.steps(step.blocks.get("do", []), body)
    paths.ends = ends
    paths.loops.pop()
    backs = list(agains.exits)
    if body.dead is None:
        if "collect" in step.keys:
            type = paths.option(step, "collect", step.keys["collect"], body)
            paths.write(body, _COLLECTED, type, step.keys["collect"], implied=True)
        end = Frame(head)
        leave(end, body, Unset(f"the loop at {line(step)} may end before it", step.name_node, "it may end before"))
        backs += end.exits
    if known.side_by_side:
        paths.names.watched.pop()
        _lost_updates(paths, known, backs, read)
    return outs.exits, backs, body.dead


_COLLECTED = " collected"
"""Stands for what `collect` gives; no key of the FlowContext has a blank in it."""


def _joined_back(head: State, backs: list[tuple[dict[str, Entry], Unset]]) -> dict[str, Entry]:
    changed = dict.fromkeys(key for changes, _ in backs for key in changes)
    found = {}
    for key in changed:
        entries = [(changes.get(key) or head.get(key), why) for changes, why in backs]
        if any(entry is not None and not entry.refined for entry, _ in entries):
            found[key] = joined(head, key, entries)
    return found


def _seen(head: State, back: dict[str, Entry]) -> dict[str, Entry]:
    return {key: entry for key in back if (entry := head.get(key)) is not None}


def _wider(carried: dict[str, Entry], back: dict[str, Entry], *, widen: bool) -> dict[str, Entry]:
    found = dict(carried)
    for key, entry in back.items():
        known = carried.get(key)
        if known is None:
            found[key] = entry
            continue
        type: Type = ANY if widen else join(known.type, entry.type)
        wider = Entry(
            type, known.where, known.always and entry.always, known.unset or entry.unset, implied=known.implied
        )
        found[key] = wider
    return found


def _once(paths: Paths, known: Loop, backs: list[tuple[dict[str, Entry], Unset]], gone: Unset | None) -> None:
    """Reports a loop that cannot make a second pass."""
    step = known.step
    if known.most == 1:
        keys = step.keys
        node = keys.get("items") or keys.get("end") or step.name_node
        message = f"this {step.spec.name} runs one pass only"
        paths.findings.add("loop-runs-once", message, node, hint="take its steps out of the loop", severity="warning")
    elif not backs and gone is not None and step.blocks.get("do"):
        related = (Related(gone.node.span, gone.label),) if gone.node is not None else ()
        message = f"this {step.spec.name} cannot make a second pass: {gone.text.removesuffix(' before it')}"
        hint = "give it a condition, or take its steps out of the loop"
        paths.findings.add("loop-runs-once", message, step.name_node, hint=hint, severity="warning", related=related)
    if known.endless and not _can_leave(step.blocks.get("do", [])):
        constant = known.deciding or ""
        message = "this condition is always true, and nothing in the loop leaves it"
        paths.findings.add("constant-condition", message, step.keys[constant], severity="warning")


def _can_leave(steps: list[StepNode]) -> bool:
    """Whether one of the steps, or of those inside them, can end a loop around it; a call can."""
    for step in steps:
        if step.spec.shape in ("signal", "call") and step.spec.name != "CONTINUE":
            return True
        if any(_can_leave(block) for block in step.blocks.values()):
            return True
    return False


def _go_on(
    paths: Paths,
    known: Loop,
    state: State,
    head: State,
    backs: list[tuple[dict[str, Entry], Unset]],
    breaks: list[tuple[dict[str, Entry], Unset]],
) -> None:
    """The state after the loop: after no pass, after the last one, or after a BREAK."""
    step = known.step
    collected = [changes.pop(_COLLECTED).type for changes, _ in backs if _COLLECTED in changes]
    ways: list[tuple[State, Unset]] = []
    none = Unset(f"the loop at {line(step)} may run no pass", step.name_node, "it may run no pass")
    if not known.endless:
        if known.least == 0:
            after = truth_states(step, known.deciding, head)("else")
            ways.append((_over(state, State(), after.since(state), none), none))
        ways += [(_over(state, head, changes, why), why) for changes, why in backs]
    ways += [(_over(state, head, changes, why), why) for changes, why in breaks]
    if not ways:
        if (known.endless and not backs) or known.endless:
            state.dead = Unset(f"the {step.spec.name} at {line(step)} never ends", step.name_node, "this never ends")
        else:
            text = f"the {step.spec.name} at {line(step)} always ends what it stands in"
            state.dead = Unset(text, step.name_node, "this always ends it")
        return
    merge(state, ways)
    for changes, _ in backs:
        for key, entry in changes.items():
            if known.side_by_side and not entry.implied and not entry.refined and key in state.changes:
                state.changes[key].rivals = step.name_node
    _collect(paths, step, state, collected)


def _over(state: State, head: State, changes: dict[str, Entry], why: Unset) -> State:
    """The state on one way out of a loop; what no pass has set yet is unset because of that way."""
    whole = dict(head.changes)
    overlay(whole, changes)
    for key, entry in whole.items():
        if not entry.always and state.get(key) is None and (key in head.changes) is (key not in changes):
            whole[key] = Entry(entry.type, entry.where, always=False, unset=why, implied=entry.implied)
    return way_out(state, whole)


def _collect(paths: Paths, step: StepNode, state: State, types: list[Type]) -> None:
    """Sets the list of what each pass gave."""
    key = step.keys.get("collectKey")
    if key is None or not isinstance(key.value, str):
        return
    item = types[0] if types else ANY
    for other in types[1:]:
        item = join(item, other)
    paths.write(state, key.value, list_of(item), key)


def _lost_updates(
    paths: Paths, known: Loop, backs: list[tuple[dict[str, Entry], Unset]], read: dict[str, object]
) -> None:
    """Reports keys that passes side by side read before they set them: each pass loses what the others set."""
    seen = set()
    for changes, _ in backs:
        for key, entry in changes.items():
            if key in seen or key not in read or entry.implied or entry.refined or entry.where is None:
                continue
            seen.add(key)
            related = (Related(read[key], "read here"),)  # type: ignore[arg-type]  # a span, as the names put it in
            message = (
                f"the passes of the {known.step.spec.name} at {line(known.step)} run side by side, and each sets "
                f"`{key}` anew: what the others set is lost"
            )
            hint = "use `collect`, or leave `concurrency` out"
            paths.findings.add(
                "parallel-write-conflict", message, entry.where, hint=hint, severity="warning", related=related
            )
