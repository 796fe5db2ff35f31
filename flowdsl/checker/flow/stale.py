"""Values that an earlier iteration of a loop set, where the present one has failed or left out what sets them.

Asked inside of loops over items alone; what is carried on purpose, as it is read before it is set, is none of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from flowdsl.checker.types.kinds import IMAGE
from flowdsl.diagnostics import Related

if TYPE_CHECKING:
    from flowdsl.checker.findings import Findings
    from flowdsl.checker.flow.state import Entry, State, Unset
    from flowdsl.checker.names.name_table import NameTable
    from flowdsl.document.document import StepNode
    from flowdsl.source import Span


def mark_failing(
    iteration: tuple[StepNode, State], before: State, failing: State, tried: Iterable[str], step: StepNode, why: Unset
) -> None:
    """Marks in the state in which a step catches an error each key that its body writes (`tried`): it may be as it was
    `before`. What is set there anew is not marked any more."""
    for key in tried:
        entry = failing.changes.get(key)
        if entry is not None and not entry.implied and not _is_of_this_iteration(key, before, iteration):
            entry.stale = iteration[0], step, why


def pictures_of(ways: Iterable[tuple[State, Unset]]) -> set[str]:
    """The keys that some of several ways write pictures to."""
    return {key for way, _ in ways if way.dead is None for key, entry in way.changes.items() if _is_of_pictures(entry)}


def mark_left_out(
    iteration: tuple[StepNode, State],
    before: State,
    state: State,
    pictures: Iterable[str],
    ways: Iterable[tuple[State, Unset]],
    step: StepNode,
) -> None:
    """Marks in `state` each key that some of several ways write `pictures` to: on the others it is as it was `before`.
    Other values are carried from iteration to iteration on purpose more often than not."""
    live = [way for way in ways if way[0].dead is None]
    for key in pictures:
        lacking = next((why for way, why in live if key not in way.changes or way.changes[key].narrowed), None)
        entry = state.changes.get(key)
        if lacking is not None and entry is not None and not _is_of_this_iteration(key, before, iteration):
            entry.stale = iteration[0], step, lacking


def _is_of_pictures(entry: Entry) -> bool:
    if entry.narrowed or entry.implied or entry.type.is_any:
        return False
    item = entry.type.item
    return bool(entry.type.kinds & IMAGE) or (item is not None and not item.is_any and bool(item.kinds & IMAGE))


def _is_of_this_iteration(key: str, state: State, iteration: tuple[StepNode, State]) -> bool:
    """Whether the present iteration has set a key already; also where that cannot be known."""
    at: State | None = state
    while at is not None and at is not iteration[1]:
        entry = at.changes.get(key)
        if entry is not None and not entry.narrowed:
            return entry.stale is None
        at = at.base
    return at is None


def report(names: NameTable, key: str, shown: str, entry: Entry, span: Span) -> None:
    """Reports that a key is read where it may be stale, the first time in its loop that it is."""
    stale = entry.stale
    assert stale is not None  # noqa: S101  who asks has looked
    loop, step, why = stale
    if not _holds(loop, span) or _holds(step, span) or why.node is None or _is_carried(key, entry, loop):
        return
    related = Related(why.node.span, "what this leaves out or fails at stays as it was")
    reported = (found.related[0] for found in names.findings.diagnostics if found.code == "stale-value")
    message = f"`{shown}` may still hold what an earlier iteration set: {why.text}"
    if related not in reported:
        hint = set_anew(names.findings)
        names.findings.add("stale-value", message, span, hint=hint, related=(related, *names.reading))


def _holds(step: StepNode, span: Span) -> bool:
    return span.source is step.node.source and step.node.start <= span.start < step.node.end


def _is_carried(key: str, entry: Entry, loop: StepNode) -> bool:
    """Whether the loop reads a key before it sets it: then iterations go on from what the one before them left."""
    writes = [step for step in _every(loop) if entry.where is not None and _holds(step, entry.where.span)]
    if not writes:
        return False
    name, step = re.escape(key), writes[-1]  # the innermost
    read = rf"flowContext\.{name}\b|\{{\{{-?\s{{0,9}}{name}\b|:\s{{1,9}}[\"']?{name}[\"']?\s{{0,9}}[,}}\r\n]"
    before = loop.node.source.text[loop.node.start : step.node.end]
    return re.search(read, before) is not None or any(port.type == key for port in step.spec.inputs)


def _every(step: StepNode) -> Iterator[StepNode]:
    for block in step.blocks:
        for inner in block.steps:
            yield inner
            yield from _every(inner)


def set_anew(findings: Findings) -> str:
    """What to do so that no iteration reads what an earlier one set."""
    from flowdsl.checker.flow.jumps import exits
    from flowdsl.step.signals import Signal

    start = findings.how_to_set(" at the beginning of each iteration")
    ends = exits(findings, Signal.CONTINUE)
    return start + "".join(f", or end the iteration with {name} where the key is not set" for name in ends)
