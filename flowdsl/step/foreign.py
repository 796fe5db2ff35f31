"""What words of other tools are here. A package of steps may hold them in a module `foreign_words`, as data.

Read after a mistake only: nothing here is imported while a flow without one is checked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any, NamedTuple

from flowdsl.entry_points import foreign, targets

GROUP = "flowdsl.steps"
MODULE = "foreign_words"


class Word(NamedTuple):
    """What a word of elsewhere is here: another name, or a hint; with `goes` it is removed, `times` is what its value
    is multiplied by, and `beside` a key that it needs here. `of_loop`: it is the item of the loop around; `lifted`: the
    keys of its value stand beside it here."""

    name: str | None = None
    hint: str | None = None
    goes: bool = False
    times: int = 1
    beside: str | None = None
    of_loop: bool = False
    lifted: bool = False


def step_word(name: str) -> Word | None:
    """What the name of a step is here."""
    shown = name.upper().replace("-", "_").rpartition(".")[2]
    found = _word("STEPS", shown)
    if found is None:
        parts = (hint for tables in _tables() for part, hint in getattr(tables, "STEP_PARTS", ()) if part in shown)
        hint = next(parts, None)
        found = Word(hint=hint) if hint is not None else None
    return found


def key_word(step: str, key: str, value: Any) -> Word | None:
    """What a key of a step, with this value, is here."""
    for tables in _tables():
        name, times = getattr(tables, "TIMES", {}).get(key, (None, 1))
        if name is not None:
            counts = isinstance(value, (int, float)) and not isinstance(value, bool) and value < times
            return Word(name, times=times if counts else 1)
        for general in (False, True):
            for steps, words in getattr(tables, "KEYS", ()):
                if key in words and (not steps if general else step in steps):
                    return _made(words[key])
    return None


def word_of(table: str, word: str) -> Word | None:
    """What a word is here, by one of the other tables: ROOT, NAMES, FUNCTIONS, FILTERS, METHODS, INPUT_TYPES, SHORT."""
    return _word(table, word)


def method_edit(name: str, argument: str) -> str | None:
    """What takes the place of a call of a method of elsewhere, `.name(argument)`; None where that is not known."""
    for tables in _tables():
        found = getattr(tables, "METHOD_EDITS", {}).get(name)
        if found is not None and ("{}" in found) == bool(argument.strip()) and "," not in argument:
            return str(found).replace("{}", argument.strip())
    return None


def document(keys: Iterable[str], of_items: Iterable[Iterable[str]]) -> str | None:
    """What a file of another tool is, by the keys of its root, and of the maps in it; None when nothing says so."""
    known = set(keys)
    for tables in _tables():
        for what, needed in getattr(tables, "DOCUMENTS", ()):
            if known.issuperset(needed):
                return str(what)
        items: Mapping[str, str] = getattr(tables, "DOCUMENT_ITEMS", {})
        inside = [set(item) for item in of_items]
        for key, what in items.items():
            if inside and all(key in item for item in inside):
                return what
    return None


def _word(table: str, word: str) -> Word | None:
    for tables in _tables():
        found = getattr(tables, table, {}).get(word)
        if found is not None:
            return _made(found)
    return None


def _made(text: str) -> Word:
    if text.startswith("="):
        name, _, beside = text[1:].partition(" + ")
        return Word(name, beside=beside or None)
    if text.startswith("*"):
        return Word(hint=text[1:], of_loop=True)
    if text.startswith("^"):
        return Word(hint=text[1:], lifted=True)
    return Word(hint=text.removeprefix("-"), goes=text.startswith("-"))


_WORDS = (
    *("DOCUMENT_ITEMS", "FILTERS", "FUNCTIONS", "INPUT_TYPES", "METHODS", "METHOD_EDITS", "NAMES", "ROOT", "SHORT"),
    "STEPS",
)
"""The tables that give a text for a text."""


_LISTS = ("STEP_PARTS", "DOCUMENTS", "KEYS")
"""The tables of pairs, which are asked in order."""


def _checked(tables: ModuleType) -> ModuleType:
    """A module of tables that have the shapes that are read here.

    Raises:
        TypeError: one has another.
    """
    for name in (*_WORDS, "TIMES"):
        if not isinstance(getattr(tables, name, {}), Mapping):
            raise TypeError(f"one of its tables is no dict: {name}")
    for name in _LISTS:
        table = getattr(tables, name, ())
        if not isinstance(table, (list, tuple)):
            raise TypeError(f"one of its tables is no list: {name}")
    try:
        pairs = [pair for name in _WORDS for pair in getattr(tables, name, {}).items()]
        pairs += [(part, hint) for part, hint in getattr(tables, "STEP_PARTS", ())]
        pairs += [(what, key) for what, keys in getattr(tables, "DOCUMENTS", ()) for key in _several(keys)]
        for steps, words in getattr(tables, "KEYS", ()):
            _several(steps)
            pairs += [*words.items(), *((step, step) for step in steps)]
        times = [(key, name, number + 0) for key, (name, number) in getattr(tables, "TIMES", {}).items()]
        pairs += [(key, name) for key, name, _ in times]
    except (AttributeError, TypeError, ValueError) as error:
        raise TypeError(f"one of its tables has another shape than those of flowdsl_steps: {error}") from error
    for pair in pairs:
        if not all(isinstance(text, str) for text in pair):
            raise TypeError(f"one of its tables holds what is no text: {pair!r:.60}")
    return tables


def _several(names: Any) -> Any:
    """Names, which are not one text: of that each letter would count."""
    if isinstance(names, str) or not isinstance(names, Collection):
        raise TypeError(f"{names!r:.40} stands where a list of names should")
    return names


@lru_cache(maxsize=1)
def _tables() -> tuple[ModuleType, ...]:
    return tuple(_modules())


def _modules() -> Iterator[ModuleType]:
    from importlib import import_module

    for name, target in sorted(targets(GROUP)):
        package = target.partition(":")[0]
        module = f"{package}.{MODULE}"

        def read(package: str = package, module: str = module) -> ModuleType | None:
            try:
                return _checked(import_module(module))
            except ModuleNotFoundError as error:
                if error.name is not None and f"{module}.".startswith(f"{error.name}."):
                    return None  # the package has none; another module that is not there is a fault of its own
                raise

        tables = foreign(GROUP, name, module, read)
        if tables is not None:
            yield tables
