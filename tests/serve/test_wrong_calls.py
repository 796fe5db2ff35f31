"""Calls that somebody new to a gateway gets wrong: each is told what to send instead, and that is taken."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from gateways import SMALL, Running, running_gateway
from PIL import Image

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
RIGHT = {**SMALL, "prompt": "A kite"}
RUN = "01a21efb-aae8"
FORM = {name: str(value) for name, value in RIGHT.items()}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that serves a flow."""
    folder = tmp_path_factory.mktemp("wrong")
    flow = "inputs: {city: {type: string, default: Faro}}\nflow: [{step: SET, a: 1}]\n"
    (folder / "a.flow.yaml").write_text(flow, encoding="utf-8")
    with running_gateway(folder, '[serve]\nflows = ["a.flow.yaml"]\n') as found:
        yield found


def said(found: httpx.Response, status: int = 400) -> str:
    """What a refusal says."""
    assert found.status_code == status, found.text
    return str(found.json()["error"]["message"])


def picture() -> bytes:
    """A small picture."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "path, also", [(GENERATIONS, ""), (EDITS, "a form with files, 'multipart/form-data', or "), ("/flows/a/runs", "")]
)
def test_a_body_of_another_kind_is_told_what_the_address_takes(gateway: Running, path: str, also: str) -> None:
    takes = f"This address takes {also}'application/json'."
    text, body = json.dumps(RIGHT), {"content-type": "application/x-www-form-urlencoded"}
    assert said(httpx.post(gateway.url + path, content=text)) == f"The request has no content type. {takes}"
    assert said(httpx.post(gateway.url + path, content=text, headers=body)).endswith(takes)
    if path == "/flows/a/runs":
        assert httpx.post(gateway.url + path).status_code == 200  # all inputs have defaults
    else:
        assert said(httpx.post(gateway.url + path)) == f"The request has no body. {takes}"


def test_a_body_that_is_nearly_json_is_told_where_it_is_not(gateway: Running) -> None:
    wrong = {"content": "{'prompt': 'A kite'}", "headers": {"content-type": "application/json"}}
    assert said(httpx.post(gateway.url + GENERATIONS, **wrong)).endswith("in double quotes: line 1, column 2.")


@pytest.mark.parametrize(
    "field, value, right",
    [("n", "2", 2), ("n", 2.0, 2), ("stream", "yes", True), ("stream", "False", False), ("partial_images", " 1 ", 1)],
)
def test_a_value_of_another_type_is_told_as_json_has_it(gateway: Running, field: str, value: Any, right: Any) -> None:
    quotes = ", without quotes" if isinstance(value, str) else ""
    assert said(gateway.post({**RIGHT, field: value})).endswith(f"instead. Write {json.dumps(right)}{quotes}.")
    assert gateway.post({**RIGHT, field: right}).status_code == 200


@pytest.mark.parametrize("field, value", [("n", "two"), ("n", "-1"), ("n", 1.5), ("n", True), ("stream", 5), ("n", [])])
def test_a_value_that_means_nothing_is_given_no_other(gateway: Running, field: str, value: Any) -> None:
    assert "Write" not in said(gateway.post({**RIGHT, field: value}))


@pytest.mark.parametrize(
    "path, near",
    [
        ("/v1/image/generations", GENERATIONS),
        ("/images/generations", GENERATIONS),
        ("/v1/images/generations/", GENERATIONS),
        ("/v1/images", GENERATIONS),
        ("/v1/images/edit", EDITS),
        ("/v1/model", "/v1/models"),
        ("/flows/a", "/flows/a/runs"),
        ("/runs", "/runs/{id}"),
    ],
)
def test_an_address_that_is_not_there_is_told_which_is(gateway: Running, path: str, near: str) -> None:
    assert said(gateway.post(RIGHT, path), 404) == f"Invalid URL (POST {path}); did you mean {near}?"


def test_an_address_like_no_other_is_told_where_to_look(gateway: Running) -> None:
    assert said(httpx.get(f"{gateway.url}/nothing/like/it"), 404).endswith("; GET / says where to look")
    assert httpx.get(f"{gateway.url}/").status_code == 200


@pytest.mark.parametrize("base", ["/v1", "/openai/v1", "/openai/deployments/gpt-image-2", "/api/llm", ""])
def test_another_api_of_the_vendor_is_told_what_is_served_in_its_place(gateway: Running, base: str) -> None:
    served = f"{base or '/v1'}/images"
    for path in ("chat/completions", "responses", "files"):
        told = said(gateway.post({}, f"{base}/{path}"), 404)
        assert told.endswith(f"; this gateway makes pictures: POST {served}/generations, or {served}/edits")
    assert f"POST {served}/edits makes a picture of another one" in said(
        gateway.post({}, f"{base}/images/variations"), 404
    )


def test_the_official_client_is_told_that_there_are_no_variations(gateway: Running) -> None:
    with pytest.deprecated_call(), pytest.raises(openai.NotFoundError, match="served has variations: POST") as caught:
        gateway.client().images.create_variation(image=picture())
    assert caught.value.code == "unknown_url"


def test_another_method_is_told_which_the_address_takes(gateway: Running) -> None:
    assert said(httpx.get(gateway.url + GENERATIONS), 405) == f"Not allowed to GET on {GENERATIONS}; it takes POST."
    assert said(gateway.post({}, "/v1/models"), 405).endswith("; it takes GET, HEAD.")


@pytest.mark.parametrize(
    "given, message",
    [
        ({}, "You must provide an images parameter: the pictures to edit, a list"),
        ({"image": "data:image/png;base64,AA"}, "In JSON the pictures to edit are 'images', and each is an object"),
        ({"images": ["https://example.com/a.png"]}, "each picture is an object with `image_url`"),
    ],
    ids=["none", "as in a form", "an address alone"],
)
def test_pictures_to_edit_are_told_once_how_json_has_them(
    gateway: Running, given: dict[str, Any], message: str
) -> None:
    found = gateway.post({**RIGHT, **given}, EDITS)
    assert message in said(found) and "problems" not in found.json()["error"]


@pytest.mark.parametrize("name, near", [("images", "Did you mean 'image'?"), ("file", "pictures to edit are 'image'.")])
def test_a_file_by_another_name_is_told_which_is_taken(gateway: Running, name: str, near: str) -> None:
    files = {name: ("a.png", picture(), "image/png")}
    found = httpx.post(gateway.url + EDITS, data=FORM, files=files)
    assert said(found).endswith(near) and "You must provide" not in said(found)
    right = httpx.post(gateway.url + EDITS, data=FORM, files={"image": files[name]}, timeout=30)
    assert right.status_code == 200


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/flows/skyline/run", "/flows/skyline/runs"),
        ("/openai/deployments/a/images/generation", "/openai/deployments/a/images/generations"),
        ("/flow/skyline/runs", "/flows/skyline/runs"),
        ("/flows/skyline/runs/", "/flows/skyline/runs"),
        (f"/runs/{RUN}/", f"/runs/{RUN}"),
        (f"/run/{RUN}", f"/runs/{RUN}"),
        (f"/v1/runs/{RUN}", f"/runs/{RUN}"),
        (f"/runs/{RUN}/status", f"/runs/{RUN}"),
        (f"/runs/{RUN}/event", f"/runs/{RUN}/events"),
        (f"/runs/{RUN}/stop", f"/runs/{RUN}/cancel"),
        (f"/flows/skyline/runs/{RUN}", f"/runs/{RUN}"),
        (f"/flows/skyline/runs/{RUN}/cancel", f"/runs/{RUN}/cancel"),
    ],
)
def test_an_address_that_is_meant_is_told_with_what_stands_in_it(gateway: Running, path: str, near: str) -> None:
    assert said(gateway.post({}, path), 404) == f"Invalid URL (POST {path}); did you mean {near}?"


def test_an_address_without_the_run_is_not_told_to_be_itself(gateway: Running) -> None:
    assert said(gateway.post({}, "/runs//cancel"), 404).endswith("; GET / says where to look")


def test_who_wants_to_delete_a_run_is_told_how_it_is_ended(gateway: Running) -> None:
    found = httpx.delete(f"{gateway.url}/runs/{RUN}")
    assert said(found, 405).endswith(f"it takes GET, HEAD. POST /runs/{RUN}/cancel ends it.")
    assert said(httpx.delete(f"{gateway.url}/flows"), 405).endswith("it takes GET, HEAD.")


def test_inputs_by_nearly_their_name_are_looked_at_and_not_told_as_missing(gateway: Running) -> None:
    found = gateway.post({"input": {"city": "Lisbon"}}, "/flows/a/runs")
    assert said(found) == "Unknown parameter: 'input'. Did you mean 'inputs'?"
    found = gateway.post({"input": {"city": 5}}, "/flows/a/runs")
    assert [each["param"] for each in found.json()["error"]["problems"]] == ["input", "inputs.city"]


def test_a_field_of_a_form_that_comes_as_a_file_is_told_once_and_not_as_missing(gateway: Running) -> None:
    form = {name: value for name, value in FORM.items() if name != "prompt"}
    files = {"image": ("a.png", picture(), "image/png"), "prompt": ("prompt.txt", b"A kite", "text/plain")}
    found = httpx.post(gateway.url + EDITS, data=form, files=files)
    assert said(found) == "Invalid type for 'prompt': expected a field of the form, but got a file instead."


def test_a_picture_of_a_form_that_comes_as_a_text_is_told_how_a_file_is_sent(gateway: Running) -> None:
    found = httpx.post(
        gateway.url + EDITS, files={"image": (None, "kite.png"), **{k: (None, v) for k, v in FORM.items()}}
    )
    assert said(found).startswith("Invalid type for 'image': expected a file, but got a text instead; ")
    assert said(found).endswith("`-F image=@FILE`, with an @.")


def test_a_value_of_a_form_is_not_told_of_quotes_that_a_form_has_not(gateway: Running) -> None:
    files = {"image": ("a.png", picture(), "image/png")}
    found = httpx.post(gateway.url + EDITS, data={**FORM, "stream": "yes"}, files=files)
    assert said(found).endswith("Write true.")


def test_a_picture_by_the_id_of_a_file_is_told_that_there_are_none(gateway: Running) -> None:
    found = gateway.post({**RIGHT, "images": [{"file_id": "file-1"}]}, EDITS)
    assert said(found).endswith("There is no `file_id` here: a gateway keeps no files.")


SUCCESSOR = ": set `model: gpt-image-2.5-sunburst`"


def test_a_model_that_was_shut_down_is_told_with_its_day_and_its_successor(gateway: Running) -> None:
    found = gateway.post({**RIGHT, "model": "dall-e-3"})
    assert found.json()["error"]["code"] == "model_not_found"
    assert said(found, 404) == f"`dall-e-3` was shut down by OpenAI on 2026-05-12{SUCCESSOR}"


def test_a_model_that_the_gateway_refuses_is_not_said_to_be_served_perhaps(gateway: Running) -> None:
    found = httpx.get(f"{gateway.url}/v1/models/gpt-image-1")
    assert "may still serve" not in said(found, 404) and said(found, 404).endswith(SUCCESSOR)


@pytest.mark.parametrize("path", ["/openai/v1", "/api/llm"])
def test_models_are_listed_below_each_address_that_clients_have_for_the_api(gateway: Running, path: str) -> None:
    listed = httpx.get(f"{gateway.url}/v1/models").json()
    assert httpx.get(f"{gateway.url}{path}/models").json() == listed
    assert httpx.get(f"{gateway.url}{path}/models/gpt-image-2").json()["id"] == "gpt-image-2"
