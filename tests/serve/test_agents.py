"""Flows as tools of an agent, by the official client, with both generations of the protocol."""

from __future__ import annotations

import asyncio
import base64
import errno
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from gateways import DAY
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client

import flowdsl
from flowdsl.cli import main
from flowdsl.cli.tool_flows import tool_flows
from flowdsl.environment.flow import Flow
from flowdsl.image import shelf
from flowdsl.image.formats import media_type
from flowdsl.journal.journal import Journal
from flowdsl.serve.tools import Purse, Shared, Tools
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.simulator.stand_in import overrides

SKYLINE = """\
title: Skylines
inputs:
  city: {type: string}
  count: {type: integer, default: 1, maximum: 4}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    quality: low
    size: 1024x1024
    n: "{{ inputs.count }}"
    instruction: "The skyline of {{ inputs.city }}"
outputs:
  pictures: "{{ flowContext.imageList }}"
"""
MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """The service of the flows."""
    with Simulator(plain=True, as_of=DAY) as found:
        yield found


@pytest.fixture
def bench(tmp_path: Path, simulator: Simulator) -> Iterator[Bench]:
    """A server with one tool."""
    simulator.reset()
    with Journal(tmp_path / "state") as journal:
        yield Bench(tmp_path, simulator, journal)


class Bench:
    """What makes servers, and asks them."""

    def __init__(self, folder: Path, simulator: Simulator, journal: Journal) -> None:
        self.folder = folder
        self.simulator = simulator
        self.journal = journal
        self.told: list[str] = []

    def tools(self, question: str | None = None, flow: str = SKYLINE, **limits: Any) -> Tools:
        """The tools of a server."""
        environment = flowdsl.Environment(
            overrides=overrides(self.simulator.url, self.simulator.key),
            storage=flowdsl.Storage(images=self.folder / "pictures"),
            limits=flowdsl.Limits(**limits),
            as_of=DAY,
            settings=None,
        )

        purse = Purse(self.journal, {"agent": "mcp"})

        def asks(flow: Flow, inputs: Mapping[str, Any]) -> str | None:
            return question

        return Tools({"skyline": environment.load(flow)}, Shared(lambda _: purse, asks, tell=self.told.append))

    def wait_for_request(self) -> None:
        """Returns when the service is asked."""
        while self.simulator.request_count == 0:
            time.sleep(0.005)

    def wait_for_end(self) -> None:
        """Returns when the run is over."""
        while self.journal.runs.all()[0].status == "running":
            time.sleep(0.005)

    def wait_for_word(self) -> None:
        """Returns when whoever runs the server is told something."""
        while not self.told:
            time.sleep(0.005)

    def call(
        self, tools: Tools, arguments: dict[str, Any], name: str = "skyline", **client: Any
    ) -> types.CallToolResult:
        """The result of a call of the tool."""

        async def called() -> types.CallToolResult:
            async with Client(tools.server, **client) as agent:
                try:
                    return await agent.call_tool(name, arguments)
                except MCPError as error:  # not through the client, which would put it into a group
                    said = types.TextContent(type="text", text=f"MCPError: {error}")
                    return types.CallToolResult(content=[said], is_error=True)

        return asyncio.run(called())


def answers(action: str, confirm: bool, asked: list[str]) -> Any:
    """Somebody who answers questions."""

    async def answer(context: Any, params: Any) -> types.ElicitResult:
        asked.append(params.message)
        return types.ElicitResult(action=action, content={"confirm": confirm} if action == "accept" else None)  # type: ignore[arg-type]

    return answer


def text_of(result: types.CallToolResult) -> str:
    """What a result says."""
    first = result.content[0]
    assert isinstance(first, types.TextContent)
    return first.text


