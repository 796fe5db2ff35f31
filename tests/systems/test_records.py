"""The loop over records, where they come from and where they go."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from images_fake import FakeImages

from flowdsl import Environment, Signal, Source, Storage
from flowdsl.errors import FlowCheckError, RunError, StepError
from flowdsl.events import Event, Note
from flowdsl_steps.records.inputs import files_of, records_of
from flowdsl_steps.records.record import Record
from flowdsl_steps.records.run_records import MOST_NAMED, Tally, run_records
from flowdsl_steps.records.scanners import Lines, Rows, scanner_of


class Belt:
    """Records that know how many of them are on their way."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.open = self.most = 0
        self.delivered: list[int] = []

    async def records(self) -> AsyncIterator[Record]:
        for number in range(self.count):
            self.open += 1
            self.most = max(self.most, self.open)
            yield Record(number, f"line {number + 1}", b"x")

    async def work(self, record: Record) -> Signal | None:
        await asyncio.sleep(0)
        return None

    async def deliver(self, record: Record) -> None:
        self.open -= 1
        self.delivered.append(record.number)


@pytest.mark.parametrize("side_by_side", [1, 2, 7])
def test_no_more_records_are_held_than_run(side_by_side: int) -> None:
    belt = Belt(500)
    tally = asyncio.run(run_records(belt.records(), belt.work, belt.deliver, side_by_side=side_by_side))
    assert belt.most <= side_by_side
    assert belt.delivered == list(range(500))
    assert (tally.read, tally.written, tally.failed) == (500, 500, 0)


def test_records_are_delivered_in_the_order_of_the_input_whatever_ends_first() -> None:
    belt = Belt(20)

    async def work(record: Record) -> None:
        for _ in range(record.number % 5 * 3):
            await asyncio.sleep(0)

    asyncio.run(run_records(belt.records(), work, belt.deliver, side_by_side=5))
    assert belt.delivered == list(range(20))


def test_a_record_that_fails_is_delivered_counted_and_named() -> None:
    belt = Belt(MOST_NAMED + 50)

    async def work(record: Record) -> None:
        record.error = "refused" if record.number % 3 == 0 else None
        record.is_dropped = record.number % 3 == 1

    tally = asyncio.run(run_records(belt.records(), work, belt.deliver))
    assert (tally.read, tally.written, tally.dropped, tally.failed) == (150, 100, 50, 50)
    assert tally.failures[1] == (3, "line 4", "refused")
    assert belt.delivered == [number for number in range(150) if number % 3 != 1]


def test_only_so_many_failures_are_kept() -> None:
    tally = Tally()
    for number in range(MOST_NAMED + 5):
        record = Record(number, "", b"")
        record.error = "no"
        tally.end(record)
    assert (tally.failed, len(tally.failures), tally.to_json()["failed"]) == (MOST_NAMED + 5, MOST_NAMED, 105)


@pytest.mark.parametrize("side_by_side", [1, 4])
def test_what_ends_the_run_stops_the_reading_and_what_runs_ends_first(side_by_side: int) -> None:
    belt, ended = Belt(100), list[int]()

    async def work(record: Record) -> None:
        for _ in range(10 - record.number):
            await asyncio.sleep(0)
        ended.append(record.number)
        if record.number == 2:
            raise StepError("the disk is full")

    with pytest.raises(StepError, match="the disk is full"):
        asyncio.run(run_records(belt.records(), work, belt.deliver, side_by_side=side_by_side))
    assert belt.delivered == [0, 1]
    assert belt.open + len(belt.delivered) <= 2 + side_by_side + 1
    assert set(ended) >= set(range(3))


def test_a_signal_ends_the_loop_and_continue_does_not() -> None:
    belt = Belt(10)

    async def work(record: Record) -> Signal:
        return Signal.BREAK if record.number == 4 else Signal.CONTINUE

    tally = asyncio.run(run_records(belt.records(), work, belt.deliver))
    assert (tally.read, tally.signal, belt.delivered) == (5, Signal.BREAK, [0, 1, 2, 3, 4])


def test_a_cancellation_waits_for_what_runs_and_delivers_nothing_more() -> None:
    belt, cleaned = Belt(10), list[int]()

    async def work(record: Record) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(record.number)

    async def main() -> None:
        task = asyncio.create_task(run_records(belt.records(), work, belt.deliver, side_by_side=3))
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert (sorted(cleaned), belt.delivered) == ([0, 1, 2], [])


def test_what_ends_the_program_cancels_what_runs() -> None:
    belt, cancelled = Belt(10), list[int]()

    class Leaves(Exception):
        """What no step raises as its own failure."""

    async def work(record: Record) -> None:
        if record.number == 0:
            await asyncio.sleep(0)
            raise Leaves
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(record.number)
            raise

    with pytest.raises(Leaves):
        asyncio.run(run_records(belt.records(), work, belt.deliver, side_by_side=3))
    assert (cancelled, belt.delivered) == ([1, 2], [])


# Scanners


