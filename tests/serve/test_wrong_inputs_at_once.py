"""What is wrong with a request for a run, or for edited pictures, is told in one go."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from gateways import running_gateway

pytestmark = pytest.mark.long

FLOW = "inputs: {city: {type: string}, count: {type: integer, maximum: 4, default: 1}}\nflow: [{step: SET, a: 1}]\n"
OTHERS = (("large", "boolean", "false"), ("tags", "array", "[]"), ("more", "object", "{}"))


@pytest.mark.parametrize(
    "body, params",
    [
        (
            {"citi": 1, "extra": 2, "inputs": {"city": 5, "count": 9, "cuont": 1}},
            {"citi", "extra", "inputs.city", "inputs.count", "inputs.cuont"},
        ),
        ({"city": 5, "inputs": {"count": 9}}, {"city", "inputs.city", "inputs.count"}),
        ({"extra": 1, "inputs": []}, {"extra", "inputs"}),
        ({"extra": 1, "inputs": {}}, {"extra", "inputs.city"}),
    ],
    ids=["names and values", "an input beside them", "no object", "missing"],
)
def test_unknown_names_and_wrong_values_of_a_run_are_told_at_once(
    tmp_path: Path, body: dict[str, object], params: set[str]
) -> None:
    (tmp_path / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    with running_gateway(tmp_path, '[serve]\nflows = ["a.flow.yaml"]\n') as gateway:
        for headers in ({}, {"Prefer": "respond-async"}, {"Accept": "text/event-stream"}):
            found = gateway.post(body, "/flows/a/runs", headers=headers)
            error = found.json()["error"]
            assert found.status_code == 400
            assert {each["param"] for each in error["problems"]} == params, error
            assert error["param"] == error["problems"][0]["param"]


LINK = {"image_url": "data:image/png;base64,AAAA"}


@pytest.mark.parametrize(
    "images, mask, params",
    [
        ([{"x": 1}, "y"], "z", {"prompt", "foo", "images", "mask"}),
        (LINK, None, {"prompt", "foo", "images"}),
        (LINK["image_url"], None, {"prompt", "foo", "images"}),
        (None, None, {"prompt", "foo", "images"}),
        ([LINK] * 17, None, {"prompt", "foo", "images"}),
    ],
    ids=["no objects", "no list", "an address alone", "none", "too many"],
)
def test_what_is_wrong_with_pictures_to_edit_is_told_with_what_is_wrong_with_the_fields(
    tmp_path: Path, images: object, mask: object, params: set[str]
) -> None:
    body = {"model": "gpt-image-2", "prompt": 5, "foo": 1, "images": images, "mask": mask}
    with running_gateway(tmp_path) as gateway:
        error = gateway.post(body, "/v1/images/edits").json()["error"]
        assert {each["param"] for each in error["problems"]} == params, error
        images_said = [each["message"] for each in error["problems"] if each["param"] == "images"]
        assert all("`image_url`" in said or "at most 16 are taken" in said for said in images_said)


def test_what_is_wrong_with_files_of_a_form_is_told_with_what_is_wrong_with_the_fields(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        files = {"image": ("a.png", b"x"), "picture": ("b.png", b"y")}
        found = httpx.post(
            f"{gateway.url}/v1/images/edits", data={"prompt": "a", "n": "x", "mask": "z"}, files=files, timeout=60
        )
        error = found.json()["error"]
        assert {each["param"] for each in error["problems"]} == {"model", "n", "picture", "mask"}, error


@pytest.mark.parametrize(
    "inputs, said, mended",
    [
        ({}, 'give it, for example `{"inputs": {"city": …}}`', {"city": "Lisbon"}),
        ({"city": "a", "large": "yes"}, "give `true`, without quotes", {"city": "a", "large": True}),
        ({"city": "a", "tags": "[]"}, "give an array of JSON, and no text that holds one", {"city": "a", "tags": []}),
        ({"city": "a", "more": "{}"}, "give an object of JSON, and no text that holds one", {"city": "a", "more": {}}),
    ],
    ids=["missing", "yes or no", "a list", "a map"],
)
def test_a_client_is_told_to_write_json_and_not_python(
    tmp_path: Path, inputs: dict[str, object], said: str, mended: dict[str, object]
) -> None:
    kinds = ", ".join(f"{name}: {{type: {kind}, default: {value}}}" for name, kind, value in OTHERS)
    flow = f"inputs: {{city: {{type: string}}, {kinds}}}\nflow: [{{step: SET, a: 1}}]\n"
    (tmp_path / "a.flow.yaml").write_text(flow, encoding="utf-8")
    with running_gateway(tmp_path, '[serve]\nflows = ["a.flow.yaml"]\n') as gateway:
        refused = gateway.post({"inputs": inputs}, "/flows/a/runs")
        assert refused.status_code == 400
        assert refused.json()["error"]["message"].endswith(f": {said}")
        assert gateway.post({"inputs": mended}, "/flows/a/runs").status_code == 200
