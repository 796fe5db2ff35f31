"""The journal on SQLite is a journal."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from conformance import JournalConformance

from flowdsl.journal.journal import Journal


class TestJournalOnSqlite(JournalConformance):
    def opened(self, folder: Path) -> AbstractContextManager[Any]:
        return Journal(folder / "state")

    def resuming(self, journal: Any, run: str) -> Any:
        return journal.resuming(run)
