"""The door that keeps a journal: what is paid for is written down before it is asked for, and what came of it after.

Nothing is written before the first paid request of a run: what came before it is kept in memory until then, so that a
flow that pays for nothing does not pay for the journal. A result is committed when the files of its pictures are on the
disk. A request that was begun and has no result is in doubt, whether the process was killed, the service timed out or
the disk took no more. It begins when its turn has come: one that waits, also to be sent again, is not written down.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from weakref import ref

from flowdsl.engine.effects import ALL_CAME, ASKED, Asking, Began, Effect, Effects, Recovered, passes
from flowdsl.errors import ConfigError, RunError, ServiceError, StepError
from flowdsl.journal import reserved, rows
from flowdsl.journal.errors import JournalError, held, led_to
from flowdsl.journal.keeper import Keeper
from flowdsl.journal.ordering import ORDER, ordering
from flowdsl.journal.pace import Pace
from flowdsl.journal.recorded_values import decoded, decoded_error, encoded, encoded_error
from flowdsl.journal.rows import KEPT, PAID, Row, Rows, asked_by, json_text, row_id, spent
from flowdsl.journal.run_row import end_of, write_run
from flowdsl.journal.sharing import Siblings, free
from flowdsl.journal.shelved import PUT_BACK, Shelved

if TYPE_CHECKING:
    import sqlite3
    from datetime import date

    from flowdsl.journal.earlier import Earlier, Kept
    from flowdsl.limits import Budget

T = TypeVar("T")
_MOST_KEPT_BYTES = 1024 * 1024
"""A result larger than this, which cost nothing, is asked for again in place of being kept."""


class JournalDoor:
    """The door of one run. `kept` is what earlier attempts of it have left, `earlier` what another run has bought
    before the step at which this one begins."""

    def __init__(
        self,
        journal: Keeper,
        began: Began,
        inner: Effects | None,
        kept: Kept | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        self._journal = journal
        self._began = began
        self._inner = inner
        self._asking = inner if inner is not None and isinstance(inner, Asking) else None
        earlier_rows = [] if kept is None else kept.rows
        self._spent = spent(earlier_rows)
        self._rows = Rows(earlier_rows)
        self._earlier = earlier
        self._names = {} if kept is None else kept.names
        self._listed = frozenset() if kept is None else kept.listed
        self._is_open = False
        self._is_new = kept is None
        self._as_of = (None if kept is None else kept.as_of) or began.as_of
        self._early: list[tuple[Any, ...]] = []
        self._failed: list[tuple[bytes, str, ref[RunError]]] = []
        self._sharing = journal.sharing(began.run)
        self._owed = journal.database.owed
        self._taken: dict[tuple[str, bytes], list[Row]] = defaultdict(list)
        self._asked, self._performed = Siblings(), Siblings()
        self._ended: Future[None] | None = None
        self._lists = False
        self._under_way = 0
        self._began_at: dict[bytes, float] = {}

    @property
    def budget(self) -> Budget | None:
        """What several runs may spend together."""
        return self._journal.budget

    @property
    def pace(self) -> Pace:
        """How fast services may be asked."""
        return Pace(self._journal.database)

    @property
    def as_of(self) -> date:
        """The day of the first attempt."""
        return self._as_of

    def spent(self) -> tuple[int, float]:
        """Requests and USD of earlier attempts."""
        return self._spent

    def before(self, effect: Effect) -> Recovered | None:
        """What an earlier attempt has bought for an equal request."""
        asked = self._rows.digest(effect)
        number = self._asked.next(effect.invocation.key, asked)
        row = self._row(effect, asked)
        if row is None:
            known = None if self._sharing is None else self._sharing.known(asked, number)
            if known is None:
                return None
            shelved = Shelved()
            result = self._shared(known, effect, shelved)
            return Recovered(result, 0.0, self._files(shelved, self._names), self._listed, True)
        is_own = row.run == self._began.run
        order = row.vendor_order or ""
        if row.blocks and not (is_own and (order.startswith(ORDER) or (order and order == self._order(effect)))):
            raise held(row.run, row.began, effect.request)
        if row.state != "ok":  # a failure, told when it is the request's turn; or one that can be asked for
            self._taken[effect.invocation.key, row.digest].append(row)
            return ASKED if row.blocks else None
        shelved = Shelved()
        try:
            result = decoded(json.loads(row.result or "null"), shelved, effect.store)
        except StepError as error:
            key = row_id(row.run, row.place, row.number, row.digest).hex()
            error.hint = f"{PUT_BACK}; or buy it anew: `flowdsl runs release {row.run} {key[:8]}` allows that"
            raise
        if self._earlier is not None and not is_own:
            files = self._files(shelved, self._earlier.names)
            return Recovered(free(result), 0.0, files, self._earlier.listed, True)
        files = {image.original: self._names.get(image.original, ()) for image in shelved.images}
        return Recovered(result, row.cost_usd, files, self._listed)

    async def perform(self, effect: Effect, act: Callable[[], Awaitable[T]]) -> T:
        """The result of an effect: kept, or performed and then kept."""
        inner = self._inner

        async def performed(id: str | None = None) -> T:
            return await (act() if inner is None else inner.perform(replace(effect, id=id) if id else effect, act))

        if effect.key == PAID:
            return await self._bought(effect, performed)
        if effect.key not in KEPT:
            return await performed()
        found = self._rows.digest(effect)
        row = self._row(effect, found)
        if row is not None:
            return self._again(effect, row)  # type: ignore[no-any-return]
        try:
            result = await performed()
        except RunError as error:
            self._keep(effect, found, "failed", encoded_error(error, effect, Shelved()))
            raise
        self._keep(effect, found, "ok", encoded(result, Shelved(), effect.hide))
        return result

    def perform_now(self, effect: Effect, act: Callable[[], T]) -> T:
        """The same of an effect that needs no waiting."""
        if effect.key not in KEPT:
            return act() if self._inner is None else self._inner.perform_now(effect, act)
        found = self._rows.digest(effect)
        row = self._row(effect, found)
        if row is not None:
            return self._again(effect, row)  # type: ignore[no-any-return]
        result = act() if self._inner is None else self._inner.perform_now(effect, act)
        self._keep(effect, found, "ok", encoded(result, Shelved(), effect.hide))
        return result

    def named(self, original: str, file: str) -> None:
        """Keeps the file of a picture, with whatever is committed next."""
        if (self._is_open or not self._is_new) and file not in self._names.get(original, ()):
            values = (self._began.run, original, file)
            self._later(
                lambda db: db.execute("INSERT OR IGNORE INTO names (run, original, file) VALUES (?,?,?)", values),
                at_once=False,
            )

    def listed(self) -> None:
        """Its pictures stand in the manifest."""
        self._lists = True

    def end(self, status: str, error: BaseException | None) -> None:
        """Writes down how the run ended, and then lets go of it. What that fails at is told by nobody and written
        later: the run is over, and whoever looks until then sees one that did not end."""
        run = self._began.run
        if not self._is_open and self._is_new:
            return
        written, again = end_of(run, status, error, self._final(error), is_listed=self._lists)
        is_behind = self._owed.again() or status != "done"  # what came may be on its way still, and stands there before
        try:
            is_alone = self._began.batch is None  # that of a record nobody waits for
            ending = self._owed.submit(run, written, again=again, at_once=is_alone, after_files=is_behind)
        except JournalError:
            self._journal.let_go(run)
        else:
            over = self._ended = Future()
            over.set_running_or_notify_cancel()  # whoever waits may be cancelled, and it comes nevertheless

            def let_go(_: Future[None]) -> None:
                self._journal.let_go(run)
                over.set_result(None)

            ending.add_done_callback(let_go)

    async def ended(self) -> None:
        """Waits until how the run ended stands in the journal. A record of a batch does not: its batch does."""
        if self._ended is not None and self._began.batch is None:
            await asyncio.wrap_future(self._ended)

    def _final(self, error: BaseException | None) -> list[bytes]:
        """The failures that a run ended with: those of the step whose error it was."""
        places = {place for _, place, failed in self._failed if led_to(failed(), error)}
        return [key for key, place, _ in self._failed if place in places]

    def _files(self, shelved: Shelved, names: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
        """The files of pictures, of those that have some."""
        paths = [image.original for image in shelved.images]
        return {path: names[path] for path in paths if path in names}

    def _shared(self, known: str, effect: Effect, shelved: Shelved | None = None) -> Any:
        """The result of an equal request, which was paid for there."""
        result = decoded(json.loads(known), shelved or Shelved(), effect.store)
        usd = result.get("usd") if isinstance(result, dict) else None
        self._journal.spare(usd or 0.0)
        return free(result)

    def _row(self, effect: Effect, asked: bytes) -> Row | None:
        """What stands in the journal of an effect: of this run, or of the one before the step at which it begins."""
        row = self._rows.take(effect.invocation.key, asked)
        if row is None and self._earlier is not None:
            return self._earlier.take(effect.invocation, asked)
        return row

    def _order(self, effect: Effect) -> str | None:
        """Where it is known further in what becomes of a request."""
        return None if self._asking is None else self._asking.order(effect)

    def share(self, effect: Effect) -> float:
        """The share of its price that a paid request costs further in."""
        return 1.0 if self._asking is None else self._asking.share(effect)

    async def _bought(self, effect: Effect, act: Callable[[str], Awaitable[T]]) -> T:
        place, asked = effect.invocation.key, self._rows.digest(effect)
        if taken := self._taken.get((place, asked)):
            row = taken.pop(0)
            if row.blocks:
                return (await self._paid(effect, act, row.place, asked, row))[0]
            return self._failed_again(effect, row)
        if effect.sending is not None:
            effect.sending.waits()
        sharing = self._sharing
        if sharing is None:
            return (await self._paid(effect, act, place, asked))[0]
        number = self._performed.next(place, asked)
        known = await sharing.turn(asked, number)
        if known is not None:  # an equal one was on its way when this was asked for
            return self._shared(known, effect)  # type: ignore[no-any-return]
        said: str | None = None
        try:
            result, said = await self._paid(effect, act, place, asked)
            return result
        finally:
            sharing.made(asked, number, said)

    async def _paid(
        self, effect: Effect, act: Callable[[str], Awaitable[T]], place: str, asked: bytes, row: Row | None = None
    ) -> tuple[T, str]:
        """Makes a request, or asks again for that of a `row`; gives its result, and that as the journal keeps it."""
        number = self._rows.number(place, asked) if row is None else row.number
        order = self._order(effect) if row is None else row.vendor_order
        key = row_id(self._began.run, place, number, asked)
        begin = partial(self._begin, key, effect, place, number, asked, order, is_known=row is not None)
        sending = effect.sending if row is None and passes(self._inner, effect) else None
        if sending is None:
            await begin()
            if effect.sending is not None:
                effect.sending.keep_out()
        else:
            sending.heed(begin, partial(self._forget, key, effect))
        try:
            with ordering(self._journal, key, order, effect.hide):
                result = await self._come(effect, act(key.hex()))
            if sending is not None:  # also where it came another way
                await sending.begins()
        except BaseException as error:
            if sending is not None and not sending.is_out:
                raise
            said = None
            if isinstance(error, RunError):
                self._failed.append((key, place, ref(error)))
                said = json_text(encoded_error(error, effect, Shelved()))
            is_free = isinstance(error, (ConfigError, ServiceError)) and not error.charge_possible
            values = ("refused" if is_free else "unknown", said, said is None, time.time(), key)
            with suppress(JournalError):
                self._owed.submit(key, lambda db: db.execute(rows.FAILED, values))
            raise
        finally:
            self._began_at.pop(key, None)
            if sending is not None:
                sending.let_go()
        shelved = Shelved()
        said = json_text(encoded(result, shelved, effect.hide))
        facts = result if isinstance(result, dict) else {}
        cost = None if facts.get("chargedBefore") else facts.get("usd")
        images = shelved.images
        came = (said, len(images), cost, time.time(), key)
        try:
            files = [image.original for image in images]
            await asyncio.wrap_future(self._owed.submit(key, lambda db: db.execute(rows.CAME, came), files))
        except JournalError as error:  # the picture is there: the run goes on, and the next request is refused
            text = f"{error.message}. What was bought just now stands in it as in doubt, until it takes that"
            effect.note("journal-behind", text)
        return result, said

    async def _begin(
        self, key: bytes, effect: Effect, place: str, number: int, asked: bytes, order: str | None, *, is_known: bool
    ) -> None:
        """Writes down that a paid request begins, or is asked for again: on the disk when this returns.

        Raises:
            JournalError: the journal cannot be written. Nothing is sent.
        """
        row = key, self._began.run, place, number, asked
        self._began_at[key] = now = time.time()
        values = (*row, *asked_by(effect), order, self._journal.simulated, now)
        early, self._early = self._early, []
        was_open, self._is_open = self._is_open, True
        if not was_open and self._is_new:
            self._journal.take(self._began.run)

        def begun(db: sqlite3.Connection) -> None:
            if not was_open:
                write_run(db, self._began, self._journal, is_new=self._is_new)
            db.executemany(rows.KEEP, early)
            reserved.start(db, values, effect.sending)

        self._owed.again()
        try:
            await self._journal.database.write(begun)
        except JournalError:
            if not was_open:
                self._is_open, self._early = False, early
            if not was_open and self._is_new:
                self._journal.let_go(self._began.run)
            raise
        except BaseException:  # it may stand there by now, and is not sent; what the vendor has taken before stays
            if not is_known:
                self._forget(key, effect)
            raise
        self._journal.wrote = True

    async def _come(self, effect: Effect, performed: Awaitable[T]) -> T:
        """What a request brings; says so when none is under way any more."""
        self._under_way += 1
        try:
            return await performed
        finally:
            self._under_way -= 1
            if not self._under_way and (all_came := ALL_CAME.get()) is not None:
                all_came(effect.invocation.path)

    def _forget(self, key: bytes, effect: Effect) -> None:
        """A request was not sent, or was refused and is sent again later: until then nothing is in doubt. One that has
        begun again by the time when the file takes this stays."""
        values = key, self._began_at[key]
        with suppress(JournalError):
            self._owed.submit(key, lambda db: reserved.forget(db, values, effect.sending))

    def _again(self, effect: Effect, row: Row) -> Any:
        """What a kept row says, as when it happened."""
        kept = json.loads(row.result or "null")
        if row.state == "ok":
            return decoded(kept, Shelved(), effect.store)
        raise decoded_error(kept, Shelved(), effect.store)

    def _failed_again(self, effect: Effect, row: Row) -> NoReturn:
        """Raises the failure that a kept row says; the run may end with it only now."""
        error = decoded_error(json.loads(row.result or "null"), Shelved(), effect.store)
        self._failed.append((row_id(row.run, row.place, row.number, row.digest), row.place, ref(error)))
        raise error

    def _keep(self, effect: Effect, found: bytes, state: str, result: Any) -> None:
        """Keeps what came of an effect that cost nothing: with the next commit."""
        text = json_text(result)
        if len(text) > _MOST_KEPT_BYTES:
            return
        place = effect.invocation.key
        number = self._rows.number(place, found)
        values = (self._began.run, effect.key, place, number, found, state, text)
        if self._is_open:
            self._later(lambda db: db.execute(rows.KEEP, values))
        else:
            self._early.append(values)

    def _later(self, operation: Callable[[sqlite3.Connection], Any], *, at_once: bool = True) -> None:
        """Has something written with the next commit. Where that fails, a later attempt knows less: what it does not
        know of a paid request is in doubt."""
        with suppress(JournalError):
            self._journal.database.submit(operation, durable=False, at_once=at_once)
