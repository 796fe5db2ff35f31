"""What official clients and plain HTTP get of a gateway: pictures, or a refusal in the vendor's shape."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from gateways import MODEL, SMALL, Running, running_gateway

from flowdsl.image.formats import media_type
from flowdsl.serve.tokens import Tokens

WHOLE: dict[str, Any] = {
    "prompt": "A red kite",
    "background": "opaque",
    "model": MODEL,
    "moderation": "low",
    "n": 2,
    "output_compression": 50,
    "output_format": "webp",
    "partial_images": 0,
    "quality": "low",
    "size": "1024x1024",
    "stream": False,
    "user": "customer-17",
}
"""The fields that this model has; `response_format` the gateway answers itself."""


PUBLIC = '[serve]\npublic_url = "https://cdn.example.com/kites/"\n'


def image_of(text: str | None) -> bytes:
    """The bytes of a picture as they come in JSON."""
    found = base64.b64decode(text or "", validate=True)
    assert media_type(found) is not None
    return found


def test_the_official_client_gets_a_picture_with_usage(gateway: Running) -> None:
    found = gateway.client().images.generate(prompt="A red kite", **SMALL)
    assert image_of(found.data[0].b64_json if found.data else None)
    assert found.usage is not None and found.usage.output_tokens > 0
    assert (found.size, found.quality, found.output_format) == ("1024x1024", "low", "png")


def test_ten_pictures_come_at_once(gateway: Running) -> None:
    found = gateway.client().images.generate(prompt="A red kite", n=10, **SMALL)
    assert len({image.b64_json for image in found.data or ()}) == 10


def test_every_field_reaches_the_service(gateway: Running) -> None:
    assert gateway.post({**WHOLE, "response_format": "b64_json"}).status_code == 200
    sent = gateway.simulator.requests[-1].json
    usual = {"partial_images", "stream"}  # as the service has them anyway
    assert {**sent, **dict.fromkeys(usual)} == {**WHOLE, **dict.fromkeys(usual)}


@pytest.mark.parametrize(
    "field, value",
    [
        ("background", "purple"),
        ("moderation", "none"),
        ("n", 11),
        ("n", 0),
        ("output_compression", 101),
        ("output_format", "bmp"),
        ("partial_images", 4),
        ("quality", "best"),
        ("response_format", "blob"),
        ("size", "8x8"),
        ("stream", "yes"),
        ("style", "vivid"),
        ("user", 7),
        ("prompt", ""),
        ("prompt", ["A kite"]),
        ("prompt", "kite " * 8000),
        ("n", True),
        ("size", {"width": 1024}),
        ("seed", 5),
        ("promt", "A kite"),
    ],
)
def test_a_field_with_another_value_is_named_and_nothing_is_bought(gateway: Running, field: str, value: Any) -> None:
    before = gateway.bought
    found = gateway.post({"prompt": "A kite", **SMALL, field: value})
    error = found.json()["error"]
    assert (found.status_code, error["type"], error["param"]) == (400, "invalid_request_error", field)
    assert field in error["message"] and error["code"]
    assert gateway.bought == before


def test_the_documented_call_with_its_placeholders_gets_one_refusal_that_names_the_model_first(
    gateway: Running,
) -> None:
    body = dict.fromkeys(("prompt", "background", "model", "moderation", "output_format"), "<string>")
    body |= dict.fromkeys(("quality", "size", "style", "user"), "<string>")
    found = gateway.post(
        {**body, "n": 1, "output_compression": 123, "partial_images": 0, "response_format": "url", "stream": False},
        "/api/llm/images/generations",
    )
    error = found.json()["error"]
    assert (found.status_code, error["param"]) == (400, "model")
    wrong = [each["param"] for each in error["problems"]]
    assert wrong[0] == "model" and {"background", "moderation", "output_compression", "style"} <= set(wrong)


def test_a_field_that_the_model_lacks_is_told_as_that_beside_fields_that_it_has(gateway: Running) -> None:
    for order in ({"style": "vivid", **WHOLE}, {**WHOLE, "style": "vivid"}):
        error = gateway.post(order, "/api/llm/images/generations").json()["error"]
        assert (error["param"], error["code"], "problems" in error) == ("style", "unsupported_parameter", False), error
        assert "has no `style`" in error["message"]
    wrong = gateway.post({**WHOLE, "style": "vivid", "n": 11, "size": "8x8"}).json()["error"]
    assert {each["param"] for each in wrong["problems"]} == {"style", "n", "size"}


def test_the_documented_call_with_real_values_gets_links(gateway: Running) -> None:
    found = gateway.post(WHOLE, "/api/llm/images/generations").json()
    pictures = [httpx.get(each["url"]) for each in found["data"]]
    assert [each.headers["content-type"] for each in pictures] == ["image/webp", "image/webp"]
    assert len({each.content for each in pictures}) == 2


def test_a_link_that_was_changed_leads_nowhere(gateway: Running) -> None:
    link = gateway.post({"prompt": "A kite", "response_format": "url", **SMALL}).json()["data"][0]["url"]
    start, _, rest = link.partition("/pictures/")
    signature, expires, name = rest.split("/")
    others = [
        f"{start}/pictures/{signature[:-1]}{'0' if signature[-1] != '0' else '1'}/{expires}/{name}",
        f"{start}/pictures/{signature}/{int(expires) + 1}/{name}",
        f"{start}/pictures/{signature}/{expires}/..%2fstate%2fserve.key",
    ]
    assert [httpx.get(each).status_code for each in (link, *others)] == [200, 404, 404, 404]


@pytest.mark.parametrize(
    "path, body",
    [
        ("/openai/v1/images/generations", {"model": MODEL}),
        (f"/openai/deployments/{MODEL}/images/generations?api-version=2025-04-01-preview", {}),
    ],
)
def test_the_paths_of_azure_serve_the_same(gateway: Running, path: str, body: dict[str, str]) -> None:
    found = gateway.post({"prompt": "A kite", "quality": "low", **body}, path)
    assert found.status_code == 200 and image_of(found.json()["data"][0]["b64_json"])


def test_the_azure_client_gets_a_picture(gateway: Running) -> None:
    with openai.AzureOpenAI(azure_endpoint=gateway.url, api_key="none", api_version="2025-04-01-preview") as client:
        found = client.images.generate(prompt="A kite", **SMALL)
    assert found.data and image_of(found.data[0].b64_json)


def test_the_models_are_listed_and_an_unknown_one_is_a_404(gateway: Running) -> None:
    assert MODEL in [model.id for model in gateway.client().models.list()]
    with pytest.raises(openai.NotFoundError, match="did you mean 'gpt-image-2'") as caught:
        gateway.client().images.generate(prompt="A kite", model="gpt-imag-2")
    assert (caught.value.param, caught.value.code) == ("model", "model_not_found")
    assert gateway.client().models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError, match="did you mean 'gpt-image-2'"):
        gateway.client().models.retrieve("gpt-imag-2")


@pytest.mark.parametrize(
    "content, kind, code",
    [
        (b'{"prompt": "A kite"', "application/json", "invalid_json"),
        (b"[]", "application/json", "invalid_json"),
        (b'{"n": 1, "n": 2}', "application/json", "invalid_json"),
        (b'{"prompt": "\\ud83d"}', "application/json", "invalid_json"),
        (b'{"n": NaN}', "application/json", "invalid_json"),
        (b"[" * 100_000, "application/json", "invalid_json"),
        (b"{}", "text/plain", "unsupported_content_type"),
    ],
    ids=["half", "a list", "a key twice", "half a character", "no number", "deep", "text"],
)
def test_a_body_that_is_no_json_object_is_refused(gateway: Running, content: bytes, kind: str, code: str) -> None:
    found = httpx.post(f"{gateway.url}/v1/images/generations", content=content, headers={"content-type": kind})
    assert (found.status_code, found.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize("operation", ["generations", "edits"])
def test_a_body_that_is_compressed_is_told_as_that(gateway: Running, operation: str) -> None:
    body = gzip.compress(json.dumps({"prompt": "A kite", **SMALL}).encode())
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    found = httpx.post(f"{gateway.url}/v1/images/{operation}", content=body, headers=headers)
    assert (found.status_code, found.json()["error"]["code"]) == (400, "unsupported_content_encoding")


def test_a_request_with_two_keys_is_refused(gateway: Running) -> None:
    before = gateway.bought
    headers = [("Idempotency-Key", "first"), ("Idempotency-Key", "second")]
    found = gateway.post({"prompt": "A kite", **SMALL}, headers=headers)
    assert (found.status_code, found.json()["error"]["code"]) == (400, "invalid_idempotency_key")
    assert gateway.bought == before


def test_a_body_that_says_it_is_too_large_is_not_read(gateway: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.server.port, timeout=30)
    connection.putrequest("POST", "/v1/images/generations")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(10**12))
    connection.endheaders(b"{")
    found = connection.getresponse()
    assert (found.status, json.loads(found.read())["error"]["code"]) == (413, "request_too_large")
    connection.close()


def test_other_addresses_and_methods_have_the_shape_of_refusals(gateway: Running) -> None:
    nowhere, method = httpx.get(f"{gateway.url}/v1/nothing"), httpx.get(f"{gateway.url}/v1/images/generations")
    assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (404, "unknown_url")
    assert (method.status_code, method.headers["allow"]) == (405, "POST")
    slashed = [httpx.get(f"{gateway.url}/v1/models/"), gateway.post({}, "/v1/images/generations/")]
    assert [each.status_code for each in slashed] == [404, 404]  # and sends nobody elsewhere


def test_every_response_has_an_id_of_its_own(gateway: Running) -> None:
    found = [httpx.get(f"{gateway.url}/{path}").headers["x-request-id"] for path in ("healthz", "readyz", "nothing")]
    assert len(set(found)) == 3 and all(id.startswith("req_") for id in found)


@pytest.mark.parametrize("name, value", [("Host", "evil.example"), ("Origin", "https://evil.example")])
def test_a_page_of_a_stranger_is_refused(gateway: Running, name: str, value: str) -> None:
    found = gateway.post({"prompt": "A kite", **SMALL}, headers={name: value})
    assert (found.status_code, found.json()["error"]["code"]) == (403, "unknown_host")


@pytest.mark.parametrize(
    "name, value, status",
    [
        ("X-Forwarded-For", "203.0.113.7", 403),
        ("X-Forwarded-For", "127.0.0.1, 203.0.113.7", 403),
        ("X-Real-IP", "2001:db8::7", 403),
        ("Forwarded", 'by=127.0.0.1;for="[2001:db8::7]:4711"', 403),
        ("X-Forwarded-For", "127.0.0.1", 200),
        ("X-Forwarded-For", "::1", 200),
        ("Forwarded", 'for="[::1]:80";proto=https;host=x.example', 200),
    ],
)
def test_who_comes_from_elsewhere_through_a_proxy_on_this_machine_is_refused(
    gateway: Running, name: str, value: str, status: int
) -> None:
    assert httpx.get(f"{gateway.url}/v1/models", headers={name: value}).status_code == status


@pytest.mark.parametrize(
    "settings, believed, start",
    [
        pytest.param("", False, "http://pictures.example.com/", marks=pytest.mark.long),
        ("", True, "https://pictures.example.com/"),
        pytest.param(PUBLIC, False, "https://cdn.example.com/kites/", marks=pytest.mark.long),
    ],
    ids=["nobody's word", "a proxy's", "the settings'"],
)
def test_an_address_of_a_picture_begins_as_the_proxy_in_front_says_where_that_is_believed(
    tmp_path: Path, settings: str, believed: bool, start: str
) -> None:
    token = Tokens(tmp_path / "state").create("shop")
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7", "Host": "pictures.example.com"}
    with running_gateway(tmp_path, settings, proxy_headers=believed) as gateway:
        body = {"prompt": "A kite", "response_format": "url", **SMALL}
        found = gateway.post(body, headers={**said, "Authorization": f"Bearer {token}"})
        link = found.json()["data"][0]["url"]
        assert link.startswith(f"{start}pictures/")
        assert httpx.get(f"{gateway.url}/pictures/{link.partition('/pictures/')[2]}").status_code == 200
        assert gateway.post(body, headers=said).status_code == 401  # a proxy on this machine is not a client on it


def test_nothing_of_a_request_is_a_template(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "hidden-value")
    for text in ("{{ secret('MY_SECRET') }}", "{% if 1 %}yes{% endif %}", "{prompt}", '"\\n: x', "☃ 😀"):
        assert gateway.post({**SMALL, "prompt": text, "user": text}).status_code == 200
        sent = gateway.simulator.requests[-1].json
        assert (sent["prompt"], sent["user"]) == (text, text)
        found = gateway.post({**SMALL, "prompt": "A kite", "size": text})
        assert (found.status_code, found.json()["error"]["param"]) == (400, "size")
        assert "hidden-value" not in found.text


def test_partial_pictures_are_streamed_before_the_finished_one(gateway: Running) -> None:
    stream = gateway.client().images.generate(prompt="A kite", stream=True, partial_images=2, **SMALL)
    events = [*stream]
    kinds = [event.type.partition(".")[2] for event in events]
    assert kinds == ["partial_image", "partial_image", "completed"]
    assert all(image_of(event.b64_json) for event in events)
    assert events[-1].type == "image_generation.completed" and events[-1].usage.output_tokens > 200


def test_the_usage_of_streamed_pictures_adds_up_to_what_was_used(gateway: Running) -> None:
    whole = gateway.client().images.generate(prompt="A kite in the wind", n=3, **SMALL)
    stream = gateway.client().images.generate(prompt="A kite in the wind", n=3, stream=True, **SMALL)
    used = [event.usage for event in stream if event.type == "image_generation.completed"]
    assert len(used) == 3 and whole.usage is not None
    assert sum(each.output_tokens for each in used) == whole.usage.output_tokens
    assert sum(each.input_tokens for each in used) == 3 * whole.usage.input_tokens  # the service streams one by one
    assert all(each.total_tokens == each.input_tokens + each.output_tokens for each in used)


def test_what_fails_before_a_stream_begins_is_an_ordinary_refusal(gateway: Running) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        gateway.client().images.generate(prompt="A kite", stream=True, partial_images=9, **SMALL)
    assert caught.value.param == "partial_images"


async def _async_picture(gateway: Running) -> str | None:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none") as client:
        found = await client.images.generate(prompt="A kite", **SMALL)
        return found.data[0].b64_json if found.data else None


def test_the_async_client_gets_a_picture(gateway: Running) -> None:
    import asyncio

    assert image_of(asyncio.run(_async_picture(gateway)))


def test_a_body_is_what_its_length_says(gateway: Running) -> None:
    found = gateway.post({"prompt": "A kite", "n": 3, **SMALL})
    assert int(found.headers["content-length"]) == len(found.content)
    assert len(json.loads(found.content)["data"]) == 3


def test_who_comes_without_an_address_is_told_where_to_look_and_needs_no_token(tmp_path: Path) -> None:
    Tokens(tmp_path / "state").create("shop")
    with running_gateway(tmp_path) as gateway:
        said = httpx.get(f"{gateway.url}/")
        assert said.status_code == 200 and (said.json()["docs"], said.json()["flows"]) == ("/docs", "/flows")
        assert [httpx.get(f"{gateway.url}{said.json()[name]}").status_code for name in ("docs", "openapi")] == [200] * 2
        page = httpx.get(f"{gateway.url}/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert page.headers["content-type"].startswith("text/html") and '<a href="/docs">' in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"] and "<script" not in page.text
