"""Which requests a repetition takes as paid for: those alone that would send the same to the same account."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from image_pictures import PICTURES
from web_server import Web, response

from flowdsl import Environment, Host, Limits, Storage

JSON = "content-type: application/json\r\n"
BUSY, DONE = response(b"busy", "503 Service Unavailable"), response(b"{}", headers=JSON)
DATA = {"data": [{"b64_json": base64.b64encode(PICTURES["png"][0]).decode()}]}
BOAT = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A paper boat\n"
FAIL = "- step: REST\n  url: WEB\n  maxRetries: 0\n"


def trying(first: str, catch: str | None) -> str:
    """A block that fails after its first step, and is repeated or caught."""
    repeated = f"  catch:\n{indent(catch, '    ')}" if catch else "  retry: {max: 1, delayMs: 0}\n"
    return f"- step: TRY\n{repeated}  try:\n{indent(first + FAIL, '    ')}"


def bought(folder: Path, flow: str, objects: dict[str, Any] | None = None) -> int:
    """How many pictures a flow buys, whose IMAGES and WEB are servers; the latter is busy at first."""
    with Web(response(json.dumps(DATA).encode(), headers=JSON)) as images, Web(BUSY, DONE) as web:
        if objects is not None:
            os.environ["OPENAI_BASE_URL"] = f"{images.url}/v1"
        flow = flow.replace("IMAGES", images.url).replace("WEB", web.url)
        limits, host = Limits(private_addresses=True), Host(objects=objects or {})
        Environment(host=host, storage=Storage(images=folder), limits=limits).load(flow).run()
        return len(images.seen)


@pytest.mark.parametrize(
    ("variable", "value", "count"),
    [
        ("OPENAI_API_KEY", "sk-7654321", 2),
        ("OPENAI_BASE_URL", "IMAGES/v1?team=b", 2),
        ("OPENAI_BASE_URL", "IMAGES/b/v1", 2),
        ("OPENAI_ORG_ID", "b", 2),
        ("ANYTHING_ELSE", "b", 1),
    ],
    ids=["the key", "the query", "the path", "who pays", "nothing that is sent"],
)
def test_a_repetition_that_sends_anything_else_buys_anew(
    variable: str, value: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables of the environment may change while a process runs: a host has new keys, or a step sets them."""

    def move(url: str) -> str:
        monkeypatch.setenv(variable, value.replace("IMAGES", url))
        return "moved"

    monkeypatch.setenv("OPENAI_API_KEY", "sk-1234567")
    moving = BOAT + "- step: SET\n  moved: \"{{ move('IMAGES') }}\"\n"
    monkeypatch.setenv("OPENAI_BASE_URL", "")
    assert bought(tmp_path, trying(moving, None), {"move": move}) == count


ENTRY = {"endpoint": "IMAGES/v1", "apiKey": "sk-1234567"}
OTHER = BOAT + "  service: OTHER\n"


@pytest.mark.parametrize(
    ("other", "catch", "count"),
    [
        ({}, OTHER, 1),
        ({"apiKey": "sk-7654321"}, OTHER, 2),
        ({"headers": {"A": "b"}}, OTHER, 2),
        ({"endpoint": "IMAGES/v1/"}, OTHER, 1),
        ({"endpoint": "IMAGES/v1?a=b"}, OTHER, 2),
        ({}, BOAT.replace("  model: gpt-image-2\n", ""), 1),
        ({}, BOAT + "  partial_images: 2\n", 1),
        ({}, BOAT + "  n: 1\n", 1),
        ({}, BOAT + "  size: 1024x1024\n", 2),
        ({}, BOAT.replace("boat", "ship"), 2),
    ],
    ids=[
        "another entry that says the same",
        "another key",
        "another header",
        "another spelling of the address",
        "another query",
        "the model from the entry",
        "an option that is not sent",
        "one picture in so many words",
        "another size",
        "another prompt",
    ],
)
def test_a_fallback_pays_where_its_request_is_another_one(
    other: dict[str, Any], catch: str, count: int, tmp_path: Path
) -> None:
    services = {"OPENAI_IMAGE_GENERATION": {**ENTRY, "model": "gpt-image-2"}, "OTHER": {**ENTRY, **other}}
    flow = f"services: {json.dumps(services)}\nflow:\n{indent(trying(BOAT, catch), '  ')}"
    assert bought(tmp_path, flow) == count