@MODES
def test_a_tool_has_the_inputs_of_its_flow_and_gives_its_pictures(bench: Bench, mode: Any) -> None:
    async def used() -> tuple[types.Tool, types.CallToolResult, list[str]]:
        told: list[str] = []

        async def progress(done: float, total: float | None, message: str | None) -> None:
            told.append(message or "")

        async with Client(bench.tools().server, mode=mode) as agent:
            (tool,) = (await agent.list_tools()).tools
            arguments = {"city": "Lisbon", "count": 2}
            return tool, await agent.call_tool("skyline", arguments, progress_callback=progress), told

    tool, result, told = asyncio.run(used())
    assert tool.input_schema["required"] == ["city"] and tool.input_schema["properties"]["count"]["maximum"] == 4
    pictures = [each for each in result.content if isinstance(each, types.ImageContent)]
    assert [media_type(base64.b64decode(each.data)) for each in pictures] == ["image/png"] * 2
    assert not result.is_error and result.structured_content and len(result.structured_content["pictures"]) == 2
    assert any("images ready" in text for text in told)
    assert [run.tags for run in bench.journal.runs.all()] == [{"agent": "mcp"}]


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({}, "city"),
        ({"city": 5}, "city"),
        ({"city": "Lisbon", "count": "2"}, "count"),
        ({"city": "Lisbon", "citty": "x"}, "did you mean `city`"),
    ],
    ids=["missing", "a number", "a text", "unknown"],
)
def test_arguments_that_do_not_fit_are_a_failure_that_says_what_would(
    bench: Bench, arguments: dict[str, Any], said: str
) -> None:
    result = bench.call(bench.tools(), arguments)
    assert result.is_error and said in text_of(result) and bench.simulator.request_count == 0


KINDS = "  large: {type: boolean, default: false}\n  tags: {type: array, items: {type: boolean}, default: []}\n"
MORE = "  more: {type: object, default: {}}\n  same: {anyOf: [{type: 'null'}, {const: 1}], default: null}\n"


@pytest.mark.parametrize(
    "arguments, said, mended",
    [
        ({}, 'give it, for example `{"city": …}`', {"city": "Faro"}),
        ({"city": "Faro", "large": "yes"}, "give `true`, without quotes", {"city": "Faro", "large": True}),
        ({"city": "Faro", "large": "true"}, "give `true`, without quotes", {"city": "Faro", "large": True}),
        (
            {"city": "Faro", "tags": "[]"},
            "give an array of JSON, and no text that holds one",
            {"city": "Faro", "tags": []},
        ),
        ({"city": "Faro", "more": "{}"}, "give an object of JSON", {"city": "Faro", "more": {}}),
        ({"city": "Faro", "tags": [None]}, "`tags`[0] does not fit its schema: null must be true or false", None),
        ({"city": "Faro", "same": True}, "true is not valid under any of the given schemas", None),
        ({"city": "Faro", "same": {"a": None}}, "a map of 1 key is not valid", None),
    ],
)
def test_an_agent_is_told_to_write_json_and_not_python(
    bench: Bench, arguments: dict[str, Any], said: str, mended: dict[str, Any] | None
) -> None:
    flow = SKYLINE.replace("flow:\n", f"{KINDS}{MORE}flow:\n", 1)
    tools = bench.tools(flow=flow, question="this costs much")
    result = bench.call(tools, arguments)
    assert result.is_error and said in text_of(result)
    assert not re.search(r"True|False|None|dict|'", text_of(result))
    if mended is not None:
        assert "this costs much" in text_of(bench.call(tools, mended, mode="legacy"))  # it fits


def test_a_limit_of_money_is_a_clear_failure(bench: Bench) -> None:
    result = bench.call(bench.tools(max_usd=0.001), {"city": "Lisbon"})
    assert result.is_error and "the limit is $0.0010, and nothing is spent yet" in text_of(result)
    assert "ask whoever runs this server to raise `max_usd` in its settings, or `--max-usd` of" in text_of(result)
    assert "on the command line" not in text_of(result)
    assert bench.simulator.request_count == 0


def test_a_call_that_fails_hands_over_what_it_had_bought_before(bench: Bench) -> None:
    flow = SKYLINE.replace("outputs:", '  - {step: REST, url: "http://{{ inputs.city }}/"}\noutputs:')
    result = bench.call(bench.tools(flow=flow), {"city": "127.0.0.1"})
    assert result.is_error and isinstance(result.content[1], types.ImageContent)
    run = bench.journal.runs.all()[0].id
    assert f"what had come before that is kept: 1 picture for $0.0059; run {run}" in text_of(result)


def test_a_picture_that_no_output_holds_is_handed_over_all_the_same(bench: Bench) -> None:
    flow = SKYLINE.replace('  pictures: "{{ flowContext.imageList }}"', '  city: "{{ inputs.city }}"')
    result = bench.call(bench.tools(flow=flow), {"city": "Lisbon"})
    outputs, bought, made = text_of(result).split("\n")
    assert (json.loads(outputs), bought.partition(";")[0]) == ({"city": "Lisbon"}, "1 picture for $0.0059")
    assert Path(json.loads(made)[0]["path"]).is_file()
    assert isinstance(result.content[1], types.ImageContent) and result.structured_content == {"city": "Lisbon"}


