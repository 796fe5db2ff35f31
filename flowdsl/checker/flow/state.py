"""What is known of the FlowContext at one point of a flow: for each key its type, and whether it is set on every path.

A state is a layer of changes over the state it branched from, so that a branch costs what it changes and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from flowdsl.checker.types.kinds import ANY, Type, join, within
from flowdsl.record import Record
from flowdsl.syntax.node import Node

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode


class Unset(Record):
    """Why a key may be unset, in words, with the place that says so and a word on it."""

    text: str
    node: Node | None = None
    label: str = ""
    later: str | None = None
    """The index of the loop whose first iteration alone leaves the key unset."""
    kept: bool = False
    """Whether iterations after the first may read what an earlier one set."""


class Entry:
    """One key: its type, whether every path sets it (`always`), where it is set, and why it may be unset.

    `narrowed`: not written here, only known better by a condition. `implied`: written by the language, as a loop
    variable is, and no concern of conflicts. `supposed`: a condition says that it is set, though no path sets it.
    `rivals`: the loop whose iterations write it side by side. `stale`: the loop of which an iteration may see what an
    earlier one set, the step in it that may not set it, and why.
    """

    __slots__ = ("always", "implied", "narrowed", "rivals", "stale", "supposed", "type", "unset", "where")

    def __init__(
        self,
        type: Type,
        where: Node | None,
        always: bool = True,
        unset: Unset | None = None,
        narrowed: bool = False,
        implied: bool = False,
    ) -> None:
        self.type = type
        self.where = where
        self.always = always
        self.unset = unset
        self.narrowed = narrowed
        self.implied = implied
        self.rivals: StepNode | None = None
        self.stale: tuple[StepNode, StepNode, Unset] | None = None
        self.supposed = False


class State:
    """A layer of changes over `base`. `dead` says why no path comes here; `open` that a caller may have set any key."""

    __slots__ = ("base", "changes", "dead", "open")

    def __init__(self, base: State | None = None) -> None:
        self.base = base
        self.changes: dict[str, Entry] = {}
        self.dead: Unset | None = None
        self.open: bool = base.open if base is not None else False

    def get(self, key: str) -> Entry | None:
        """What is known of a key; None when no path sets it."""
        state: State | None = self
        while state is not None:
            found = state.changes.get(key)
            if found is not None:
                return found
            state = state.base
        return None

    def known_keys(self) -> Iterator[str]:
        """Every key that may be set."""
        state: State | None = self
        seen: set[str] = set()
        while state is not None:
            for key in state.changes:
                if key not in seen:
                    seen.add(key)
                    yield key
            state = state.base

    def since(self, base: State) -> dict[str, Entry]:
        """The changes down to, without, a state it branched from."""
        if self.base is base:
            return dict(self.changes)
        layers = []
        state: State | None = self
        while state is not None and state is not base:
            layers.append(state.changes)
            state = state.base
        found: dict[str, Entry] = {}
        for changes in reversed(layers):
            overlay(found, changes)
        return found


def overlay(changes: dict[str, Entry], later: dict[str, Entry]) -> None:
    """Adds later changes; what was written stays written when it is only known better."""
    for key, entry in later.items():
        known = changes.get(key)
        if entry.narrowed and known is not None and not known.narrowed:
            entry = Entry(entry.type, entry.where, entry.always, entry.unset, implied=entry.implied)
        changes[key] = entry


def joined(base: State, key: str, entries: Iterable[tuple[Entry | None, Unset]]) -> Entry:
    """The entry of a key after several paths, each with why the key is unset on it if it is."""
    type: Type | None = None
    always, implied, where, unset, rivals, stale = True, True, None, None, None, None
    for entry, reason in entries:
        if entry is not None and entry.supposed:
            continue  # only a caller that sets the key comes this way, and nothing is known of its value
        if entry is None:
            if base.open:
                type = ANY if type is None else join(type, ANY)
                continue
            always, unset = False, unset or reason
            continue
        type = entry.type if type is None else join(type, entry.type)
        implied = implied and entry.implied
        where = where or entry.where
        rivals = rivals or entry.rivals
        stale = stale or entry.stale
        if not entry.always:
            always, unset = False, unset or entry.unset
    found = Entry(type or ANY, where, always, unset, implied=implied)
    found.rivals, found.stale = rivals, stale
    found.supposed = found.narrowed = type is None and unset is None
    return found


def merge(base: State, paths: list[tuple[State, Unset]]) -> None:
    """Continues a state after several paths that branched from it, dead ones left out."""
    live = [path for path in paths if path[0].dead is None]
    if not live:
        base.dead = paths[0][0].dead if paths else None
        return
    if len(live) == 1:
        overlay(base.changes, live[0][0].changes)
        return
    changed = dict.fromkeys(key for state, _ in live for key in state.changes)
    for key in changed:
        known = base.get(key)
        entries = []
        written = False
        for state, reason in live:
            entry = state.changes.get(key)
            if entry is None:
                entry = known
            written = written or (entry is not None and entry is not known and not entry.narrowed)
            entries.append((entry, reason))
        if written:
            base.changes[key] = joined(base, key, entries)


def covers(head: dict[str, Entry], back: dict[str, Entry]) -> bool:
    """Whether the entries at the head of a loop say all that comes back to it."""
    for key, entry in back.items():
        known = head.get(key)
        if known is None or (known.always and not entry.always) or not within(entry.type, known.type):
            return False
    return True
