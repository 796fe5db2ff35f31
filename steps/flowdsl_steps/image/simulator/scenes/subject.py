"""What a prompt is about: the first of its words that a subject knows, the longest where several begin."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import MappingProxyType

from flowdsl_steps.image.simulator.pen import Pen

Draw = Callable[[Pen], None]
LAND, SEA, UNDER, TABLE, AIR, SPACE, CITY, RIDGE = "land", "sea", "under", "table", "air", "space", "city", "ridge"
"""What is around a subject; the last two are whole landscapes, which nothing stands in."""

_MODULES = (
    "animals",
    "water_animals",
    "vehicles",
    "things",
    "instruments",
    "food",
    "plants",
    "places",
    "people",
    "sky",
)
_SUBJECTS: dict[str, Subject] = {}
_TOKEN = re.compile(r"[^\W_]+|[^\w\s]")
_LONGEST = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """Something a picture shows. `colours` are the ones it comes in, as hexadecimal digits."""

    name: str
    setting: str
    colours: tuple[str, ...]
    words: tuple[str, ...]
    weak: tuple[str, ...]
    draw: Draw


def subject(setting: str, colours: str, words: str, *, weak: str = "") -> Callable[[Draw], Draw]:
    """Makes a function draw a subject: what surrounds it, its colours, and the words and emoji that call for it.

    A plural with `s` or `es` needs no mention, and words joined by `-` follow each other. The `weak` ones count where
    a prompt has no other: a portrait of a fox is a fox.
    """

    def known(draw: Draw) -> Draw:
        name = draw.__name__.strip("_")
        _SUBJECTS[name] = Subject(
            name, setting, tuple(colours.split()), (name.replace("_", "-"), *words.split()), tuple(weak.split()), draw
        )
        return draw

    return known


@cache
def subjects() -> Mapping[str, Subject]:
    """Every subject by name."""
    for module in _MODULES:
        import_module(f"flowdsl_steps.image.simulator.scenes.{module}")
    return MappingProxyType(_SUBJECTS)


def subject_of(prompt: str) -> Subject | None:
    """The subject of a prompt, None where no word of it is known."""
    tokens = _TOKEN.findall(prompt.lower().replace("'s", " ").replace("’s", " "))
    for words in _words():
        for place in range(len(tokens)):
            for length in range(_LONGEST, 0, -1):
                found = words.get(" ".join(tokens[place : place + length]))
                if found is not None:
                    return found
    return None


def emoji() -> Mapping[str, Subject]:
    """The subjects that are drawn in place of an emoji."""
    return {word: found for word, found in _words()[0].items() if len(word) == 1 and ord(word) > 0x2000}


@cache
def _words() -> tuple[Mapping[str, Subject], Mapping[str, Subject]]:
    strong: dict[str, Subject] = {}
    weak: dict[str, Subject] = {}
    for found in subjects().values():
        for table, words in ((strong, found.words), (weak, found.weak)):
            for word in words:
                for form in _forms(word.replace("-", " ")):
                    table.setdefault(form, found)
    return strong, weak


def _forms(word: str) -> tuple[str, ...]:
    if word.endswith("y") and word[-2:-1] not in "aeou":
        return word, word + "s", word[:-1] + "ies"
    return word, word + "s", word + "es"
