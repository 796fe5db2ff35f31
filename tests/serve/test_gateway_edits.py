"""Edits through a gateway: pictures as files of a form, or as addresses in JSON, and never as paths of its machine."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from gateways import MODEL, Running
from PIL import Image


def picture(color: Any = "red", size: int = 64, kind: str = "PNG") -> bytes:
    """The bytes of a picture of one colour."""
    file = io.BytesIO()
    Image.new("RGBA" if kind == "PNG" else "RGB", (size, size), color).save(file, kind)
    return file.getvalue()


def data_address(content: bytes) -> str:
    """An address that holds a picture."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def test_the_official_client_edits_two_pictures(gateway: Running) -> None:
    files = [("a.png", picture("red"), "image/png"), ("b.jpg", picture("blue", kind="JPEG"), "image/jpeg")]
    found = gateway.client().images.edit(image=files, prompt="A kite", model=MODEL, quality="low", n=2)
    assert len(found.data or ()) == 2
    sent = gateway.simulator.requests[-1]
    assert sent.path == "/v1/images/edits" and sent.json["n"] in (2, "2")


def test_a_mask_is_sent_with_the_picture(gateway: Running) -> None:
    mask = io.BytesIO()
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(mask, "PNG")
    found = gateway.client().images.edit(
        image=("a.png", picture(), "image/png"),
        mask=("m.png", mask.getvalue(), "image/png"),
        prompt="A kite",
        model=MODEL,
        quality="low",
    )
    assert found.data and found.data[0].b64_json


def test_a_mask_that_does_not_lie_on_the_picture_is_told_in_whole_sentences(gateway: Running) -> None:
    files = {"image": ("a.png", picture()), "mask": ("m.png", picture((0, 0, 0, 0), 32))}
    found = httpx.post(f"{gateway.url}/v1/images/edits", files=files, data={"prompt": "A kite", "model": MODEL})
    error = found.json()["error"]
    assert (found.status_code, error["param"]) == (400, "mask")
    assert error["message"].startswith("the mask has 32x32 pixels, and the first picture 64x64: ")


def test_pictures_come_as_addresses_in_json(gateway: Running) -> None:
    body = {"prompt": "A kite", "model": MODEL, "images": [{"image_url": data_address(picture())}]}
    found = gateway.post(body, "/v1/images/edits")
    assert found.status_code == 200, found.text


@pytest.mark.parametrize(
    "link",
    [
        "./secret.png",
        "/etc/hostname",
        "file:///etc/hostname",
        "http://127.0.0.1:9/a.png",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/a.png",
        "ftp://example.com/a.png",
    ],
)
def test_an_address_of_this_machine_or_its_network_is_refused(gateway: Running, link: str, tmp_path: Path) -> None:
    before = gateway.bought
    body = {"prompt": "A kite", "model": MODEL, "images": [{"image_url": link}]}
    found = gateway.post(body, "/v1/images/edits")
    assert found.status_code == 400, found.text
    assert gateway.bought == before


@pytest.mark.parametrize(
    "files, data, param",
    [
        ([], {"prompt": "A kite", "model": MODEL}, "image"),
        ([("image", ("a.png", b"no picture"))], {"prompt": "A kite", "model": MODEL}, "image"),
        ([("picture", ("a.png", b"\x89PNG"))], {"prompt": "A kite", "model": MODEL}, "picture"),
        ([("image", (None, "a.png"))], {"prompt": "A kite", "model": MODEL}, "image"),
        ([("image", ("a.png", picture()))], {"prompt": "A kite", "model": MODEL, "n": "two"}, "n"),
        ([("image", ("a.png", picture()))], {"model": MODEL}, "prompt"),
        ([("image[]", ("a.png", picture()))] * 17, {"prompt": "A kite", "model": MODEL}, "image"),
    ],
    ids=["no picture", "another file", "another name", "a text", "a word for n", "no prompt", "seventeen"],
)
def test_a_form_that_cannot_be_is_refused_with_its_field(
    gateway: Running, files: Any, data: dict[str, str], param: str
) -> None:
    before = gateway.bought
    extra = files or [("prompt", (None, "A kite")), ("model", (None, MODEL))]
    found = httpx.post(f"{gateway.url}/v1/images/edits", files=extra, data=data if files else None)
    assert (found.status_code, found.json()["error"]["param"]) == (400, param), found.text
    assert gateway.bought == before


