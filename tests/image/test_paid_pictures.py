"""Pictures that were paid for: however odd the response, what is good of it is kept, and what is not is named."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from image_bench import Bench
from image_pictures import PICTURES
from web_server import Routes, Seen, Web, response

from flowdsl.errors import ContentRefused, ServiceError, ServiceUnavailable
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl.values import ErrorValue
from flowdsl_steps.image.images_api import received_of
from flowdsl_steps.image.response import JsonResponse

PNG, JPEG = PICTURES["png"][0], PICTURES["jpg"][0]
B64 = base64.b64encode(PNG).decode()
ORDER = "POST /v1/images/generations"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdsl_steps.image.fetch._PAUSE_S", 0.001)


class Shop:
    """An image service that gives `order` (JSON, or a whole response), and pictures at other addresses."""

    def __init__(self, folder: Path, order: Any, **pictures: bytes | list[bytes]) -> None:
        self.folder = folder
        self.order = order
        self.pictures = {f"GET /{name}": each if isinstance(each, list) else [each] for name, each in pictures.items()}
        self.seen: list[Seen] = []
        self.bench: Bench

    def run(self, more: dict[str, bytes | list[bytes]] | None = None, **options: Any) -> dict[str, Any]:
        """What the step gives. `HERE` in the order is the address of the service."""
        for target, each in (more or {}).items():
            self.pictures[f"GET {target}"] = each if isinstance(each, list) else [each]
        with Web(routes=Routes(self.pictures)) as web:
            assert web.routes is not None
            order = self.order if isinstance(self.order, bytes) else response(json.dumps(self.order).encode())
            host = web.url.removeprefix("http://").encode()
            given = order.replace(b"HERE", host)
            if given != order:
                given = response(given.partition(b"\r\n\r\n")[2])
            self.pictures[ORDER] = [given]
            self.bench = Bench(self.folder, {"provider": "openai", "endpoint": f"{web.url}/v1", "apiKey": "k"})
            try:
                return self.bench.run(**options)
            finally:
                self.seen = web.seen

    def fail(self, **options: Any) -> ServiceError:
        """The error of the step."""
        with pytest.raises(ServiceError) as caught:
            self.run(**options)
        assert self.bench.leftovers() == []
        return caught.value


def data(*items: Any) -> dict[str, Any]:
    return {"created": 1, "data": list(items)}


def kept(error: ServiceError) -> list[bytes]:
    """The pictures that a TRY finds in the error."""
    images: list[Image] = ErrorValue(error).get("images", [])
    return [image.read() for image in images]


LINKS = {
    "an address that no parser takes": "http://[::1",
    "an empty part in the host": "http://a..b/x",
    "a login": "http://user:pa55word@HERE/i",
    "a port that is none": "http://127.0.0.1:abc/i",
    "a port that is too high": "http://127.0.0.1:99999/i",
    "a zero byte": "http://127.0.0.1/\0",
    "a half of a character": "http://127.0.0.1/\ud83d",
    "another scheme": "file:///etc/passwd",
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS.keys())
def test_a_link_that_cannot_be_fetched_is_named_and_the_rest_is_kept(link: str, tmp_path: Path) -> None:
    error = Shop(tmp_path, data({"b64_json": B64}, {"url": link}), i=response(PNG)).fail(n=2)
    assert (type(error), error.code, error.charge_possible) == (ServiceUnavailable, "image-not-fetched", True)
    assert kept(error) == [PNG]
    assert str(error.details["url"]).startswith(link[:10])
    assert "its address lives until 1970-01-01 01:00 UTC: " in str(error.hint)
    assert "pa55word" not in f"{error}{error.hint}{error.to_dict()}"


def test_one_dead_link_does_not_stop_the_next(tmp_path: Path) -> None:
    items = [{"url": "http://[::1"}, {"url": "http://HERE/i"}, {"url": "http://a..b/x"}]
    error = Shop(tmp_path, data(*items), i=response(PNG)).fail(n=3)
    assert kept(error) == [PNG]
    assert error.details["urls"] == ["http://[::1", "http://a..b/x"]


@pytest.mark.parametrize("link", ["/img.png", "//HERE/img.png", "../img.png"], ids=["path", "host", "folder above"])
def test_a_link_is_relative_to_the_endpoint(link: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path, data({"url": link}))
    found = shop.run({"/img.png": response(PNG), "/v1/img.png": response(PNG)})
    assert found["imageList"][0].read() == PNG


SIGNED = ["/i?sig=a%2Fb&t=00%3A00", "/a%27b%2Ec.png", "/a%7Eb?x=%41+%20", "/i?a=b%3D=&c"]


@pytest.mark.parametrize("target", SIGNED, ids=["query", "path", "plain characters", "equals signs"])
def test_the_bytes_of_a_link_go_out_as_they_came(target: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path, data({"url": f"http://HERE{target}"}))
    assert shop.run({target: response(PNG)})["imageList"][0].read() == PNG
    assert shop.seen[-1].target == target


def test_a_redirect_to_the_same_host_is_followed(tmp_path: Path) -> None:
    shop = Shop(tmp_path, data({"url": "http://HERE/a"}), b=response(PNG))
    moved = response(b"", "302 Found", "location: /b\r\n")
    assert shop.run({"/a": moved})["imageList"][0].read() == PNG
    assert [seen.target for seen in shop.seen[1:]] == ["/a", "/b"]


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("http://169.254.169.254/latest", "it redirects (status 302), which is not followed"),
        ("http://127.0.0.1:1/x", "it redirects (status 302), which is not followed"),
        ("file:///etc/passwd", "it redirects to something that is not a web address, which is not followed"),
        ("/a", "it redirects more than 5 times, which is not followed"),
    ],
    ids=["private host", "another port", "file", "circle"],
)
def test_a_redirect_that_leads_elsewhere_is_not_followed(location: str, problem: str, tmp_path: Path) -> None:
    moved = response(b"", "302 Found", f"location: {location}\r\n")
    error = Shop(tmp_path, data({"url": "http://HERE/a"}), a=moved).fail()
    assert str(error).endswith(problem)
    assert (error.code, error.charge_possible) == ("image-not-fetched", True)


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "409 Conflict", "425 Too Early"])
def test_a_link_that_is_not_there_yet_is_asked_again(status: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path, data({"url": "http://HERE/i"}), i=[response(b"", status), response(PNG)])
    assert shop.run()["imageList"][0].read() == PNG


SPELLINGS = {
    "without padding": {"b64_json": base64.b64encode(JPEG).decode().rstrip("=")},
    "the alphabet for addresses": {"b64_json": base64.urlsafe_b64encode(JPEG).decode()},
    "spaces": {"b64_json": " ".join(re.findall(".{1,60}", base64.b64encode(JPEG).decode()))},
    "a data: address": {"b64_json": "data:image/jpeg;base64," + base64.b64encode(JPEG).decode()},
    "a data: address as the link": {"url": "data:image/jpeg;base64," + base64.b64encode(JPEG).decode()},
}


@pytest.mark.parametrize("escaped", [False, True], ids=["plain", "slashes escaped"])
@pytest.mark.parametrize("item", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_base64_is_read_however_it_is_spelled(item: Any, escaped: bool, tmp_path: Path) -> None:
    text = json.dumps(data(item, {"b64_json": B64}))
    found = Shop(tmp_path, response((text.replace("/", "\\/") if escaped else text).encode())).run(n=2)
    assert [image.read() for image in found["imageList"]] == [JPEG, PNG]
    for size in (1, 5, 64):
        reader = JsonResponse(ImageStore(tmp_path), 100_000, received_of)
        for at in range(0, len(text), size):
            reader.feed(text[at : at + size].encode())
        first = reader.finish().images[0]
        reader.abort()
        assert isinstance(first, Image)
        assert (first.read(), first.url) == (JPEG, None)


SVG = PICTURES["svg"][0].decode()


@pytest.mark.parametrize(
    "address",
    ["data:image/svg+xml," + quote(SVG), "data:image/svg+xml;utf8," + SVG, "data:," + quote(SVG, safe="")],
    ids=["quoted", "plain", "all quoted"],
)
def test_a_data_address_without_base64_is_read_too(address: str, tmp_path: Path) -> None:
    text = json.dumps(data({"url": address}))
    found = Shop(tmp_path, response(text.encode())).run()
    assert [image.read().decode() for image in found["imageList"]] == [SVG]
    for size in (1, 2, 7):
        reader = JsonResponse(ImageStore(tmp_path), 100_000, received_of)
        for at in range(0, len(text), size):
            reader.feed(text[at : at + size].encode())
        first = reader.finish().images[0]
        reader.abort()
        assert isinstance(first, Image)
        assert first.read().decode() == SVG


def test_a_picture_that_is_refused_after_work_was_counted_may_be_billed(tmp_path: Path) -> None:
    item = {"b64_json": None, "finish_reason": "content_filter"}
    for usage, billed in (({"output_tokens": 272}, True), ({"output_tokens": 0}, False), (None, False)):
        order = {**data(item), "usage": usage}
        error = Shop(tmp_path, order).fail()
        assert (type(error), error.charge_possible) == (ContentRefused, billed)


def test_a_data_address_that_holds_no_picture_is_shown_by_its_beginning(tmp_path: Path) -> None:
    for item in ({"url": "data:image/png;base64,AA*A" + "QUJD" * 50}, {"url": "DATA:image/png;base64," + "QUJD" * 50}):
        error = Shop(tmp_path, data(item)).fail()
        assert error.charge_possible
        assert "QUJDQUJDQUJDQUJD" not in f"{error}{error.hint}{error.details}{error.to_dict()}"


@pytest.mark.parametrize("good", [0, 1], ids=["alone", "behind a picture"])
@pytest.mark.parametrize("key", ["b64\\u005fjson", "b64_json"], ids=["key escaped", "key plain"])
def test_a_server_cannot_forge_the_mark_of_a_picture(key: str, good: int, tmp_path: Path) -> None:
    pictures = f'{{"b64_json": "{B64}"}},' * good
    for mark in ("image:0", "image:7", "image 0"):
        order = response(f'{{"data": [{pictures}{{"{key}": "{mark}"}}]}}'.encode())
        error = Shop(tmp_path, order).fail(n=1 + good)
        assert (error.code, error.charge_possible, kept(error)) == ("broken-response", True, [PNG] * good)


def test_far_more_pictures_than_asked_are_refused_and_the_first_kept(tmp_path: Path) -> None:
    error = Shop(tmp_path, data(*[{"b64_json": B64}] * 3000)).fail()
    assert "the response holds more than 64 pictures" in str(error)
    assert (error.charge_possible, kept(error)) == (True, [PNG] * 64)


BAD = {
    "null": {"b64_json": None},
    "bad base64": {"b64_json": "A*AA"},
    "no picture": {"b64_json": "AAAA"},
    "dead link": {"url": "http://HERE/gone"},
}


@pytest.mark.parametrize("first", [True, False], ids=["good first", "good last"])
@pytest.mark.parametrize("good", [{"b64_json": B64}, {"url": "http://HERE/i"}], ids=["bytes", "link"])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_the_good_picture_beside_a_bad_one_is_kept(bad: Any, good: Any, first: bool, tmp_path: Path) -> None:
    error = Shop(tmp_path, data(*([good, bad] if first else [bad, good])), i=response(PNG)).fail(n=2)
    assert error.charge_possible
    assert kept(error) == [PNG]


REFUSALS = {
    "finish reason": {"b64_json": None, "finish_reason": "content_filter", "message": "Too rude."},
    "error": {"error": {"code": "moderation_blocked", "message": "Too rude."}},
    "error beside an empty link": {"url": None, "error": {"code": "content_policy_violation", "message": "Too rude."}},
}


@pytest.mark.parametrize("item", REFUSALS.values(), ids=REFUSALS.keys())
def test_a_picture_that_is_refused_in_a_success_is_refused_content(item: Any, tmp_path: Path) -> None:
    alone = Shop(tmp_path, data(item)).fail()
    assert (type(alone), alone.charge_possible, "Too rude." in str(alone)) == (ContentRefused, False, True)
    beside = Shop(tmp_path, data({"b64_json": B64}, item)).fail(n=2)
    assert (type(beside), beside.charge_possible, kept(beside)) == (ContentRefused, True, [PNG])


def completed(*items: dict[str, Any]) -> bytes:
    """A stream in which each picture is an event."""
    events = (json.dumps({"type": "image_generation.completed", **item}) for item in items)
    body = "".join(f"data: {event}\n\n" for event in events).encode()
    return response(body, headers="content-type: text/event-stream\r\n")


def test_a_picture_that_a_stream_refuses_is_refused_content(tmp_path: Path) -> None:
    refused = REFUSALS["finish reason"]
    alone = Shop(tmp_path, completed(refused)).fail(stream=True)
    assert (type(alone), alone.charge_possible, "Too rude." in str(alone)) == (ContentRefused, False, True)
    beside = Shop(tmp_path, completed({"b64_json": B64}, refused)).fail(stream=True, n=2)
    assert (type(beside), beside.charge_possible, kept(beside)) == (ContentRefused, True, [PNG])


def cut(body: bytes, headers: str, end: bytes = b"") -> bytes:
    return f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode() + body + end


WHOLE = json.dumps(data({"b64_json": B64})).encode()
BROKEN_ENDS = {
    "chunk missing": (cut(b"%x\r\n" % len(WHOLE) + WHOLE, "transfer-encoding: chunked"), {}),
    "length too long": (cut(WHOLE, f"content-length: {len(WHOLE) + 9}"), {}),
    "brackets without end": (response(WHOLE[:-2] + b", " + b"[" * 100_000), {}),
    "garbage behind": (response(WHOLE[:-1] + b", oops"), {}),
}


@pytest.mark.long
@pytest.mark.parametrize(("order", "options"), BROKEN_ENDS.values(), ids=BROKEN_ENDS.keys())
def test_a_whole_picture_of_a_response_with_a_broken_end_is_named(
    order: bytes, options: dict[str, Any], tmp_path: Path
) -> None:
    error = Shop(tmp_path, order).fail(timeoutMs=1500, **options)
    assert (error.charge_possible, kept(error)) == (True, [PNG])