@MODES
@pytest.mark.parametrize("action, confirm, runs", [("accept", True, 1), ("accept", False, 0), ("decline", False, 0)])
def test_what_costs_much_is_asked_for_first(bench: Bench, mode: Any, action: str, confirm: bool, runs: int) -> None:
    asked: list[str] = []
    callback = answers(action, confirm, asked)
    result = bench.call(
        bench.tools("this run can cost up to $9.00"), {"city": "Lisbon"}, mode=mode, elicitation_callback=callback
    )
    assert asked == ["This run can cost up to $9.00. Go on?"]
    assert (result.is_error or False, bench.simulator.request_count) == (not runs, runs)


@MODES
def test_a_client_that_cannot_ask_spends_nothing_and_is_told_what_would_be_spent(bench: Bench, mode: Any) -> None:
    result = bench.call(bench.tools("this run can cost up to $9.00"), {"city": "Lisbon"}, mode=mode)
    said = "nothing was run: this run can cost up to $9.00, and this client cannot ask anybody (it has no elicitation)"
    assert result.is_error and text_of(result) == said and bench.simulator.request_count == 0


def test_an_answer_is_for_one_call_with_these_arguments(bench: Bench) -> None:
    async def forged() -> list[Any]:
        agreed = {"spend": types.ElicitResult(action="accept", content={"confirm": True})}
        found: list[Any] = []
        tools, never = bench.tools("this run can cost up to $9.00"), answers("decline", False, [])
        async with Client(tools.server, elicitation_callback=never) as agent:

            async def call(city: str, state: str | None) -> Any:
                return await agent.session.call_tool(
                    "skyline",
                    {"city": city},
                    input_responses=agreed if state else None,
                    request_state=state,
                    allow_input_required=True,
                )

            first = await call("Lisbon", None)
            found += [first, await call("Porto", first.request_state), await call("Lisbon", "made up")]
            second = await call("Lisbon", None)
            found += [await call("Lisbon", second.request_state), await call("Lisbon", second.request_state)]
        return found

    kinds = [type(each).__name__ for each in asyncio.run(forged())]
    assert kinds == ["InputRequiredResult"] * 3 + ["CallToolResult", "InputRequiredResult"]
    assert bench.simulator.request_count == 1


@MODES
def test_a_call_that_is_given_up_ends_its_run(bench: Bench, mode: Any) -> None:
    bench.simulator.faults.add("hang")

    async def given_up() -> None:
        async with Client(bench.tools().server, mode=mode) as agent:
            call = asyncio.create_task(agent.call_tool("skyline", {"city": "Lisbon"}))
            await asyncio.to_thread(bench.wait_for_request)
            call.cancel()
            await asyncio.wait({call})
            await asyncio.to_thread(bench.wait_for_end)

    asyncio.run(given_up())
    assert bench.journal.runs.all()[0].status == "cancelled"


def test_a_call_that_is_given_up_before_it_asks_a_service_names_no_command_that_knows_nothing_of_it(
    bench: Bench,
) -> None:
    slow = SKYLINE.replace("flow:\n", "flow:\n  - {step: SLEEP, delay: 60000}\n")
    begun = asyncio.Event()

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        begun.set()

    async def given_up() -> None:
        async with Client(bench.tools(flow=slow).server) as agent:
            call = asyncio.create_task(agent.call_tool("skyline", {"city": "Lisbon"}, progress_callback=heard))
            await begun.wait()
            call.cancel()
            await asyncio.wait({call})
            await asyncio.to_thread(bench.wait_for_word)

    asyncio.run(given_up())
    assert [each.endswith(" was given up: 0 pictures for $0.0000") for each in bench.told] == [True]
    assert bench.journal.runs.all() == []


def test_an_unknown_tool_is_an_error_of_the_protocol(bench: Bench) -> None:
    result = bench.call(bench.tools(), {}, "skylin")
    assert text_of(result).startswith("MCPError") and "did you mean `skyline`" in text_of(result)


