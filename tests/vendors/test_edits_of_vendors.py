"""Edits at vendors with an API of their own: the pictures go out in the vendor's way, and what it cannot is said."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dashscope_fake
import gemini_fake
import openrouter_fake
import pytest
import workersai_fake
from fake_vendor import Fake, running
from image_pictures import drawn

import flowdsl
from flowdsl import Environment, Limits, Result, Storage

HOUSE, SKY = drawn("PNG", (64, 48)), drawn("PNG", (32, 32))
DATA = [f"data:image/png;base64,{base64.b64encode(each).decode()}" for each in (HOUSE, SKY)]
SETTINGS: dict[str, dict[str, Any]] = {
    "gemini": {"model": "gemini-3.1-flash-image", "apiKey": gemini_fake.KEY},
    "openrouter": {"model": "google/gemini-nano-banana-2.1", "apiKey": openrouter_fake.KEY},
    "workersai": {
        "model": "@cf/black-forest-labs/flux-2-klein-4b",
        "apiKey": workersai_fake.KEY,
        "accountId": workersai_fake.ACCOUNT,
    },
    "dashscope": {"model": "qwen-image-3.0", "apiKey": dashscope_fake.KEY},
}
FAKES: dict[str, type[Fake]] = {
    "gemini": gemini_fake.GeminiFake,
    "openrouter": openrouter_fake.OpenRouterFake,
    "workersai": workersai_fake.WorkersAIFake,
    "dashscope": dashscope_fake.DashScopeFake,
}
PATHS = {"workersai": "/client/v4", "dashscope": "/api/v1"}


@contextmanager
def vendor(name: str) -> Iterator[Fake]:
    with running(FAKES[name]()) as fake:
        yield fake


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "flowdsl.toml").write_text("", encoding="utf-8")
    (tmp_path / "house.png").write_bytes(HOUSE)
    (tmp_path / "sky.png").write_bytes(SKY)
    return tmp_path


def flow(folder: Path, name: str, url: str = "", **options: Any) -> Path:
    endpoint = {"endpoint": url + PATHS.get(name, "")} if url else {}
    entry = {"provider": name, **SETTINGS[name], **endpoint}
    step = {"step": "OPENAI_IMAGE_EDIT", "service": "IT", "instruction": "Snow", "images": ["house.png", "sky.png"]}
    file = folder / "a.flow.yaml"
    file.write_text(json.dumps({"services": {"IT": entry}, "flow": [{**step, **options}]}), encoding="utf-8")
    return file


def run(folder: Path, name: str, fake: Fake, **options: Any) -> Result:
    environment = Environment(storage=Storage(images=folder / "images"), limits=Limits(private_addresses=True))
    return environment.run(flow(folder, name, fake.url, **options))


def errors(path: Path) -> list[tuple[str, str]]:
    found = flowdsl.check(path)
    return [(each.code, each.message) for each in found if each.severity == "error"]


def test_gemini_is_sent_the_pictures_behind_the_prompt(project: Path) -> None:
    with vendor("gemini") as fake:
        assert len(run(project, "gemini", fake).images) == 1
        ((content,),) = [body["contents"] for body in fake.bodies]
        assert content["parts"] == [
            {"text": "Snow"},
            *({"inlineData": {"mimeType": "image/png", "data": each.partition(",")[2]}} for each in DATA),
        ]


def test_openrouter_is_sent_the_pictures_as_references(project: Path) -> None:
    with vendor("openrouter") as fake:
        assert len(run(project, "openrouter", fake).images) == 1
        assert fake.bodies[0]["input_references"] == [{"type": "image_url", "image_url": {"url": url}} for url in DATA]


def test_workers_ai_is_sent_the_pictures_in_its_form(project: Path) -> None:
    with vendor("workersai") as fake:
        assert len(run(project, "workersai", fake).images) == 1
        fields = workersai_fake.fields_of(fake.asked[0])
        assert list(fields) == ["prompt", "input_image_0", "input_image_1"]
        assert [fields[f"input_image_{number}"].encode("latin-1") for number in range(2)] == [HOUSE, SKY]


def test_dashscope_is_sent_the_pictures_before_the_prompt(project: Path) -> None:
    with vendor("dashscope") as fake:
        assert len(run(project, "dashscope", fake).images) == 1
        (message,) = fake.bodies[0]["input"]["messages"]
        assert message["content"] == [*({"image": url} for url in DATA), {"text": "Snow"}]


@pytest.mark.parametrize("name", FAKES)
def test_an_edit_of_theirs_is_bought_once_however_often_it_is_tried(name: str, project: Path) -> None:
    """A block that fails after its edit is tried again: nothing is sent for the picture that is there."""
    with vendor(name) as fake:
        step = json.loads(flow(project, name, fake.url).read_text(encoding="utf-8"))
        fail = {"step": "RAISE", "message": "no"}
        step["flow"] = [{"step": "TRY", "try": [*step["flow"], fail], "catch": [*step["flow"]]}]
        file = project / "a.flow.yaml"
        file.write_text(json.dumps(step), encoding="utf-8")
        environment = Environment(storage=Storage(images=project / "images"), limits=Limits(private_addresses=True))
        environment.run(file)
        assert len([asked for asked in fake.asked if asked.method == "POST"]) == 1


@pytest.mark.parametrize("name", FAKES)
def test_a_mask_and_pictures_too_many_are_errors_before_anything_is_sent(name: str, project: Path) -> None:
    found = errors(flow(project, name, mask="house.png", images=["house.png"] * 17))
    assert {code for code, _ in found} >= {"unsupported-parameter", "unsupported-value"}
    assert any(message.endswith("takes no `mask`") for _, message in found)
    assert any(message.startswith("there are 17 pictures to edit, and ") for _, message in found)


@pytest.mark.parametrize(
    ("name", "model"),
    [("workersai", "@cf/black-forest-labs/flux-1-schnell"), ("dashscope", "wan2.6-t2i")],
    ids=["Workers AI", "DashScope"],
)
def test_a_model_that_edits_nothing_is_an_error(name: str, model: str, project: Path) -> None:
    found = errors(flow(project, name, model=model))
    assert ("unsupported-parameter", f"`{model}` edits no pictures: `images` cannot be sent") in found
