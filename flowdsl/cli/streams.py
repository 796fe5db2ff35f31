"""Stdout and stderr of the command line. What is printed goes through here, and steers no terminal but by our own hand.
They can be closed, full or without a reader: none of it ends a run, or a process with a traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import UnsupportedOperation

from flowdsl.display.visible import Shown, visible

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from typing import Any, TextIO


class UnwrittenOutput(Exception):
    """What was to be written to stdout is lost to it; the text says why."""


@contextmanager
def stdout_at_stake() -> Iterator[None]:
    """What is written here is in stdout when it ends.

    Raises:
        BrokenPipeError: the reader of stdout has left.
        UnwrittenOutput: stdout is closed, or does not take it.
    """
    if sys.stdout is None or (isinstance(sys.stdout, _Visible) and sys.stdout.is_closed):
        raise UnwrittenOutput("stdout is closed")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UnwrittenOutput(f"stdout cannot be written to: {error.strerror or error}") from error


@contextmanager
def steady_streams() -> Iterator[None]:
    """Stdout and stderr show what would steer a terminal, and escape what they cannot encode. Stderr falls silent when
    it cannot be written to; what is left in a broken stream at the end goes nowhere, where Python would complain."""
    before = sys.stdout, sys.stderr
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    sys.stdout = printed = _Visible(sys.stdout)
    sys.stderr = _Steady(sys.stderr, printed)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        _silence_broken(sys.stdout, sys.stderr)


def tell(text: str) -> bool:
    """Writes a text that must not be lost to stderr; whether it took it."""
    sys.stderr.write(text)
    sys.stderr.flush()
    return not (isinstance(sys.stderr, _Steady) and sys.stderr.failed)


class _Visible:
    """The one place through which all text is printed: only what is `Shown` steers a terminal."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def is_closed(self) -> bool:
        """Whether the process began without it: what is written is lost."""
        return self._stream is None

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def flush(self) -> None:
        """Writes what waits.

        Raises:
            OSError: it cannot be written.
        """
        if self._stream is not None:
            self._stream.flush()

    def fileno(self) -> int:
        """The number of its descriptor.

        Raises:
            UnsupportedOperation: it has none.
        """
        if self._stream is None:
            raise UnsupportedOperation("fileno")
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Writes a text.

        Raises:
            OSError: it cannot be written.
        """
        if self._stream is not None:
            self._stream.write(text if isinstance(text, Shown) else visible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes texts one after the other."""
        for line in lines:
            self.write(line)


class _Steady(_Visible):
    """A stream whose failures are nobody's business; `failed` says whether there was one. What was `printed` before
    stands before it where both go to the same place, such as the log of a job."""

    def __init__(self, stream: TextIO | None, printed: _Visible) -> None:
        super().__init__(stream)
        self.failed = stream is None
        self._printed = printed

    def write(self, text: str) -> int:
        """Writes a text, if it can be written."""
        with suppress(OSError):  # which is told at the end, when all of it should be there
            self._printed.flush()
        try:
            return super().write(text)
        except OSError:
            self.failed = True
            return len(text)

    def flush(self) -> None:
        """Writes what waits, if it can be written."""
        try:
            super().flush()
        except OSError:
            self.failed = True


def _silence_broken(*streams: TextIO | None) -> None:
    """Sends the rest of a broken stream nowhere."""
    for stream in streams:
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]  # it was flushed
            except UnsupportedOperation:  # a stream in memory needs nothing
                pass
            finally:
                os.close(nowhere)