@pytest.mark.long
def test_the_command_speaks_over_standard_input_and_output(tmp_path: Path) -> None:
    flow = SKYLINE.replace("The skyline of", "{{ kv('style') }}: the skyline of")
    (tmp_path / "skyline.flow.yaml").write_text(flow, encoding="utf-8")
    (tmp_path / "flowdsl.toml").write_text('[kv]\nstyle = "Gouache"\n', encoding="utf-8")

    async def used() -> types.CallToolResult:
        arguments = ["-m", "flowdsl.cli", "mcp", str(tmp_path), "--simulate", "--as-of", DAY.isoformat()]
        arguments += ["--out", str(tmp_path / "out")]
        server = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ), cwd=str(tmp_path))
        async with Client(stdio_client(server)) as agent:
            (tool,) = (await agent.list_tools()).tools
            assert tool.name == "skyline" and str(tool.description).endswith("; it is simulated, and costs nothing.")
            return await agent.call_tool("skyline", {"city": "Lisbon"})

    result = asyncio.run(used())
    assert not result.is_error and "1 picture, simulated, would cost about $0.0059; run " in text_of(result)
    path = json.loads(text_of(result).partition("\n")[0])["pictures"][0]["path"]
    assert Path(path).parent == tmp_path / "out"


@pytest.mark.long
@MODES
def test_the_examples_are_tools_of_an_agent(tmp_path: Path, mode: Any) -> None:
    examples = Path(__file__).parents[2] / "examples"
    command = ["-m", "flowdsl.cli", "mcp", f"{examples}/", "--simulate", "--out", str(tmp_path), "--max-usd", "0.05"]
    env = {**os.environ, "FLOWDSL_STATE": str(tmp_path / "state")}
    told: list[str | None] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async def used() -> tuple[dict[str, types.Tool], types.CallToolResult, types.CallToolResult]:
        server = StdioServerParameters(command=sys.executable, args=[*command, "--as-of", DAY.isoformat()], env=env)
        async with Client(stdio_client(server), mode=mode) as agent:
            tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
            card = await agent.call_tool("postcard", {"city": "Faro"}, progress_callback=progress)
            return tools, card, await agent.call_tool("comic", {})

    tools, card, comic = asyncio.run(used())
    flows = {path.name.partition(".")[0] for path in examples.glob("*.flow.yaml")}
    assert tools.keys() == {*flows, "studio-poster", "studio-menu", "studio-icon"}
    assert tools["postcard"].input_schema["properties"]["season"]["enum"]
    assert not card.is_error and {each.type for each in card.content} == {"text", "image"}
    assert any("images ready" in str(text) for text in told)
    assert comic.is_error and "of $0.0500 are left" in text_of(comic) and "kept: 3 pictures" in text_of(comic)


KIT = """\
AI_KIT:
  SECTIONS:
    - section: Print
      actions:
        - {id: sign, title: Shop sign, flow: [{step: SET, text: sign}]}
        - {id: bill, title: Handbill, flow: [{step: SET, text: bill}]}
"""


@pytest.mark.parametrize("path", [".", "print.ai-kit.yaml"])
def test_each_action_of_a_kit_is_a_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("print.ai-kit.yaml").write_text(KIT, encoding="utf-8")
    found = tool_flows(flowdsl.Environment(settings=None), [path])
    assert [(name, flow.title) for name, flow in found.items()] == [
        ("print-sign", "Shop sign"),
        ("print-bill", "Handbill"),
    ]


@pytest.mark.parametrize(
    "kit, said",
    [
        (KIT.replace("id: bill, ", ""), "`Handbill` of print.ai-kit.yaml has no `id`, which its tool is named after: "),
        (KIT.replace("id: bill, ", ""), "write `id: handbill` at the action"),
        ("AI_KIT: {SECTIONS: []}\n", "print.ai-kit.yaml: this kit has no actions"),
    ],
)
def test_an_action_that_cannot_be_a_tool_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kit: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("print.ai-kit.yaml").write_text(kit, encoding="utf-8")
    assert main(["mcp", "--simulate"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "names, paths, said",
    [
        ([], ["."], "holds no flow"),
        (["a/x.flow.yaml", "b/x.flow.yaml"], ["a", "b"], "two flows have the id `x`"),
    ],
)
def test_flows_that_cannot_be_tools_are_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    names: list[str],
    paths: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in names:
        Path(name).parent.mkdir()
        Path(name).write_text(SKYLINE, encoding="utf-8")
    assert main(["mcp", *paths, "--simulate"]) == 2
    assert said in capsys.readouterr().err


def test_a_manifest_that_takes_no_line_is_told_to_whoever_runs_the_server(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shelf, "add_to_manifest", refused)
    assert not bench.call(bench.tools(), {"city": "Faro"}).is_error
    (run,) = bench.journal.runs.all()
    (line,) = bench.told
    assert line.startswith(f"warning: run {run.id}: the manifest in ")
    assert line.endswith(f"; `flowdsl resume {run.id}` lists what no manifest has, once it can")
