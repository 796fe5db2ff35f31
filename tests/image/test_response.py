from __future__ import annotations

import base64
import itertools
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_pictures import PICTURES

from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl_steps.image.images_api import received_of
from flowdsl_steps.image.received import BrokenResponse, Finished, LinkedImage, Partial, Received
from flowdsl_steps.image.response import JsonResponse, RawResponse, ResponseReader
from flowdsl_steps.image.stream import StreamedResponse

PNG, GIF = PICTURES["png"][0], PICTURES["gif"][0]
LIMIT = 1_000_000
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def read(reader: ResponseReader, body: bytes, size: int = 1 << 20) -> Received:
    try:
        for at in range(0, len(body), size):
            reader.feed(body[at : at + size])
        return reader.finish()
    finally:
        reader.abort()


def read_json(folder: Path, payload: Any, size: int = 1 << 20) -> Received:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return read(JsonResponse(ImageStore(folder), LIMIT, received_of), body, size)


def broken(folder: Path, payload: Any) -> BrokenResponse:
    with pytest.raises(BrokenResponse) as caught:
        read_json(folder, payload)
    assert not list(folder.glob(".*")), "a part file is left"
    return caught.value


@quick
@given(
    cuts=st.lists(st.integers(0, 4000), max_size=40),
    indent=st.sampled_from([None, 0, 7]),
    escape=st.sampled_from(["", "/", "+", "all", "lines"]),
    first=st.booleans(),
)
def test_a_response_is_read_alike_however_it_is_cut(
    tmp_path: Path, cuts: list[int], indent: int | None, escape: str, first: bool
) -> None:
    items = [{"b64_json": encoded(PNG)}, {"revised_prompt": 'x "b64_json": "no" \\', "b64_json": encoded(GIF)}]
    rest = {"created": 100, "usage": {"note": "é"}, "unknown": [None, {"b64_json": None}]}
    payload = {"data": items, **rest} if first else {**rest, "data": items}
    text = json.dumps(payload, indent=indent)
    if escape == "lines":
        for content in (PNG, GIF):
            text = text.replace(encoded(content), base64.encodebytes(content).decode().replace("\n", "\\r\\n"))
    elif escape:
        for character in "/+" if escape == "all" else escape:
            for content in (PNG, GIF):
                plain = encoded(content)
                written = "\\/" if character == "/" else "\\u002B"
                text = text.replace(plain, plain.replace(character, written), 1)
    body = text.encode()
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    reader = JsonResponse(ImageStore(tmp_path), LIMIT, received_of)
    for start, end in itertools.pairwise(places):
        reader.feed(body[start:end])
    response = reader.finish()
    reader.abort()
    assert [image.read() for image in response.images if isinstance(image, Image)] == [PNG, GIF]
    assert response.images[1].revised_prompt == 'x "b64_json": "no" \\'
    assert response.payload == rest
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
def test_a_response_may_come_byte_by_byte(tmp_path: Path, size: int) -> None:
    response = read_json(tmp_path, {"data": [{"b64_json": encoded(PNG)}]}, size)
    assert [image.read() for image in response.images if isinstance(image, Image)] == [PNG]


def test_an_address_lives_for_an_hour(tmp_path: Path) -> None:
    payload = {"created": 1000, "data": [{"url": "https://a/b.png", "b64_json": None, "revised_prompt": "A cat"}]}
    assert read_json(tmp_path, payload).images == (LinkedImage("https://a/b.png", "A cat", 4600),)


def test_extra_fields_of_azure_are_kept_and_do_no_harm(tmp_path: Path) -> None:
    item = {
        "b64_json": encoded(PNG),
        "content_filter_results": {"hate": {"filtered": False}},
        "prompt_filter_results": {},
    }
    response = read_json(tmp_path, {"created": 1, "background": None, "data": [item]})
    assert response.payload == {"created": 1, "background": None}
    assert len(response.images) == 1


