"""What was paid for and is not what was asked for: it is kept, and said."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.features
import PIL.Image
import pytest
from image_pictures import PICTURES
from web_server import Routes, Web, response

from flowdsl import Environment, Limits, Note, Result, ServiceError, Storage
from flowdsl.cli.desktop import open_folder
from flowdsl.cli.summary import summary

PNG = PICTURES["png"][0]
STEP = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A boat\n"
ABOUT = "  outputs: [{type: imageList, name: imageList}, {type: object, name: about}]\n"
SVG = b'<svg width="1" height="1" onload="a()"><SCRIPT>b()</SCRIPT></svg>'


@pytest.fixture
def notes() -> Iterator[list[str]]:
    yield []


def run(flow: str, body: bytes, folder: Path, notes: list[str], **limits: Any) -> Result:
    """A run whose image service gives this body."""
    with Web(routes=Routes({"POST /v1/images/generations": [response(body)]})) as web:
        environment = Environment(
            overrides={"openai": {"endpoint": f"{web.url}/v1", "apiKey": "k"}},
            storage=Storage(images=folder, output=folder),
            limits=Limits(**limits),
        )
        return environment.load(flow).run(
            on_event=lambda event: notes.append(f"{event.code}: {event.text}") if isinstance(event, Note) else None
        )


def data(*pictures: bytes) -> bytes:
    return json.dumps({"data": [{"b64_json": base64.b64encode(picture).decode()} for picture in pictures]}).encode()


def test_fewer_pictures_than_asked_for_are_said_everywhere(tmp_path: Path, notes: list[str]) -> None:
    result = run(f"{STEP}  n: 3\n{ABOUT}", data(PNG), tmp_path, notes)
    text = "OPENAI_IMAGE_GENERATION was asked for 3 pictures and sent 1"
    assert notes == [f"fewer-images: {text}"]
    assert ("fewer-images", text) in result.notes
    assert (result.context["about"]["asked"], result.context["about"]["got"]) == (3, 1)
    assert f"warning: {text}" in summary(result, simulated=False)


def test_a_host_can_make_fewer_pictures_an_error_that_holds_them(tmp_path: Path, notes: list[str]) -> None:
    with pytest.raises(ServiceError) as raised:
        run(f"{STEP}  n: 3\n", data(PNG), tmp_path, notes, fewer_images=False)
    assert (raised.value.code, raised.value.charge_possible) == ("images-missing", True)
    (image,) = raised.value.details["images"]
    assert Path(image.path).name == "image-1.png"


def test_as_many_pictures_as_asked_for_are_not_talked_about(tmp_path: Path, notes: list[str]) -> None:
    assert "asked" not in run(f"{STEP}{ABOUT}", data(PNG), tmp_path, notes).context["about"]
    assert notes == []


@pytest.mark.skipif("avif" not in PIL.features.get_supported(), reason="this Pillow writes no AVIF")
def test_avif_is_stored_with_its_type(tmp_path: Path, notes: list[str]) -> None:
    content = io.BytesIO()
    PIL.Image.new("RGB", (61, 43)).save(content, "AVIF")
    (image,) = run(STEP, data(content.getvalue()), tmp_path, notes).images
    assert (image.mime, image.width, image.height, Path(image.path).name) == ("image/avif", 61, 43, "image-1.avif")


@pytest.mark.parametrize("name", ["png", "jpg", "lossy.webp"])
def test_a_body_that_is_the_picture_itself_is_stored(name: str, tmp_path: Path, notes: list[str]) -> None:
    (image,) = run(STEP, PICTURES[name][0], tmp_path, notes).images
    assert (image.mime, image.read()) == (PICTURES[name][1], PICTURES[name][0])


def test_bytes_of_a_format_that_is_not_stored_are_named_and_kept(tmp_path: Path, notes: list[str]) -> None:
    content = b"II*\0" + b"x" * 100
    for body in (data(content), content):
        with pytest.raises(ServiceError, match="a file of another format, TIFF; it is kept as") as raised:
            run(STEP, body, tmp_path, notes)
        assert raised.value.charge_possible
    kept = tmp_path / ".originals" / f"{hashlib.sha256(content).hexdigest()}.tiff"
    assert kept.read_bytes() == content


def test_an_svg_in_place_of_a_png_is_kept_and_its_scripts_are_named(tmp_path: Path, notes: list[str]) -> None:
    result = run(f"{STEP}  output_format: png\n", data(SVG), tmp_path, notes)
    text = "PNG was asked for, and SVG came; it holds `onload`, `<script>`: open it only where scripts do not run"
    assert notes == [f"other-format: {text.replace('`<script>`', '`<script`')}"]
    assert result.images[0].read() == SVG


def test_a_jpeg_in_place_of_a_png_is_said(tmp_path: Path, notes: list[str]) -> None:
    run(f"{STEP}  output_format: png\n", data(PICTURES["jpg"][0]), tmp_path, notes)
    assert notes == ["other-format: PNG was asked for, and JPEG came"]


@pytest.mark.parametrize("name", ["png", "jpg", "lossy.webp"])
def test_a_picture_whose_end_did_not_come_is_kept_named_and_said_to_be_incomplete(
    name: str, tmp_path: Path, notes: list[str]
) -> None:
    content, mime = PICTURES[name][:2]
    result = run(f"{STEP}  output_format: {mime.partition('/')[2]}\n", data(content[:-20]), tmp_path, notes)
    (image,) = result.images
    text = f"{Path(image.path).name} is incomplete: the end of the file did not come"
    assert Path(image.path).name.startswith("image-1.")
    assert notes == [f"picture-incomplete: {text}"]
    assert f"warning: {text}" in summary(result, simulated=False)
    assert Path(image.path).read_bytes() == content[:-20]


@pytest.mark.parametrize("name", ["png", "jpg", "lossy.webp"])
def test_bytes_behind_the_end_of_a_picture_are_no_fault(name: str, tmp_path: Path, notes: list[str]) -> None:
    content, mime = PICTURES[name][:2]
    run(f"{STEP}  output_format: {mime.partition('/')[2]}\n", data(content + b"\0" * 30), tmp_path, notes)
    assert notes == []


def test_without_a_desktop_a_line_says_where_the_pictures_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert open_folder("/pictures") == "no desktop to open it on: the pictures are in /pictures"


def test_a_desktop_opens_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, opened = tmp_path / "xdg-open", tmp_path / "opened"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("DISPLAY", ":9")
    monkeypatch.setattr("sys.platform", "linux")
    assert open_folder("/pictures") is None
    os.waitpid(-1, 0)
    assert opened.read_text(encoding="utf-8") == "/pictures"
