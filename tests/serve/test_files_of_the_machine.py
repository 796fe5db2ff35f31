"""What clients name is never a file of the machine: neither a picture to edit nor messages to read, by whatever way the
name comes. The flow itself names its files, and offers some to choose from."""

from __future__ import annotations

import asyncio
import base64
import io
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateways import DAY, FOR_AGENTS, Running, running_gateway
from PIL import Image as Picture

import flowdsl
from flowdsl.cli import main
from flowdsl.cli.served_arguments import served_arguments
from flowdsl.journal.journal import Journal
from flowdsl.serve.assembled import Parts, serve
from flowdsl.serve.routes import Routes
from flowdsl.serve.server import listener
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.simulator.stand_in import overrides

HEAD = 'inputs: {picture: {}, style: {enum: [noir, "../shelf/day.png"], default: noir}}\nflow:\n'
EDIT = "- {step: OPENAI_IMAGE_EDIT, model: gpt-image-2, quality: low, instruction: A kite, "
MAKE = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: A kite}\n"
WAYS = {
    "option": EDIT + 'images: "{{ inputs.picture }}"}\n',
    "list": EDIT + 'images: ["shelf/noir.png", "{{ inputs.picture }}"]}\n',
    "joined": EDIT + 'images: ["shelf/{{ inputs.picture }}"]}\n',
    "changed": EDIT + "images: [\"{{ inputs.picture | replace('!', '') }}\"]}\n",
    "context": '- {step: SET, found: "{{ inputs.picture }}"}\n' + EDIT + 'images: "{{ flowContext.found }}"}\n',
    "mask": EDIT + 'images: shelf/noir.png, mask: "{{ inputs.picture }}"}\n',
    "records": """\
- step: FOR_RECORDS
  input: {file: {paths: ["{{ inputs.picture }}"]}}
  do: [{step: RECORD_MAPPING, mapping: "root = content()"}]
  output: {drop: {}}
""",
}
OWN = {
    "text": EDIT + "images: shelf/noir.png}\n",
    "chosen": EDIT + 'images: "{{ inputs.style }}"}\n',
    "named": EDIT + 'images: "shelf/{{ inputs.style }}.png"}\n',
    "quoted": EDIT + "images: \"{{ 'shelf/noir.png' if inputs.style else 'shelf/day.png' }}\"}\n",
    "made": MAKE + EDIT + 'images: "{{ flowContext.imageList[0].path }}"}\n',
    "saved": MAKE + "- {step: SAVE_IMAGES}\n" + EDIT + 'images: "{{ flowContext.list[0] }}"}\n',
}


def picture() -> bytes:
    """A small picture."""
    found = io.BytesIO()
    Picture.new("RGB", (32, 32), "green").save(found, "PNG")
    return found.getvalue()


DATA = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"


def project(folder: Path) -> None:
    """A project with flows, pictures of its own, and one that is nobody's business."""
    (folder / "shelf").mkdir(parents=True)
    for name in ("secret.png", "shelf/noir.png", "shelf/day.png"):
        (folder / name).write_bytes(picture())
    (folder / "flows").mkdir()
    for name, steps in {**WAYS, **OWN}.items():
        (folder / "flows" / f"{name}.flow.yaml").write_text(HEAD + steps, encoding="utf-8")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway with the flows of the project."""
    folder = tmp_path_factory.mktemp("project")
    project(folder)
    with running_gateway(folder, '[serve]\nflows = ["flows"]\n') as found:
        yield found


def run(gateway: Running, flow: str, **inputs: Any) -> Any:
    """The response to a run with these inputs."""
    return gateway.post({"inputs": inputs}, f"/flows/{flow}/runs")


@pytest.mark.parametrize("flow", WAYS)
@pytest.mark.parametrize("name", ["secret.png", "../secret.png", "{folder}/secret.png", "nothing.png", "se!cret.png"])
def test_an_input_that_names_a_file_is_refused_whether_it_is_there_or_not(
    gateway: Running, flow: str, name: str
) -> None:
    before = gateway.bought
    found = run(gateway, flow, picture=name.format(folder=gateway.folder))
    error = found.json()["error"]
    assert (found.status_code, error["code"]) == (400, "file_by_value"), found.text
    assert (gateway.bought, error["param"]) == (before, "inputs" if flow == "context" else "inputs.picture")


def test_a_picture_that_another_client_has_made_is_not_read_by_its_name(gateway: Running) -> None:
    assert run(gateway, "text", picture=None).status_code == 200
    made = next(path for path in (gateway.folder / "pictures").iterdir() if path.suffix == ".png")
    for name in (str(made), f"pictures/{made.name}"):
        assert run(gateway, "option", picture=name).json()["error"]["code"] == "file_by_value"


@pytest.mark.parametrize("flow", OWN)
def test_files_that_the_flow_names_or_its_run_has_made_are_read(gateway: Running, flow: str) -> None:
    style = "../shelf/day.png" if flow == "chosen" else "noir"
    found = run(gateway, flow, picture=None, style=style)
    assert found.status_code == 200, found.text


@pytest.mark.parametrize("flow", ["option", "list", "context"])
def test_a_picture_in_a_data_address_is_taken(gateway: Running, flow: str) -> None:
    found = run(gateway, flow, picture=DATA)
    assert found.status_code == 200, found.text


@pytest.mark.long
@FOR_AGENTS
def test_an_agent_over_http_names_no_file_either(gateway: Running) -> None:
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async def called(picture: str) -> Any:
        async with Client(streamable_http_client(f"{gateway.url}/mcp")) as agent:
            return await agent.call_tool("option", {"picture": picture})

    before = gateway.bought
    refused = asyncio.run(called("secret.png"))
    assert refused.is_error and "[file-by-value]" in refused.content[0].text and gateway.bought == before
    assert not asyncio.run(called(DATA)).is_error


def test_a_run_of_a_client_names_no_file_when_it_is_resumed_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project(tmp_path)
    (tmp_path / "flowdsl.toml").touch()
    later = EDIT + "images: \"{{ inputs.picture if flowContext.imageList | length else 'shelf/noir.png' }}\"}\n"
    (tmp_path / "flows" / "later.flow.yaml").write_text(HEAD + MAKE + later, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path / "state"))
    for to_others, code in ((True, 4), (False, 0)):
        with Simulator(plain=True, as_of=DAY) as simulator, Journal(tmp_path / "state", simulated=True) as journal:
            environment = flowdsl.Environment(
                settings=None,
                overrides=overrides(simulator.url, simulator.key),
                limits=flowdsl.Limits(files_by_value=False),
            )
            flow = environment.load(tmp_path / "flows" / "later.flow.yaml")
            given = served_arguments(Namespace(simulate=True, allow_endpoint=[]), flow, to_others=to_others)
            with pytest.raises(flowdsl.ConfigError):
                flow.run({"picture": "secret.png"}, journal=journal.giving(given))
            run = journal.runs.all()[0].id
        assert main(["resume", run, "--yes"]) == code
        assert ("file-by-value" in capsys.readouterr().err) is to_others


def test_a_gateway_whose_clients_could_name_files_does_not_begin(tmp_path: Path) -> None:
    environment = flowdsl.Environment(settings=None, storage=flowdsl.Storage(images=tmp_path))
    raised = pytest.raises(flowdsl.UsageError, match="files_by_value=False")
    with Journal(tmp_path) as journal, listener("127.0.0.1", 0) as sock, raised:
        asyncio.run(serve(Parts(environment, Routes({}), journal, tmp_path, {}), sock, print))
