"""OpenAI's client for Node.js and curl, as their pages show them, against a gateway."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "serve"))
from gateways import MODEL, Running, running_gateway
from refused_calls import CALLS, RIGHT, Refused, keys, patched

CLIENT = Path(__file__).parents[2] / "scripts" / "clients"
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (CLIENT / "node_modules" / "openai").is_dir(),
    reason="no openai for Node.js: npm ci --prefix scripts/clients",
)
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
Call = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, dict[str, str]]]:
    """A gateway, and the keys for it."""
    folder = tmp_path_factory.mktemp("clients")
    known = keys(folder)
    with running_gateway(folder) as found:
        yield found, known


@pytest.fixture(scope="module")
def node(guarded: tuple[Running, dict[str, str]]) -> Iterator[Call]:
    """What OpenAI's client for Node.js makes of a call."""
    gateway, known = guarded
    command = ["node", str(CLIENT / "pictures.mjs"), f"{gateway.url}/v1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        sent, said = process.stdin, process.stdout

        def call(method: str, body: Any = None, who: str = "open", **more: Any) -> dict[str, Any]:
            sent.write(f"{json.dumps({'key': known[who], 'method': method, 'body': body, **more})}\n")
            sent.flush()
            found: dict[str, Any] = json.loads(said.readline())
            return found

        yield call
        sent.close()


@needs_node
def test_node_makes_streams_edits_and_lists(node: Call) -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    picture = base64.b64encode(file.getvalue()).decode()
    assert len(node("generate", {**RIGHT, "n": 10})["data"]) == 10
    events = node("generate", {**RIGHT, "stream": True, "partial_images": 2})["events"]
    assert [each["type"].partition(".")[2] for each in events] == ["partial_image", "partial_image", "completed"]
    assert all(each["bytes"] for each in events)
    assert [len(node("edit", {**RIGHT, "image": [picture] * number})["data"]) for number in (1, 2)] == [1, 1]
    assert MODEL in node("models")["models"]
    link = node("generate", {**RIGHT, "response_format": "url"})["data"][0]["url"]
    assert httpx.get(link).headers["content-type"] == "image/png"


@needs_node
@pytest.mark.parametrize("refused", CALLS, ids=[f"{each.status} {each.code}" for each in CALLS])
def test_a_refusal_is_the_error_of_its_class_in_node(
    node: Call, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {} if refused.idempotency_key is None else {"Idempotency-Key": f"{refused.idempotency_key}-node"}
    if refused.first is not None:
        node("generate", refused.first, refused.token, headers=own)
    patched(refused, monkeypatch)
    found = node("generate", refused.body, refused.token, headers=own)
    error = refused.error.replace("APIStatusError", "APIError")  # as it is called there
    assert (found["error"], found["status"], found["param"], found["code"]) == (
        *(error, refused.status),
        *(refused.param, refused.code),
    )
    assert found["type"] and found["requestID"]


SEED = """{
  "prompt": "<string>",
  "background": "<string>",
  "model": "<string>",
  "moderation": "<string>",
  "n": 1,
  "output_compression": 123,
  "output_format": "<string>",
  "partial_images": 0,
  "quality": "<string>",
  "response_format": "url",
  "size": "<string>",
  "stream": false,
  "style": "<string>",
  "user": "<string>"
}"""
"""The body of the call as the page of the API prints it."""
REAL = {
    "prompt": "A red kite",
    "background": "opaque",
    "model": MODEL,
    "moderation": "low",
    "output_compression": 60,
    "output_format": "jpeg",
    "quality": "low",
    "size": "1024x1024",
    "style": None,
    "user": "customer-17",
}


def curl(url: str, body: str, token: str | None) -> tuple[int, Any]:
    """The status and the JSON of the call as the page prints it."""
    head = [] if token is None else ["--header", f"Authorization: Bearer {token}"]
    command = ["curl", "--silent", "--write-out", "\n%{http_code}", "--request", "POST"]
    command += ["--url", f"{url}/api/llm/images/generations", *head]
    command += ["--header", "Content-Type: application/json", "--data", body]
    said, _, status = subprocess.run(command, capture_output=True, text=True, check=True).stdout.rpartition("\n")
    return int(status), json.loads(said)


@needs_curl
def test_the_call_of_the_page_gets_one_refusal_as_printed_and_a_link_with_real_values(
    guarded: tuple[Running, dict[str, str]], tmp_path: Path
) -> None:
    gateway, known = guarded
    real = json.dumps({**json.loads(SEED), **REAL})
    with running_gateway(tmp_path) as free:
        for each, token in ((gateway, known["open"]), (free, None), (free, "<token>")):
            before = each.bought
            status, said = curl(each.url, SEED, token)
            assert (status, said["error"]["param"], said["error"]["problems"][0]["param"]) == (400, "model", "model")
            assert each.bought == before
            status, said = curl(each.url, real, token)
            assert status == 200 and said["created"] > 0
            assert httpx.get(said["data"][0]["url"]).headers["content-type"] == "image/jpeg"
    status, said = curl(gateway.url, real, None)
    assert (status, said["error"]["code"]) == (401, "invalid_api_key")
