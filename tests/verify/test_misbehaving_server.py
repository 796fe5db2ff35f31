"""A server that misbehaves in every way of `misbehaviour`: nothing is paid twice, shown, lost or held for ever."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from command_line_runs import DEADLINE_S
from misbehaviour import CASES, GOOD, KEY, Visit

GROUPS = 8
SLACK_S = 5
MOST_MEMORY = 150_000_000
NAMES = list(CASES)
FLOW = """\
services:
  OPENAI_IMAGE_GENERATION:
    endpoint: {url}/{number}/v1
    apiKey: "{{{{ secret('PICTURE_KEY') }}}}"
    timeoutMs: 1000
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: A paper boat
    size: 1024x1024
    quality: low
    n: {n}
"""


class Server(socketserver.ThreadingTCPServer):
    """Answers as the case says whose number begins the path; `orders` counts by case."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.orders: Counter[str] = Counter()
        self.ended = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave are part of the test."""


class _Connection(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.connection.settimeout(10)
        with suppress(OSError):
            method, target, _ = self.rfile.readline().decode("latin-1").split(" ", 2)
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode("latin-1").partition(":")
                length = int(value) if name.lower() == "content-length" else length
            body = self.rfile.read(length)
            parts = target.split("/")
            name = NAMES[int(parts[1])] if parts[1].isdigit() else ""
            case = CASES.get(name)
            url = f"{self.server.url}/{parts[1]}"
            visit = Visit(self.connection, target, body, url, self.server.ended)
            if case is not None and method == "POST":
                self.server.orders[name] += 1
                case.order(visit)
            elif case is not None and case.link is not None:
                case.link(visit)
            else:
                visit.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


@contextmanager
def running() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("group", range(GROUPS))
def test_nothing_is_paid_twice_shown_lost_or_held_for_ever(group: int, tmp_path: Path) -> None:
    names = NAMES[group::GROUPS]
    folders = [tmp_path / str(NAMES.index(name)) for name in names]
    with running() as server:
        for name, folder in zip(names, folders, strict=True):
            folder.mkdir()
            flow = FLOW.format(url=server.url, number=folder.name, n=CASES[name].n)
            (folder / "main.flow.yaml").write_text(flow, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("command_line_runs.py")), *map(str, folders)],
            capture_output=True,
            text=True,
            timeout=len(names) * (DEADLINE_S + SLACK_S),
            env={**os.environ, "PICTURE_KEY": KEY},
        )
        assert done.returncode == 0, done.stderr
        runs = [json.loads(line) for line in done.stdout.splitlines()]
        problems = [
            f"{name}: {problem}\n{run['out']}{run['err']}"
            for name, folder, run in zip(names, folders, runs, strict=True)
            for problem in problems_of(name, folder, run, server.orders[name])
        ]
    assert not problems, "\n\n".join(problems)


def problems_of(name: str, folder: Path, run: dict[str, Any], orders: int) -> Iterator[str]:
    """What is wrong with a run."""
    case, text = CASES[name], f"{run['out']}{run['err']}"
    if orders == 0 or orders > (3 if case.refuses else 1):
        yield f"{orders} orders were sent"
    if KEY in text or KEY in "".join(str(path) for path in folder.rglob("*")):
        yield "the key is shown"
    if "Traceback" in text or run["code"] != (4 if case.fails else 0):
        yield f"the exit code is {run['code']}"
    if case.fails and not case.refuses and "billed" not in text:
        yield "nothing says that it may be billed"
    if case.fails and case.refuses and "billed" in text:
        yield "a refusal is said to be billed"
    if run["elapsed_s"] > DEADLINE_S + SLACK_S:
        yield f"it took {run['elapsed_s']:.1f} s"
    if run["memory"] > MOST_MEMORY:
        yield f"it took {run['memory'] / 1e6:.0f} MB"
    kept = list((folder / "out" / ".originals").glob("*.png"))
    whole = [path for path in kept if path.read_bytes() in GOOD]
    if len(whole) < case.good:
        yield f"{len(whole)} of {case.good} good pictures are kept"
    manifest = folder / "out" / "manifest.json"
    listed = json.loads(manifest.read_bytes())["images"] if manifest.exists() else []
    for path in kept:
        if not case.fails and path.stem not in {line["sha256"] for line in listed} and len(listed) >= case.good:
            continue  # an unfinished picture, behind which the whole one came
        names = [
            line["file"] for line in listed if line["sha256"] == path.stem and (folder / "out" / line["file"]).exists()
        ]
        if not any(name in text for name in (*names, path.name)):
            yield f"{path.name} is not named: {names}"


def test_there_are_88_ways_and_more() -> None:
    assert len(CASES) >= 88
