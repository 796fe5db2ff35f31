"""A stream of several pictures: each is passed on when it is there, and not when the last one is."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from gateways import MODEL, SMALL, Running, running_gateway
from PIL import Image
from web_server import Web

ROUTES = """
[routes.poster]
service = "main/gpt-image-2"
[routes.told]
service = "main/gpt-image-2"
on_unknown = "spare/gpt-image-2"
"""
POSTER = {"model": "poster", "prompt": "A kite", "stream": True}
USAGE = {"input_tokens": 5, "output_tokens": 20, "total_tokens": 25}


def picture(number: int) -> bytes:
    """The bytes of a picture, each another one."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (number, 0, 0)).save(file, "PNG")
    return file.getvalue()


class Painter:
    """A service that makes a picture when a test lets it, each in an event of its own as soon as it is there. `first`
    is the number of the first, `breaks_at` that of the one in whose place it breaks off; where `only_last` the event of
    the last one alone says what was used."""

    def __init__(
        self, *, first: int = 0, breaks_at: int = -1, only_last: bool = False, usage: str = json.dumps(USAGE)
    ) -> None:
        self._may = threading.Semaphore(0)
        self._numbers = itertools.count(first)
        self._breaks_at, self._only_last, self._usage = breaks_at, only_last, usage
        self.web = Web(self._respond)

    def let(self, count: int = 1) -> None:
        """Lets it make so many."""
        self._may.release(count)

    def _respond(self, connection: socket.socket, ended: threading.Event) -> None:
        seen = self.web.seen[-1]
        is_edit = seen.target.endswith("edits")
        body = {"n": 3} if is_edit else json.loads(seen.body)
        length = "content-length: 1000000\r\n" if self._breaks_at >= 0 else ""
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n{length}\r\n"
        connection.sendall(head.encode())
        last = body.get("n", 1) - 1
        for each in range(last + 1):
            assert self._may.acquire(timeout=20)
            number = next(self._numbers)
            if number == self._breaks_at:
                return
            kind = f"image_{'edit' if is_edit else 'generation'}.completed"
            event = {"type": kind, "b64_json": base64.b64encode(picture(number)).decode(), "quality": "high"}
            said = f', "usage": {self._usage}' if each == last or not self._only_last else ""
            connection.sendall(f"event: {kind}\ndata: {json.dumps(event)[:-1]}{said}}}\n\n".encode())


@contextmanager
def painted(folder: Path, painter: Painter, spare: Painter | None = None) -> Iterator[tuple[Running, openai.OpenAI]]:
    """A gateway in front of such a service, and another one for what that refuses; and a client."""
    with painter.web, (spare or Painter()).web as other:
        urls = {"main": painter.web.url, "spare": other.url}
        services = {
            name: {"provider": "openai", "endpoint": f"{url}/v1", "apiKey": "sk-own", "options": {"maxRetries": 0}}
            for name, url in urls.items()
        }
        with running_gateway(folder, ROUTES, services=services) as gateway:
            yield gateway, gateway.client(timeout=10)


def states(gateway: Running) -> list[tuple[str, int]]:
    """The requests of the ledger: how they stand, and how many pictures they brought."""
    runs = gateway.journal.runs
    return sorted((each.state, len(each.pictures)) for run in runs.all() for each in runs.requests(run.id))


def numbers(events: list[Any]) -> list[int]:
    """Which pictures came."""
    return [Image.open(io.BytesIO(base64.b64decode(event.b64_json))).getpixel((0, 0))[0] for event in events]


