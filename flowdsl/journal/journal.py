"""A journal of runs, in a folder: `flow.run(journal=Journal(".flowdsl"))`."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from flowdsl.engine.effects import Began, Effects
from flowdsl.errors import UsageError
from flowdsl.journal.database import Database
from flowdsl.journal.door import JournalDoor
from flowdsl.journal.earlier import Earlier, Kept
from flowdsl.journal.errors import JournalError, refused
from flowdsl.journal.keeper import Keeper
from flowdsl.journal.rows import PAID, digest
from flowdsl.journal.running import Running

if TYPE_CHECKING:
    from flowdsl.journal.batches import Batches
    from flowdsl.journal.runs import Runs
    from flowdsl.journal.sharing import Sharing
    from flowdsl.journal.vendor_batches import VendorBatches
    from flowdsl.limits import Budget

CACHES = ("off", "run", "project")


class PastRun(NamedTuple):
    """A run that stands in a journal: how it ended (`running` where it did not), and its tags."""

    status: str
    tags: dict[str, str]


class Journal:
    """Keeps what runs pay for in a folder, so that one that was killed, or failed, can be resumed without buying
    anything twice. Any number of runs, threads and processes may share the folder. `runs` is what it knows of them.

    With `cache="run"` equal requests of a run, or of a batch, are one purchase, with `cache="project"` those of all
    runs of the folder. `simulated` says that nothing is paid for really; `given` is kept with each run, as JSON
    values. Close it, or use it as a context manager.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        simulated: bool = False,
        given: Mapping[str, Any] = MappingProxyType({}),
        cache: Literal["off", "run", "project"] = "off",
    ) -> None:
        if cache not in CACHES:
            raise UsageError(f"cache is one of {', '.join(CACHES)}, not {cache!r}")
        self.cache = cache
        self.folder = Path(folder).absolute()
        self.database = Database(self.folder)
        self.running = Running(self.folder)
        self.simulated = simulated
        self.given = given
        self.budget: Budget | None = None
        self.wrote = False
        """Whether a run has paid for something."""
        self.saved = (0, 0.0)
        """How many requests were not paid for again, as equal ones were, and what they would have cost."""
        self._resumed: set[str] = set()
        self._holding: set[str] = set()
        self._start: tuple[str, tuple[str, ...]] | None = None

    @cached_property
    def runs(self) -> Runs:
        """The runs that are kept, and what they paid for."""
        from flowdsl.journal.runs import Runs

        return Runs(self.database, self.running)

    @cached_property
    def batches(self) -> Batches:
        """The batches that are kept."""
        from flowdsl.journal.batches import Batches

        return Batches(self.database, self.running)

    def resuming(self, run: str) -> Journal:
        """Lets the next run of this id use what it has bought before.

        Raises:
            UsageError: there is no such run, it is done, or it goes on in another process.
            JournalError: the journal cannot be read.
        """
        found = self.database.read("SELECT status FROM runs WHERE id = ?", (run,))
        if not found:
            raise UsageError(f"the journal {self.database.path} has no run {run}")
        if found[0]["status"] == "done":
            raise UsageError(f"the run {run} is done: there is nothing to resume")
        if self.running.goes_on(run):
            raise UsageError(f"the run {run} goes on in another process: wait until it has ended")
        self._resumed.add(run)
        return self

    def beginning_at(self, run: str, before: Collection[str]) -> Journal:
        """Lets new runs use what an earlier one has bought in those steps at the top of the flow whose places,
        `flow[0]`, stand in `before`; the others buy anew."""
        self._start = run, tuple(before)
        self.given = {**self.given, "from": {"run": run, "before": list(before)}}
        return self

    def giving(self, given: Mapping[str, Any]) -> Journal:
        """The same journal for runs of which something else is kept."""
        own = copy(self)
        own.given = given
        return own

    def kept(self, run: str) -> PastRun | None:
        """A run of this id; None where none has paid for anything.

        Raises:
            JournalError: the journal cannot be read.
        """
        found = self.database.read("SELECT status, tags FROM runs WHERE id = ?", (run,))
        return PastRun(found[0]["status"], json.loads(found[0]["tags"])) if found else None

    def repeating(self, run: str) -> str | None:
        """Lets the next run of this id use what it has bought before, also where it was done; gives how it ended, None
        where no such run has bought anything.

        Raises:
            JournalError: the journal cannot be read.
        """
        found = self.kept(run)
        if found is None:
            return None
        self._resumed.add(run)
        return found.status

    def door(self, began: Began, inner: Effects | None) -> JournalDoor:
        """The door of one run.

        Raises:
            UsageError: a run of this id was there before, and is not to be resumed.
            JournalError: the journal cannot be read.
        """
        run = began.run
        if run not in self._resumed:
            earlier = None if self._start is None else Earlier(self.database, *self._start)
            return JournalDoor(self, began, inner, earlier=earlier)
        self._resumed.discard(run)
        self.take(run)
        return resumed_door(self, began, inner)

    def spare(self, usd: float) -> None:
        """A request was not paid for, as an equal one had been."""
        self.saved = self.saved[0] + 1, self.saved[1] + usd

    def take(self, run: str) -> None:
        """A run begins to pay.

        Raises:
            UsageError: it goes on elsewhere.
            JournalError: the folder cannot be written.
        """
        try:
            is_ours = self.running.take(run)
        except OSError as error:
            raise refused(self.folder, error) from error
        if not is_ours:
            raise JournalError(
                f"a run of the id {run} goes on already",
                code="run-goes-on",
                hint="wait until it has ended; give each run an id of its own",
            )

    def let_go(self, run: str) -> None:
        """A run has ended."""
        self.running.let_go(run)

    @contextmanager
    def holding(self, id: str) -> Iterator[None]:
        """Keeps others from a batch: what it has bought, and its files, are read and written by nobody else.

        Raises:
            JournalError: it goes on elsewhere.
        """
        self.take(id)
        self._holding.add(id)
        try:
            yield
        finally:
            self._holding.discard(id)
            self.let_go(id)

    def is_holding(self, id: str) -> bool:
        """Whether who runs a batch has taken it already."""
        return id in self._holding

    def vendor_batch(self, id: str) -> VendorBatches:
        """What is known of the requests that go through a vendor's batch under the name `id`: what a `VendorBatchDoor`
        goes on with after a crash."""
        from flowdsl.journal.vendor_batches import VendorBatches

        return VendorBatches(self.database, id)

    def sharing(self, run: str) -> Sharing | None:
        """What equal requests of a run share."""
        return self.shared(run=run)

    def shared(self, *, run: str | None = None, batch: str | None = None) -> Sharing | None:
        """What equal requests of a run, or of a batch, share; None where each is bought."""
        if self.cache == "off":
            return None
        from flowdsl.journal.sharing import Sharing

        return Sharing(self.database, self.cache, simulated=self.simulated, run=run, batch=batch)

    def knows(self, asked: Mapping[str, Any], number: int = 0) -> bool:
        """Whether a run of the folder has bought what a paid request asks for, as its effect says it; of equal ones of
        a step the one of this number."""
        sharing = self.shared()
        return sharing is not None and sharing.known(digest(PAID, asked), number) is not None

    def close(self) -> None:
        """Waits for what is still to be written."""
        self.database.close()
        self.running.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def resumed_door(keeper: Keeper, began: Began, inner: Effects | None) -> JournalDoor:
    """The door of a run that has been there before, with what stands in the journal of it.

    Raises:
        JournalError: the journal cannot be read.
    """
    kept = Kept(keeper.database, began.run)
    earlier = None if kept.began_at is None else Earlier(keeper.database, kept.began_at["run"], kept.began_at["before"])
    return JournalDoor(keeper, began, inner, kept, earlier)
