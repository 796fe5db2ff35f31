"""The journal of a host that docs/hosts.md shows is a journal."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from flowdsl.testing.conformance import JournalConformance
from flowdsl_steps.image.simulator import Simulator

OwnJournal = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "examples" / "own_journal.py"))["OwnJournal"]


@pytest.mark.long
class TestOwnJournal(JournalConformance):
    @contextmanager
    def opened(self, folder: Path) -> Iterator[Any]:
        journal = OwnJournal(folder / "own.sqlite")
        with closing(journal.db):
            yield journal

    def simulator(self, **options: Any) -> AbstractContextManager[Any]:
        return Simulator(**options)

    def resuming(self, journal: Any, run: str) -> Any:
        return journal.resuming(run)
