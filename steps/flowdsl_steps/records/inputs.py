"""Where records come from: standard input, or files of the folder that the flow is run in."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from flowdsl import StepError
from flowdsl.syntax.opened import lies_in
from flowdsl.template import holds_secret, mark
from flowdsl_steps.records.record import Record
from flowdsl_steps.records.scanners import Found, Scanner, scanner_of

_CHUNK = 64 * 1024
_OF_COMMAND = "run it from there, or write `input: {stdin: {}}`, and `< FILE` behind the command"
_OF_SERVER = "put it into that folder, or start the server in the folder of the file"
Chunks = AsyncGenerator[bytes, None]


async def records_of(
    settings: Mapping[str, Any], counts: dict[str, int], *, is_served: bool = False
) -> AsyncGenerator[Record, None]:
    """The records of an input, `{stdin: …}`, `{file: …}` or `{csv: …}`, each when it is asked for; `is_served`: in a
    server, whose standard input is not theirs.

    Raises:
        StepError: a file cannot be read, or does not hold what it should.
    """
    ((kind, own),) = settings.items()
    own = own or {}
    number = 0
    if kind == "stdin":
        async with aclosing(_scanned(scanner_of(own.get("scanner")), _stdin(), ("", {}, counts), 0)) as found:
            async for record in found:
                yield record
        return
    scanner = own if kind == "csv" else own.get("scanner")
    for path in files_of(own.get("paths"), is_served=is_served):
        metadata = _metadata(path)
        taking = scanner_of({"csv": scanner} if kind == "csv" else scanner)
        async with aclosing(_scanned(taking, _file(path), (f"{path} ", metadata, counts), number)) as found:
            async for record in found:
                number = record.number + 1
                yield record


async def given_record(message: Any) -> AsyncGenerator[Record, None]:
    """The one record of a run that was given its message, such as a record of a batch: a map is JSON, as a row of CSV
    is."""
    text = json.dumps(message, ensure_ascii=False, default=_plain).encode("utf-8", "surrogatepass")
    yield Record(0, "the record", mark(text) if holds_secret(message) else text)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


def paths_of(settings: Mapping[str, Any]) -> list[str]:
    """The paths of files that an input names, with `*` in them as they are written."""
    ((_, own),) = settings.items()
    paths = (own or {}).get("paths") or []
    return [paths] if isinstance(paths, str) else [*paths]


def waits_for_a_person(settings: Mapping[str, Any]) -> bool:
    """Whether the messages of an input are typed, by somebody who may not know that they are waited for."""
    return "stdin" in settings and sys.stdin is not None and sys.stdin.isatty()


async def _scanned(
    scanner: Scanner, chunks: Chunks, shared: tuple[str, dict[str, Any], dict[str, int]], number: int
) -> AsyncGenerator[Record, None]:
    """The records of one stream; `shared` is what is put before their names, their metadata, and their counters."""
    where, metadata, counts = shared
    async with aclosing(chunks):
        async for chunk in chunks:
            for found in scanner.feed(chunk):
                yield _record(number, where, found, metadata, counts)
                number += 1
    for found in scanner.finish():
        yield _record(number, where, found, metadata, counts)
        number += 1


def _record(number: int, where: str, found: Found, metadata: dict[str, Any], counts: dict[str, int]) -> Record:
    name, content, more = found.name, found.content, found.metadata
    record = Record(number, f"{where}{name}".strip(), content, {**metadata, **more}, counts)
    record.error, record.is_rejected = found.error, found.error is not None
    return record


def files_of(paths: Any, *, is_served: bool = False) -> Iterator[str]:
    """The files that paths stand for, which may have `*` and `**` in them, in order; `is_served`: see `records_of`.

    Raises:
        StepError: there is none, or it lies outside of the folder that the flow is run in.
    """
    for path in [paths] if isinstance(paths, str) else paths or []:
        found = sorted(glob(path, recursive=True)) if has_magic(path) else [path]  # noqa: PTH207  paths stay as they are
        if not found:
            raise StepError(f"no file is called `{path}`", code="input-unreadable")
        for each in found:
            if has_magic(path) and Path(each).is_dir():
                continue
            if not lies_in(os.path.realpath(each), os.path.realpath(os.curdir)):
                raise StepError(
                    f"`{each}` lies outside of the folder that the flow is run in",
                    code="input-unreadable",
                    hint=_OF_SERVER if is_served else _OF_COMMAND,
                )
            yield each


def _metadata(path: str) -> dict[str, Any]:
    try:
        at = Path(path).stat().st_mtime
    except OSError as error:
        raise StepError(f"{path}: {error.strerror}", code="input-unreadable") from None
    return {"path": path, "mod_time_unix": int(at), "mod_time": datetime.fromtimestamp(at, UTC).isoformat()}


async def _file(path: str) -> Chunks:
    """The bytes of a regular file; of nothing that could wait, or never end."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise StepError(f"{path}: {error.strerror}", code="input-unreadable") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StepError(f"{path}: it is no regular file", code="input-unreadable")
        while chunk := await asyncio.to_thread(os.read, descriptor, _CHUNK):
            yield chunk
    finally:
        os.close(descriptor)


async def _stdin() -> Chunks:
    """The bytes of standard input as they come: a line is a record when it is there, and not at the end of them all."""
    if sys.stdin is None:
        return
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):  # a host has put something of its own there
        read = sys.stdin.buffer.read
    else:
        reader = _Reader(lambda: os.read(descriptor, _CHUNK))
        while chunk := await reader.next():
            yield chunk
        return
    try:
        while chunk := read(_CHUNK):
            yield chunk
    except OSError as error:
        raise StepError(f"standard input: {error.strerror or error}", code="input-unreadable") from None


class _Reader:
    """A thread that may be left behind while it waits: nobody can interrupt it where it reads a pipe that stays silent,
    and Ctrl-C should not wait for the next line."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._wanted = threading.Semaphore(0)
        self._waiting: asyncio.Future[bytes] | None = None
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, name="flowdsl-stdin", daemon=True).start()

    async def next(self) -> bytes:
        """The next bytes; none at the end.

        Raises:
            StepError: it cannot be read.
        """
        self._waiting = self._loop.create_future()
        self._wanted.release()
        try:
            return await self._waiting
        except OSError as error:
            raise StepError(f"standard input: {error.strerror}", code="input-unreadable") from None

    def _run(self) -> None:
        ended = False
        while not ended:
            self._wanted.acquire()
            chunk, failure = b"", None
            try:
                chunk = self._read()
            except OSError as error:
                failure = error
            ended = not chunk
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._give, chunk, failure)

    def _give(self, chunk: bytes, failure: OSError | None) -> None:
        waiting = self._waiting
        if waiting is None or waiting.done():
            return
        if failure is None:
            waiting.set_result(chunk)
        else:
            waiting.set_exception(failure)
