"""Standard input of a gateway is not read by the flows that it serves, and that of `flowdsl mcp`, over which its client
speaks, least of all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from gateways import FOR_AGENTS

import flowdsl
from flowdsl.cli import main
from flowdsl.journal.journal import Journal
from flowdsl.serve.assembled import Parts, serve
from flowdsl.serve.refusal import of_run
from flowdsl.serve.routes import Routes
from flowdsl.serve.server import listener

DO = "  do: [{step: RECORD_MAPPING, mapping: 'root = content()'}]\n  output: {drop: {}}\n"
SAID = "- step: FOR_RECORDS\n  input: {stdin: {scanner: {lines: {}}}}\n" + DO
UNSAID = "- step: FOR_RECORDS\n" + DO
WAYS = {
    "said": SAID,
    "unsaid": UNSAID,
    "inside": f"- step: TRY\n  try:\n  {SAID.replace(chr(10), chr(10) + '  ').rstrip()}\n",
    "pipeline": "input: {stdin: {}}\npipeline: {processors: [{mapping: 'root = content()'}]}\noutput: {drop: {}}\n",
}
REMEDY = "input: {file: {paths: [messages.txt]}}"


def project(folder: Path, flow: str) -> None:
    """A project that serves a flow."""
    (folder / "records.flow.yaml").write_text(flow, encoding="utf-8")
    (folder / "messages.txt").write_text("one\n", encoding="utf-8")
    (folder / "flowdsl.toml").write_text('[serve]\nflows = ["records.flow.yaml"]\n', encoding="utf-8")


@pytest.mark.parametrize(
    "command",
    [["serve", "--check"], ["serve", "--simulate"], pytest.param(["mcp", "--simulate"], marks=FOR_AGENTS)],
    ids=" ".join,
)
@pytest.mark.parametrize("way", WAYS)
def test_a_flow_that_would_read_the_standard_input_of_its_server_is_refused_before_it_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str], way: str
) -> None:
    project(tmp_path, WAYS[way])
    monkeypatch.chdir(tmp_path)
    assert main(command) == 1
    err = capsys.readouterr().err
    assert "[no-standard-input]" in err and "records.flow.yaml:" in err and f"write `{REMEDY}`" in err


def test_what_the_refusal_says_to_write_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project(tmp_path, SAID.replace("input: {stdin: {scanner: {lines: {}}}}", REMEDY))
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "--check"]) == 0, capsys.readouterr().err


def test_a_run_to_which_a_client_gives_standard_input_as_its_input_is_refused(tmp_path: Path) -> None:
    flow = SAID.replace("{stdin: {scanner: {lines: {}}}}", '"{{ inputs.source }}"')
    limits = flowdsl.Limits(standard_input=False)
    loaded = flowdsl.Environment(settings=None, limits=limits).load(
        f"inputs: {{source: {{type: object}}}}\nflow:\n{flow}"
    )
    with pytest.raises(flowdsl.ConfigError) as raised:
        loaded.run({"source": {"stdin": {}}})
    assert raised.value.code == "no-standard-input" and of_run(raised.value).status == 400


@pytest.mark.parametrize("is_served", [True, False])
def test_a_file_outside_of_the_folder_is_led_to_standard_input_only_where_a_flow_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_served: bool
) -> None:
    (tmp_path / "outside.txt").write_text("one\n", encoding="utf-8")
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    flow = SAID.replace("{stdin: {scanner: {lines: {}}}}", "{file: {paths: [../outside.txt]}}")
    limits = flowdsl.Limits(standard_input=not is_served)
    with pytest.raises(flowdsl.StepError, match="lies outside of the folder") as raised:
        flowdsl.Environment(settings=None, limits=limits).load(f"flow:\n{flow}").run()
    hint = str(raised.value.hint)
    assert ("stdin" in hint) is not is_served and ("start the server in the folder of the file" in hint) is is_served


def test_a_gateway_whose_flows_could_read_standard_input_does_not_begin(tmp_path: Path) -> None:
    limits = flowdsl.Limits(files_by_value=False)
    environment = flowdsl.Environment(settings=None, storage=flowdsl.Storage(images=tmp_path), limits=limits)
    raised = pytest.raises(flowdsl.UsageError, match="standard_input=False")
    with Journal(tmp_path) as journal, listener("127.0.0.1", 0) as sock, raised:
        asyncio.run(serve(Parts(environment, Routes({}), journal, tmp_path, {}), sock, print))
