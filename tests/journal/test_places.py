"""A record whose last pictures came leaves its place to the next one: the disk is waited for beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from journaled import BOAT, Shop, shop

import flowdsl
from flowdsl.batches.dispatching import ROOM, SideBySide
from flowdsl.journal import database
from flowdsl.journal.journal import Journal
from flowdsl.journal.synced import Synced, SyncedFiles

SHIP = BOAT.replace("A paper boat", "A ship")


def test_a_record_that_leaves_room_has_another_begin_before_it_ends() -> None:
    begun, end = list[int](), asyncio.Event()

    async def work(record: int) -> int:
        begun.append(record)
        if record < 3:
            room = ROOM.get()
            assert room is not None
            room()
            room()  # once is what counts
        await end.wait()
        return record

    async def act() -> list[int]:
        coming = SideBySide(8).dispatch(iter(range(20)), work, lambda: False)

        async def all_of_them() -> list[int]:
            return [each async for each in coming]

        ending = asyncio.ensure_future(all_of_them())
        await asyncio.sleep(0.1)
        assert begun == [*range(9)]  # for three there is room, and one worker more than places
        end.set()
        return await ending

    assert sorted(asyncio.run(act())) == [*range(20)]


class _Slow(Synced):
    """A disk that takes no file until it is let."""

    let = threading.Event()

    def then(self, files: Sequence[str], act: Callable[[Exception | None], None]) -> None:
        def when_let(error: Exception | None) -> None:
            assert self.let.wait(20)
            act(error)

        super().then(files, when_let)


@pytest.mark.long
@pytest.mark.parametrize(("text", "most"), [(BOAT, 9), (BOAT + SHIP, 8)])
def test_what_waits_for_the_disk_after_its_last_request_holds_no_place(
    text: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "Synced", _Slow)
    monkeypatch.setattr(_Slow, "let", threading.Event())

    async def act(at: Shop) -> None:
        with Journal(at.state) as journal:
            records: list[dict[str, Any]] = [{}] * 20
            coming = flowdsl.batch(at.flow(text), records, journal=journal, concurrency=8)

            async def all_of_them() -> int:
                return len([each async for each in coming if each.status == "done"])

            ending = asyncio.ensure_future(all_of_them())
            while at.bought < most:
                await asyncio.sleep(0.005)
                assert not ending.done()
            await asyncio.sleep(0.1)
            assert at.bought == most
            _Slow.let.set()
            assert await ending == 20

    with shop(tmp_path, plain=True) as at:
        asyncio.run(act(at))


def test_a_request_begins_while_the_disk_takes_the_picture_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "Synced", _Slow)
    monkeypatch.setattr(_Slow, "let", threading.Event())
    with database.Database(tmp_path) as file:
        picture = tmp_path / "a.png"
        picture.write_bytes(b"")
        came = file.submit(lambda _: "came", durable=False, files=[str(picture)])
        assert file.submit(lambda _: "begun").result(20) == "begun"
        assert not came.done()
        _Slow.let.set()
        assert came.result(20) == "came"


def test_what_comes_after_the_files_waits_for_all_that_was_handed_in_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "Synced", _Slow)
    monkeypatch.setattr(_Slow, "let", threading.Event())
    done = list[str]()
    with database.Database(tmp_path) as file:
        picture = tmp_path / "a.png"
        picture.write_bytes(b"")
        file.submit(lambda _: done.append("came"), durable=False, files=[str(picture)])
        last = file.submit(lambda _: done.append("ended"), after_files=True)
        file.submit(lambda _: done.append("begun")).result(20)
        assert (done, last.done()) == (["begun"], False)
        _Slow.let.set()
        last.result(20)
    assert done == ["begun", "came", "ended"]


def test_where_no_more_threads_can_be_started_pictures_are_brought_to_the_disk_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_: SyncedFiles) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(SyncedFiles, "_side_by_side", refuses)
    monkeypatch.setattr(database, "Synced", _Slow)
    monkeypatch.setattr(_Slow, "let", threading.Event())
    with database.Database(tmp_path) as file:
        came = list[Future[int]]()
        for number in range(40):
            (tmp_path / f"{number}.png").write_bytes(b"")
            came.append(file.submit(lambda _: 1, durable=False, files=[str(tmp_path / f"{number}.png")]))
        _Slow.let.set()
        assert sum(each.result(20) for each in came) == 40


def test_of_a_batch_that_is_broken_off_nothing_is_in_doubt_that_came_and_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "Synced", _Slow)
    monkeypatch.setattr(_Slow, "let", threading.Event())

    async def act(at: Shop, journal: Journal) -> None:
        records: list[dict[str, Any]] = [{}] * 3
        coming = flowdsl.batch(at.flow(BOAT), records, journal=journal, batch_id="boats")

        async def all_of_them() -> None:
            async for _ in coming:
                pass

        ending = asyncio.ensure_future(all_of_them())
        while journal.database._synced._left < 3:  # noqa: ASYNC110  of each the pictures wait for the disk
            await asyncio.sleep(0.005)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending

    with shop(tmp_path, plain=True) as at, Journal(at.state) as journal:
        journal.batches.begin("boats", "a", {}, "boats", simulated=False)
        asyncio.run(act(at, journal))
        assert len(journal.batches.held("boats")) == 3
        threading.Timer(0.05, _Slow.let.set).start()
        journal.batches.end("boats", "stopped")
        assert not journal.batches.held("boats")


def test_a_picture_that_the_disk_does_not_take_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "Synced", _Slow)
    monkeypatch.setattr(_Slow, "let", threading.Event())
    with database.Database(tmp_path) as file:
        there = tmp_path / "a.png"
        there.write_bytes(b"")
        first = file.submit(lambda _: 1, durable=False, files=[str(there)])
        odd = file.submit(lambda _: 2, durable=False, files=[str(tmp_path / f"{'odd' * 100}.png")])
        last = file.submit(lambda _: 3, durable=False, files=[str(there)])
        _Slow.let.set()
        assert (first.result(20), last.result(20)) == (1, 3)
        with pytest.raises(flowdsl.RunError, match="cannot be written"):
            odd.result(20)
