"""Where the forms of secrets stand in a text: as soon found among 100,000 forms as among ten.

Templates make new secrets of secrets, in a loop one each time, so nothing here looks at all forms: those that can begin
at a place are found by its first characters.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from threading import RLock

from flowdsl.secrets.plain import BEGINNING, HIDDEN, REVEALING

_SHORT, _MOST_CLEAN = 100, 2000
"""Texts of so many characters that were found to hold no form are remembered, and so many of them."""
_SEARCHED = 64
"""So many different starts are searched for one by one, in C; of more, those are picked that the text has."""


class SecretForms:
    """Texts that are taken out of others, with beginnings of the long ones.

    Steps in threads hide what they emit while others add: both hold the lock.
    """

    __slots__ = ("_clean", "_is_lent", "_lock", "_long", "_longest", "_short", "_starts")

    def __init__(self) -> None:
        self._lock = RLock()
        self._starts: set[str] = set()
        self._short: set[str] = set()
        self._long: dict[str, list[str]] = {}
        """The forms that are longer than a beginning, in order, by their beginning."""
        self._longest = 0
        self._clean: set[str] = set()
        self._is_lent = False
        """Whether its forms are another one's still."""

    def adopt(self, other: SecretForms) -> None:
        """Adds the forms of another one, which is not added to any more. Those that have the first of the same have in
        common what was found to be clean: runs of a batch have the same key, and repeat most of their texts."""
        with self._lock:
            if self._starts:
                self.add((*other._short, *(form for alike in other._long.values() for form in alike)))
                return
            self._starts, self._short, self._longest = other._starts, other._short, other._longest
            self._long, self._clean, self._is_lent = other._long, other._clean, True

    def add(self, forms: Iterable[str]) -> None:
        """Adds forms; what is shorter than REVEALING is left out."""
        with self._lock:
            if self._is_lent:  # a copy for each run of a batch would cost a tenth of it
                self._starts, self._short = {*self._starts}, {*self._short}
                self._long = {start: [*alike] for start, alike in self._long.items()}
                self._is_lent = False
            self._clean = set()
            for form in forms:
                if len(form) <= BEGINNING:
                    if len(form) >= REVEALING:
                        self._short.add(form)
                        self._starts.add(form[:REVEALING])
                    continue
                self._starts.add(form[:REVEALING])
                self._longest = max(self._longest, len(form))
                alike = self._long.setdefault(form[:BEGINNING], [])
                at = bisect_left(alike, form)
                if alike[at : at + 1] != [form]:
                    alike.insert(at, form)

    def hide(self, text: str) -> str:
        """The text with `***` in place of each form, and of each beginning of one."""
        if len(text) < REVEALING or not self._starts or text in self._clean:
            return text
        with self._lock:
            starts = self._starts
            if len(starts) > _SEARCHED:
                starts = starts.intersection(text[at : at + REVEALING] for at in range(len(text) - REVEALING + 1))
            present = [start for start in starts if start in text]
            if present:
                return self._without(text, present)
            if len(text) <= _SHORT:
                if len(self._clean) >= _MOST_CLEAN:
                    self._clean.clear()
                self._clean.add(text)
            return text

    def _without(self, text: str, starts: list[str]) -> str:
        found: list[tuple[int, int]] = []
        for start in starts:
            at = text.find(start)
            while at >= 0:
                length = self._length(text, at)
                if length:
                    found.append((at, at + length))
                at = text.find(start, at + max(length, 1))
        end = 0
        parts: list[str] = []
        for at, stop in sorted(found):  # they may overlap
            if at >= end:
                parts += (text[end:at], HIDDEN)
            end = max(end, stop)
        return "".join((*parts, text[end:])) if parts else text

    def _length(self, text: str, at: int) -> int:
        """How many characters from there on are a form, the longest, or else begin one; 0 when they do neither."""
        alike = self._long.get(text[at : at + BEGINNING])
        if alike is not None:
            rest = text[at : at + self._longest]
            return _longest_in(alike, rest) or self._short_length(text, at) or _agreeing_with(alike, rest)
        return self._short_length(text, at)

    def _short_length(self, text: str, at: int) -> int:
        return next((n for n in range(BEGINNING, REVEALING - 1, -1) if text[at : at + n] in self._short), 0)


def _longest_in(forms: list[str], text: str) -> int:
    """The length of the longest of these forms, which are in order, that the text begins with; 0 when it is none."""
    while text:
        at = bisect_right(forms, text)
        if at == 0:
            return 0
        before = forms[at - 1]
        if text.startswith(before):
            return len(before)
        text = text[: _agreeing(before, text)]  # a form that the text begins with stands before this one, and begins it
    return 0


def _agreeing_with(forms: list[str], text: str) -> int:
    """With how many characters the text begins one of these forms: one beside its own place among them agrees most."""
    at = bisect_left(forms, text)
    return max(_agreeing(form, text) for form in forms[max(0, at - 1) : at + 1])


def _agreeing(one: str, other: str) -> int:
    """How many first characters two texts have in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
