"""The journal on SQLite is a journal."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from flowdsl.journal.journal import Journal
from flowdsl.testing.conformance import JournalConformance
from flowdsl_steps.image.simulator import Simulator


class TestJournalOnSqlite(JournalConformance):
    def opened(self, folder: Path) -> AbstractContextManager[Any]:
        return Journal(folder / "state")

    def simulator(self, **options: Any) -> AbstractContextManager[Any]:
        return Simulator(**options)

    def resuming(self, journal: Any, run: str) -> Any:
        return journal.resuming(run)