_FIELD = 'Content-Disposition: form-data; name="f%d"\r\n\r\na\r\n--x\r\n'


@pytest.mark.parametrize(
    "kind, body",
    [
        ("; boundary=x", '--x\r\nContent-Disposition: form-data; name="prompt"\r\n'),
        ("", "--x--\r\n"),
        ("; boundary=x", "no form"),
        ("; boundary=x", "--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n"),
        ("; boundary=x", "--x\r\n" + "".join(_FIELD % number for number in range(65))),
    ],
    ids=["cut", "no boundary", "no form", "no name", "too many fields"],
)
def test_a_form_that_cannot_be_read_is_refused(gateway: Running, kind: str, body: str) -> None:
    headers = {"content-type": f"multipart/form-data{kind}"}
    found = httpx.post(f"{gateway.url}/v1/images/edits", content=body.encode(), headers=headers)
    assert (found.status_code, found.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    "operation, field, said",
    [
        ("generations", "image", "It goes with edits: POST …/images/edits"),
        ("generations", "images", "It goes with edits: POST …/images/edits"),
        ("generations", "mask", "It goes with edits: POST …/images/edits"),
        ("generations", "input_fidelity", "It goes with edits: POST …/images/edits"),
        ("edits", "image", "In JSON the pictures to edit are 'images'"),
    ],
)
def test_a_picture_in_the_wrong_place_is_told_where_it_goes(
    gateway: Running, operation: str, field: str, said: str
) -> None:
    found = gateway.post({"prompt": "A kite", "model": MODEL, field: "high"}, f"/v1/images/{operation}")
    error = found.json()["error"]
    assert (found.status_code, error["param"]) == (400, field) and said in error["message"]


def test_moderation_of_an_edit_in_json_reaches_the_service_and_a_form_has_none(gateway: Running) -> None:
    body = {"prompt": "A kite", "model": MODEL, "moderation": "low", "images": [{"image_url": data_address(picture())}]}
    found = gateway.post(body, "/v1/images/edits")
    assert found.status_code == 200 and gateway.simulator.requests[-1].json["moderation"] == "low", found.text
    fields = {"prompt": "A kite", "model": MODEL, "moderation": "low"}
    files = [("image", ("a.png", picture(), "image/png"))]
    found = httpx.post(f"{gateway.url}/v1/images/edits", data=fields, files=files)
    error = found.json()["error"]
    assert (found.status_code, error["param"]) == (400, "moderation") and "application/json" in error["message"]


def test_an_edit_streams_its_events(gateway: Running) -> None:
    stream = gateway.client().images.edit(
        image=("a.png", picture(), "image/png"),
        prompt="A kite",
        model=MODEL,
        quality="low",
        stream=True,
        partial_images=1,
    )
    assert [event.type for event in stream] == ["image_edit.partial_image", "image_edit.completed"]


def test_a_picture_too_many_times_refused_leaves_the_client_working(gateway: Running) -> None:
    client = gateway.client()
    for _ in range(2):
        with pytest.raises(openai.BadRequestError):
            client.images.edit(image=("a.png", b"no picture", "image/png"), prompt="A kite", model=MODEL)
    assert client.images.edit(image=("a.png", picture(), "image/png"), prompt="A kite", model=MODEL).data


def test_a_file_that_is_no_picture_is_named_with_what_is_taken(gateway: Running) -> None:
    files = [("image", ("notes.txt", b"a note", "text/plain"))]
    found = httpx.post(f"{gateway.url}/v1/images/edits", files=files, data={"prompt": "A kite", "model": MODEL})
    error = found.json()["error"]
    assert (found.status_code, error["param"]) == (400, "image")
    assert error["message"] == "`notes.txt` is no picture, but a text: pictures to edit are PNG, JPEG or WebP files"


def test_an_address_that_holds_no_picture_and_a_wrong_size_are_told_at_once(gateway: Running) -> None:
    images = [{"image_url": "data:image/png;base64,AAAA"}]
    found = gateway.post({"prompt": "A kite", "model": MODEL, "size": "17x17", "images": images}, "/v1/images/edits")
    problems = found.json()["error"]["problems"]
    assert [(each["param"], each["code"]) for each in problems] == [
        ("size", "invalid_value"),
        ("image", "invalid_value"),
    ]
    assert problems[1]["message"].startswith("the data: address is no picture: ")
