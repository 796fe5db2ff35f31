"""A stream of events holds what it says, however its lines end and wherever it is cut; what comes besides costs no
picture."""

from __future__ import annotations

import base64
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_told import BOAT, GIF, JPEG, PNG, b64, told
from web_server import Web, response

from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl_steps.image.received import BrokenResponse, Received
from flowdsl_steps.image.stream import StreamedResponse

LIMIT = 1_000_000
PARTIAL = {"type": "image_generation.partial_image", "partial_image_index": 0, **b64(GIF)}
FIRST = {"type": "image_generation.completed", **b64(PNG), "usage": {"total_tokens": 1}}
SECOND = {"type": "image_generation.completed", **b64(JPEG), "usage": {"total_tokens": 2}}
ERROR = {"type": "error", "error": {"message": "the paint ran out", "code": "no_paint"}}


def event(payload: dict[str, Any], *, named: bool = False) -> str:
    name = f"event: {payload['type']}\n" if named else ""
    return f"{name}data: {json.dumps(payload)}\n\n"


def read(folder: Path, body: bytes, cuts: list[int] | None = None) -> Received:
    reader = StreamedResponse(ImageStore(folder), LIMIT)
    try:
        for start, end in itertools.pairwise(sorted({0, len(body), *(cuts or ())})):
            reader.feed(body[start:end])
        return reader.finish()
    finally:
        reader.abort()


def pictures(received: Received) -> list[bytes]:
    return [image.read() for image in received.images if isinstance(image, Image)]


