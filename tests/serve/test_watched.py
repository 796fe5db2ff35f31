"""What a gateway tells of itself: a log, counts, its description; and what of it never leaves it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import openai
import pytest
from gateways import MODEL, SMALL, Running, running_gateway

from flowdsl.serve.tokens import Tokens

PROMPT = "A kite of the colour of secrets"

KEY = "sk-proj-of-a-client-who-mistook-0123456789"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, dict[str, str]]]:
    """A gateway with tokens, and the header of one."""
    folder = tmp_path_factory.mktemp("watched")
    token = Tokens(folder / "state").create("shop")
    with running_gateway(folder) as found:
        yield found, {"Authorization": f"Bearer {token}"}


def test_the_log_has_a_line_for_each_request_without_prompt_and_token(
    watched: tuple[Running, dict[str, str]],
) -> None:
    gateway, headers = watched
    found = gateway.post({**SMALL, "prompt": PROMPT, "response_format": "url"}, headers=headers)
    line = gateway.line_of(found.headers["x-request-id"])
    assert (line["status"], line["token"], line["model"], line["images"]) == (200, "shop", MODEL, 1)
    asked = [
        httpx.get(found.json()["data"][0]["url"]),
        gateway.post({**SMALL, "prompt": PROMPT}, f"/v1/images/generations?api_key={headers['Authorization'][7:]}"),
        gateway.post({}, f"/v1/{headers['Authorization'][7:]}", headers=headers),
        gateway.post({}, f"/flows/{KEY}/runs", headers=headers),
    ]
    for response in asked:
        gateway.line_of(response.headers["x-request-id"])
    text = "\n".join(gateway.log)
    assert PROMPT not in text and headers["Authorization"][7:] not in text and ".png" not in text
    assert KEY not in text and '"path": "/flows/***/runs"' in text


@pytest.mark.parametrize("dash", ["-", "%2D", "%252D", "%252d"])
def test_a_key_in_an_address_is_in_no_line_of_the_log_and_in_no_response(
    watched: tuple[Running, dict[str, str]], dash: str
) -> None:
    gateway, headers = watched
    key = KEY.replace("-", dash)
    for path in (f"v1/{key}", f"runs/{key}", f"flows/{key}/runs", f"openai/deployments/{key}/images/generations"):
        found = httpx.post(f"{gateway.url}/{path}", json={"prompt": "A kite"}, headers=headers)
        assert found.status_code in (404, 405) and "mistook" not in found.text
        gateway.line_of(found.headers["x-request-id"])
    assert "mistook" not in "\n".join(gateway.log)


def test_no_key_whose_other_characters_are_percent_encoded_too_comes_back(
    watched: tuple[Running, dict[str, str]],
) -> None:
    gateway, headers = watched
    keys = [headers["Authorization"][7:], f"{KEY[:8]}AbCd_EfGh_mistook", "ghp_0123456789abcdefmistook"]
    for key in (each.replace("-", "%252D").replace("_", "%255F") for each in keys):
        found = httpx.post(f"{gateway.url}/flows/{key}/runs", json={"inputs": {}}, headers=headers)
        assert found.status_code == 404 and key[-7:] not in found.text
        gateway.line_of(found.headers["x-request-id"])
    assert all(key[-7:] not in "\n".join(gateway.log) for key in keys)


@pytest.mark.parametrize("field", ["model", "size", "quality", "response_format", KEY])
def test_a_key_in_a_field_is_in_no_response(watched: tuple[Running, dict[str, str]], field: str) -> None:
    gateway, headers = watched
    found = gateway.post({**SMALL, "prompt": PROMPT, field: KEY}, headers=headers)
    assert found.status_code in (400, 404) and "mistook" not in found.text


def test_the_counts_are_as_prometheus_reads_them(watched: tuple[Running, dict[str, str]]) -> None:
    gateway, headers = watched
    for more in ({}, {"n": 99}):
        found = gateway.post({**SMALL, "prompt": PROMPT, **more}, headers=headers)
        gateway.line_of(found.headers["x-request-id"])
    assert httpx.get(f"{gateway.url}/metrics").status_code == 401
    text = httpx.get(f"{gateway.url}/metrics", headers=headers).text
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) \w+ .+|\w+(\{(\w+=\"[^\"]*\",?)+\})? [0-9.e+-]+", line), line
    assert re.search(r'images_total\{model="gpt-image-2"\} [1-9]', text)
    assert re.search(r'requests_total\{path="/v1/images/generations",status="400"\} [1-9]', text)
    assert re.search(r'cost_usd_total\{model="gpt-image-2"\} 0\.0[0-9]*[1-9]', text)
    assert "flowdsl_gateway_in_flight 0" in text


def test_the_description_is_openapi_and_the_page_loads_nothing(gateway: Running) -> None:
    described = httpx.get(f"{gateway.url}/openapi.json").json()
    fields = described["paths"]["/v1/images/generations"]["post"]["requestBody"]["content"]["application/json"]
    assert described["openapi"] == "3.1.0" and len(fields["schema"]["properties"]) >= 14
    assert fields["schema"]["required"] == ["model", "prompt"]
    page = httpx.get(f"{gateway.url}/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "/v1/images/edits" in page.text and not re.search(r"<script|src=|https?://", page.text)


def test_a_failure_in_a_stream_is_an_event_after_those_that_came(gateway: Running) -> None:
    gateway.simulator.faults.add("stream_error")
    stream = gateway.client().images.generate(prompt="A kite", stream=True, partial_images=1, **SMALL)
    assert next(iter(stream)).type == "image_generation.partial_image"
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert caught.value.body
