"""The fixes of findings, applied: round after round, until none is left that makes a file cleaner.

Fixes are kept only where the file checks at least as clean with them: their findings are gone, and there are no more
errors than before, nor more mistakes of syntax, which hide others. A fix that brings to light what its mistake hid is
kept where the fixes of that leave no more errors than there were.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from flowdsl.codes import SEVERITIES
from flowdsl.diagnostics import Diagnostic, Edit, Fix, fixed
from flowdsl.source import Source
from flowdsl.syntax.yaml_reader import read

Check = Callable[[Source], list[Diagnostic]]
Chosen = list[tuple[Diagnostic, Fix]]
_MOST_CHECKS = 300
_MOST_CHARACTERS = 100_000_000
"""How often one file is checked, at most, and how many characters that may be in all."""
_FEWEST_CHECKS = 5
"""A large file is checked that often all the same."""
_DEEPEST = 4
"""How many fixes in a row may bring more to light than they correct."""


class Repaired(NamedTuple):
    """A file with the fixes that were `applied`, each with its finding; the findings that are `left`, and how many
    mistakes of syntax are among them."""

    source: Source
    applied: tuple[tuple[Diagnostic, Fix], ...]
    left: list[Diagnostic]
    unread: int


def repaired(source: Source, check: Check, *, unsafe: bool = False) -> Repaired:
    """A file with every fix that makes it cleaner; without `unsafe`, with those of them that are safe.

    `check` gives the findings of a text. Fixes of other files than this one are left alone.
    """
    return _Repair(source, check, unsafe).run(Repaired(source, (), check(source), _unread(source)), _DEEPEST)


class _Repair:
    def __init__(self, source: Source, check: Check, unsafe: bool) -> None:
        self._check = check
        self._unsafe = unsafe
        self._checks = min(_MOST_CHECKS, max(_FEWEST_CHECKS, _MOST_CHARACTERS // (len(source.text) + 1)))
        """How many are left."""
        self._known: dict[str, tuple[Source, list[Diagnostic], int]] = {}
        """Texts that were checked, each with what came of it."""

    def run(self, state: Repaired, deep: int, before: frozenset[str] = frozenset()) -> Repaired:
        """The cleanest state that fixes make of one. None of the texts `before` comes again, so that two fixes that
        undo each other come to an end."""
        while True:
            before |= {state.source.text}
            better = self._together(state, before) or self._singly(state, deep, before)
            if better is None:
                return state
            state = better

    def _together(self, state: Repaired, before: frozenset[str]) -> Repaired | None:
        """As many fixes as possible that do not touch each other, at once; of each finding the first."""
        chosen: Chosen = []
        taken: list[tuple[int, int]] = []
        for finding, fix in self._fixes(state):
            places = [(edit.span.start, edit.span.end) for edit in fix.edits]
            if (chosen and chosen[-1][0] is finding) or any(_touches(place, taken) for place in places):
                continue
            chosen.append((finding, fix))
            for place in places:
                insort(taken, place)
        return self._batch(state, chosen, before)

    def _batch(self, state: Repaired, chosen: Chosen, before: frozenset[str]) -> Repaired | None:
        """The state with all of some fixes, or with half of them, where one of them may spoil it."""
        if len(chosen) < 2:
            return None
        tried = self._tried(state, chosen, before)
        if tried is not None and _are_gone(chosen, tried, state) and not _new_errors(tried, state):
            return tried if _is_as_clean(tried, state) else None
        half = len(chosen) // 2
        return self._batch(state, chosen[:half], before) or self._batch(state, chosen[half:], before)

    def _singly(self, state: Repaired, deep: int, before: frozenset[str]) -> Repaired | None:
        """The state with the first fix that leaves it as clean, by itself or with those that follow from it."""
        brought: list[Repaired] = []
        for each in self._fixes(state):
            tried = self._tried(state, [each], before)
            if tried is None or not _are_gone([each], tried, state):
                continue
            if _is_as_clean(tried, state):
                return tried
            brought.append(tried)
        ends = (self.run(tried, deep - 1, before) for tried in brought) if deep else iter(())
        return next((end for end in ends if _is_as_clean(end, state)), None)

    def _fixes(self, state: Repaired) -> Iterator[tuple[Diagnostic, Fix]]:
        for finding in state.left:
            for fix in finding.fixes:
                here = all(edit.span.source is state.source for edit in fix.edits)
                if here and not fix.by_hand and (fix.safe or self._unsafe):
                    yield finding, fix

    def _tried(self, state: Repaired, chosen: Chosen, before: frozenset[str]) -> Repaired | None:
        """The state with some fixes, whatever comes of them; None for a text that was there before, or after enough
        checks."""
        edits: list[Edit] = [edit for _, fix in chosen for edit in fix.edits]
        text = fixed(state.source, Fix("all", tuple(edits)))
        if text in before or (text not in self._known and not self._checks):
            return None
        if text not in self._known:
            self._checks -= 1
            source = Source("\ufeff" * state.source.marks + text, state.source.path)
            self._known[text] = source, self._check(source), _unread(source)
        source, left, unread = self._known[text]
        return Repaired(source, (*state.applied, *chosen), left, unread)


def _touches(place: tuple[int, int], taken: list[tuple[int, int]]) -> bool:
    """Whether characters overlap some of those that are taken, or stand beside them."""
    start, end = place
    at = bisect_left(taken, place)
    return any(first <= end and start <= last for first, last in taken[max(at - 1, 0) : at + 1])


def _new_errors(state: Repaired, before: Repaired) -> bool:
    then, now = (
        Counter((each.code, each.message) for each in found.left if each.severity == "error")
        for found in (before, state)
    )
    return bool(now - then)


def _are_gone(chosen: Chosen, state: Repaired, before: Repaired) -> bool:
    """Whether there are fewer findings like those that were corrected."""
    then, now = (Counter((each.code, each.message) for each in found) for found in (before.left, state.left))
    return all(now[each.code, each.message] < then[each.code, each.message] for each, _ in chosen)


def _is_as_clean(state: Repaired, before: Repaired) -> bool:
    """Whether a state is at least as clean as another."""
    now, then = ([_count(each, severity) for severity in SEVERITIES] for each in (state, before))
    return state.unread <= before.unread and now[0] <= then[0] and (now[0] < then[0] or now <= then)


def _count(state: Repaired, severity: str) -> int:
    return sum(finding.severity == severity for finding in state.left)


def _unread(source: Source) -> int:
    """How many mistakes of syntax a text has."""
    found = read(source, lambda path, span: (None, []))[1]
    return sum(finding.severity == "error" for finding in found)