@pytest.mark.parametrize(
    ("payload", "reason", "message"),
    [
        (b"", "truncated", "the response has no body"),
        (b'{"data": [', "truncated", "the response ended early, or is not valid JSON"),
        (b'{"data": [{"b64_json": "iVBO', "truncated", "the response ended inside a picture"),
        (
            b"<html><h1>Bad\n gateway</h1>",
            "not-json",
            "the response is an HTML page: it begins with `<html><h1>Bad gateway</h1>`",
        ),
        (b"gateway down", "not-json", "the response is no JSON: it begins with `gateway down`"),
        (b"[1]", "malformed", "the response is JSON, but no object: list"),
        ({"data": []}, "empty", "the response holds no picture"),
        ({"created": 1}, "empty", "the response holds no picture"),
        ({"data": None}, "empty", "the response holds no picture"),
        ({"data": {"b64_json": "x"}}, "bad-base64", "the response holds a picture whose base64 is broken"),
        ({"data": {}}, "malformed", "`data` in the response is not a list of pictures"),
        ({"data": ["x"]}, "malformed", "`data` in the response is not a list of pictures"),
        ({"data": [{}]}, "malformed", "a picture of the response has neither `b64_json` nor `url`"),
        ({"data": [{"b64_json": 5}]}, "malformed", "a picture of the response has neither `b64_json` nor `url`"),
        ({"data": [{"b64_json": "image:0"}]}, "bad-base64", "the response holds a picture whose base64 is broken"),
        ({"data": [{"b64_json": "AA=="}]}, "not-an-image", "what came is not an image: 1 bytes that begin with `00`"),
        ({"data": [{"b64_json": ""}]}, "not-an-image", "what came is not an image: no bytes at all"),
        ({"data": [{"b64_json": "AA==AAAA"}]}, "bad-base64", "the response holds a picture whose base64 is broken"),
        ({"data": [{"b64_json": "AAAAA"}]}, "bad-base64", "the response holds a picture whose base64 is broken"),
        ({"data": [{"b64_json": 'AA"A'}]}, "bad-base64", "the response holds a picture whose base64 is broken"),
        ({"data": [{"b64_json": "ÄÄÄÄ"}]}, "bad-base64", "the response holds a picture whose base64 is broken"),
        ({"error": {"message": "no"}}, "vendor-error", "the response holds an error"),
    ],
)
def test_a_broken_response_says_how(payload: Any, reason: str, message: str, tmp_path: Path) -> None:
    error = broken(tmp_path, payload)
    assert (error.reason, str(error)) == (reason, message)


def test_good_pictures_of_a_bad_response_are_kept(tmp_path: Path) -> None:
    error = broken(tmp_path, {"data": [{"b64_json": encoded(PNG)}, {"b64_json": "AAAA"}]})
    assert [image.read() for image in error.images] == [PNG]


def test_pictures_that_came_whole_can_be_salvaged(tmp_path: Path) -> None:
    reader = JsonResponse(ImageStore(tmp_path), LIMIT, received_of)
    reader.feed(b'{"data": [{"b64_json": "' + encoded(PNG).encode() + b'"}, {"b64_json": "iVBO')
    assert [image.read() for image in reader.salvage()] == [PNG]
    reader.abort()
    assert not list(tmp_path.glob(".*"))


def test_a_body_of_raw_bytes_is_the_picture(tmp_path: Path) -> None:
    found = read(RawResponse(ImageStore(tmp_path), LIMIT, Received(request_id="r1")), PNG, size=7)
    assert [image.read() for image in found.images if isinstance(image, Image)] == [PNG]
    assert found.request_id == "r1"


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "truncated"), (b"no picture", "not-an-image"), (PNG + bytes(LIMIT), "too-large")],
    ids=["empty", "text", "large"],
)
def test_raw_bytes_that_are_no_picture_are_refused(tmp_path: Path, body: bytes, reason: str) -> None:
    with pytest.raises(BrokenResponse) as caught:
        read(RawResponse(ImageStore(tmp_path), LIMIT), body)
    assert (caught.value.reason, list(tmp_path.iterdir())) == (reason, [])


def test_nothing_is_taken_after_an_abort(tmp_path: Path) -> None:
    reader = JsonResponse(ImageStore(tmp_path), LIMIT, received_of)
    reader.abort()
    reader.feed(b'{"data": [{"b64_json": "iVBO')
    assert list(tmp_path.iterdir()) == []


