"""Image steps of an open environment: one connection for many runs, and none that two event loops share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import flowdsl
from flowdsl import Environment, Limits, Storage, UsageError
from flowdsl.cli.simulated import overrides
from flowdsl_steps.image.simulator import Simulator

FLOW = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: a boat\n  quality: low\n"


def test_a_run_in_a_thread_beside_those_of_the_loop_loses_no_picture(tmp_path: Path) -> None:
    async def main(simulator: Simulator) -> None:
        settings = overrides(simulator.url, simulator.key)
        async with Environment(overrides=settings, storage=Storage(images=tmp_path)) as environment:
            flow = environment.load(FLOW)
            first = await flow.arun()
            others = await asyncio.gather(*(asyncio.to_thread(flow.run) for _ in range(3)), flow.arun())
            assert [len(result.images) for result in (first, *others)] == [1] * 5

    with Simulator() as simulator:
        asyncio.run(main(simulator))
        assert simulator.request_count == 5


@contextmanager
def keeping() -> Iterator[tuple[str, list[int]]]:
    """A server that keeps connections open: a flow that asks it, and the number of each connection that came."""
    connections: list[int] = []

    class Keeping(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            connections.append(len(connections))

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keeping)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"- step: REST\n  url: http://127.0.0.1:{server.server_port}/\n", connections
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


NEAR = Limits(private_addresses=True)


def test_a_plain_with_keeps_connections_from_run_to_run() -> None:
    with keeping() as (flow, connections):
        with Environment(limits=NEAR) as environment:
            loaded = environment.load(flow)
            assert [loaded.run().outputs["text"] for _ in range(4)] == ["ok"] * 4
            assert environment.run(flow).outputs["text"] == "ok"
            assert connections == [0]
        Environment(limits=NEAR).run(flow)
        Environment(limits=NEAR).run(flow)
        assert connections == [0, 1, 2]


def test_threads_share_an_environment_that_a_plain_with_keeps_open() -> None:
    with keeping() as (flow, connections), Environment(limits=NEAR) as environment, ThreadPoolExecutor(4) as threads:
        loaded = environment.load(flow).prepare()
        found = list(threads.map(lambda _: loaded.run().outputs["text"], range(40)))
    assert found == ["ok"] * 40
    assert len(connections) <= 4


def test_a_failed_run_leaves_a_kept_loop_of_use() -> None:
    failing = "- step: RAISE\n  message: no\n"
    with keeping() as (flow, connections), Environment(limits=NEAR) as environment:
        environment.run(flow)
        with pytest.raises(flowdsl.RunError):
            environment.run(failing)
        environment.run(flow)
    assert connections == [0]


def test_a_closed_environment_refuses_runs_until_it_is_opened_again() -> None:
    with Environment() as environment:
        flow = environment.load("- step: SET\n  a: 1\n")
        assert flow.run().outputs == {"a": 1}
    with pytest.raises(UsageError, match="is closed"):
        flow.run()
    with pytest.raises(UsageError, match="is closed"):
        asyncio.run(flow.arun())
    with environment:
        assert flow.run().outputs == {"a": 1}


def test_a_plain_with_is_refused_in_an_event_loop_and_inside_another() -> None:
    async def main() -> None:
        with Environment():
            pass

    with pytest.raises(UsageError, match="async with"):
        asyncio.run(main())
    with Environment() as environment, pytest.raises(UsageError, match="open already"):
        environment.__enter__()


def test_a_run_that_is_under_way_ends_when_its_environment_is_closed() -> None:
    begun, closed = threading.Event(), threading.Event()

    class Waiting(flowdsl.Step, name="WAITING", outputs=("text",)):
        """Waits until the environment is closed."""

        def run(self, ctx: flowdsl.StepContext) -> flowdsl.Written:
            begun.set()
            return {"text": "closed" if closed.wait(30) else "open"}

    with ThreadPoolExecutor(1) as threads:
        with Environment(steps=[Waiting]) as environment:
            running = threads.submit(environment.run, "- step: WAITING\n")
            assert begun.wait(30)
        closed.set()
        assert running.result(30).outputs == {"text": "closed"}
