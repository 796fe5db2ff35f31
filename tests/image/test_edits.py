"""Edits: which pictures an edit takes, what is sent for it, and that it is bought once."""

from __future__ import annotations

import base64
import io
import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edits_server import DONE, KEY, EditsServer, Sent, edits_server
from image_pictures import drawn
from PIL import Image as Pillow
from web_server import Routes, Web, response

import flowdsl
from flowdsl import Environment, Host, Limits, Result, Storage
from flowdsl.errors import ConfigError, ContentRefused, LimitExceeded, RunError, ServiceError
from flowdsl.testing import Recording, Replay
from flowdsl.values import Blob
from flowdsl_steps.image.simulator import Simulator

BUSY = (429, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}})
EDIT = """\
- step: OPENAI_IMAGE_EDIT
  model: gpt-image-2
  instruction: Snow on the roof
"""
STEP = {"step": "OPENAI_IMAGE_EDIT", "model": "gpt-image-2", "instruction": "Snow on the roof"}


@pytest.fixture
def server() -> Iterator[EditsServer]:
    with edits_server() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with pictures."""
    (tmp_path / "flowdsl.toml").write_text("", encoding="utf-8")
    (tmp_path / "flows").mkdir()
    (tmp_path / "house.png").write_bytes(drawn("PNG", (64, 48)))
    (tmp_path / "sky.jpg").write_bytes(drawn("JPEG", (64, 48)))
    (tmp_path / "flows" / "tree.webp").write_bytes(drawn("WEBP", (64, 48)))
    (tmp_path / "mask.png").write_bytes(mask((64, 48)))
    return tmp_path


def mask(size: tuple[int, int], transparent: bool = True) -> bytes:
    out = io.BytesIO()
    picture = Pillow.new("RGBA", size, (0, 0, 0, 255))
    if transparent:
        picture.paste((0, 0, 0, 0), (0, 0, size[0] // 2, size[1]))
    (picture if transparent else picture.convert("RGB")).save(out, "PNG")
    return out.getvalue()


def written(folder: Path, flow: str) -> Path:
    file = folder / "flows" / "a.flow.yaml"
    file.write_text(flow, encoding="utf-8")
    return file


def run(
    folder: Path,
    flow: str,
    server: EditsServer | None = None,
    *,
    objects: dict[str, Any] | None = None,
    effects: Any = None,
    inputs: dict[str, Any] | None = None,
    **limits: Any,
) -> Result:
    services = {}
    if server is not None:
        entry = {"endpoint": f"{server.url}/v1", "apiKey": KEY}
        azure = {"endpoint": server.url, "apiKey": KEY, "deploymentId": "pictures", "model": "gpt-image-2"}
        hub = {"provider": "hub", "endpoint": server.url, "apiKey": KEY, "target": "west"}
        services = {"OPENAI_IMAGE_GENERATION": entry, "AZURE_OPENAI_IMAGE_GENERATION": azure, "HUB": hub}
    environment = Environment(
        services=services,
        host=Host(objects=objects or {}),
        storage=Storage(images=folder / "images"),
        limits=Limits(**{"private_addresses": True, **limits}),
    )
    return environment.load(written(folder, flow)).run(inputs, effects=effects)


def errors(folder: Path, flow: str) -> list[tuple[str, str, str | None]]:
    found = flowdsl.check(written(folder, flow))
    return [(each.code, each.message, each.hint) for each in found if each.severity == "error"]


def texts(form: list[Sent]) -> dict[str, str]:
    return {each.name: each.content.decode() for each in form if each.filename is None}


def files(form: list[Sent]) -> list[tuple[str, str | None, str | None]]:
    return [(each.name, each.filename, each.media_type) for each in form if each.filename is not None]


def test_one_picture_goes_out_as_image_and_several_as_a_list(project: Path, server: EditsServer) -> None:
    run(project, EDIT + "  images: house.png\n  size: 1024x1024\n  n: 2\n  quality: low\n", server)
    run(project, EDIT + "  images: [house.png, ../sky.jpg, ./tree.webp]\n  mask: mask.png\n", server)
    one, several = server.forms
    assert texts(one) == {
        "prompt": "Snow on the roof",
        "model": "gpt-image-2",
        "size": "1024x1024",
        "quality": "low",
        "n": "2",
    }
    assert files(one) == [("image", "image-1.png", "image/png")]
    assert one[-1].content == (project / "house.png").read_bytes()
    assert files(several) == [
        ("image[]", "image-1.png", "image/png"),
        ("image[]", "image-2.jpg", "image/jpeg"),
        ("image[]", "image-3.webp", "image/webp"),
        ("mask", "mask.png", "image/png"),
    ]
    assert several[-1].content == (project / "mask.png").read_bytes()


def test_every_option_of_generation_that_an_edit_has_is_a_field_of_the_form(project: Path, server: EditsServer) -> None:
    options = {
        "model": "gpt-image-2.6-sunburst",
        "output_format": "webp",
        "output_compression": 40,
        "background": "opaque",
        "complexity": "low",
        "user": "u1",
        "safety_identifier": "s1",
    }
    step = {"step": "OPENAI_IMAGE_EDIT", "instruction": "Snow", "images": "house.png", **options}
    run(project, json.dumps({"flow": [step]}), server)
    svg = {"output_format": "svg", "svg": {"model": "gpt-6"}, "model": "gpt-image-2.6-sunburst"}
    run(project, json.dumps({"flow": [{**step, **svg, "output_compression": None, "background": None}]}), server)
    assert texts(server.forms[0]) == {"prompt": "Snow", **{name: str(value) for name, value in options.items()}}
    assert texts(server.forms[1])["svg[model]"] == "gpt-6"


def test_how_closely_pictures_are_kept_is_asked_of_the_models_that_know_it(project: Path, server: EditsServer) -> None:
    flow = EDIT + "  images: house.png\n  input_fidelity: high\n"
    run(project, flow.replace("gpt-image-2", "unheard-of-1"), server)
    assert texts(server.forms[0])["input_fidelity"] == "high"
    assert errors(project, flow) == [
        (
            "unsupported-parameter",
            "`gpt-image-2` has no `input_fidelity`",
            "remove it",
        )
    ]


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ({}, "/openai/v1/images/edits"),
        ({"apiVersion": "preview"}, "/openai/v1/images/edits?api-version=preview"),
        (
            {"apiVersion": "2025-04-01-preview"},
            "/openai/deployments/pictures/images/edits?api-version=2025-04-01-preview",
        ),
    ],
    ids=["v1", "preview", "a date"],
)
def test_azure_edits_in_both_forms(project: Path, entry: dict[str, str], path: str) -> None:
    with edits_server(azure=True) as server:
        given = {"endpoint": server.url, "apiKey": KEY, "deploymentId": "pictures", "model": "gpt-image-2", **entry}
        step = {"step": "AZURE_OPENAI_IMAGE_EDIT", "instruction": "Snow", "images": "house.png"}
        flow = {"services": {"AZURE_OPENAI_IMAGE_GENERATION": given}, "flow": [step]}
        found = run(project, json.dumps(flow))
        assert len(found.outputs["imageList"]) == 1
        assert server.paths == [path]
        named = texts(server.forms[0]).get("model")
        assert named == (None if "deployments" in path else "pictures")


def test_a_hub_edits_too_and_names_its_target(project: Path, server: EditsServer) -> None:
    run(project, EDIT + "  service: HUB\n  images: house.png\n", server)
    assert (server.paths, server.headers[0]["x-target"]) == (["/v1/images/edits"], "west")


def test_an_entry_with_the_address_of_generation_serves_edits(project: Path, server: EditsServer) -> None:
    entry = {"endpoint": f"{server.url}/v1/images/generations", "apiKey": KEY}
    step = {"step": "OPENAI_IMAGE_EDIT", "model": "gpt-image-2", "instruction": "Snow", "images": "house.png"}
    run(project, json.dumps({"services": {"OPENAI_IMAGE_GENERATION": entry}, "flow": [step]}))
    assert server.paths == ["/v1/images/edits"]


def test_what_a_step_before_made_is_edited_when_there_are_no_images(project: Path, server: EditsServer) -> None:
    flow = EDIT + "  images: house.png\n" + EDIT + "  outputKey: twice\n"
    found = run(project, flow, server)
    assert server.forms[1][-1].content == base64.b64decode(DONE["data"][0]["b64_json"])
    assert len(found.context["twice"]) == 1


def test_pictures_blobs_links_and_lists_of_them_stand_beside_files(project: Path, server: EditsServer) -> None:
    link = drawn("PNG", (9, 9))
    with Web(routes=Routes({"GET /logo.png": [response(link, headers="content-type: image/png\r\n")]})) as web:
        blob = Blob(drawn("JPEG", (7, 7)), "image/jpeg")
        address = "data:image/png;base64," + base64.b64encode(drawn("PNG", (5, 5))).decode()
        flow = (
            EDIT
            + "  images: house.png\n"
            + EDIT
            + f"  images: ['{{{{ flowContext.imageList }}}}', '{{{{ photo() }}}}', '{web.url}/logo.png', '{address}']\n"
        )
        run(project, flow, server, objects={"photo": lambda: blob})
        assert [seen.method for seen in web.seen] == ["GET"]
    sent = [each.content for each in server.forms[1] if each.filename]
    assert sent == [base64.b64decode(DONE["data"][0]["b64_json"]), blob.content, link, drawn("PNG", (5, 5))]


def test_pictures_to_edit_are_none_that_the_run_made(project: Path, server: EditsServer) -> None:
    found = run(project, EDIT + "  images: house.png\n", server)
    lines = (project / "images" / "manifest.json").read_text(encoding="utf-8")
    assert (len(found.made), lines.count('"prompt"')) == (1, 1)


def test_a_link_into_the_own_network_is_not_fetched(project: Path, server: EditsServer) -> None:
    with pytest.raises(RunError) as raised:
        run(project, EDIT + "  images: http://127.0.0.1:9/a.png\n", server, private_addresses=False)
    assert "private address" in raised.value.message
    assert (raised.value.charge_possible, server.forms) == (False, [])


@pytest.mark.parametrize(
    ("images", "code", "message", "hint"),
    [
        ("house.pgn", "missing-file", "there is no file `house.pgn`", "did you mean `house.png`?"),
        ("../../secret.png", "outside-root", "`../../secret.png` leads out of the project", None),
        ("notes.txt", "unsupported-value", "`notes.txt` is no picture", "pictures to edit are PNG, JPEG or WebP files"),
        ("photo.heic", "unsupported-value", "`photo.heic` is a file of the format HEIF or MP4", None),
        ("film.gif", "unsupported-value", "`film.gif` is a GIF, and `gpt-image-2` edits PNG, WebP and JPEG", None),
        ("large.png", "unsupported-value", "`large.png` has 50.0 MB, and `gpt-image-2` takes less than 50 MB", None),
        ("imageList", "missing-file", "there is no file `imageList`", "a value of the FlowContext is written"),
        ("folder.png", "missing-file", "`folder.png` is a folder, and no file", None),
        ("pipe.png", "missing-file", "`pipe.png` is a device or a pipe, and no file", None),
        ("link.png", "outside-root", "`link.png` leads out of the project", None),
        ("empty.png", "unsupported-value", "`empty.png` is empty", "pictures to edit are PNG, JPEG or WebP files"),
        ("file:///a.png", "missing-file", "`file:///a.png` is an address, and nothing is fetched", None),
        ("data:image/png;base64,!", "image-unreadable", "a data: address holds no picture", "it begins with `data:"),
        ("data:image/png;base64,AAAA", "unsupported-value", "the data: address is no picture", None),
        ("[]", "missing-input", "`images` is empty: there is nothing to edit", "name a picture"),
        ("7", "wrong-type", "`7` is no picture to edit", "pictures to edit are files of the project, an imageList"),
        (
            f"[{', '.join(['house.png'] * 17)}]",
            "unsupported-value",
            "there are 17 pictures to edit, and `gpt-image-2` takes at most 16",
            None,
        ),
    ],
    ids=[
        "a misspelt file",
        "a file outside",
        "a text",
        "a photo of a phone",
        "a film",
        "a large one",
        "a bare name",
        "a folder",
        "a pipe",
        "a link that leads outside",
        "an empty file",
        "an address of a file",
        "an address of data that are broken",
        "an address of data that are no picture",
        "none at all",
        "a number",
        "too many",
    ],
)
def test_pictures_that_cannot_be_edited_are_found_before_anything_is_sent(
    project: Path, images: str, code: str, message: str, hint: str | None
) -> None:
    (project / "notes.txt").write_text("a note", encoding="utf-8")
    (project / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 64)
    (project / "film.gif").write_bytes(drawn("GIF", (8, 8)))
    (project / "empty.png").write_bytes(b"")
    (project / "folder.png").mkdir()
    os.mkfifo(project / "pipe.png")
    (project / "link.png").symlink_to("/etc/passwd")
    with (project / "large.png").open("wb") as file:
        file.write(drawn("PNG", (8, 8)))
        file.truncate(50 * 1024 * 1024)
    ((found, said, advice),) = errors(project, EDIT + f"  images: {images}\n")
    assert (found, said[: len(message)]) == (code, message)
    assert hint is None or (advice or "").startswith(hint)


def test_a_mistake_in_a_list_has_its_place(project: Path) -> None:
    (found,) = flowdsl.check(written(project, EDIT + "  images:\n    - house.png\n    - hause.png\n"))
    assert (found.code, found.span.first) == ("missing-file", (6, 7))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (drawn("JPEG", (64, 48)), "the mask `other.png` is a JPEG, and a mask is a PNG"),
        (mask((32, 32)), "the mask `other.png` has 32x32 pixels, and the first picture 64x48"),
        (mask((64, 48), transparent=False), "the mask `other.png` has no transparency, so that it marks nothing"),
        (mask((64, 48)) + b"\0" * 4 * 1024 * 1024, "the mask `other.png` has 4.0 MB, and must have less than 4 MB"),
    ],
    ids=["another format", "another size", "nothing transparent", "too large"],
)
def test_a_mask_that_no_model_takes_is_found_before_anything_is_sent(
    project: Path, content: bytes, message: str
) -> None:
    (project / "other.png").write_bytes(content)
    ((code, said, _),) = errors(project, EDIT + "  images: [house.png, sky.jpg]\n  mask: other.png\n")
    assert (code, said) == ("unsupported-value", message)


def test_a_mask_with_a_film_cannot_be(project: Path) -> None:
    flow = EDIT.replace("gpt-image-2", "gpt-image-2.6-flare") + "  images: house.png\n  mask: mask.png\n"
    ((code, said, _),) = errors(project, flow + "  output_format: gif\n")
    assert (code, said) == ("conflicting-values", "`output_format: gif` goes without a mask")


def test_moderation_of_an_edit_is_sent_as_json_which_alone_has_it(project: Path) -> None:
    with Simulator() as simulator:
        entry = {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}
        step = {"step": "OPENAI_IMAGE_EDIT", "model": "gpt-image-2", "instruction": "A cat", "images": "house.png"}
        flow = [{**step, "moderation": "low", "mask": "mask.png"}, step]
        run(project, json.dumps({"services": {"OPENAI_IMAGE_GENERATION": entry}, "flow": flow}))
        first, second = (request.json for request in simulator.requests)
        assert [request.status for request in simulator.requests] == [200, 200]
    address = f"data:image/png;base64,{base64.b64encode((project / 'house.png').read_bytes()).decode()}"
    assert (first["moderation"], first["images"]) == ("low", [{"image_url": address}]) and "image_url" in first["mask"]
    assert "images" not in second and [file["field"] for file in second["files"]] == ["image"]


def test_moderation_of_an_edit_is_an_error_where_the_vendor_has_none(project: Path) -> None:
    azure = {
        "provider": "azure",
        "endpoint": "https://a.openai.azure.com",
        "deploymentId": "d",
        "apiVersion": "2026-01-01",
    }
    step = {"step": "AZURE_OPENAI_IMAGE_EDIT", "instruction": "A cat", "images": "house.png", "moderation": "low"}
    found = errors(project, json.dumps({"services": {"AZURE_OPENAI_IMAGE_GENERATION": azure}, "flow": [step]}))
    assert "`moderation` is an option of generation: an edit has none" in [said for _, said, _ in found]


@pytest.mark.parametrize("option", ["style: vivid"])
def test_options_that_only_generation_has_are_errors(project: Path, option: str) -> None:
    name = option.partition(":")[0]
    found = errors(project, EDIT + f"  images: house.png\n  {option}\n")
    assert ("unsupported-parameter", f"`{name}` is an option of generation: an edit has none", "remove it") in found


def test_a_model_that_edits_nothing_is_an_error(project: Path) -> None:
    gateway = "services: {OPENAI_IMAGE_GENERATION: {endpoint: 'http://127.0.0.1:9/v1'}}\nflow:\n"
    flow = gateway + EDIT.replace("gpt-image-2", "dall-e-3") + "  images: house.png\n"
    ((code, said, _),) = errors(project, flow)
    assert (code, said) == ("unsupported-parameter", "`dall-e-3` edits no pictures")


def test_an_edit_without_pictures_is_an_error_of_its_step(project: Path) -> None:
    ((code, said, hint),) = errors(project, EDIT)
    assert code == "missing-input"
    assert said.startswith("OPENAI_IMAGE_EDIT has nothing to work on: no `images`, and no step before it sets `imageL")
    assert hint == "add `images:` with what it works on"


def test_the_old_names_of_keys_are_understood(project: Path, server: EditsServer) -> None:
    flow = "- {step: SERVICE_OPENAI_IMAGE_EDIT, model: gpt-image-2, prompt: Snow, image: house.png}\n"
    run(project, flow, server)
    assert {each.code for each in flowdsl.check(written(project, flow))} == {"deprecated-key", "deprecated-alias"}
    assert files(server.forms[0]) == [("image", "image-1.png", "image/png")]


def test_what_a_template_names_is_looked_at_before_it_is_sent(project: Path, server: EditsServer) -> None:
    (project / "film.gif").write_bytes(drawn("GIF", (8, 8)))
    for name, code in (("film.gif", "unsupported-value"), ("gone.png", "missing-file"), ("/etc/hosts", "missing-file")):
        with pytest.raises(ConfigError) as raised:
            run(project, f"- step: SET\n  which: {name}\n{EDIT}  images: '{{{{ flowContext.which }}}}'\n", server)
        assert raised.value.code == code
    assert server.forms == []


def test_pictures_of_the_input_are_looked_at_before_they_are_sent(project: Path, server: EditsServer) -> None:
    blob = Blob(drawn("GIF", (8, 8)), "image/gif")
    with pytest.raises(ConfigError, match="is a GIF"):
        run(project, "- step: SET\n  imageList: ['{{ photo() }}']\n" + EDIT, server, objects={"photo": lambda: blob})
    assert server.forms == []


def test_a_file_of_the_run_is_found_by_its_path(project: Path, server: EditsServer) -> None:
    flow = EDIT + "  images: house.png\n" + EDIT + "  images: '{{ flowContext.imageList[0].path }}'\n"
    run(project, flow, server)
    assert len(server.forms) == 2


def test_a_missing_file_of_a_later_edit_is_found_before_the_first_picture_is_paid(
    project: Path, server: EditsServer
) -> None:
    later = EDIT + "  images: '{{ flowContext.name }}'\n"
    with pytest.raises(ConfigError, match="there is no file"):
        run(project, "- step: SET\n  name: gone.png\n" + EDIT + "  images: house.png\n" + later, server)
    assert server.forms == []


def test_what_was_refused_before_work_began_is_sent_again_whole(project: Path, server: EditsServer) -> None:
    server.responses = [(429, {**BUSY[1]})]
    found = run(
        project, EDIT + "  images: [house.png, sky.jpg]\n  outputs:\n    - {type: object, name: facts}\n", server
    )
    assert found.context["facts"]["attemptCount"] == 2
    assert server.forms[0] == server.forms[1]


def test_an_edit_whose_outcome_is_unknown_is_not_sent_again(project: Path, server: EditsServer) -> None:
    server.responses = [(0, None)]
    with pytest.raises(ServiceError) as raised:
        run(project, EDIT + "  images: house.png\n", server)
    assert (raised.value.charge_possible, len(server.forms)) == (True, 1)


def test_an_edit_that_is_moderated_says_so(project: Path, server: EditsServer) -> None:
    server.responses = [(400, {"error": {"message": "blocked", "code": "moderation_blocked"}})]
    with pytest.raises(ContentRefused):
        run(project, EDIT + "  images: house.png\n", server)


@pytest.mark.parametrize(
    ("change", "count"),
    [("house.png", 1), ("copy.png", 1), ("sky.jpg", 2), (["house.png", "sky.jpg"], 2)],
    ids=["the same file", "another file of the same bytes", "another picture", "one picture more"],
)
def test_the_same_edit_is_never_bought_twice(project: Path, server: EditsServer, change: Any, count: int) -> None:
    """A block that fails after its edit is caught by one that asks again: by its pictures it is the same, or not."""
    (project / "copy.png").write_bytes((project / "house.png").read_bytes())
    first, second = ({**STEP, "images": images} for images in ("house.png", change))
    fail = {"step": "RAISE", "message": "no"}
    run(project, json.dumps([{"step": "TRY", "try": [first, fail], "catch": [second]}]), server)
    assert len(server.forms) == count


def test_a_recorded_edit_of_a_link_is_replayed_without_network(project: Path, server: EditsServer) -> None:
    recording = Recording()
    picture = response(drawn("PNG", (9, 9)), headers="content-type: image/png\r\n")
    with Web(routes=Routes({"GET /logo.png": [picture]})) as web:
        flow = EDIT + f"  images: {web.url}/logo.png\n"
        run(project, flow, server, effects=recording)
    found = run(project, flow, server, effects=Replay(recording))
    assert (len(found.outputs["imageList"]), len(server.forms)) == (1, 1)


def test_the_most_an_edit_can_cost_counts_its_pictures(project: Path, server: EditsServer) -> None:
    """1024x1024 low is 196 tokens of output; each of these pictures counts as 1024 tokens of input at most."""
    (project / "big.png").write_bytes(drawn("PNG", (1024, 1024)))
    flow = EDIT + "  images: [big.png, big.png]\n  size: 1024x1024\n  quality: low\n"
    output, inputs = 196 * 30 / 1e6, 2 * 1024 * 8 / 1e6
    with pytest.raises(LimitExceeded):
        run(project, flow, server, max_usd=output + inputs * 0.9)
    run(project, flow, server, max_usd=output + inputs + 0.001)
    assert len(server.forms) == 1


def test_what_an_edit_cost_is_counted_from_its_usage(project: Path, server: EditsServer) -> None:
    found = run(project, EDIT + "  images: house.png\n", server)
    assert found.cost_usd == pytest.approx((10 * 5 + 1024 * 8 + 196 * 30) / 1e6)


def test_a_picture_of_50_mb_costs_no_50_mb_of_memory(project: Path) -> None:
    """The server throws away what it reads; the file is as large as an edit takes, and its end is empty."""
    content = json.dumps(DONE).encode()

    def swallow(connection: Any, ended: Any) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        left = length - len(head.partition(b"\r\n\r\n")[2])
        while left > 0:
            left -= len(connection.recv(65536))
        connection.sendall(response(content, headers="content-type: application/json\r\n"))

    with (project / "large.png").open("wb") as file:
        file.write(drawn("PNG", (64, 48)))
        file.truncate(50 * 1024 * 1024 - 1)
    with Swallowing(swallow) as url:
        entry = {"endpoint": f"{url}/v1", "apiKey": KEY}
        step = {"step": "OPENAI_IMAGE_EDIT", "model": "gpt-image-2", "instruction": "Snow", "images": "large.png"}
        flow = json.dumps({"services": {"OPENAI_IMAGE_GENERATION": entry}, "flow": [step]})
        tracemalloc.start()
        try:
            found = run(project, flow)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(found.outputs["imageList"]) == 1
    assert peak < 25 * 1024 * 1024


class Swallowing:
    """A server whose one thread does as it is told."""

    def __init__(self, serve: Any) -> None:
        import socket
        import threading

        self._listener = socket.create_server(("127.0.0.1", 0))
        self._serve = serve
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            self._serve(connection, None)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join(5)


def pixels(content: bytes, size: tuple[int, int] = (64, 48)) -> Any:
    with Pillow.open(io.BytesIO(content)) as picture:
        return picture.convert("RGB").resize(size)


def test_the_simulator_draws_the_edit_where_the_mask_is_transparent(project: Path) -> None:
    (project / "big.png").write_bytes(drawn("PNG", (1024, 1024)))
    (project / "half.png").write_bytes(mask((1024, 1024)))
    with Simulator() as simulator:
        entry = {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}
        step = {"step": "OPENAI_IMAGE_EDIT", "model": "gpt-image-2", "instruction": "A cat", "images": "big.png"}
        step |= {"size": "1024x1024", "quality": "low"}
        flow = [{**step, "outputKey": "plain"}, {**step, "mask": "half.png", "outputKey": "masked"}]
        found = run(project, json.dumps({"services": {"OPENAI_IMAGE_GENERATION": entry}, "flow": flow}))
        assert [request.status for request in simulator.requests] == [200, 200]
        recorded: Any = simulator.requests[1].json
        assert [file["field"] for file in recorded["files"]] == ["image", "mask"]
    ground = (200, 30, 40)
    plain, masked = (pixels(found.context[name][0].read()) for name in ("plain", "masked"))
    assert plain.getpixel((4, 24)) == ground
    assert len({plain.getpixel((x, y)) for x in range(40, 60) for y in range(4, 20)}) > 5
    assert masked.getpixel((60, 4)) == ground
    assert all(masked.getpixel((x, 4)) != ground for x in range(2, 30))


@pytest.mark.parametrize(
    ("images", "option", "code"),
    [
        (["film.gif"], {}, "unsupported_file_mimetype"),
        (["house.png"] * 17, {}, "array_above_max_length"),
        (["house.png"], {"mask": "house.png"}, "invalid_image_file"),
        (["house.png"], {"moderation": "low"}, "unknown_parameter"),
        (["house.png"], {"input_fidelity": "high"}, "unknown_parameter"),
    ],
    ids=["a film", "too many", "a mask that is opaque", "moderation", "fidelity"],
)
def test_the_simulator_refuses_what_the_vendor_does(
    project: Path, images: list[str], option: dict[str, str], code: str
) -> None:
    import httpx

    (project / "film.gif").write_bytes(drawn("GIF", (8, 8)))
    kinds = {"gif": "image/gif", "png": "image/png"}
    with Simulator() as simulator:
        form = [("image[]", (name, (project / name).read_bytes(), kinds[name[-3:]])) for name in images]
        fields = {"prompt": "a", "model": "gpt-image-2", **{k: v for k, v in option.items() if k != "mask"}}
        if "mask" in option:
            form.append(("mask", ("m.png", (project / option["mask"]).read_bytes(), "image/png")))
        headers = {"Authorization": f"Bearer {simulator.key}"}
        got = httpx.post(f"{simulator.url}/v1/images/edits", data=fields, files=form, headers=headers, trust_env=False)
        assert (got.status_code, got.json()["error"]["code"]) == (400, code)


def test_a_streamed_edit_shows_its_unfinished_pictures(project: Path) -> None:
    with Simulator() as simulator:
        entry = {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}
        step = {"step": "OPENAI_IMAGE_EDIT", "model": "gpt-image-2", "instruction": "A cat", "images": "house.png"}
        step |= {"stream": True, "partial_images": 2, "size": "1024x1024", "quality": "low"}
        events: list[Any] = []
        file = written(project, json.dumps({"services": {"OPENAI_IMAGE_GENERATION": entry}, "flow": [step]}))
        Environment(storage=Storage(images=project / "images")).run(file, on_event=events.append)
        assert [event.index for event in events if type(event).__name__ == "PartialImage"] == [0, 1]


@pytest.mark.parametrize("name", ["OPENAI_IMAGE_EDIT", "AZURE_OPENAI_IMAGE_EDIT"])
def test_the_simulator_stands_in_for_both_steps(name: str, project: Path) -> None:
    file = written(project, f"- {{step: {name}, instruction: Snow, images: house.png, quality: low}}\n")
    from flowdsl.cli import main

    assert main(["run", str(file), "--simulate", "--out", str(project / "out"), "--quiet"]) == 0


def test_what_is_wrong_with_a_picture_and_with_another_option_is_told_at_once(
    project: Path, server: EditsServer
) -> None:
    flow = EDIT + '  images: "{{ inputs.photo }}"\n  size: "{{ inputs.size }}"\n'
    flow = f"inputs: {{photo: {{}}, size: {{type: string}}}}\nflow:\n{flow}"
    with pytest.raises(RunError) as raised:
        run(project, flow, server, inputs={"photo": "data:image/png;base64,AAAA", "size": "17x17"})
    assert raised.value.message.startswith(
        "the data: address is no picture; and `gpt-image-2` does not accept the size"
    )
    assert not server.forms


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"a note \xc3\xa9", "a text"), (b"<!DOCTYPE html><p>404", "a page of HTML"), (b'{"error": 1}', "JSON")],
    ids=["a text", "a page", "an error"],
)
def test_a_file_that_is_no_picture_is_told_with_what_it_is(
    content: bytes, kind: str, project: Path, server: EditsServer
) -> None:
    flow = f'inputs: {{photo: {{}}}}\nflow:\n{EDIT}  images: "{{{{ inputs.photo }}}}"\n'
    for blob, name in (
        (Blob(content, "text/plain", "notes.txt"), "`notes.txt`"),
        (Blob(content, "text/plain"), "the blob of the type `text/plain`"),
    ):
        with pytest.raises(RunError) as raised:
            run(project, flow, server, inputs={"photo": blob})
        assert raised.value.message == f"{name} is no picture, but {kind}"
        assert raised.value.hint == "pictures to edit are PNG, JPEG or WebP files"
