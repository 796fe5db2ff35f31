"""What the command `flowdsl mcp` may spend by the settings of a project, and what it asks before it does."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import mcp_types as types
import pytest
from gateways import DAY
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from test_agents import SKYLINE, answers, text_of

from flowdsl_steps.image.simulator import Simulator

pytestmark = pytest.mark.long


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """The service of the flow."""
    with Simulator(plain=True, as_of=DAY) as found:
        yield found


def test_the_command_spends_no_more_in_a_day_than_the_settings_say(tmp_path: Path, simulator: Simulator) -> None:
    (tmp_path / "skyline.flow.yaml").write_text(SKYLINE)
    (tmp_path / "flowdsl.toml").write_text("max_usd_per_day = 0.001\n")
    own = {"FLOWDSL_STATE": str(tmp_path / "state"), "OPENAI_API_KEY": simulator.key}
    env = {**os.environ, **own, "OPENAI_BASE_URL": simulator.openai_base_url}
    command = ["-m", "flowdsl.cli", "mcp", "skyline.flow.yaml"]

    async def used() -> types.CallToolResult:
        server = StdioServerParameters(command=sys.executable, args=command, cwd=tmp_path, env=env)
        async with Client(stdio_client(server)) as client:
            return await client.call_tool("skyline", {"city": "Lisbon"})

    result = asyncio.run(used())
    assert result.is_error and "$0.0010 a day are left" in text_of(result)
    assert simulator.request_count == 0


@pytest.mark.parametrize("agrees", [True, False, None])
def test_the_command_asks_for_what_the_settings_want_to_be_asked(
    tmp_path: Path, simulator: Simulator, agrees: bool | None
) -> None:
    (tmp_path / "skyline.flow.yaml").write_text(SKYLINE)
    (tmp_path / "flowdsl.toml").write_text("ask_above_usd = 0.001\n")
    own = {"FLOWDSL_STATE": str(tmp_path / "state"), "OPENAI_API_KEY": simulator.key}
    env = {**os.environ, **own, "OPENAI_BASE_URL": simulator.openai_base_url}
    asked: list[str] = []
    client = {} if agrees is None else {"elicitation_callback": answers("accept", agrees, asked)}

    async def used() -> types.CallToolResult:
        arguments = ["-m", "flowdsl.cli", "mcp", "skyline.flow.yaml", "--allow-endpoint", simulator.openai_base_url]
        server = StdioServerParameters(command=sys.executable, args=arguments, cwd=tmp_path, env=env)
        async with Client(stdio_client(server), **client) as agent:
            return await agent.call_tool("skyline", {"city": "Lisbon"})

    result = asyncio.run(used())
    assert bool(result.is_error) is (agrees is not True)
    assert "`ask_above_usd` in flowdsl.toml is $0.0010" in (text_of(result) if agrees is None else asked[0])
    assert simulator.request_count == (1 if agrees else 0)
