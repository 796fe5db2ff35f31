"""A vendor that takes an order and makes the picture later, and whatever goes wrong when it is asked for: nothing is
bought twice, and a person can ask for it by hand."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from image_told import GIF, PNG
from installed_vendors import made_up_vendor
from web_server import Response, Web, cut, hang, reset, response

from flowdsl import Environment, Event, Limits, Note, RunError, Storage

pytestmark = pytest.mark.long

KEY = "aurora-key-0123456789"
FLOW = "- step: OPENAI_IMAGE_GENERATION\n  model: borealis-1\n  instruction: A paper boat\n"


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("flowdsl_steps.http.pause._FIRST_DELAY_S", 0.001)
    monkeypatch.setattr("flowdsl_steps.image.fetch._PAUSE_S", 0.001)
    with made_up_vendor(monkeypatch):
        yield


def said(status: str = "200 OK", headers: str = "", **payload: Any) -> bytes:
    return response(json.dumps(payload).encode(), status, f"content-type: application/json\r\n{headers}")


def done(content: bytes = PNG, operation: str = "op-1", **more: Any) -> bytes:
    picture = {"bytesBase64Encoded": base64.b64encode(content).decode()}
    return said(operation=operation, state="DONE", predictions=[picture], **more)


TAKEN = said(operation="op-1", state="QUEUED")
RUNNING = said(operation="op-1", state="RUNNING")


class Asked:
    """What a run came to, and what the vendor was asked."""

    def __init__(self, web: Web, folder: Path, more: str, limits: Limits, **service: Any) -> None:
        self.events: list[Event] = []
        entry = {"provider": "aurora", "endpoint": f"{web.url}/v1", "apiKey": KEY, "maxRetries": 3, **service}
        environment = Environment(
            services={"OPENAI_IMAGE_GENERATION": entry}, storage=Storage(images=folder), limits=limits
        )
        self.error: Any = None
        began = time.monotonic()
        try:
            self.result = environment.load(FLOW + more).run(on_event=self.events.append)
        except RunError as error:
            self.error, self.result = error, error.result
        self.elapsed_s = time.monotonic() - began
        self.orders = sum(seen.method == "POST" for seen in web.seen)
        self.questions = [seen for seen in web.seen if seen.method == "GET"]
        self.made = [Path(image.original).read_bytes() for image in self.result.made]

    @property
    def told(self) -> str:
        """All that a person reads."""
        notes = [event.text for event in self.events if isinstance(event, Note)]
        return "\n".join([*notes, str(self.error), str(self.error and self.error.hint)])


def asked(folder: Path, *answers: Response, more: str = "", limits: Limits | None = None, **service: Any) -> Asked:
    with Web(TAKEN, *answers) as web:
        found = Asked(web, folder, more, limits or Limits(private_addresses=True), **service)
        assert KEY not in found.told
    return found


PASSING: dict[str, Response] = {
    "a broken connection": reset,
    "a cut answer": cut(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"),
    "a cut picture": cut(done()[:-40]),
    "500": response(b"", "500 Internal Server Error"),
    "502 with a page": response(b"<html>bad gateway</html>", "502 Bad Gateway"),
    "504": response(b"", "504 Gateway Timeout"),
    "429": response(b"", "429 Too Many Requests", "retry-after: 0\r\n"),
    "503 and a day": response(b"", "503 Unavailable", "retry-after: 86400\r\n"),
    "503 and for ever": response(b"", "503 Unavailable", "retry-after: inf\r\n"),
    "503 and no number": response(b"", "503 Unavailable", "retry-after: nan\r\n"),
    "503 and before now": response(b"", "503 Unavailable", "retry-after: -5\r\n"),
    "503 and a date of another age": response(b"", "503 Unavailable", "retry-after: Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
    "a page of a gateway": response(b"<html>one moment</html>"),
    "no JSON": response(b"moment"),
    "half a JSON": response(b'{"operation": "op-1", "state": "DO'),
    "nothing": response(b""),
    "no HTTP": b"hello\r\n\r\n",
    "gzip that is none": response(b"xx", headers="content-encoding: gzip\r\n"),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_question_that_fails_is_asked_again_and_nothing_is_bought_twice(fault: Response, tmp_path: Path) -> None:
    found = asked(tmp_path, RUNNING, fault, fault, RUNNING, done())
    assert (found.error, found.orders, len(found.questions)) == (None, 1, 5)
    assert PNG in found.made
    assert found.elapsed_s < 20


FINAL: dict[str, Response] = {
    "404": response(b"", "404 Not Found"),
    "401": response(b"", "401 Unauthorized"),
    "redirect": response(b"", "302 Found", "location: http://127.0.0.1:9/v1/operations/op-1\r\n"),
    "no picture": said(operation="op-1", state="DONE"),
    "another order": done(GIF, "op-2"),
    "a page of a gateway, always": response(b"<html>one moment</html>"),
    "a picture that is none": said(operation="op-1", state="DONE", predictions=[{"bytesBase64Encoded": "A*AA"}]),
    "what the vendor's reader does not know": said(operation="op-1", state="DONE", predictions=[{"x": 1}]),
}


@pytest.mark.parametrize("resend", [False, True], ids=["once", "onUnknown resend"])
@pytest.mark.parametrize("fault", FINAL.values(), ids=FINAL)
def test_an_order_whose_picture_does_not_come_is_told(fault: Response, resend: bool, tmp_path: Path) -> None:
    more = {"onUnknown": "resend", "maxRetries": 0} if resend else {}
    found = asked(tmp_path, RUNNING, fault, **more)
    assert (found.error.charge_possible, found.orders) == (True, 1)
    assert "op-1" in found.told and "/v1/operations/op-1" in found.told
    assert found.elapsed_s < 20


def test_a_picture_of_another_order_is_kept_and_not_taken_for_ours(tmp_path: Path) -> None:
    found = asked(tmp_path, done(GIF, "op-2"))
    assert "to another order" in str(found.error)
    assert (found.made, found.error.request_id) == ([GIF], "op-1")


@pytest.mark.long
@pytest.mark.parametrize("fault", [RUNNING, hang, response(b"", "503 Unavailable", "retry-after: 86400\r\n")])
def test_an_order_that_is_never_done_ends_at_the_deadline_and_is_told(fault: Response, tmp_path: Path) -> None:
    found = asked(tmp_path, fault, more="  timeoutMs: 1500\n")
    assert (type(found.error).__name__, found.error.charge_possible, found.orders) == ("ServiceTimeout", True, 1)
    assert found.error.request_id == "op-1" and "/v1/operations/op-1" in found.error.hint
    assert found.elapsed_s < 20
    assert len(found.questions) < 40


def test_a_run_that_ends_before_the_order_is_done_tells_it(tmp_path: Path) -> None:
    found = asked(tmp_path, RUNNING, limits=Limits(private_addresses=True, timeout_s=1))
    assert (found.error.code, found.error.charge_possible, found.orders) == ("deadline", True, 1)
    assert "/v1/operations/op-1" in found.told


def test_a_cancelled_run_tells_the_order_that_was_taken(tmp_path: Path) -> None:
    events: list[Event] = []
    asked = threading.Event()

    def never(connection: Any, ended: threading.Event) -> None:
        asked.set()
        hang(connection, ended)

    async def cancelled(url: str) -> None:
        entry = {"provider": "aurora", "endpoint": f"{url}/v1", "apiKey": KEY}
        environment = Environment(services={"OPENAI_IMAGE_GENERATION": entry}, storage=Storage(images=tmp_path))
        task = asyncio.create_task(environment.load(FLOW).arun(on_event=events.append))
        await asyncio.to_thread(asked.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Web(TAKEN, never) as web:
        asyncio.run(cancelled(web.url))
    assert [event.text for event in events if isinstance(event, Note) and event.code == "image-left"] == [
        f"the order op-1 was taken: its picture is asked for at {web.url}/v1/operations/op-1"
    ]


@pytest.mark.parametrize(
    "name", ["../../admin", "a/b", "//other.example/x", "@other.example", "a?b=1#c", "a%2fb", "a b", "a\r\nX: y", "é"]
)
def test_the_name_of_an_order_leads_nowhere_else(name: str, tmp_path: Path) -> None:
    with Web(said(operation=name, state="QUEUED"), done(operation=name)) as web:
        found = Asked(web, tmp_path, "", Limits(private_addresses=True))
    assert (found.error, found.orders, found.made) == (None, 1, [PNG])
    (seen,) = found.questions
    assert seen.target.startswith("/v1/operations/") and seen.target.count("/") == 3


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_of_an_order_that_leads_upwards_is_not_asked_for(name: str, tmp_path: Path) -> None:
    with Web(said(operation=name, state="QUEUED"), done(operation=name)) as web:
        found = Asked(web, tmp_path, "", Limits(private_addresses=True))
    assert (found.orders, found.questions, found.error.charge_possible) == (1, [], True)


@pytest.mark.parametrize(
    "url",
    [
        "http://HOST/orders/%2e%2e/x",
        "http://127.0.0.1:9/orders/1",
        "https://HOST/orders/1",
        "http://HOST@127.0.0.1:9/x",
        "//127.0.0.1:9/x",
        "file:///etc/passwd",
        "http://[",
        "http://HOST/\x00",
        "",
    ],
)
def test_a_question_that_leads_to_another_host_is_not_asked(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.vendor import Poll
    from flowdsl_steps.image.vendors import vendor_named

    def next_of(received: Any, endpoint: Any) -> Poll | None:
        host = endpoint.host
        return Poll(HttpRequest("GET", url.replace("HOST", host)), 0.01) if not received.images else None

    monkeypatch.setattr(vendor_named("aurora"), "next", next_of, raising=False)
    found = asked(tmp_path, done())
    assert (found.orders, found.questions, found.error.charge_possible) == (1, [], True)
    assert found.error.request_id == "op-1"


def test_an_order_that_is_refused_in_the_end_is_not_called_billed(tmp_path: Path) -> None:
    found = asked(tmp_path, said(operation="op-1", state="FAILED", reason="Out of paint.", signal="paint"))
    assert (found.error.charge_possible, found.orders, found.error.request_id) == (False, 1, "op-1")
    assert "was taken" not in found.told