@pytest.mark.parametrize("operation", ["generation", pytest.param("edit", marks=pytest.mark.long)])
def test_a_picture_of_a_stream_is_not_held_back_until_the_last_one_is_there(tmp_path: Path, operation: str) -> None:
    painter = Painter()
    with painted(tmp_path, painter) as (gateway, client):
        painter.let()
        if operation == "edit":
            images = client.images
            stream = images.edit(image=("a.png", picture(9), "image/png"), n=3, **POSTER)
        else:
            stream = client.images.generate(n=3, **POSTER)
        events = [next(stream)]
        assert states(gateway) == [("started", 0)]  # the request that it belongs to
        painter.let()
        events.append(next(stream))
        painter.let()
        events += stream
        assert states(gateway) == [("ok", 3)]
    assert [event.type for event in events] == [f"image_{operation}.completed"] * 3
    assert numbers(events) == [0, 1, 2] and {event.quality for event in events} == {"high"}
    assert [event.usage.total_tokens for event in events] == [25] * 3


@pytest.mark.long
def test_what_only_the_last_picture_says_of_the_usage_is_in_the_last_event(tmp_path: Path) -> None:
    painter = Painter(only_last=True)
    painter.let(3)
    with painted(tmp_path, painter) as (_, client):
        events = [*client.images.generate(n=3, **POSTER)]
    assert [event.usage and event.usage.total_tokens for event in events] == [None, None, 25]


@pytest.mark.long
@pytest.mark.parametrize(
    "usage",
    [
        '{"input_tokens": 5, "output_tokens": null, "total_tokens": 25}',
        '{"input_tokens": {"text": 5}, "total_tokens": true}',
        '{"input_tokens": 1e400, "output_tokens": "many", "total_tokens": -Infinity}',
        '{"input_tokens": ' + 480 * '{"a": ' + "1" + 481 * "}",
    ],
    ids=["null", "other kinds", "no numbers", "deep"],
)
def test_no_picture_of_a_stream_is_lost_for_what_its_service_says_of_the_usage(tmp_path: Path, usage: str) -> None:
    painter = Painter(usage=usage, only_last=usage.startswith('{"input_tokens": 5'))
    painter.let(3)
    with painted(tmp_path, painter) as (gateway, _):
        told = gateway.post({**POSTER, "n": 3}).text
        assert states(gateway) == [("ok", 3)]
    events = [line.removeprefix("data: ") for line in told.splitlines() if line.startswith("data: ")]
    assert [json.loads(each, parse_constant=pytest.fail)["type"] for each in events] == [
        "image_generation.completed"
    ] * 3


@pytest.mark.long
def test_a_picture_that_was_passed_on_before_a_stream_broke_is_in_the_ledger(tmp_path: Path) -> None:
    painter = Painter(breaks_at=1)
    with painted(tmp_path, painter) as (gateway, client):
        painter.let()
        stream = iter(client.images.generate(n=3, **POSTER))
        assert numbers([next(stream)]) == [0]
        painter.let()
        with pytest.raises(openai.APIError):
            next(stream)
        [run] = gateway.journal.runs.all()
        [request] = gateway.journal.runs.requests(run.id)
        with closing(sqlite3.connect(tmp_path / "state" / "journal.sqlite")) as journal:
            [(kept,)] = journal.execute("SELECT result FROM ledger").fetchall()
    assert request.state == "unknown" and hashlib.sha256(picture(0)).hexdigest() in kept


@pytest.mark.long
def test_no_more_pictures_come_than_were_asked_for_where_another_service_goes_on(tmp_path: Path) -> None:
    painter, spare = Painter(breaks_at=1), Painter(first=10)
    painter.let(2)
    spare.let(3)
    with painted(tmp_path, painter, spare) as (_, client):
        events = [*client.images.generate(n=3, **{**POSTER, "model": "told"})]
    assert numbers(events) == [0, 10, 11]


@pytest.mark.long
def test_a_key_brings_all_pictures_of_a_stream_again(tmp_path: Path) -> None:
    ask = {"prompt": "A kite", "n": 3, "stream": True, "extra_headers": {"Idempotency-Key": "three"}, **SMALL}
    with running_gateway(tmp_path) as gateway:
        client = gateway.client()
        found = [[event.b64_json for event in client.images.generate(**ask)] for _ in range(2)]
        assert found[0] == found[1] and len(found[0]) == 3 and gateway.bought == 1
        assert MODEL in gateway.simulator.requests[-1].json["model"]
