"""Names that resolve to one address when they are judged and to another when they are connected to.

127.0.0.9 stands for the open internet here: a server really listens there, and what is inside listens at 127.0.0.1, at
the same port. Names are resolved by a resolver of our own, which changes its mind with every question.
"""

from __future__ import annotations

import base64
import errno
import ipaddress
import itertools
import json
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flowdsl import Environment, RunError, Storage
from flowdsl_steps.image.simulator import Simulator

OUTSIDE, INSIDE = "127.0.0.9", "127.0.0.1"
_connected: list[str] | None = None


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _connected is not None and event == "socket.connect":
        _connected.append(str(arguments[1][0]))


sys.addaudithook(_note)


class World:
    """A server outside and one inside; `names` says how each name resolves, question by question."""

    def __init__(self) -> None:
        self.seen: dict[str, list[str]] = {OUTSIDE: [], INSIDE: []}
        self.asked: list[str] = []
        self.names: dict[str, Iterator[list[str]]] = {}
        self.respond: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self._servers = self._of_one_port()
        self.port = self._servers[0].server_port
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def _of_one_port(self) -> list[ThreadingHTTPServer]:
        """Both servers. A port that is free at one address may be taken at the other: then it is another one."""
        outside = ThreadingHTTPServer((OUTSIDE, 0), self._serving(OUTSIDE))
        try:
            return [outside, ThreadingHTTPServer((INSIDE, outside.server_port), self._serving(INSIDE))]
        except OSError as error:
            outside.server_close()
            if error.errno != errno.EADDRINUSE:
                raise
            return self._of_one_port()

    def _serving(self, address: str) -> type[BaseHTTPRequestHandler]:
        world = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                world.seen[address].append(f"{self.headers['host'].partition(':')[0]}{self.path}")
                status, headers, body = world.respond.get(self.path, (200, {}, b"found"))
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(body)), "connection": "close"}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def resolve(self, host: Any, port: Any, *_: object, **__: object) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        self.asked.append(name)
        found = next(self.names[name]) if name in self.names else [name]
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (each, port or 0)) for each in found]

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    global _connected
    is_global = ipaddress.IPv4Address.is_global.fget  # type: ignore[attr-defined]  # a property
    monkeypatch.setattr(
        ipaddress.IPv4Address, "is_global", property(lambda ip: str(ip) == OUTSIDE or is_global(ip)), raising=True
    )
    world = World()
    monkeypatch.setattr(socket, "getaddrinfo", world.resolve)
    _connected = []
    yield world
    _connected = None
    world.close()


def connected() -> set[str]:
    return set(_connected or ())


def changing(*answers: list[str]) -> Iterator[list[str]]:
    """These answers, and the last one from then on."""
    return itertools.chain(answers, itertools.repeat(answers[-1]))


def rest(url: str, **more: Any) -> Any:
    flow = json.dumps([{"step": "REST", "url": url, "maxRetries": 2, **more}]) + "\n"
    return Environment().load(flow).run()


def test_a_request_goes_to_the_address_that_was_judged(world: World) -> None:
    world.names["moves.test"] = changing([OUTSIDE], [INSIDE])
    rest(f"http://moves.test:{world.port}/a")
    assert world.asked == ["moves.test"]
    assert (connected(), world.seen[INSIDE]) == ({OUTSIDE}, [])


@pytest.mark.parametrize(
    "answers",
    [[[INSIDE]], [[OUTSIDE, INSIDE]], [[INSIDE, OUTSIDE], [OUTSIDE]]],
    ids=["inside", "inside last", "inside first"],
)
def test_a_name_with_one_address_inside_is_refused_whatever_the_others_are(
    answers: list[list[str]], world: World
) -> None:
    world.names["moves.test"] = changing(*answers)
    with pytest.raises(RunError) as caught:
        rest(f"http://moves.test:{world.port}/a")
    assert caught.value.code == "private-address"
    assert (connected(), world.seen) == (set(), {OUTSIDE: [], INSIDE: []})


def test_a_retry_and_the_next_request_are_judged_anew(world: World) -> None:
    world.names["moves.test"] = changing([OUTSIDE], [INSIDE])
    world.respond["/busy"] = (503, {"retry-after": "0"}, b"")
    with pytest.raises(RunError) as caught:
        rest(f"http://moves.test:{world.port}/busy")
    assert caught.value.code == "private-address"
    assert (world.seen[OUTSIDE], world.seen[INSIDE], connected()) == (["moves.test/busy"], [], {OUTSIDE})


