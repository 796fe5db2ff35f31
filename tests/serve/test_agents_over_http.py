"""`/mcp` of a gateway, by the official client: each call is paid for by the token that it shows."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import mcp_types as types
import pytest
from gateways import Running, running_gateway
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from flowdsl.serve.tokens import Tokens

pytestmark = pytest.mark.long

SKYLINE = """\
inputs: {city: {type: string}}
flow:
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: "The skyline of {{ inputs.city }}"}
outputs: {pictures: "{{ flowContext.imageList }}"}
"""
SETTINGS = '[serve]\nflows = ["skyline.flow.yaml"]\n'


def call(
    gateway: Running, headers: dict[str, str], progress: Any = None, **client: Any
) -> tuple[list[str], types.CallToolResult]:
    """The tools, and the result of the first one."""

    async def called() -> tuple[list[str], types.CallToolResult]:
        async with (
            create_mcp_http_client(headers=headers) as http,
            Client(streamable_http_client(f"{gateway.url}/mcp", http_client=http), **client) as agent,
        ):
            tools = [tool.name for tool in (await agent.list_tools()).tools]
            return tools, await agent.call_tool("skyline", {"city": "Lisbon"}, progress_callback=progress)

    return asyncio.run(called())


def until(condition: Callable[[], bool]) -> None:
    """Waits for something that comes."""
    while not condition():
        time.sleep(0.01)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_runs_a_flow_with_its_token(tmp_path: Path, mode: Any) -> None:
    (tmp_path / "skyline.flow.yaml").write_text(SKYLINE, encoding="utf-8")
    token = Tokens(tmp_path / "state").create("agent")
    with running_gateway(tmp_path, SETTINGS) as gateway:
        tools, result = call(gateway, {"Authorization": f"Bearer {token}"}, mode=mode)
        assert tools == ["skyline"] and not result.is_error and result.structured_content
        assert httpx.get(result.structured_content["pictures"][0]["url"]).status_code == 200
        assert str(tmp_path) not in str(result)
        assert gateway.journal.runs.all()[0].tags == {"agent": "mcp", "token": "agent"}
        counts = httpx.get(f"{gateway.url}/metrics", headers={"Authorization": f"Bearer {token}"}).text
        assert 'images_total{model="gpt-image-2"} 1\n' in counts and 'cost_usd_total{model="gpt-image-2"} 0.0' in counts
        (line,) = [each for each in map(json.loads, gateway.log) if "cost_usd" in each]
        assert (line["path"], line["token"], line["images"]) == ("/mcp", "agent", 1) and line["cost_usd"] > 0
        refused = httpx.post(f"{gateway.url}/mcp", json={}, headers={"Authorization": "Bearer sk-wrong"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_hears_of_progress_and_of_what_its_token_may_not_spend(tmp_path: Path, mode: Any) -> None:
    (tmp_path / "skyline.flow.yaml").write_text(SKYLINE, encoding="utf-8")
    tokens = Tokens(tmp_path / "state")
    told: list[str | None] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append(message)

    with running_gateway(tmp_path, SETTINGS) as gateway:
        headers = {"Authorization": f"Bearer {tokens.create('rich')}"}
        assert not call(gateway, headers, progress, mode=mode)[1].is_error
        assert any("images ready" in str(text) for text in told)
        headers = {"Authorization": f"Bearer {tokens.create('poor', usd_per_day=0.001)}"}
        _, result = call(gateway, headers, mode=mode)
        assert result.is_error and "$0.0010 a day of this token are left" in str(result.content[0])
        assert gateway.bought == 1


def test_an_agent_asks_no_more_often_than_its_token_may(tmp_path: Path) -> None:
    (tmp_path / "skyline.flow.yaml").write_text(SKYLINE, encoding="utf-8")
    headers = {"Authorization": f"Bearer {Tokens(tmp_path / 'state').create('slow', per_minute=2)}"}
    with running_gateway(tmp_path, SETTINGS) as gateway:
        found = [gateway.post({}, "/mcp", headers=headers) for _ in range(3)]
        assert [each.status_code for each in found] == [400, 400, 429]
        assert found[2].json()["error"]["code"] == "rate_limit_exceeded" and found[2].headers["retry-after"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_call_over_http_that_is_given_up_ends_its_run_and_says_what_it_bought(tmp_path: Path, mode: Any) -> None:
    (tmp_path / "skyline.flow.yaml").write_text(SKYLINE, encoding="utf-8")
    with running_gateway(tmp_path, SETTINGS, faults=["hang"]) as gateway:

        async def given_up() -> None:
            async with Client(f"{gateway.url}/mcp", mode=mode) as agent:
                task = asyncio.ensure_future(agent.call_tool("skyline", {"city": "Lisbon"}))
                await asyncio.to_thread(until, lambda: gateway.bought == 1)
                task.cancel()
                await asyncio.wait({task})
                await asyncio.to_thread(until, lambda: gateway.journal.runs.all()[0].status != "running")

        asyncio.run(given_up())
        run = gateway.journal.runs.all()[0]
        assert (run.status, run.in_doubt) == ("cancelled", 1)
        assert [text for text in gateway.told if f"1 in doubt; `flowdsl runs show {run.id}`" in text]


def test_a_gateway_that_serves_no_agents_says_why(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        for found in (httpx.get(f"{gateway.url}/mcp"), gateway.post({}, "/mcp")):
            assert (found.status_code, found.json()["error"]["code"]) == (404, "mcp_not_served")
            assert "serves no flows" in found.json()["error"]["message"]


def test_a_question_goes_to_the_person_at_the_agent(tmp_path: Path) -> None:
    (tmp_path / "skyline.flow.yaml").write_text(SKYLINE, encoding="utf-8")
    asked: list[str] = []

    async def answer(context: Any, params: Any) -> types.ElicitResult:
        asked.append(params.message)
        return types.ElicitResult(action="accept", content={"confirm": True})

    with running_gateway(tmp_path, SETTINGS, question="this run can cost up to $9.00") as gateway:
        _, result = call(gateway, {}, elicitation_callback=answer)
        assert asked == ["This run can cost up to $9.00. Go on?"] and not result.is_error and gateway.bought == 1


def test_an_agent_that_stays_connected_does_not_keep_a_gateway_from_ending(tmp_path: Path) -> None:
    (tmp_path / "skyline.flow.yaml").write_text(SKYLINE, encoding="utf-8")

    async def stays(url: str, stop: Any) -> None:
        async with Client(f"{url}/mcp", mode="legacy") as agent:
            await agent.list_tools()
            stop()
            await asyncio.sleep(0.5)

    began = time.monotonic()
    with running_gateway(tmp_path, SETTINGS) as gateway:
        asyncio.run(stays(gateway.url, gateway.server.stop))
    assert time.monotonic() - began < 300  # and not as long as what is begun may take
