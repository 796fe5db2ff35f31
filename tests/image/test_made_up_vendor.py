"""A vendor of somebody else's package: one file and an entry point, and everything works with it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aurora_server import KEY, RUNNING_POLLS, AuroraServer, aurora_server
from image_bench import Ground
from image_pictures import drawn
from installed_vendors import MADE_UP, made_up_vendor

import flowdsl
from flowdsl.errors import ContentRefused, ServiceRefused
from flowdsl.image.store import ImageStore
from flowdsl.plan.shown import headline
from flowdsl.step.service import Service
from flowdsl_steps.image.generate import generate
from flowdsl_steps.image.image_result import Generated
from flowdsl_steps.image.openai_image_generation import OpenAIImageGeneration
from flowdsl_steps.image.request import ImageRequest

pytestmark = pytest.mark.long

STEPS = ("OPENAI_IMAGE_GENERATION", "AZURE_OPENAI_IMAGE_GENERATION", "HUB_IMAGE_GENERATION")
FLOW = """\
services:
  NORTH:
    provider: aurora
    endpoint: ENDPOINT
    project: polar
    projectKey: "{{ secret('POLAR_KEY') }}"
flow:
  - step: STEP
    service: NORTH
    model: borealis-1
    instruction: A lighthouse
    size: SIZE
    seed: 7
    n: 3
    outputs: [{type: imageList, name: imageList}, {type: object, name: object}]
"""


@pytest.fixture
def server() -> Iterator[AuroraServer]:
    with aurora_server() as running:
        yield running


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package on the path of this process."""
    with made_up_vendor(monkeypatch):
        yield


def flow(endpoint: str, step: str = STEPS[0], size: str = "1024x512") -> str:
    return FLOW.replace("ENDPOINT", endpoint).replace("STEP", step).replace("SIZE", size)


