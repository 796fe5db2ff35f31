"""Mistakes in a settings file, with the line and a caret as those of flows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.settings.toml_places import Path
    from flowdsl.source import Span


class Mistaken(UsageError):
    """Settings that cannot be: what is wrong with them, each with its place; `plain` is told without. One without any
    repeats what is told elsewhere."""

    def __init__(self, *findings: Diagnostic, plain: Iterable[str] = ()) -> None:
        from flowdsl.diagnostics import render

        self.findings = findings
        self.plain = tuple(plain)
        self.parts = [*(render([each]) for each in findings), *self.plain]
        super().__init__("\n\n".join(self.parts))


class Mistakes:
    """Gathers the mistakes of settings, so that all of them are told at once."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []
        self._plain: list[str] = []

    def __len__(self) -> int:
        return len(self._found) + len(self._plain)

    def add(self, mistake: Mistaken) -> None:
        """Takes what is wrong."""
        self._found += mistake.findings
        self._plain += mistake.plain

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Takes the first mistake of a block, which ends there."""
        try:
            yield
        except Mistaken as mistake:
            self.add(mistake)

    def check(self) -> None:
        """Raises Mistaken with all there are, in the order of the file."""
        if len(self):
            once = {(each.span.path, each.span.start, each.message): each for each in self._found}
            raise Mistaken(*(once[key] for key in sorted(once)), plain=dict.fromkeys(self._plain))


def mistake(path: str, keys: Path, message: str, hint: str | None = None, *, of_key: bool = False) -> Mistaken:
    """The error for a setting that cannot be: it marks the value that `keys` lead to, or with `of_key` the key."""
    from flowdsl.diagnostics import Diagnostic

    return Mistaken(Diagnostic("invalid-setting", message, place(path, keys, of_key=of_key), hint=hint))


def place(path: str, keys: Path, *, of_key: bool = False) -> Span:
    """Where a setting stands: its value, else its key, else the key that it stands in."""
    from flowdsl.settings.toml_places import Places
    from flowdsl.source import Source, Span
    from flowdsl.syntax.opened import read_file

    source = Source(read_file(path).decode("utf-8"), os.path.relpath(path))
    places = Places(source.text.replace("\r\n", " \n"))  # of the same length
    whole = (*section(path), *keys)
    found = None if of_key else places.values.get(whole)
    while found is None and whole:
        found, whole = places.keys.get(whole), whole[:-1]
    return Span(source, *(found or (0, 0)))


def section(path: str) -> tuple[str, ...]:
    """The tables in which a file has the settings."""
    return ("tool", "flowdsl") if os.path.basename(path) == "pyproject.toml" else ()  # noqa: PTH119
