"""A call of an agent that is made again with its idempotency key buys nothing again, whoever has lost its response."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from gateways import DAY, running_gateway
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from test_agents import Bench, answers, text_of

from flowdsl.journal.journal import Journal
from flowdsl.serve.keyed_calls import META
from flowdsl.serve.tokens import Tokens
from flowdsl.serve.tools import Tools
from flowdsl_steps.image.simulator import Simulator

LISBON = {"city": "Lisbon"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """What makes servers, and asks them."""
    with Simulator(plain=True, as_of=DAY) as simulator, Journal(tmp_path / "state") as journal:
        yield Bench(tmp_path, simulator, journal)


def called(tools: Tools, calls: Sequence[tuple[Any, dict[str, Any]]], **client: Any) -> list[types.CallToolResult]:
    """The results of calls with these keys, all at once."""

    async def all_called() -> list[types.CallToolResult]:
        async with Client(tools.server, **client) as agent:
            made = [
                agent.call_tool("skyline", arguments, meta=None if key is None else {META: key})  # type: ignore[typeddict-unknown-key]
                for key, arguments in calls
            ]
            return await asyncio.gather(*made)

    return asyncio.run(all_called())


@pytest.mark.long
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_call_that_is_made_again_with_its_key_buys_once_also_at_once_and_by_another_server(
    bench: Bench, mode: Any
) -> None:
    results = called(bench.tools(), [("lisbon", LISBON)] * 3, mode=mode)
    results += called(bench.tools(), [("lisbon", LISBON)], mode=mode)
    assert not any(each.is_error for each in results), results
    pictures = [each.structured_content["pictures"][0]["sha256"] for each in results if each.structured_content]
    assert len(pictures) == 4 and len(set(pictures)) == 1 and bench.simulator.request_count == 1
    assert len(bench.journal.runs.all()) == 1


@pytest.mark.long
def test_another_key_and_none_buy_again_and_a_key_of_another_call_is_refused(bench: Bench) -> None:
    tools = bench.tools()
    assert not any(each.is_error for each in called(tools, [("a", LISBON), ("b", LISBON), (None, LISBON)]))
    assert bench.simulator.request_count == 3
    for key, arguments, said in (
        ("a", {"city": "Porto"}, f"the `{META}` was used for another call; give each call a key of its own"),
        ("", LISBON, f"`_meta` has as `{META}` a text of 1 to 255 characters"),
        (5, LISBON, f"`_meta` has as `{META}` a text of 1 to 255 characters"),
    ):
        (result,) = called(tools, [(key, arguments)])
        assert result.is_error and said in text_of(result)
    assert bench.simulator.request_count == 3


def test_what_is_bought_is_not_asked_about_again(bench: Bench) -> None:
    asked: list[str] = []
    tools = bench.tools("this run can cost up to $9.00")
    client = {"elicitation_callback": answers("accept", True, asked)}
    for _ in range(2):
        (result,) = called(tools, [("lisbon", LISBON)], **client)
        assert not result.is_error
    assert (len(asked), bench.simulator.request_count) == (1, 1)


@pytest.mark.long
def test_a_call_of_which_nobody_knows_whether_it_was_billed_is_not_sent_again_by_its_key(bench: Bench) -> None:
    bench.simulator.faults.add("server_error:1")
    (result,) = called(bench.tools(), [("lisbon", LISBON)])
    assert result.is_error
    (result,) = called(bench.tools(), [("lisbon", LISBON)])
    assert result.is_error and bench.simulator.request_count == 1 and "[request-held]" in text_of(result), text_of(
        result
    )


@pytest.mark.long
def test_keys_of_two_tokens_are_two_keys_over_http(tmp_path: Path) -> None:
    flow = 'flow:\n  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: "A kite"}\n'
    (tmp_path / "kite.flow.yaml").write_text(flow, encoding="utf-8")
    tokens = Tokens(tmp_path / "state")
    names = [tokens.create(name) for name in ("shop", "studio")]

    async def call(url: str, token: str) -> types.CallToolResult:
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            create_mcp_http_client(headers=headers) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http)) as agent,
        ):
            return await agent.call_tool("kite", {}, meta={META: "kite"})  # type: ignore[typeddict-unknown-key]

    with running_gateway(tmp_path, '[serve]\nflows = ["kite.flow.yaml"]\n') as gateway:
        for token in (*names, *names):
            assert not asyncio.run(call(gateway.url, token)).is_error
        assert gateway.bought == 2
