"""Edits at vendors with an API of their own: the pictures go out in the vendor's way, and what it cannot is said."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bedrock_fake
import dashscope_fake
import gemini_fake
import huggingface_fake
import openrouter_fake
import pytest
import vertex_fake
import workersai_fake
from fake_vendor import Fake, running
from image_pictures import drawn
from PIL import Image as Pillow

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
    "vertex": {"model": "gemini-3-pro-image"},
    "bedrock": {
        "model": "stability.sd3-5-large-v1:0",
        "region": bedrock_fake.REGION,
        "accessKeyId": bedrock_fake.KEY_ID,
        "secretAccessKey": bedrock_fake.SECRET,
    },
    "huggingface": {"model": huggingface_fake.EDITOR, "apiKey": huggingface_fake.KEY},
}
FAKES: dict[str, type[Fake]] = {
    "gemini": gemini_fake.GeminiFake,
    "openrouter": openrouter_fake.OpenRouterFake,
    "workersai": workersai_fake.WorkersAIFake,
    "dashscope": dashscope_fake.DashScopeFake,
    "vertex": vertex_fake.VertexFake,
    "bedrock": bedrock_fake.BedrockFake,
    "huggingface": huggingface_fake.HuggingFaceFake,
}
ALONE = ("bedrock", "huggingface")
"""Who edits one picture at a time."""
PATHS = {"workersai": "/client/v4", "dashscope": "/api/v1"}


@contextmanager
def vendor(name: str, monkeypatch: pytest.MonkeyPatch | None = None) -> Iterator[Fake]:
    if monkeypatch is not None:
        monkeypatch.setattr(f"flowdsl_steps.image.vendors.{name}._PAUSE_S", 0.0)
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
    entry = {"provider": name, **SETTINGS[name], **endpoint, **options.pop("entry", {})}
    images = ["house.png"] if name in ALONE else ["house.png", "sky.png"]
    step = {"step": "OPENAI_IMAGE_EDIT", "service": "IT", "instruction": "Snow", "images": images}
    file = folder / "a.flow.yaml"
    file.write_text(json.dumps({"services": {"IT": entry}, "flow": [{**step, **options}]}), encoding="utf-8")
    return file


def run(folder: Path, name: str, fake: Fake, **options: Any) -> Result:
    environment = Environment(storage=Storage(images=folder / "images"), limits=Limits(private_addresses=True))
    if isinstance(fake, vertex_fake.VertexFake):
        options["entry"] = {"credentials": json.dumps(fake.credentials), **options.get("entry", {})}
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


def test_vertex_ai_is_sent_the_pictures_as_gemini_is(project: Path) -> None:
    with vendor("vertex") as fake:
        assert len(run(project, "vertex", fake).images) == 1
        ((content,),) = [asked.json["contents"] for asked in fake.asked if asked.path != "/token"]
        assert [part["inlineData"]["data"] for part in content["parts"][1:]] == [
            each.partition(",")[2] for each in DATA
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


B64 = [each.partition(",")[2] for each in DATA]


def test_stable_diffusion_moves_away_from_a_picture_as_far_as_the_entry_says(project: Path) -> None:
    with vendor("bedrock") as fake:
        assert len(run(project, "bedrock", fake, seed=7).images) == 1
        run(project, "bedrock", fake, seed=8, entry={"strength": 0.3})
        body = {"prompt": "Snow", "mode": "image-to-image", "image": B64[0]}
        assert fake.bodies == [{**body, "strength": 0.7, "seed": 7}, {**body, "strength": 0.3, "seed": 8}]


def test_what_is_transparent_in_a_mask_is_white_in_one_of_stability(project: Path) -> None:
    mask = Pillow.new("RGBA", (64, 48), (9, 9, 9, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 32, 48))
    mask.save(project / "mask.png")
    with vendor("bedrock") as fake:
        inpaint = {"model": "us.stability.stable-image-inpaint-v1:0", "mask": "mask.png", "output_format": "jpeg"}
        assert len(run(project, "bedrock", fake, **inpaint).images) == 1
        [body] = fake.bodies
        assert (body["image"], body["output_format"], set(body)) == (
            B64[0],
            "JPEG",
            {"prompt", "image", "mask", "output_format"},
        )
        with Pillow.open(io.BytesIO(base64.b64decode(body["mask"]))) as sent:
            assert (sent.size, sent.getpixel((3, 3)), sent.getpixel((60, 3))) == ((64, 48), 255, 0)


def test_what_an_edit_at_bedrock_lacks_is_told_with_what_to_write(project: Path) -> None:
    inpaint = {"model": "us.stability.stable-image-inpaint-v1:0"}
    assert errors(flow(project, "bedrock", **inpaint)) == [
        ("missing-key", "`mask` is missing: `stability.stable-image-inpaint-v1:0` edits what a mask marks")
    ]
    opaque = errors(flow(project, "bedrock", **inpaint, mask="house.png"))
    assert [(code, said) for code, said in opaque if "transparency" in said] == [
        ("unsupported-value", "the mask `house.png` has no transparency, so that it marks nothing")
    ]
    sizes = flowdsl.check(flow(project, "bedrock", size="1024x1024"))
    assert [each.code for each in sizes if each.severity != "note" and each.code != "plain-secret"] == [
        "dropped-parameter"
    ]


def test_a_model_of_a_profile_is_noted_where_it_is_named_without_one(project: Path) -> None:
    bare = "stability.stable-image-control-sketch-v1:0"
    [note] = [each for each in flowdsl.check(flow(project, "bedrock", model=bare)) if each.severity == "note"]
    assert note.message == f"`{bare}` may be refused: AWS gives it by an inference profile"
    assert note.hint == f"write `model: us.{bare}`"
    with vendor("bedrock") as fake:
        assert len(run(project, "bedrock", fake, model=f"us.{bare}").images) == 1
        assert fake.bodies == [{"prompt": "Snow", "image": B64[0]}]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("bedrock", "us.stability.stable-image-inpaint-v1:0"),
        ("dashscope", "qwen-image-edit-plus"),
        ("dashscope", "wan2.6-image"),
        ("huggingface", "Qwen/Qwen-Image-Edit"),
    ],
)
def test_a_model_that_only_edits_is_an_error_without_a_picture(name: str, model: str, project: Path) -> None:
    file = flow(project, name, step="OPENAI_IMAGE_GENERATION", images=None, model=model)
    text = file.read_text(encoding="utf-8").replace(', "images": null', "")
    file.write_text(text, encoding="utf-8")
    [found] = [each for each in flowdsl.check(file) if each.severity == "error"]
    assert found.message == f"`{model.removeprefix('us.')}` only edits: it draws nothing without a picture"
    assert found.hint == "edit a picture, with OPENAI_IMAGE_EDIT, or use another model"
    assert {code for code, _ in errors(flow(project, name, model=model, images=["house.png"]))} <= {"missing-key"}


@pytest.mark.parametrize("model", ["qwen-image-2.0", "qwen-image-edit-plus", "wan2.7-image", "wan2.6-image"])
def test_each_model_of_dashscope_is_sent_the_pictures_where_it_reads_them(
    model: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with vendor("dashscope", monkeypatch) as fake:
        assert len(run(project, "dashscope", fake, model=model).images) == 1
        [message] = fake.bodies[0]["input"]["messages"]
        assert message["content"] == [*({"image": url} for url in DATA), {"text": "Snow"}]


def test_wan_2_5_takes_its_pictures_as_a_list(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with vendor("dashscope", monkeypatch) as fake:
        assert len(run(project, "dashscope", fake, model="wan2.5-i2i-preview").images) == 1
        assert fake.asked[0].path == dashscope_fake.EDIT
        assert fake.bodies[0]["input"] == {"prompt": "Snow", "images": DATA}


SIZE = {"width": 1024, "height": 768}
SIZED = {"prompt": "Snow", "target_size": SIZE, "seed": 7}
FOUR = {"image": DATA[0], "images": DATA[:1], "input_image": DATA[0], "input_images": DATA[:1]}
AT_PARTNERS: dict[str, dict[str, Any]] = {
    "hf-inference": {"inputs": B64[0], "parameters": SIZED},
    "fal-ai": {"image_url": DATA[0], "image_urls": DATA[:1], "prompt": "Snow", "image_size": SIZE, "seed": 7},
    "together": {
        **SIZED,
        "image_url": DATA[0],
        "response_format": "base64",
        "model": huggingface_fake.EDIT_NAMES["together"],
    },
    "replicate": {"input": {**FOUR, **SIZED}},
    "wavespeed": {"image": DATA[0], **SIZED},
}


@pytest.mark.parametrize("partner", AT_PARTNERS)
def test_each_partner_of_hugging_face_is_sent_the_picture_in_its_own_words(
    partner: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {"partner": partner, "partnerModel": huggingface_fake.EDIT_NAMES.get(partner, "-")}
    with vendor("huggingface", monkeypatch) as fake:
        found = run(project, "huggingface", fake, size="1024x768", seed=7, entry=there)
        assert len(found.images) == 1
        assert fake.bodies == [AT_PARTNERS[partner]]


@pytest.mark.parametrize("partner", ["nscale", "zai-org"])
def test_a_partner_that_edits_nothing_is_told_with_those_that_do(partner: str, project: Path) -> None:
    there = {"partner": partner, "partnerModel": "a-name"}
    [found] = [each for each in flowdsl.check(flow(project, "huggingface", entry=there)) if each.severity == "error"]
    assert found.message == f"{partner} edits no pictures for Hugging Face"
    assert found.hint == "name a `partner` that edits: hf-inference, fal-ai, together, replicate, wavespeed"
    assert errors(flow(project, "huggingface", entry={**there, "partner": "fal-ai"})) == []


@pytest.mark.parametrize("name", FAKES)
def test_an_edit_of_theirs_is_bought_once_however_often_it_is_tried(name: str, project: Path) -> None:
    """A block that fails after its edit is tried again: nothing is sent for the picture that is there."""
    with vendor(name) as fake:
        login = {"credentials": json.dumps(fake.credentials)} if isinstance(fake, vertex_fake.VertexFake) else {}
        step = json.loads(flow(project, name, fake.url, entry=login).read_text(encoding="utf-8"))
        fail = {"step": "RAISE", "message": "no"}
        step["flow"] = [{"step": "TRY", "try": [*step["flow"], fail], "catch": [*step["flow"]]}]
        file = project / "a.flow.yaml"
        file.write_text(json.dumps(step), encoding="utf-8")
        environment = Environment(storage=Storage(images=project / "images"), limits=Limits(private_addresses=True))
        environment.run(file)
        assert len([asked for asked in fake.asked if asked.method == "POST" and asked.path != "/token"]) == 1


@pytest.mark.parametrize("name", FAKES)
def test_a_mask_and_pictures_too_many_are_errors_before_anything_is_sent(name: str, project: Path) -> None:
    found = errors(flow(project, name, mask="house.png", images=["house.png"] * 17))
    assert {code for code, _ in found} >= {"unsupported-parameter", "unsupported-value"}
    assert any(message.endswith("takes no `mask`") for _, message in found)
    assert any(message.startswith("there are 17 pictures to edit, and ") for _, message in found)


PROVIDERS = ["azure", "bedrock", "dashscope", "gemini", "huggingface", "openai", "openrouter", "vertex", "workersai"]
"""Those that edit."""


@pytest.mark.parametrize(
    ("name", "entry", "models"),
    [
        ("workersai", {"model": "@cf/black-forest-labs/flux-1-schnell"}, True),
        ("dashscope", {"model": "wan2.6-t2i"}, True),
        ("bedrock", {"model": "stability.stable-image-core-v1:1"}, True),
        ("huggingface", {"model": huggingface_fake.MODEL}, True),
        ("mistral", {"model": "mistral-medium-latest", "apiKey": "{{ secret('K') }}"}, False),
        ("bfl", {"model": "flux-2-pro", "apiKey": "{{ secret('K') }}"}, False),
        ("zhipu", {"model": "glm-image", "apiKey": "{{ secret('K') }}"}, False),
        ("ollama", {"model": "x/z-image-turbo"}, False),
        ("localai", {"model": "flux.1-schnell"}, False),
    ],
)
def test_a_model_that_edits_nothing_is_told_with_who_does(
    name: str, entry: dict[str, Any], models: bool, project: Path
) -> None:
    SETTINGS.setdefault(name, {})
    found = [each for each in flowdsl.check(flow(project, name, entry=entry)) if each.severity == "error"]
    assert [each.code for each in found] == ["unsupported-parameter"]
    assert found[0].message.endswith("edits no pictures: `images` cannot be sent")
    assert found[0].hint is not None
    assert ("use a model that edits: `" in found[0].hint) is models
    others = ", ".join(each for each in PROVIDERS if each != name)
    assert found[0].hint.endswith(f"use a service whose `provider` edits: {others}")
