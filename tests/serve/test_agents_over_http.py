"""`/mcp` of a gateway, by the official client: each call is paid for by the token that it shows."""

from __future__ import annotations

import asyncio
import time
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


def call(gateway: Running, headers: dict[str, str], **client: Any) -> tuple[list[str], types.CallToolResult]:
    """The tools, and the result of the first one."""

    async def called() -> tuple[list[str], types.CallToolResult]:
        async with (
            create_mcp_http_client(headers=headers) as http,
            Client(streamable_http_client(f"{gateway.url}/mcp", http_client=http), **client) as agent,
        ):
            tools = [tool.name for tool in (await agent.list_tools()).tools]
            return tools, await agent.call_tool("skyline", {"city": "Lisbon"})

    return asyncio.run(called())


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
        refused = httpx.post(f"{gateway.url}/mcp", json={}, headers={"Authorization": "Bearer sk-wrong"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")


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
