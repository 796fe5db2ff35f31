"""Whatever a client sends, a gateway responds in its own shape: no 500, and nothing bought for what is refused."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent / "serve"))
from gateways import MODEL, Running, running_gateway

from flowdsl.serve.fields import FIELDS, NEWER

COUNT = int(os.environ.get("FLOWDSL_REQUESTS", "500"))
TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from([MODEL, "1024x1024", "auto", "low", "png", "webp", "transparent", "url", "b64_json", "<string>"]),
    st.sampled_from(["{{ 1 }}", "{% x", "gpt-image-1.5", "OPENAI_IMAGE_GENERATION/gpt-image-2"]),
    st.sampled_from(["/", "a/b", "\x00", "\u202e", "\uffff", " "]),
)
NUMBERS = st.one_of(st.integers(-2, 12), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    LEAVES, lambda each: st.one_of(st.lists(each, max_size=3), st.dictionaries(TEXTS, each, max_size=3))
)
NAMES = st.one_of(st.sampled_from([*FIELDS, *NEWER, "images", "mask", "input_fidelity"]), st.text(max_size=12))
BODIES = st.one_of(
    st.fixed_dictionaries({"model": st.just(MODEL), "prompt": st.just("A kite")}).flatmap(
        lambda base: st.dictionaries(NAMES, VALUES, max_size=4).map(lambda more: {**base, **more})
    ),
    st.dictionaries(NAMES, VALUES, max_size=8),
    VALUES,
)
PATHS = st.sampled_from(
    [
        "/v1/images/generations",
        "/v1/images/edits",
        "/api/llm/images/generations",
        "/openai/v1/images/generations",
        "/openai/deployments/gpt-image-2/images/generations",
        "/flows/skyline/runs",
    ]
)
FLOW = "inputs: {city: {type: string}}\nflow:\n  - {step: SET, text: '{{ inputs.city }}'}\n"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway with a flow."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "skyline.flow.yaml").write_text(FLOW, encoding="utf-8")
    with running_gateway(folder, '[serve]\nflows = ["skyline.flow.yaml"]\n') as found:
        yield found


@settings(max_examples=COUNT)
@given(path=PATHS, body=BODIES)
def test_a_body_of_any_values_gets_a_response_in_shape(gateway: Running, path: str, body: object) -> None:
    before = gateway.bought
    content = json.dumps(body).encode()
    found = httpx.post(
        f"{gateway.url}{path}", content=content, headers={"content-type": "application/json"}, timeout=60
    )
    check(found)
    assert found.status_code == 200 or gateway.bought == before, found.text


@settings(max_examples=COUNT // 4)
@given(
    content=st.binary(max_size=200),
    kind=st.sampled_from(
        ["application/json", "multipart/form-data; boundary=x", "multipart/form-data", "", "text/plain"]
    ),
    path=PATHS,
)
def test_any_bytes_get_a_response_in_shape(gateway: Running, content: bytes, kind: str, path: str) -> None:
    headers = {"content-type": kind} if kind else {}
    found = httpx.post(f"{gateway.url}{path}", content=content, headers=headers, timeout=60)
    check(found)
    assert found.status_code != 200


@settings(max_examples=COUNT // 4)
@given(parts=st.lists(st.tuples(NAMES, st.one_of(st.text(max_size=20), st.binary(max_size=40))), max_size=6))
def test_any_form_gets_a_response_in_shape(gateway: Running, parts: list[tuple[str, str | bytes]]) -> None:
    files = [(name, ("a.png" if isinstance(value, bytes) else None, value)) for name, value in parts]
    found = httpx.post(f"{gateway.url}/v1/images/edits", files=files, timeout=60)
    check(found)
    assert found.status_code != 200


@settings(max_examples=COUNT // 4)
@given(path=st.text(st.characters(exclude_characters="#", exclude_categories=("Cs",)), max_size=40))
def test_any_address_gets_a_response_in_shape(gateway: Running, path: str) -> None:
    try:
        found = httpx.get(f"{gateway.url}/{path.lstrip('/')}", timeout=60)
    except httpx.InvalidURL:
        return
    if found.headers.get("content-type", "").startswith("application/json") and found.status_code >= 400:
        check(found)
    assert found.status_code < 500 and str(gateway.folder) not in found.text


def check(found: httpx.Response) -> None:
    """A picture, or a refusal in the vendor's shape."""
    assert found.status_code < 500, found.text
    if found.status_code >= 400:
        error = found.json()["error"]
        assert {"message", "type", "param", "code"} <= error.keys() and error["message"] and error["code"], error
    assert "Traceback" not in found.text