def scanned(scanner: Any, content: bytes, size: int) -> list[tuple[str, bytes]]:
    found = []
    for at in range(0, len(content), size):
        found += list(scanner.feed(content[at : at + size]))
    assert [each.error for each in found] == [None] * len(found)
    return [(each.name, each.content) for each in [*found, *scanner.finish()]]


def refused(scanner: Any, content: bytes, size: int) -> list[tuple[str, str | None]]:
    found = []
    for at in range(0, len(content), size):
        found += list(scanner.feed(content[at : at + size]))
    return [(each.name, each.error) for each in [*found, *scanner.finish()]]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_come_whole_however_the_bytes_come(size: int) -> None:
    assert scanned(Lines(), b"a\r\n\nb\n\xc3\xa9", size) == [
        ("line 1", b"a"),
        ("line 2", b""),
        ("line 3", b"b"),
        ("line 4", "é".encode()),
    ]
    assert scanned(Lines(b"--"), b"a--b-c--", size) == [("line 1", b"a"), ("line 2", b"b-c")]
    assert scanned(Lines(omits_empty=True), b"a\n\nb", size) == [("line 1", b"a"), ("line 3", b"b")]
    assert scanned(scanner_of({"to_the_end": {}}), b"a\nb", size) == [("", b"a\nb")]


def test_empty_input_is_no_line_and_one_whole() -> None:
    assert scanned(Lines(), b"", 1) == []
    assert scanned(scanner_of({"to_the_end": None}), b"", 1) == [("", b"")]


@pytest.mark.parametrize("size", [1, 2, 4, 100])
@pytest.mark.parametrize("long", [b"0123456789", b"012345678", b"0" * 100])
def test_a_line_that_is_too_long_is_refused_and_the_others_are_read(long: bytes, size: int) -> None:
    message = "it has more than 8 bytes; `scanner: {lines: {max_buffer_size: …}}` allows more"
    found = refused(Lines(longest=8), b"ok\n" + long + b"\nfine\n" + long, size)
    assert found == [("line 1", None), ("line 2", message), ("line 3", None), ("line 4", message)]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_rows_are_maps_by_the_names_of_the_header(size: int) -> None:
    content = b'\xef\xbb\xbfname,text\n"a, b","two\nlines"\n\nc,"say ""x"""\n'
    rows = [json.loads(row) for _, row in scanned(Rows(), content, size)]
    assert rows == [{"name": "a, b", "text": "two\nlines"}, {"name": "c", "text": 'say "x"'}]
    assert scanned(Rows(";", has_header=False), b"a;b\n", size) == [("row 1", b'["a","b"]')]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1\n", "it has 1 field, and the header names 2"),
        (b"1,2,3\n", "it has 3 fields, and the header names 2"),
        (b'"x"y"z"\n', "',' expected after '\"'"),
        (b"\xff,2\n", "it is no UTF-8 text"),
    ],
)
def test_rows_that_are_none_are_named_and_the_others_are_read(content: bytes, message: str) -> None:
    found = refused(Rows(), b"a,b\n1,2\n" + content + b"3,4\n", 3)
    assert found == [("row 1", None), ("row 2", message), ("row 3", None)]


def test_a_header_that_is_none_ends_the_input() -> None:
    with pytest.raises(StepError, match="the header: it is no UTF-8 text"):
        scanned(Rows(), b"\xff\n1\n", 3)


def test_files_lie_in_the_folder_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("x", encoding="utf-8")
    for name in ("b.txt", "a.txt", "deep/c.txt"):
        (tmp_path / "in" / name).write_text("x", encoding="utf-8")
    (tmp_path / "in" / "link.txt").symlink_to(tmp_path / "secret.txt")
    monkeypatch.chdir(tmp_path / "in")
    assert list(files_of(["b.txt", "deep/*"])) == ["b.txt", "deep/c.txt"]
    assert list(files_of(["**/[ac].txt"])) == ["a.txt", "deep/c.txt"]
    for path in ("../secret.txt", "link.txt", str(tmp_path / "secret.txt"), "*.txt"):
        with pytest.raises(StepError, match="outside of the folder"):
            list(files_of([path]))
    with pytest.raises(StepError, match=r"no file is called `\*.csv`"):
        list(files_of(["*.csv"]))


def test_a_silent_input_keeps_nobody_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as silent, os.fdopen(writing, "wb", buffering=0) as pipe:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(silent))
        found: list[bytes] = []

        async def read(came: asyncio.Event) -> None:
            async for record in records_of({"stdin": None}, {}):
                found.append(record.content)
                came.set()

        async def main() -> None:
            came = asyncio.Event()
            task = asyncio.create_task(read(came))
            pipe.write(b"one\ntw")
            await came.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())
        assert found == [b"one"]  # as soon as its line had ended
        pipe.write(b"o\n")


# The steps


@pytest.fixture(scope="module")
def served() -> Iterator[FakeImages]:
    with FakeImages() as running:
        yield running


def run(fake: FakeImages, folder: Path, text: str) -> tuple[Any, list[Event]]:
    events: list[Event] = []
    storage = Storage(images=folder / "images", output=folder / "files")
    environment = Environment(overrides=fake.settings, storage=storage)
    try:
        return environment.run(Source(text), on_event=events.append), events
    except RunError as error:
        return error, events


