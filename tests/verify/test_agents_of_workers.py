"""`/mcp` of a gateway of several processes, by the official client of both protocols: any of them responds to a call,
whichever has responded before."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import mcp_types as types
import pytest
from gateway_processes import children, gateway, until
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from flowdsl.journal.journal import Journal
from flowdsl.journal.runs import KeptRun
from flowdsl.serve.tokens import Tokens
from flowdsl_steps.image.simulator import Simulator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes inherit no sockets there")
MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])
SKYLINE = """\
inputs: {city: {type: string}}
flow:
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: "The skyline of {{ inputs.city }}"}
outputs: {pictures: "{{ flowContext.imageList }}"}
"""
FLOWS = 'flows = ["skyline.flow.yaml", "other.flow.yaml"]\n'
ACCEPTS = {"Accept": "application/json, text/event-stream"}
SETTLED_S = 1.0
"""After so long a process that does nothing holds nothing either that others wait for."""


@contextmanager
def serving(folder: Path, service: Simulator, settings: str = "", workers: int = 2) -> Iterator[tuple[Any, str]]:
    """A gateway of two processes, or one, that serves flows, and the address of its tools."""
    for name in ("skyline", "other"):
        (folder / f"{name}.flow.yaml").write_text(SKYLINE, encoding="utf-8")
    variables = {"OPENAI_BASE_URL": service.openai_base_url, "OPENAI_API_KEY": service.key}
    with gateway(folder, variables, workers, settings, FLOWS) as (process, url):
        until(lambda: workers == 1 or len(children(process)) == workers)
        yield process, f"{url}/mcp"


def agent(url: str, mode: Any, what: Callable[[Client], Any], token: str = "none", **client: Any) -> Any:  # noqa: S107
    """What comes of something that a client does, each of whose requests has a connection of its own."""

    async def done() -> Any:
        headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
        async with (
            create_mcp_http_client(headers=headers) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode, **client) as found,
        ):
            return await what(found)

    return asyncio.run(done())


def text_of(result: types.CallToolResult) -> str:
    """What a result says."""
    return "".join(each.text for each in result.content if isinstance(each, types.TextContent))


def runs(folder: Path) -> list[KeptRun]:
    """The runs of a gateway."""
    with Journal(folder / "state") as journal:
        return list(journal.runs.all())


@MODES
def test_tools_progress_and_pictures_come_from_whichever_process_there_is(tmp_path: Path, mode: Any) -> None:
    tokens = Tokens(tmp_path / "state")
    token = tokens.create("agent", models=["skyline"])
    told: list[str] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append(str(message))

    async def calls(client: Client) -> None:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["skyline"]  # the token is for this one
        with pytest.raises(MCPError, match="there is no tool `other`"):
            await client.call_tool("other", {"city": "Lisbon"})
        held: list[int] = []
        try:
            for number in range(20):
                if number in (0, 10):  # one of them stands still for the first half of the calls, the other one then
                    await asyncio.sleep(SETTLED_S)
                    for each in held:
                        os.kill(each, signal.SIGCONT)
                    held = [workers[number // 10]]
                    os.kill(held[0], signal.SIGSTOP)
                result = await client.call_tool("skyline", {"city": f"City {number}"}, progress_callback=progress)
                assert not result.is_error and len(told) > number
                assert [each.mime_type for each in result.content if isinstance(each, types.ImageContent)]
                assert result.structured_content
        finally:
            for each in held:
                os.kill(each, signal.SIGCONT)

    with Simulator(plain=True) as service, serving(tmp_path, service) as (process, url):
        workers = children(process)
        agent(url, mode, calls, token)
        assert service.request_count == 20 and any("images ready" in each for each in told)
        kept = runs(tmp_path)
        assert {tuple(run.tags.items()) for run in kept} == {(("agent", "mcp"), ("token", "agent"))}
        assert [run.status for run in kept] == ["done"] * 20

        def counted() -> tuple[str, ...]:
            text = httpx.get(url.replace("/mcp", "/metrics"), headers={"Authorization": f"Bearer {token}"}).text
            return tuple(
                re.findall(r'^flowdsl_gateway_(?:images_total\{model="gpt-image-2"\}|in_flight) (\S+)$', text, re.M)
            )

        until(lambda: counted() == ("20", "0"))


@MODES
def test_what_a_token_may_spend_and_how_often_it_may_ask_is_exact_over_both(tmp_path: Path, mode: Any) -> None:
    tokens = Tokens(tmp_path / "state")
    poor = tokens.create("poor", usd_per_day=0.001)
    with Simulator(plain=True) as service, serving(tmp_path, service) as (_, url):
        result = agent(url, mode, lambda client: client.call_tool("skyline", {"city": "Lisbon"}), poor)
        assert result.is_error and "$0.0010 a day of this token are left" in text_of(result)
        assert service.request_count == 0
        slow = {"Authorization": f"Bearer {tokens.create('slow', per_minute=2)}"}
        found = [httpx.post(url, json={}, headers=slow).status_code for _ in range(6)]
        assert found.count(429) == 4


async def agrees(context: Any, params: Any) -> types.ElicitResult:
    """Somebody who agrees."""
    return types.ElicitResult(action="accept", content={"confirm": True})


@MODES
@pytest.mark.parametrize("can_ask", [True, False], ids=["asks", "cannot ask"])
def test_who_can_be_asked_is_asked_and_nothing_is_spent_where_nobody_can(
    tmp_path: Path, mode: Any, can_ask: bool
) -> None:
    client = {"elicitation_callback": agrees} if can_ask else {}
    with Simulator(plain=True) as service, serving(tmp_path, service, "ask_above_usd = 0.001\n") as (_, url):
        for number in range(4):
            result = agent(url, mode, lambda found: found.call_tool("skyline", {"city": "Lisbon"}), **client)
            is_asked = can_ask and mode == "auto"
            assert bool(result.is_error) is not is_asked and service.request_count == (number + 1) * is_asked
            if not is_asked:
                why = "this client cannot ask anybody" if mode == "auto" else "only clients of version 2026-07-28"
                assert why in text_of(result) and "`ask_above_usd` in flowdsl.toml is $0.0010" in text_of(result)
        assert not [*(tmp_path / "state" / "asked").glob("*")]


@MODES
def test_a_call_whose_connection_is_closed_ends_its_run_and_keeps_what_it_bought(tmp_path: Path, mode: Any) -> None:
    async def left(client: Client) -> None:
        task = asyncio.ensure_future(client.call_tool("skyline", {"city": "Lisbon"}))
        await asyncio.to_thread(until, lambda: service.request_count == 1)
        task.cancel()

    with Simulator(plain=True, faults=["hang"]) as service, serving(tmp_path, service) as (_, url):
        agent(url, mode, left)
        until(lambda: runs(tmp_path)[0].status == "cancelled")
        (run,) = runs(tmp_path)
        assert run.in_doubt == 1
        until(lambda: f"1 in doubt; `flowdsl runs show {run.id}`" in (tmp_path / "errors").read_text())


@MODES
def test_the_call_of_a_worker_that_is_killed_fails_and_the_next_one_is_served(tmp_path: Path, mode: Any) -> None:
    async def killed(client: Client) -> None:
        task = asyncio.ensure_future(client.call_tool("skyline", {"city": "Lisbon"}))
        await asyncio.to_thread(until, lambda: service.request_count == 1)
        os.kill(other, signal.SIGCONT)
        os.kill(worker, signal.SIGKILL)
        await asyncio.wait_for(task, 60)

    with Simulator(plain=True, faults=["hang,when=Lisbon"]) as service, serving(tmp_path, service) as (process, url):
        worker, other = children(process)
        time.sleep(SETTLED_S)
        os.kill(other, signal.SIGSTOP)  # so that it is the one who gets the call
        with pytest.raises((MCPError, ExceptionGroup)) as failed:  # by the newer protocol, of the connection itself
            agent(url, mode, killed)
        assert "TimeoutError" not in repr(failed.value)
        until(lambda: len(now := children(process)) == 2 and worker not in now)
        result = agent(url, mode, lambda client: client.call_tool("skyline", {"city": "Porto"}))
        assert not result.is_error and service.request_count == 2  # nobody has sent the first one again
        assert sorted((run.status, run.in_doubt) for run in runs(tmp_path)) == [("done", 0), ("killed", 1)]


def test_what_needs_a_session_is_refused_and_says_why(tmp_path: Path) -> None:
    with Simulator(plain=True) as service, serving(tmp_path, service) as (_, url):
        stream = {"Accept": "text/event-stream", "Mcp-Session-Id": "one", "Last-Event-ID": "1"}
        for found in (httpx.get(url, headers=stream), httpx.delete(url, headers=stream)):
            assert (found.status_code, found.headers["allow"]) == (405, "POST")
            assert found.json()["error"]["code"] == "mcp_without_sessions"
            assert "several processes, and no sessions" in found.json()["error"]["message"]
        gives_up = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        found = httpx.post(url, json=gives_up, headers=ACCEPTS)
        assert (found.status_code, found.json()["error"]["code"]) == (400, "mcp_without_sessions")
        assert "A call is given up by closing its connection" in found.json()["error"]["message"]
        hello = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "a", "version": "1"},
            },
        }
        found = httpx.post(url, json=hello, headers=ACCEPTS)
        assert found.status_code == 200 and "mcp-session-id" not in found.headers


@MODES
@pytest.mark.parametrize("workers", [1, 2])
def test_a_call_that_was_begun_is_finished_and_told_when_the_gateway_ends(
    tmp_path: Path, mode: Any, workers: int
) -> None:
    async def called(client: Client) -> types.CallToolResult:
        await client.list_tools()  # else it asks for them after the call, when nobody is there any more
        task = asyncio.ensure_future(client.call_tool("skyline", {"city": "Lisbon"}))
        await asyncio.to_thread(until, lambda: service.request_count == 1)
        process.terminate()
        return await task

    with Simulator(plain=True, latency_s=1.0) as service, serving(tmp_path, service, workers=workers) as (process, url):
        assert not agent(url, mode, called).is_error
        assert process.wait(60) == 0
    assert [run.status for run in runs(tmp_path)] == ["done"]
