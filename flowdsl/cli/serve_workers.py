"""`flowdsl serve --workers N`: processes that share one socket, and what they share otherwise is in files.

Each is a process of its own, of the same command; a worker that dies is replaced. Tokens, limits, budgets, paces and
idempotency keys are those of the journal, whichever process asks.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import NamedTuple

from flowdsl.cli.failure import FAILED
from flowdsl.errors import UsageError

SOCKET = "FLOWDSL_SERVE_SOCKET"
"""The environment variable that gives a worker what it inherits, as numbers: the descriptor of its socket, that of a
pipe which ends when nobody looks after the workers any more, that of the file with what all count, and its place
there."""
_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
_HEALTHY_S = 10.0
"""A worker that lived so long is replaced at once."""


class Inherited(NamedTuple):
    """What a worker has of its parent: the socket that it listens on, the pipe that ends with the parent, the file in
    which all count, and the worker's place there."""

    sock: socket.socket
    alive: int
    counts: int
    place: int


def inherited() -> Inherited | None:
    """What a worker inherits; None in a process that is none."""
    said = os.environ.get(SOCKET, "").split(",")
    if len(said) != len(Inherited._fields) or not all(each.isdigit() for each in said):
        return None
    first, *others = map(int, said)
    return Inherited(socket.socket(fileno=first), *others)


def supervise(sock: socket.socket, number: int, arguments: Sequence[str], on_ready: Callable[[], None]) -> int:
    """Runs so many workers on a socket until a signal; gives the worst of their exit codes.

    Raises:
        UsageError: the system cannot hand a socket on, or no worker can begin.
    """
    if os.name == "nt":
        raise UsageError("`--workers` needs a system on which processes inherit sockets: leave it out here")
    with tempfile.TemporaryFile() as counts:
        workers = _Workers(sock, counts.fileno(), arguments)
        before = {each: signal.signal(each, workers.end) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            for place in range(number):
                workers.begin(place)
            on_ready()
            return workers.wait()
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


class _Workers:
    """The workers of one socket."""

    def __init__(self, sock: socket.socket, counts: int, arguments: Sequence[str]) -> None:
        alive, self._held = os.pipe()
        self._sock = sock
        self._inherited = sock.fileno(), alive, counts
        self._arguments = arguments
        self._running: dict[int, tuple[subprocess.Popen[bytes], float, int]] = {}
        self._due: list[tuple[float, int]] = []
        """When workers begin that take the place of others, and which."""
        self._is_ending = False
        self._worst = 0
        self._pause_s = _PAUSE_S

    def begin(self, place: int) -> None:
        """Starts one in a place, unless all are told to end by now."""
        if self._is_ending:
            return
        command = [sys.executable, "-m", "flowdsl.cli", "serve", *self._arguments]
        environ = {**os.environ, SOCKET: ",".join(map(str, (*self._inherited, place)))}
        worker = subprocess.Popen(
            command, pass_fds=self._inherited, env=environ, stdout=subprocess.DEVNULL, start_new_session=True
        )
        self._running[worker.pid] = worker, time.monotonic(), place
        if self._is_ending:  # the signal came meanwhile, and this one was not told
            self._end(worker)

    def end(self, number: int, frame: FrameType | None) -> None:
        """Tells all to end: in order the first time, at once the second."""
        self._is_ending = True
        for worker, *_ in list(self._running.values()):
            self._end(worker)

    def wait(self) -> int:
        """Replaces workers that die, until all have ended."""
        while self._running or (self._due and not self._is_ending):
            if self._is_ending:
                self._sock.close()  # else who connects now waits until all have ended, and is cut off then
            pid = next((pid for pid, (worker, *_) in self._running.items() if worker.poll() is not None), None)
            if pid is not None:
                worker, began, place = self._running.pop(pid)
                self._ended(worker.returncode, time.monotonic() - began, place)
            elif self._due and time.monotonic() >= self._due[0][0]:
                self.begin(self._due.pop(0)[1])
            else:
                time.sleep(0.05)
        return self._worst

    def _end(self, worker: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError):
            worker.send_signal(signal.SIGTERM)

    def _ended(self, code: int, lived_s: float, place: int) -> None:
        said = f"signal {-code}" if code < 0 else f"exit code {code}"
        if self._is_ending:
            self._worst = max(self._worst, code)
            if code < 0 and -code != signal.SIGTERM:  # that is of one that had not begun yet
                self._worst = max(self._worst, FAILED)
                _tell(f"a worker has ended ({said}) unfinished: `flowdsl runs list` shows what may be paid for")
        elif code in (1, 2):  # it said why, and would say so again
            self._worst = code
            _tell(f"a worker cannot go on ({said}), and neither could another one: the gateway ends")
            self.end(signal.SIGTERM, None)
        else:
            _tell(f"a worker has ended ({said}), and another one takes its place")
            is_healthy = lived_s >= _HEALTHY_S
            self._due.append((time.monotonic() + (0.0 if is_healthy else self._pause_s), place))
            self._pause_s = _PAUSE_S if is_healthy else min(2 * self._pause_s, _LONGEST_PAUSE_S)


def _tell(text: str) -> None:
    sys.stderr.write(f"flowdsl: {text}\n")
    sys.stderr.flush()
