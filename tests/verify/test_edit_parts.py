"""The official client's own call for an edit and ours send the same parts, to OpenAI and to Azure in both forms."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from PIL import Image as Pillow

from flowdsl import Environment, Limits, Storage

sys.path.append(str(Path(__file__).parents[1] / "image"))

from edits_server import KEY, EditsServer, Sent, edits_server

VERSION = "2025-04-01-preview"
CASES: dict[str, tuple[list[str], dict[str, Any]]] = {
    "one picture": (["a.png"], {}),
    "several pictures": (["a.png", "b.jpg", "c.webp"], {"quality": "low", "size": "1536x1024"}),
    "a mask": (["a.png"], {"mask": "m.png", "n": 2}),
    "a list of one": (["a.png"], {"background": "transparent", "output_format": "webp", "output_compression": 40}),
    "a stream": (["a.png", "b.jpg"], {"stream": True, "partial_images": 2, "user": "u", "safety_identifier": "s"}),
    "an SVG": (["a.png"], {"output_format": "svg", "svg": {"model": "gpt-6"}, "model": "gpt-image-2.6-sunburst"}),
    "a film": (
        ["a.png"],
        {"output_format": "gif", "frame_count": 4, "model": "gpt-image-2.6-flare", "complexity": "low"},
    ),
    "fidelity": (["a.png"], {"input_fidelity": "high", "model": "unheard-of-1"}),
}


@pytest.fixture
def pictures(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "flowdsl.toml").write_text("", encoding="utf-8")
    for name, kind in (("a.png", "PNG"), ("b.jpg", "JPEG"), ("c.webp", "WEBP"), ("m.png", "PNG")):
        out = io.BytesIO()
        picture = Pillow.new("RGBA", (16, 16), (200, 30, 40, 0 if name == "m.png" else 255))
        (picture if kind != "JPEG" else picture.convert("RGB")).save(out, kind)
        (tmp_path / name).write_bytes(out.getvalue())
    return tmp_path


def parts(form: list[Sent]) -> dict[str, list[tuple[str | None, bytes]]]:
    """The parts of a form by their names: media type of a file, and content. What a file is called is free."""
    found: dict[str, list[tuple[str | None, bytes]]] = {}
    for each in form:
        found.setdefault(each.name, []).append((each.media_type if each.filename else None, each.content))
    return found


def ours(folder: Path, step: str, entry: dict[str, Any], images: list[str], options: dict[str, Any]) -> None:
    given = {"step": step, "model": "gpt-image-2", "instruction": "Snow", "images": images, "maxRetries": 0, **options}
    services = {step.replace("EDIT", "GENERATION"): {"limits": "api", **entry}}
    (folder / "a.flow.yaml").write_text(json.dumps({"services": services, "flow": [given]}), encoding="utf-8")
    environment = Environment(storage=Storage(images=folder / "images"), limits=Limits(private_addresses=True))
    environment.run(folder / "a.flow.yaml")


def theirs(client: openai.OpenAI, folder: Path, images: list[str], options: dict[str, Any]) -> None:
    def file(name: str) -> tuple[str, bytes, str]:
        kinds = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
        return name, (folder / name).read_bytes(), kinds[name.rpartition(".")[2]]

    given = {name: file(value) if name == "mask" else value for name, value in options.items()}
    files = [file(name) for name in images]
    found: Any = client.images.edit(
        **{"image": files[0] if len(files) == 1 else files, "prompt": "Snow", "model": "gpt-image-2", **given}
    )
    if options.get("stream"):
        list(found)


@pytest.mark.parametrize("case", CASES)
def test_openai_gets_the_same_parts_from_both(case: str, pictures: Path) -> None:
    images, options = CASES[case]
    with edits_server() as server, openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0) as client:
        theirs(client, pictures, images, options)
        ours(pictures, "OPENAI_IMAGE_EDIT", {"endpoint": f"{server.url}/v1", "apiKey": KEY}, images, options)
        _same(server)


@pytest.mark.parametrize("version", [VERSION, None], ids=["a deployment", "the v1 API"])
def test_azure_gets_the_same_parts_from_both(version: str | None, pictures: Path) -> None:
    images, options = ["a.png", "b.jpg"], {"mask": "m.png", "quality": "low", "model": "gpt-image-2"}
    with edits_server(azure=True) as server:
        entry = {"endpoint": server.url, "apiKey": KEY, "deploymentId": "gpt-image-2"}
        if version is not None:
            client: openai.OpenAI = openai.AzureOpenAI(
                api_key=KEY, azure_endpoint=server.url, api_version=version, max_retries=0
            )
            entry["apiVersion"] = version
        else:
            client = openai.OpenAI(
                api_key="none", base_url=f"{server.url}/openai/v1", default_headers={"api-key": KEY}, max_retries=0
            )
        with client:
            theirs(client, pictures, images, options)
        ours(pictures, "AZURE_OPENAI_IMAGE_EDIT", entry, images, options)
        _same(server, without=("model",) if version is not None else ())


def _same(server: EditsServer, without: tuple[str, ...] = ()) -> None:
    """Two requests to one address, and the same parts; the client of a deployment also names the model, which the
    address does."""
    assert server.paths[0] == server.paths[1]
    first, second = map(parts, server.forms)
    assert {name: found for name, found in first.items() if name not in without} == second