def command(folder: Path, text: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, with the package on its path."""
    (folder / "a.flow.yaml").write_text(text, encoding="utf-8")
    verb, *rest = arguments
    file = "a.flow.yaml:8" if verb == "explain" else "a.flow.yaml"
    environment = {**os.environ, "PYTHONPATH": str(MADE_UP), **variables}
    for name in ("AURORA_KEY", "POLAR_KEY"):
        if name not in variables:
            environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "-m", "flowdsl.cli", verb, file, *rest],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_package_is_one_file_and_its_metadata() -> None:
    files = [path.relative_to(MADE_UP) for path in MADE_UP.rglob("*") if path.is_file()]
    assert sorted(file.as_posix() for file in files if "__pycache__" not in file.parts) == [
        "aurora-1.0.dist-info/METADATA",
        "aurora-1.0.dist-info/entry_points.txt",
        "aurora_vendor.py",
    ]


def test_it_submits_polls_and_stores_over_the_command_line(tmp_path: Path, server: AuroraServer) -> None:
    done = command(
        tmp_path,
        flow(server.url),
        "run",
        "--json",
        "--allow-endpoint",
        server.url,
        AURORA_KEY=KEY,
        POLAR_KEY="polar-secret",
    )
    assert done.returncode == 0, done.stderr
    outputs = json.loads(done.stdout)
    assert [(image["width"], image["height"]) for image in outputs["imageList"]] == [(61, 43)] * 3
    about = outputs["object"]
    assert about["usage"] == {"input_tokens": 6, "output_tokens": 30}
    assert (about["cost"], about["attemptCount"]) == (pytest.approx(0.06), 2)
    assert about["requestId"] in ("op-1", "op-2")
    counts = sorted(order["parameters"].pop("sampleCount") for order in server.orders)
    assert counts == [1, 2]
    assert (
        server.orders
        == [
            {
                "instances": [{"prompt": "A lighthouse"}],
                "parameters": {"dimensions": {"width": 1024, "height": 512}, "seed": 7},
            }
        ]
        * 2
    )
    assert server.headers[0]["x-aurora-project"] == "polar:polar-secret"
    assert server.polls == RUNNING_POLLS + 2
    assert KEY not in done.stdout + done.stderr
    assert "polar-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("step", STEPS)
def test_a_size_it_cannot_take_is_an_error_at_check_in_every_image_step(step: str, tmp_path: Path) -> None:
    done = command(tmp_path, flow("http://127.0.0.1:9/v1", step, "640x480"), "validate")
    assert done.returncode == 1
    assert done.stdout.splitlines()[:4] == [
        "a.flow.yaml:12:11: error: Aurora does not draw 640x480 [unsupported-value]",
        "  12 |     size: 640x480",
        "     |           ^^^^^^^",
        "  hint: write 512x512 or 1024x512",
    ]
    assert command(tmp_path, flow("http://127.0.0.1:9/v1", step), "validate").returncode == 0


def test_under_simulate_the_simulator_stands_in_and_no_key_is_needed(tmp_path: Path) -> None:
    done = command(tmp_path, flow("https://nowhere.invalid/v1"), "run", "--simulate", "--json")
    assert done.returncode == 0, done.stderr
    images = json.loads(done.stdout)["imageList"]
    assert [(image["width"], image["height"]) for image in images] == [(1024, 512)] * 3
    refused = command(tmp_path, flow("https://nowhere.invalid/v1", size="640x480"), "run", "--simulate")
    assert (refused.returncode, "Aurora does not draw 640x480" in refused.stderr) == (1, True)


def test_its_settings_are_checked_and_its_secrets_hidden(installed: None, tmp_path: Path) -> None:
    text = flow("http://127.0.0.1:9/v1").replace("project: polar", "project: Polar Bear")
    text = text.replace("\"{{ secret('POLAR_KEY') }}\"", "hush-hush").replace("    n: 3", "    n: 3\n    style: vivid")
    found = [(each.code, each.message) for each in flowdsl.check(text)]
    assert ("plain-secret", "`projectKey` stands in the file, where everybody who has the file can read it") in found
    assert ("unsupported-parameter", "Aurora has no `style`") in found
    assert [code for code, _ in found] == ["wrong-pattern", "plain-secret", "unsupported-parameter"]
    shown = command(tmp_path, text.replace("Polar Bear", "polar").replace("    style: vivid\n", ""), "explain")
    assert "hush-hush" not in shown.stdout + shown.stderr
    assert "projectKey" in shown.stdout


def test_no_other_vendors_variable_gives_it_a_key(tmp_path: Path, server: AuroraServer) -> None:
    done = command(tmp_path, flow(server.url), "run", OPENAI_API_KEY="sk-not-for-aurora", POLAR_KEY="x")
    assert done.returncode != 0
    assert "NORTH has no `apiKey`" in done.stderr
    assert "AURORA_KEY" in done.stderr
    assert server.headers == []


def bought(server: AuroraServer, folder: Path, request: ImageRequest, timeout_s: float = 20.0) -> Generated:
    """What a request brings that no step made."""
    service = Service("NORTH", {"provider": "aurora", "endpoint": server.url, "apiKey": KEY})

    async def run() -> Generated:
        ground = Ground(OpenAIImageGeneration, folder, service, {})
        async with ground.stack:
            return await generate(request, ground, timeout_s, 0)

    return asyncio.run(run())


def test_an_input_image_goes_out_as_a_form_read_from_disk(
    installed: None, server: AuroraServer, tmp_path: Path
) -> None:
    image = ImageStore(tmp_path / "mine").add(drawn("PNG", (8, 8)))
    found = bought(server, tmp_path, ImageRequest(prompt="Make it blue", model="borealis-1", images=(image,)))
    assert len(found.images) == 1
    assert server.pictures == [image.read()]
    assert server.headers[0]["content-type"].startswith("multipart/form-data; boundary=")
    assert int(server.headers[0]["content-length"]) > image.bytes


def test_its_own_signal_of_moderation_is_a_refusal_and_is_never_sent_again(
    installed: None, server: AuroraServer, tmp_path: Path
) -> None:
    with pytest.raises(ContentRefused) as caught:
        bought(server, tmp_path, ImageRequest(prompt="something forbidden", model="borealis-1"))
    assert str(caught.value) == "moderation of NORTH refused the picture: Aurora does not draw this. [safety]"
    assert (caught.value.request_id, caught.value.charge_possible, len(server.orders)) == ("op-1", True, 1)


def test_an_order_that_the_vendor_gave_up_is_a_refusal_without_a_charge(
    installed: None, server: AuroraServer, tmp_path: Path
) -> None:
    with pytest.raises(ServiceRefused) as caught:
        bought(server, tmp_path, ImageRequest(prompt="something impossible", model="borealis-1"))
    assert str(caught.value) == "NORTH made no picture: Out of paint."
    assert not caught.value.charge_possible


def test_a_question_that_fails_is_asked_again_and_an_order_is_not(
    installed: None, server: AuroraServer, tmp_path: Path
) -> None:
    found = bought(server, tmp_path, ImageRequest(prompt="busy", model="borealis-1"))
    assert len(found.images) == 1
    assert (len(server.orders), server.polls) == (1, RUNNING_POLLS + 2)


def test_an_order_that_outlives_its_deadline_may_be_charged(
    installed: None, server: AuroraServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aurora_server.RUNNING_POLLS", 1_000_000)
    with pytest.raises(flowdsl.ServiceTimeout) as caught:
        bought(server, tmp_path, ImageRequest(prompt="a boat", model="borealis-1"), timeout_s=0.5)
    assert (caught.value.charge_possible, len(server.orders)) == (True, 1)


def test_what_it_costs_is_planned_by_the_prices_of_its_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"OPENAI_IMAGE_GENERATION": {"provider": "aurora", "prices": 0.03}}
    flow = "- {step: OPENAI_IMAGE_GENERATION, model: borealis-1, n: 3, instruction: p}\n"
    with made_up_vendor(monkeypatch):
        environment = flowdsl.Environment(settings=None, environ={}, services=entry)
        plan = environment.load(flow).plan()
    assert headline(plan.bounds) == "2 paid requests, $0.0900"
    assert {row.host for row in plan.rows} == {"api.aurora.example"}
