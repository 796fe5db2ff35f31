"""Responses that are large in an odd way: what they cost grows with their size and no faster, and what is said of them
stays short."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import httpx
import pytest
from image_told import BOAT, PNG, b64, order, told
from web_server import Web, response

from flowdsl.image.store import ImageStore
from flowdsl_steps.http.response_body import Unpacker
from flowdsl_steps.image.document import Document
from flowdsl_steps.image.stream import StreamedResponse

LIMIT = 10_000_000


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdsl_steps.image.fetch._PAUSE_S", 0.0)


@pytest.mark.long
def test_of_thousands_of_links_no_more_are_fetched_than_a_response_may_hold(tmp_path: Path) -> None:
    with Web(order(*[{"url": "/i"}] * 10_000), response(PNG)) as web:
        found = told(tmp_path, web)
    assert found.error is not None and "more than 64 pictures" in str(found.error)
    assert (len(found.targets), len(found.made), found.orders) == (64, 64, 1)


def test_of_thousands_of_pictures_the_first_are_kept(tmp_path: Path) -> None:
    with Web(order(*[b64(PNG)] * 10_000)) as web:
        found = told(tmp_path, web)
    assert found.error is not None and "more than 64 pictures" in str(found.error)
    assert (len(found.made), found.error.charge_possible) == (64, True)


@pytest.mark.parametrize("text", [b'\\"', b"\\\\", b'\\\\\\"', b"\\u0022"])
def test_a_long_text_of_escapes_takes_no_longer_than_another(text: bytes, tmp_path: Path) -> None:
    whole = b'{"data": [{"revised_prompt": "' + text * (1_500_000 // len(text)) + b'", "b64_json": null}]}'
    document = Document(ImageStore(tmp_path), LIMIT)
    began = time.process_time()
    for at in range(0, len(whole), 65_536):
        document.feed(whole[at : at + 65_536])
    assert time.process_time() - began < 5
    assert document.value() == json.loads(whole)


def test_thousands_of_packed_parts_take_no_longer_than_one(tmp_path: Path) -> None:
    headers = {"content-encoding": "gzip"}
    unpacker = Unpacker(httpx.Response(200, headers=headers))
    chunk = gzip.compress(b"", mtime=0) * 13_000
    began = time.process_time()
    for _ in range(4):
        assert b"".join(unpacker.feed(chunk)) == b""
    assert b"".join(unpacker.feed(gzip.compress(PNG))) == PNG
    unpacker.finish()
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "line", [b": a sign of life\n", b":\r", b"\n", b"event: ping\r\n\r\n", b": " + b"x" * 5000 + b"\n"]
)
def test_very_many_signs_of_life_take_no_memory_and_hide_no_picture(line: bytes, tmp_path: Path) -> None:
    reader = StreamedResponse(ImageStore(tmp_path), LIMIT)
    chunk = line * max(1, 65_536 // len(line))
    began = time.process_time()
    for _ in range(6):
        reader.feed(chunk)
    reader.feed(f"\n\ndata: {json.dumps({'type': 'image_generation.completed', **b64(PNG)})}\n\n".encode())
    assert len(reader.finish().images) == 1
    assert time.process_time() - began < 20


LONG = "w" * 60_000


@pytest.mark.parametrize(
    "answer",
    [
        response(json.dumps({"error": {"message": LONG, "code": LONG, "param": "p"}}).encode(), "400 Bad Request"),
        response(b"{}", "400 Bad Request", f"x-request-id: {LONG}\r\n"),
        response(
            json.dumps(
                {
                    "error": {
                        "message": "no",
                        "code": "moderation_blocked",
                        "moderation_details": {"categories": [LONG] * 9},
                    }
                }
            ).encode(),
            "400 Bad Request",
        ),
        order({"url": f"http://127.0.0.1:9/{LONG}"}),
    ],
    ids=["an error", "a request id", "categories", "a link"],
)
def test_what_is_said_of_a_long_answer_is_short(answer: bytes, tmp_path: Path) -> None:
    with Web(answer) as web:
        found = told(tmp_path, web, BOAT)
    assert found.error is not None
    assert len(json.dumps(found.error.to_dict())) < 12_000