@pytest.mark.parametrize("to", ["moves.test", "other.test"])
def test_a_redirect_is_judged_where_it_is_connected_to(to: str, world: World) -> None:
    world.names["moves.test"] = changing([OUTSIDE], [INSIDE])
    world.names["other.test"] = changing([INSIDE])
    world.respond["/go"] = (302, {"location": f"http://{to}:{world.port}/inside"}, b"")
    with pytest.raises(RunError) as caught:
        rest(f"http://moves.test:{world.port}/go")
    assert caught.value.code == "private-address"
    assert (world.seen[INSIDE], connected()) == ([], {OUTSIDE})


def image(world: World, endpoint: str, link: str, folder: Path) -> RunError:
    world.respond["/v1/images/generations"] = (
        200,
        {"content-type": "application/json"},
        json.dumps({"data": [{"url": link}]}).encode(),
    )
    services = {"OPENAI_IMAGE_GENERATION": {"endpoint": endpoint, "apiKey": "sk-1234567"}}
    flow = "- step: OPENAI_IMAGE_GENERATION\n  model: dall-e-3\n  instruction: A boat\n"
    with pytest.raises(RunError) as caught:
        Environment(services=services, storage=Storage(images=folder)).load(flow).run()
    assert (caught.value.code, caught.value.charge_possible) == ("image-not-fetched", True)
    assert "private address" in str(caught.value)
    return caught.value


def test_the_link_of_a_picture_goes_to_the_address_that_was_judged(world: World, tmp_path: Path) -> None:
    world.names["api.test"] = changing([OUTSIDE])
    world.names["moves.test"] = changing([OUTSIDE], [INSIDE])
    world.respond["/go"] = (302, {"location": f"http://moves.test:{world.port}/inside"}, b"")
    image(world, f"http://api.test:{world.port}/v1", f"http://moves.test:{world.port}/go", tmp_path)
    assert (world.seen[INSIDE], connected()) == ([], {OUTSIDE})


def test_an_endpoint_that_moves_inside_after_its_response_is_not_fetched_from(world: World, tmp_path: Path) -> None:
    """An endpoint of this network may send links to itself, so one outside let its name lead inside for the link."""
    world.names["moves.test"] = changing([OUTSIDE], [INSIDE])
    image(world, f"http://moves.test:{world.port}/v1", f"http://moves.test:{world.port}/inside", tmp_path)
    assert (world.seen[INSIDE], connected()) == ([], {OUTSIDE})


def test_an_endpoint_of_this_machine_is_still_fetched_from(tmp_path: Path) -> None:
    with Simulator() as simulator:
        services = {"OPENAI_IMAGE_GENERATION": {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}}
        flow = "- step: OPENAI_IMAGE_GENERATION\n  model: dall-e-3\n  instruction: A boat\n"
        assert Environment(services=services, storage=Storage(images=tmp_path)).load(flow).run().images[0].url


@pytest.mark.parametrize("kind", ["REST", "the link of a picture"])
def test_a_name_inside_is_not_asked_of_a_proxy(
    kind: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy resolves the names of links by itself, and nobody had looked at them before."""
    monkeypatch.setenv("http_proxy", f"http://{OUTSIDE}:{world.port}")
    world.names["api.test"] = changing([OUTSIDE])
    world.names["inside.test"] = changing([INSIDE])
    url = f"http://inside.test:{world.port}/secret"
    if kind == "REST":
        with pytest.raises(RunError) as caught:
            rest(url)
        assert caught.value.code == "private-address"
    else:
        world.respond[f"http://api.test:{world.port}/v1/images/generations"] = (
            200,
            {"content-type": "application/json"},
            json.dumps({"data": [{"url": url}]}).encode(),
        )
        image(world, f"http://api.test:{world.port}/v1", url, tmp_path)
    assert not [each for each in world.seen[OUTSIDE] if "secret" in each]


def test_base64_needs_no_name(world: World, tmp_path: Path) -> None:
    """The control: the same server, and a picture that needs no link, is a picture."""
    png = base64.b64encode(
        base64.b64decode(
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
        )
    )
    world.names["api.test"] = changing([OUTSIDE])
    body = b'{"data": [{"b64_json": "' + png + b'"}]}'
    world.respond["/v1/images/generations"] = (200, {"content-type": "application/json"}, body)
    services = {"OPENAI_IMAGE_GENERATION": {"endpoint": f"http://api.test:{world.port}/v1", "apiKey": "sk-1234567"}}
    flow = "- step: OPENAI_IMAGE_GENERATION\n  model: dall-e-3\n  instruction: A boat\n"
    assert Environment(services=services, storage=Storage(images=tmp_path)).load(flow).run().images
