"""Two processes that ask as fast as they may, with requests that cost nothing, and a server that counts them."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

_ASKING = """
import asyncio, pathlib, socket, sys

from flowdsl.journal.database import Database
from flowdsl.journal.pace import Pace
from flowdsl_steps.image.connection import Connection
from flowdsl_steps.image.paced import Paced
from flowdsl_steps.image.vendor import Endpoint

folder, port, rate, left = pathlib.Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
server = socket.create_connection(("127.0.0.1", port))
server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print("ready", flush=True)
sys.stdin.readline()

async def ask(way, paced):
    global left
    while left:
        left -= 1
        async with way.turn(1, paced):
            server.send(b"?")

async def main():
    with Database(folder) as database:
        way = Connection(None, None, None, rate or None, None)
        paced = Paced(Pace(database), Endpoint("PICTURES", f"http://127.0.0.1:{port}", {}, "a"))
        await asyncio.gather(*(ask(way, paced) for _ in range(16)))

asyncio.run(main())
server.close()
"""


class CountedRequests:
    """A server for which each byte is a request; `times` is when they came."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]

    def count(self, processes: int) -> None:
        """Counts what comes from so many processes, until they have ended."""
        counting = [threading.Thread(target=self._count, args=self._listening.accept()[:1]) for _ in range(processes)]
        for each in counting:
            each.start()
        for each in counting:
            each.join()
        self._listening.close()

    def _count(self, asking: socket.socket) -> None:
        with asking:
            while came := asking.recv(4096):
                self.times += [time.perf_counter()] * len(came)


def busiest_second(folder: Path, per_minute: float, count: int) -> int:
    """The most requests that came within one second from two processes, each of which sends so many, at a rate that
    the entry of their service gives (0: none)."""
    server = CountedRequests()
    command = [sys.executable, "-c", _ASKING, str(folder), str(server.port), str(per_minute), str(count)]
    asking = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in asking:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in asking:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    server.count(len(asking))
    for process in asking:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert len(server.times) == len(asking) * count
    return most_within_a_second(server.times)


def most_within_a_second(times: list[float]) -> int:
    """How many of these times lie within one second, whichever second has the most of them."""
    return max(sum(start <= time < start + 1 for time in times) for start in times)
