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

import flowdsl
from flowdsl.serve.asked import AskedByAll
from flowdsl.serve.tools import Purse, Shared, Tools
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


def test_an_answer_is_for_the_sum_that_was_asked_about(tmp_path: Path) -> None:
    def tools(usd: str) -> Tools:
        flow = flowdsl.Environment(settings=None).load("flow:\n  - {step: SET, a: 1}\n")
        purse = Purse(None, {})
        shared = Shared(lambda _: purse, lambda *_: f"this run can cost up to {usd}", asked=AskedByAll(tmp_path))
        return Tools({"skyline": flow}, shared)

    async def call(usd: str, state: str | None) -> types.CallToolResult | types.InputRequiredResult:
        agreed = {"spend": types.ElicitResult(action="accept", content={"confirm": True})}
        async with Client(tools(usd).server, elicitation_callback=answers("decline", False, [])) as agent:
            return await agent.session.call_tool(
                "skyline",
                {},
                input_responses=agreed if state else None,
                request_state=state,
                allow_input_required=True,
            )

    async def found() -> list[types.CallToolResult | types.InputRequiredResult]:
        asked = [await call("$0.04", None) for _ in range(2)]
        states = [each.request_state for each in asked if isinstance(each, types.InputRequiredResult)]
        return [await call("$9.00", states[0]), await call("$0.04", states[1])]

    assert [type(each).__name__ for each in asyncio.run(found())] == ["InputRequiredResult", "CallToolResult"]
