"""Did you mean: the nearest of some names."""

from __future__ import annotations

import re
from _thread import allocate_lock
from bisect import bisect_left
from collections.abc import Iterable, Sequence

_WORD = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+"  # compiled when it is needed: most checks compare no names
_LONG_ENOUGH = 4
"""A part of a name shorter than this says nothing about which name is meant."""
_MANY = 256
"""So many names are all compared."""
_NEIGHBOURS = 32
"""Of more, so many on each side."""
_SEVERAL = 3
"""A name of so many words may lack one of them."""
_SLIPS = 2
"""So many letters are a slip, rather than another word."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The most similar name, or None when nothing is close enough to be a likely misspelling."""
    folded = _fold(name)
    best: tuple[int, str] | None = None
    every = tuple(names)
    candidates = [candidate for candidate in _near(name, folded, every) if candidate != name]
    for candidate in candidates:
        shorter = min(len(folded), len(candidate))
        allowed = (shorter > 1) * max(1, shorter // 3)
        distance = _distance(folded, _fold(candidate), allowed if best is None else min(allowed, best[0] - 1))
        if distance is not None:
            best = (distance, candidate)
    if best is None or best[0] > _SLIPS:
        lacking = _lacking(name, candidates)
        if lacking is not None:
            return lacking
    return best[1] if best else _containing(name, candidates) or _abbreviated(name, candidates)


def _near(name: str, folded: str, names: tuple[str, ...]) -> Iterable[str]:
    """The names that are worth comparing, in their order: all, or of very many those that begin or end like the name,
    or have a word in common with it. A file has as many names that are not known as it has names."""
    if len(names) <= _MANY:
        return names
    with _turn:
        order = next((one for one in _orders if one.covers(names)), None)
        if order is None:
            order = _Order()
            _orders[:] = [order, *_orders[:7]]
        order.take(names)
        return [names[place] for place in sorted(order.near(name, folded))]


class _Order:
    """Names in the order of the alphabet, from both ends, and by the words in them, each with its place. Often the next
    names that are asked for are the same and one more: a step further, another variable is set."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._forwards: list[tuple[str, int]] = []
        self._backwards: list[tuple[str, int]] = []
        self._words: dict[str, list[int]] = {}

    def covers(self, names: tuple[str, ...]) -> bool:
        """Whether these names begin with those that are in order."""
        return names[: len(self._names)] == self._names

    def take(self, names: tuple[str, ...]) -> None:
        """Brings the further names into order."""
        begin = len(self._names)
        self._names = names
        for place, name in enumerate(names[begin:], begin):
            folded = _fold(name)
            self._forwards.append((folded, place))
            self._backwards.append((folded[::-1], place))
            for word in _words(name):
                places = self._words.setdefault(word, [])
                if len(places) < _NEIGHBOURS:
                    places.append(place)
        if begin < len(names):  # what is in order already is not compared again
            self._forwards.sort()
            self._backwards.sort()

    def near(self, name: str, folded: str) -> set[int]:
        """The places of the names that stand beside a name, or have a word in common with it."""
        found: set[int] = set()
        for key, places in ((folded, self._forwards), (folded[::-1], self._backwards)):
            at = bisect_left(places, (key, 0))
            found.update(place for _, place in places[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS])
        for word in _words(name):
            found.update(self._words.get(word, ()))
        return found


_orders: list[_Order] = []
_turn = allocate_lock()
"""A host may check files in several threads."""


def _lacking(name: str, candidates: Iterable[str]) -> str | None:
    """The name that has one word more than the given one, which has several: `A_IMAGE_SIZE` means
    `A_LARGE_IMAGE_SIZE`."""
    words = _words(name)
    if len(words) < _SEVERAL:
        return None
    for candidate in candidates:
        others = _words(candidate)
        if len(others) == len(words) + 1 and any(others[:at] + others[at + 1 :] == words for at in range(len(others))):
            return candidate
    return None


def _containing(name: str, candidates: Iterable[str]) -> str | None:
    """The name of which the given one is a part in whole words, or, when it is most of it, the other way around; one
    that begins the same comes first."""
    words = _words(name)
    best: tuple[bool, int, str] | None = None
    for candidate in candidates:
        others = _words(candidate)
        short, long = sorted((words, others), key=len)
        place = _place(short, long)
        size = len("".join(short))
        if place is None or size < _LONG_ENOUGH or (short is others and 2 * size < len("".join(long))):
            continue
        rank = (place > 0, len(candidate), candidate)
        best = rank if best is None else min(best, rank)
    return best[2] if best else None


def _abbreviated(name: str, candidates: Iterable[str]) -> str | None:
    """The shortest name whose words the given one cuts short: `SAVE_IMG` means `SAVE_IMAGES`."""
    words = _words(name)
    if len(words) < 2:
        return None
    meant = [each for each in candidates if _cuts_short(words, _words(each))]
    return min(meant, key=lambda each: (len(each), each)) if meant else None


def _cuts_short(words: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether words are others with letters left out, in none the first or more than half."""
    return len(words) == len(whole) and all(_is_cut(*pair) for pair in zip(words, whole, strict=True))


def _is_cut(word: str, whole: str) -> bool:
    letters = iter(whole)
    return word[0] == whole[0] and 2 * len(word) >= len(whole) and all(letter in letters for letter in word)


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(_WORD, name[:64])]


def _place(part: Sequence[str], whole: Sequence[str]) -> int | None:
    """Where a run of words stands in another."""
    starts = range(len(whole) - len(part) + 1)
    return next((at for at in starts if whole[at : at + len(part)] == part), None) if part else None


def _fold(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")


def _distance(a: str, b: str, most: int) -> int | None:
    """Edits (insert, delete, replace, swap of neighbours) between two names, which are cut when they are long; None
    where it takes more than `most`."""
    a, b = a[:64], b[:64]
    if abs(len(a) - len(b)) > min(most, 8):
        return None
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > most and min(last) > most:  # from both of them it only grows
            return None
        before, last = last, row
    return last[-1] if last[-1] <= most else None
