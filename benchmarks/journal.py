"""What a journal costs: the same paid requests as a loop of asyncio that writes each picture to a file (once with
requests written by hand, once with httpx, as most would write it), as a run without a journal and with one, with limits
that processes share (a rate, places, and the budget of a day, none of which is ever reached), and as a batch, which
makes a run of each request.

The service is a process of its own, which responds to every request with another picture after a while.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx

import flowdsl
from benchmarks.picture_service import KEY, service
from benchmarks.table import Row, show
from flowdsl import Environment, Limits, Storage
from flowdsl.journal.day_budget import DayBudget, Most
from flowdsl.journal.journal import Journal

CASES = ((1.0, 2000, 100), (0.05, 2000, 100), (0.05, 100, 1))
"""Seconds of a response, requests, and how many of them are sent at once."""
AIMS = {(1.0, 100): "at least 0.95", (0.05, 100): "at least 0.5"}
REPEATS = 2
PICTURE_BYTES = 1_000
STEP = """\
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  size: 1024x1024
  quality: low
  instruction: "lighthouse {{{{ {number} }}}}"
"""
LOOP = f"""\
- step: FOR
  var: i
  start: 1
  end: {{count}}
  concurrency: {{at_once}}
  do:
{textwrap.indent(STEP.format(number="flowContext.i"), "    ")}"""
RECORD = f"""\
inputs: {{i: {{type: integer}}}}
flow:
{STEP.format(number="inputs.i")}"""


def loop(url: str, count: int, at_once: int, folder: Path) -> float:
    """The seconds of a loop of asyncio: so many connections, each of which sends the next request by hand and writes
    the picture to a file. Nothing in Python is much faster."""
    address = urlsplit(url)

    async def ask(numbers: Iterator[int]) -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for number in numbers:
            prompt = {"model": "gpt-image-2", "prompt": f"lighthouse {number}", "size": "1024x1024", "quality": "low"}
            body = json.dumps(prompt).encode()
            writer.write(b"POST /v1/images/generations HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n")
            writer.write(b"authorization: Bearer k\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.rpartition(b"content-length: ")[2].split(b"\r\n")[0])
            response = json.loads(await reader.readexactly(length))
            picture = base64.b64decode(response["data"][0]["b64_json"])
            await asyncio.to_thread((folder / f"{number}.png").write_bytes, picture)
        writer.close()

    async def all_of_them() -> None:
        numbers = iter(range(count))
        await asyncio.gather(*(ask(numbers) for _ in range(at_once)))

    began = time.perf_counter()
    asyncio.run(all_of_them())
    return time.perf_counter() - began


def httpx_loop(url: str, count: int, at_once: int, folder: Path) -> float:
    """The same with the client of httpx, as most would write it."""

    async def ask(client: httpx.AsyncClient, numbers: Iterator[int]) -> None:
        for number in numbers:
            prompt = {"model": "gpt-image-2", "prompt": f"lighthouse {number}", "size": "1024x1024", "quality": "low"}
            response = await client.post(f"{url}/images/generations", json=prompt)
            picture = base64.b64decode(response.json()["data"][0]["b64_json"])
            await asyncio.to_thread((folder / f"{number}.png").write_bytes, picture)

    async def all_of_them() -> None:
        limits, key = httpx.Limits(max_connections=at_once), {"authorization": "Bearer k"}
        async with httpx.AsyncClient(limits=limits, timeout=60, headers=key) as client:
            numbers = iter(range(count))
            await asyncio.gather(*(ask(client, numbers) for _ in range(at_once)))

    began = time.perf_counter()
    asyncio.run(all_of_them())
    return time.perf_counter() - began


def run(url: str, count: int, at_once: int, folder: Path, *, journaled: bool, limited: bool = False) -> float:
    """The seconds of a run whose flow loops."""
    limits = {"rateLimit": 60_000_000, "concurrency": at_once} if limited else {}
    text = LOOP.replace("{count}", str(count)).replace("{at_once}", str(at_once))
    flow = _environment(url, folder, limits).load(text).prepare()
    began = time.perf_counter()
    with Journal(folder / "state") if journaled else nullcontext() as journal:
        if journal is not None and limited:
            journal.budget = DayBudget(journal.database, Most(1e6, "flowdsl.toml"))
        flow.run(journal=journal)
    return time.perf_counter() - began


def batch(url: str, count: int, at_once: int, folder: Path) -> float:
    """The seconds of a batch with a journal: a run for each request."""
    flow = _environment(url, folder, {}).load(RECORD).prepare()
    records = ({"i": number} for number in range(count))

    async def all_of_them(journal: Journal) -> None:
        async for outcome in flowdsl.batch(flow, records, journal=journal, concurrency=at_once):
            assert outcome.status == "done", outcome.error

    began = time.perf_counter()
    with Journal(folder / "state") as journal:
        asyncio.run(all_of_them(journal))
    return time.perf_counter() - began


PEERS, OURS = ("by hand", "httpx"), ("journaled", "batch")
KINDS: Mapping[str, Callable[[str, int, int, Path], float]] = {
    "by hand": loop,
    "httpx": httpx_loop,
    "run": partial(run, journaled=False),
    "journaled": partial(run, journaled=True),
    "and limits": partial(run, journaled=True, limited=True),
    "batch": batch,
}


def _environment(url: str, folder: Path, limits: Mapping[str, int]) -> Environment:
    return Environment(
        services={"OPENAI_IMAGE_GENERATION": {"endpoint": url, "apiKey": KEY, **limits}},
        storage=Storage(images=f"{folder}/pictures"),
        limits=Limits(private_addresses=True),
    )


def main() -> None:
    """Prints a line for each case. Folders are removed at the end: where many files were just deleted, ext4 is slow to
    make new ones."""
    rows = []
    with tempfile.TemporaryDirectory() as root:
        numbers = itertools.count()

        def folder() -> Path:
            path = Path(root, str(next(numbers)))
            path.mkdir()
            return path

        for delay_s, count, at_once in CASES:
            case = count, at_once
            with service(PICTURE_BYTES, delay_s) as address:
                url = f"{address}/v1"
                run(url, 2 * at_once, at_once, folder(), journaled=True)
                rounds = [[measure(url, *case, folder()) for measure in KINDS.values()] for _ in range(REPEATS)]
            best = dict(zip(KINDS, (min(times) for times in zip(*rounds, strict=True)), strict=True))
            figures = tuple(f"{count / seconds:.1f}" for seconds in best.values())
            by_hand, usual = (" and ".join(f"{best[peer] / best[kind]:.2f}" for kind in OURS) for peer in PEERS)
            ratio = f"{by_hand} of the loop by hand, {usual} of that with httpx"
            name = f"responses after {delay_s:g} s, {at_once} at once"
            rows.append(Row(name, figures, ratio, AIMS.get((delay_s, at_once), "")))
    show("Paid requests a second", tuple(KINDS), rows)


if __name__ == "__main__":
    main()