signs_of_life = st.sampled_from(
    [
        ":\n",
        ": keep-alive\n\n",
        ":" + "x" * 200 + "\n",
        "\n",
        "data:\n\n",
        "data: ping\n\n",
        "event: ping\ndata: {}\n\n",
        'event: ping\ndata: {"type": "ping"}\n\n',
        "retry: 5\n",
        "id: 7\n",
        "data\n\n",
        "foo: bar\n",
        "data: [DONE",
    ]
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    """A stream of an unfinished picture and two whole ones, and where it is cut."""
    text = ""
    for payload in (PARTIAL, FIRST, SECOND):
        text += "".join(draw(st.lists(signs_of_life.filter(lambda sign: "DONE" not in sign), max_size=3)))
        written = json.dumps(payload, indent=draw(st.sampled_from([None, 0, 2])))
        lines = "".join(f"data:{draw(st.sampled_from(['', ' ']))}{line}\n" for line in written.splitlines())
        text += draw(st.sampled_from(["", f"event: {payload['type']}\n", "id: 1\n"])) + lines + "\n"
    text += draw(st.sampled_from(["", "data: [DONE]\n\n", "data: [DONE]", ": bye"]))
    if draw(st.booleans()):
        text = text.rstrip("\n")
    body = draw(st.sampled_from(["", "\ufeff"])).encode() + text.encode()
    body = body.replace(b"\n", draw(st.sampled_from([b"\n", b"\r\n", b"\r"])))
    every = draw(st.sampled_from([0, 0, 1, 2, 3, 64]))
    cuts = [*range(0, len(body), every)] if every else draw(st.lists(st.integers(0, len(body)), max_size=20))
    return body, cuts


@pytest.mark.long
@settings(max_examples=150, deadline=None, suppress_health_check=[*HealthCheck])
@given(streams())
def test_a_stream_holds_its_pictures_however_it_is_spelt(tmp_path: Path, given: tuple[bytes, list[int]]) -> None:
    received = read(tmp_path, *given)
    assert pictures(received) == [PNG, JPEG]
    assert received.usage == {"total_tokens": 3}
    assert [*tmp_path.rglob("*.part")] == []


def test_an_event_that_only_its_line_names_counts(tmp_path: Path) -> None:
    completed = {key: value for key, value in FIRST.items() if key != "type"}
    body = f"event: image_generation.completed\ndata: {json.dumps(completed)}\n\n".encode()
    assert pictures(read(tmp_path, body)) == [PNG]


def test_an_error_that_only_its_line_names_is_one(tmp_path: Path) -> None:
    body = b'event: error\ndata: {"message": "the paint ran out"}\n\n'
    with pytest.raises(BrokenResponse) as caught:
        read(tmp_path, body)
    assert (caught.value.reason, caught.value.payload) == ("vendor-error", {"error": {"message": "the paint ran out"}})


def test_a_document_in_place_of_a_stream_is_read(tmp_path: Path) -> None:
    body = json.dumps({"created": 1, "data": [b64(PNG), b64(JPEG)]}).encode()
    for cuts in ([], [*range(len(body))]):
        assert pictures(read(tmp_path, body, cuts)) == [PNG, JPEG]
    assert pictures(read(tmp_path, PNG)) == [PNG]


STREAM = "content-type: text/event-stream\r\n"
TYPES = {
    "its type": STREAM,
    "another type": "content-type: text/plain\r\n",
    "no type": "",
    "upper case": STREAM.upper(),
}


@pytest.mark.parametrize("headers", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_the_pictures_of_a_stream_are_stored_and_told(headers: str, end: str, tmp_path: Path) -> None:
    body = (event(PARTIAL) + event(FIRST) + event(SECOND)).replace("\n", end).encode()
    with Web(response(body, headers=headers)) as web:
        found = told(tmp_path, web, BOAT + "  stream: true\n  n: 2\n")
    assert (found.error, found.made, found.orders) == (None, [PNG, JPEG], 1)


BESIDE = {
    "an error": event(ERROR),
    "a named error": 'event: error\ndata: {"message": "the paint ran out"}\n\n',
    "half an event": 'data: {"type": "image_generation.comp',
    "a broken event": 'data: {"type": "image_generation.completed", }\n\n',
    "a picture that is none": event({**SECOND, "b64_json": "A*AA"}),
    "a refusal": event({"type": "image_generation.completed", "finish_reason": "content_filter"}),
}


@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE)
def test_a_whole_picture_is_kept_and_told_whatever_comes_behind_it(beside: str, tmp_path: Path) -> None:
    with Web(response((event(FIRST) + beside).encode(), headers=STREAM)) as web:
        found = told(tmp_path, web, BOAT + "  stream: true\n  n: 2\n")
    assert found.error is not None
    assert (found.made, found.orders, found.error.charge_possible) == ([PNG], 1, True)
    assert [image.read() for image in found.error.details["images"]] == [PNG]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "beside", [each for name, each in BESIDE.items() if "error" not in name and "half" not in name]
)
def test_a_whole_picture_is_kept_and_told_whatever_comes_before_it(beside: str, tmp_path: Path) -> None:
    with Web(response((beside + event(FIRST)).encode(), headers=STREAM)) as web:
        found = told(tmp_path, web, BOAT + "  stream: true\n  n: 2\n")
    assert found.error is not None
    assert (found.made, found.orders, found.error.charge_possible) == ([PNG], 1, True)


def test_an_event_that_its_line_names_and_whose_end_is_lost_gives_its_picture(tmp_path: Path) -> None:
    body = f'event: image_generation.completed\ndata: {{"b64_json": "{base64.b64encode(PNG).decode()}", "usage": {{'
    with Web(response(body.encode(), headers=STREAM)) as web:
        found = told(tmp_path, web, BOAT + "  stream: true\n")
    assert found.error is not None
    assert (found.made, found.error.charge_possible) == ([PNG], True)


def test_unfinished_pictures_alone_are_a_failure_that_tells_them(tmp_path: Path) -> None:
    from flowdsl import Environment, Limits, PartialImage, ServiceError, Storage

    events: list[Any] = []
    with Web(response(event(PARTIAL).encode(), headers=STREAM)) as web:
        environment = Environment(
            services={"OPENAI_IMAGE_GENERATION": {"endpoint": f"{web.url}/v1", "apiKey": "sk-0123456789"}},
            storage=Storage(images=tmp_path),
            limits=Limits(private_addresses=True),
        )
        with pytest.raises(ServiceError) as caught:
            environment.load(BOAT + "  stream: true\n").run(on_event=events.append)
    assert (caught.value.charge_possible, caught.value.result.made) == (True, ())
    (partial,) = (each for each in events if isinstance(each, PartialImage))
    assert Path(partial.image["path"]).read_bytes() == GIF