def test_a_picture_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    reader = JsonResponse(ImageStore(tmp_path), 1000, received_of)
    with pytest.raises(BrokenResponse) as caught:
        reader.feed(b'{"data": [{"b64_json": "' + b"A" * 4000)
    reader.abort()
    assert (caught.value.reason, str(caught.value)) == ("too-large", "the image is larger than the limit of 1000 bytes")


def test_endless_json_beside_the_pictures_is_refused(tmp_path: Path) -> None:
    reader = JsonResponse(ImageStore(tmp_path), LIMIT, received_of)
    with pytest.raises(BrokenResponse) as caught:
        for _ in range(80):
            reader.feed(b"[1, 2]" * 10923)
    reader.abort()
    assert str(caught.value) == "the response holds more than 4194304 bytes beside its pictures"


def test_memory_stays_bounded_whatever_the_picture_weighs(tmp_path: Path) -> None:
    chunk = encoded(bytes(49152)).encode()
    reader = JsonResponse(ImageStore(tmp_path), 100_000_000, received_of)
    reader.feed(b'{"data": [{"b64_json": "')
    tracemalloc.start()
    for _ in range(200):
        reader.feed(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    reader.abort()
    assert peak < 500_000


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


DONE = {"created_at": 100, "size": "61x43", "usage": {"output_tokens": 5}}
STREAM = (
    b": hello\n\n"
    + event("image_generation.partial_image", b64_json=encoded(GIF), partial_image_index=0)
    + event("image_generation.partial_image", b64_json=encoded(GIF), partial_image_index=1)
    + event("image_generation.something_new", text="ignored")
    + event("image_generation.completed", b64_json=encoded(PNG), **DONE)
)


@quick
@given(
    size=st.integers(1, 700),
    newline=st.sampled_from([b"\n", b"\r\n"]),
    done=st.sampled_from([b"", b"data: [DONE]\n\n"]),
)
def test_a_stream_is_read_alike_however_it_is_cut(tmp_path: Path, size: int, newline: bytes, done: bytes) -> None:
    body = (STREAM + done).replace(b"\n", newline)
    reader = StreamedResponse(ImageStore(tmp_path), LIMIT)
    response = read(reader, body, size)
    assert [image.read() for image in response.images if isinstance(image, Image)] == [PNG]
    assert response.payload["usage"] == {"output_tokens": 5}
    *partials, finished = reader.partials
    assert [each.number for each in partials if isinstance(each, Partial)] == [0, 1]
    assert isinstance(finished, Finished) and finished.image is response.images[0]
    assert not list(tmp_path.glob(".*"))
    assert len(list(tmp_path.iterdir())) == 2  # the partial pictures are equal


def test_usage_of_several_completed_pictures_is_added_up(tmp_path: Path) -> None:
    body = event("image_generation.completed", b64_json=encoded(PNG), **DONE) * 2
    response = read(StreamedResponse(ImageStore(tmp_path), LIMIT), body)
    assert len(response.images) == 2
    assert response.payload["usage"] == {"output_tokens": 10}


@pytest.mark.parametrize(
    ("body", "reason", "message"),
    [
        (b"", "truncated", "the stream ended before the picture was complete"),
        (STREAM[: STREAM.rindex(b'"b64_json"') + 40], "truncated", "the response ended inside a picture"),
        (STREAM[:150], "truncated", "the response ended inside a picture"),
        (b"data: [DONE]\n\n", "truncated", "the stream ended before the picture was complete"),
        (b"data: 5\n\n", "malformed", "an event of the stream is not an object"),
        (b"data: <html>\n\n", "not-json", "the response is an HTML page: it begins with `<html>`"),
        (event("error", error={"message": "x"}), "vendor-error", "the stream holds an error"),
        (event("error", message="x", code="y"), "vendor-error", "the stream holds an error"),
    ],
)
def test_a_broken_stream_says_how(body: bytes, reason: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BrokenResponse) as caught:
        read(StreamedResponse(ImageStore(tmp_path), LIMIT), body)
    assert (caught.value.reason, str(caught.value)) == (reason, message)
    assert not list(tmp_path.glob(".*"))
