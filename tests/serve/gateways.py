"""A gateway on a real loopback socket, in front of a simulator, in a thread of the test."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

import flowdsl
from flowdsl.cli.serve import PATHS
from flowdsl.journal.journal import Journal
from flowdsl.serve.assembled import Parts, serve
from flowdsl.serve.routing import routing
from flowdsl.serve.served import served
from flowdsl.serve.server import Server, listener
from flowdsl.settings.files import named_file
from flowdsl.settings.serving import serving
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.simulator.stand_in import overrides

DAY = date(2026, 11, 21)
MODEL = "gpt-image-2"
SMALL: Mapping[str, Any] = {"model": MODEL, "size": "1024x1024", "quality": "low"}
"""What the tests ask for beside a prompt."""
FOR_AGENTS = pytest.mark.skipif(find_spec("mcp") is None, reason="pip install 'flowdsl[mcp]'")
"""The rest of a file is for a gateway without that extra too."""


class Running:
    """A gateway that serves."""

    def __init__(self, server: Server, simulator: Simulator, journal: Journal, folder: Path, log: list[str]) -> None:
        self.server = server
        self.simulator = simulator
        self.journal = journal
        self.folder = folder
        self.log = log
        self.told: list[str] = []
        self.url = f"http://127.0.0.1:{server.port}"
        self.clients: list[openai.OpenAI] = []

    @property
    def bought(self) -> int:
        """How many requests for pictures reached the service."""
        return self.simulator.request_count

    def client(self, **options: Any) -> openai.OpenAI:
        """An official client of this gateway, which sends nothing again."""
        made = openai.OpenAI(**{"base_url": f"{self.url}/v1", "api_key": "none", "max_retries": 0, **options})
        self.clients.append(made)
        return made

    def line_of(self, request: str) -> dict[str, Any]:
        """The line of the log for the request of this id; it is written when its response is over, so that it may come
        after those of later requests."""
        end = time.monotonic() + 10
        while True:
            for line in map(json.loads, list(self.log)):
                if line.get("request") == request:
                    return dict(line)
            assert time.monotonic() < end
            time.sleep(0.005)

    def post(self, body: Any, path: str = "/v1/images/generations", **options: Any) -> httpx.Response:
        """The response to a request."""
        return httpx.post(f"{self.url}{path}", json=body, timeout=30, **options)


@contextmanager
def running_gateway(
    folder: Path,
    settings: str = "",
    *,
    services: Mapping[str, Any] | None = None,
    question: str | None = None,
    proxy_headers: bool = False,
    log_content: bool = False,
    **options: Any,
) -> Iterator[Running]:
    """A gateway with the settings of a text, and a simulator in the place of its services; `options` are those of the
    simulator."""
    file = folder / "flowdsl.toml"
    file.write_text(settings, encoding="utf-8")
    with Simulator(plain=True, as_of=DAY, **options) as simulator, Journal(folder / "state") as journal:
        own = {} if services is not None else overrides(simulator.url, simulator.key)
        names = {*own, *overrides("", "")}
        environment = flowdsl.Environment(
            settings=file,
            services=services,
            overrides={name: {**own.get(name, {}), "limits": "api"} for name in names},
            storage=flowdsl.Storage(images=folder / "pictures", output=folder / "output"),
            limits=flowdsl.Limits(files_by_value=False, standard_input=False),
            as_of=DAY,
            environ={},
        )
        said = serving(named_file(str(file)))
        found = routing(environment, said)
        log: list[str] = []
        flows = served(environment, said)
        told: list[str] = []
        own: dict[str, Any] = {"log": log.append, "tell": told.append, "question": lambda *run: question}
        own |= {"public_url": said.public_url, "proxy_headers": proxy_headers, "log_content": log_content}
        parts = Parts(environment, found, journal, folder / "state", PATHS, flows, tokens=said.tokens, **own)
        ready, servers = threading.Event(), list[Server]()

        def on_ready(server: Server) -> None:
            servers.append(server)
            ready.set()

        with listener("127.0.0.1", 0) as sock:
            thread = threading.Thread(target=lambda: asyncio.run(serve(parts, sock, on_ready)))
            thread.start()
            try:
                while not ready.wait(0.1):
                    assert thread.is_alive()
                running = Running(servers[0], simulator, journal, folder, log)
                running.told = told
                yield running
                for client in running.clients:
                    client.close()
            finally:
                for server in servers:
                    server.stop()
                thread.join()
