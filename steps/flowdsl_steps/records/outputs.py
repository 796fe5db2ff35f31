"""Where records go: standard output, files of the output folder, or nowhere."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from flowdsl import StepContext, StepError
from flowdsl.image.formats import EXTENSIONS
from flowdsl.step.problem import show
from flowdsl_steps.expressions.bloblang import Interpolation, QueryFailed
from flowdsl_steps.io.file_name import file_name
from flowdsl_steps.io.output_files import OutputFile, write_by_effect
from flowdsl_steps.records.record import Record

ALL_BYTES = "all-bytes"
CODECS = ("lines", "append", ALL_BYTES)
"""Beside them there is `delim:` with a delimiter."""
_MOST_OPEN = 10_000
"""So many files are added to in one run."""
_OF_THE_DISK = frozenset((errno.ENOSPC, errno.EROFS, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)))


class Output:
    """An output `{stdout: …}`, `{file: …}` or `{drop: …}`."""

    def __init__(self, settings: Mapping[str, Any], ctx: StepContext) -> None:
        ((kind, own),) = settings.items()
        own = own or {}
        self._kind = kind
        self._ctx = ctx
        self._codec = str(own.get("codec") or "lines")
        self._path = Interpolation(str(own.get("path", ""))) if kind == "file" else None
        self._begun: dict[str, str] = {}

    async def open(self) -> None:
        """Looks whether files can be written at all, before anything is paid for.

        Raises:
            StepError: they cannot.
        """
        if self._path is not None:
            await asyncio.to_thread(_look_at, self._ctx.output_folder)

    async def write(self, record: Record) -> None:
        """Takes a record, or rejects it: where its path is none, or its file cannot be written. A picture has its file
        already: on standard output it is named by the summary of the run.

        Raises:
            StepError: no further one could be written either, such as to a disk that is full.
        """
        try:
            await self._write(record)
        except QueryFailed as error:
            record.reject(f"path interpolation error: {error.message}", self._ctx)
        except StepError as error:
            if _is_of_all(error, self._ctx.output_folder):
                raise
            record.reject(f"it is not written: {error.message.replace('`directory`', '`path`')}", self._ctx)

    async def _write(self, record: Record) -> None:
        if self._kind == "stdout" and record.image is None:
            message = record.content.decode("utf-8", "replace")
            self._ctx.emit("SHOW_RESPONSE", {"message": message, "mode": "text"})
        elif self._path is not None:
            await self._write_file(record, self._path.text_for(record))

    async def _write_file(self, record: Record, path: str) -> None:
        parts = PurePosixPath(path.replace("\\", "/"))
        name, folder = file_name(self._ctx.hide(parts.name)), str(parts.parent)
        if not name:
            raise StepError(f"`path` is {show(path)}, which names no file", code="not-a-file-name")
        if self._codec == ALL_BYTES:
            if record.image is not None and not PurePosixPath(name).suffix:
                name = file_name(name, EXTENSIONS[record.image.mime])
            file = OutputFile(name, lambda: record.content)
            await write_by_effect(self._ctx, self._ctx.hide(folder), [file], overwrite=False)
            return
        if path not in self._begun:
            if len(self._begun) == _MOST_OPEN:
                raise StepError(f"the output has more than {_MOST_OPEN:,} files", code="output-unwritable")
            file = OutputFile(name, lambda: b"")
            (made,) = await write_by_effect(self._ctx, self._ctx.hide(folder), [file], overwrite=False)
            self._begun[path] = made
        content = record.content
        delimiter = b"\n" if self._codec == "lines" else self._codec.removeprefix("delim:").encode()
        if self._codec != "append" and not content.endswith(delimiter):
            content += delimiter
        request = {"path": self._begun[path], "bytes": len(content)}
        await self._ctx.effect("append", request, lambda: _append(self._begun[path], content))


def _look_at(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK | os.X_OK) else os.strerror(errno.EACCES)
    except OSError as error:
        reason = str(error.strerror)
    if reason:
        raise StepError(f"the output folder {folder} cannot be written to: {reason}", code="output-unwritable")


def _is_of_all(error: StepError, folder: Path) -> bool:
    """Whether what is wrong with one file is wrong with all: the disk, or the output folder itself."""
    cause = error.__cause__
    if not isinstance(cause, OSError):
        return error.code == "output-unwritable" and cause is None
    return cause.errno in _OF_THE_DISK or not os.access(folder, os.W_OK | os.X_OK)


async def _append(path: str, content: bytes) -> None:
    def write() -> None:
        try:
            with Path(path).open("ab") as stream:
                stream.write(content)
        except OSError as error:
            raise StepError(f"{path} cannot be written to: {error.strerror}", code="output-unwritable") from error

    await asyncio.to_thread(write)