def test_native_steps_do_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: FakeImages) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text("a cat\na forbidden dog\nstop\nnever\n", encoding="utf-8")
    flow = """\
- step: FOR_RECORDS
  input:
    file: {paths: [in.txt]}
  do:
    - step: RECORD_IMAGE
      model: gpt-image-2
    - step: RECORD_CATCH
  output: {drop: {}}
  outputs:
    - {type: object, name: found}
"""
    result, events = run(served, tmp_path, flow)
    assert result.outputs["found"]["read"] == 4
    assert result.outputs["found"]["failed"] == 0
    assert len(result.made) == 3
    assert [event.code for event in events if isinstance(event, Note)] == ["record-failed"]


def test_a_record_step_outside_says_where_it_belongs(tmp_path: Path, served: FakeImages) -> None:
    error, _ = run(served, tmp_path, "- step: RECORD_MAPPING\n  mapping: root = this\n")
    assert (error.code, error.hint) == ("no-record", "put it into the `do` of FOR_RECORDS")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("input: {kafka: {}}", "`kafka` is not an input that is supported here"),
        ("output: {file: {path: 'a${! b c }'}}", "an operator is missing before `c`"),
        ("input: {file: {paths: a.txt}}", "`paths` takes a list of paths, not `a.txt`"),
        ("threads: 0", "`threads`"),
    ],
)
def test_ends_that_are_wrong_are_found_before_anything_is_paid(options: str, message: str) -> None:
    text = f"- step: FOR_RECORDS\n  {options}\n  do:\n    - step: RECORD_MAPPING\n      mapping: root = this\n"
    with pytest.raises(FlowCheckError) as raised:
        Environment().load(Source(text))
    assert message in str(raised.value)


def test_a_run_may_send_no_more_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: FakeImages
) -> None:
    """A limit of the run ends it, and marks no message."""
    from flowdsl import Limits

    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text("a cat\na dog\na bird\n", encoding="utf-8")
    step = "{step: RECORD_IMAGE, model: gpt-image-2}"
    text = f"- step: FOR_RECORDS\n  input: {{file: {{paths: [in.txt]}}}}\n  do: [{step}]\n"
    storage = Storage(images=tmp_path / "images")
    environment = Environment(overrides=served.settings, storage=storage, limits=Limits(max_requests=2))
    with pytest.raises(RunError) as raised:
        environment.run(Source(text))
    assert raised.value.code == "too-many-requests"
    assert len(raised.value.result.made) == 2


def test_a_quote_that_nothing_closes_is_told_at_its_row_however_many_lines_follow() -> None:
    rows = Rows()
    assert list(rows.feed(b'a,b\n"x,' + b"y,a lighthouse in a storm, oil on canvas\n" * 30_000)) == []
    assert [(each.name, each.error) for each in rows.finish()] == [("row 1", "a quote is not closed")]


@pytest.mark.parametrize("kind", ["a file", "not writable"])
def test_an_output_folder_that_cannot_be_written_to_is_told_before_anything_is_paid_for(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: FakeImages
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text("a cat\na dog\n", encoding="utf-8")
    folder = tmp_path / "out"
    if kind == "a file":
        folder.write_text("mine", encoding="utf-8")
    else:
        monkeypatch.setattr("os.access", lambda path, mode: Path(path) != folder)
    served.api.bodies.clear()
    output = "{file: {path: 'x.png', codec: all-bytes}}"
    step = "{step: RECORD_IMAGE, model: gpt-image-2}"
    text = f"- step: FOR_RECORDS\n  input: {{file: {{paths: [in.txt]}}}}\n  do: [{step}]\n  output: {output}\n"
    environment = Environment(overrides=served.settings, storage=Storage(images=tmp_path / "images", output=folder))
    with pytest.raises(RunError) as raised:
        environment.run(Source(text))
    assert raised.value.code == "output-unwritable"
    assert str(folder) in raised.value.message
    assert served.api.bodies == []


def test_a_full_disk_ends_the_run_as_nothing_further_could_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: FakeImages
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text("a cat\na dog\na bird\n", encoding="utf-8")

    def full(*_: Any, **__: Any) -> None:
        raise StepError("the output folder cannot be written to", code="output-unwritable") from OSError(
            errno.ENOSPC, "No space left on device"
        )

    monkeypatch.setattr("flowdsl_steps.records.outputs.write_by_effect", full)
    served.api.bodies.clear()
    step = "{step: RECORD_IMAGE, model: gpt-image-2}"
    output = "{file: {path: 'x.png', codec: all-bytes}}"
    text = f"- step: FOR_RECORDS\n  input: {{file: {{paths: [in.txt]}}}}\n  do: [{step}]\n  output: {output}\n"
    environment = Environment(overrides=served.settings, storage=Storage(images=tmp_path / "images", output=tmp_path))
    with pytest.raises(RunError) as raised:
        environment.run(Source(text))
    assert raised.value.code == "output-unwritable"
    assert len(served.api.bodies) == 1
    assert len(raised.value.result.made) == 1
