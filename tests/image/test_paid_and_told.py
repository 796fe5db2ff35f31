"""Whatever breaks after a purchase: the picture is kept, or the run says where it is, and nothing is called free."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from aurora_server import KEY, aurora_server
from image_told import BOAT, GIF, JPEG, JSON, ORDER, PNG, b64, files_of, order, sent, serving, stream, told
from installed_vendors import made_up_vendor
from web_server import Web, hang, response

from flowdsl import ConfigError, Environment, Event, Note, Storage
from flowdsl.image.store import ImageStore
from flowdsl_steps.image.document import Document
from flowdsl_steps.image.vendors import vendor_named
from flowdsl_steps.image.vendors.openai import OpenAI

LARGE = PNG + b"\0" * 1_200_000


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdsl_steps.image.fetch._PAUSE_S", 0.001)
    monkeypatch.setattr("flowdsl_steps.http.attempt.delay_s", lambda *_: 0.0)


def test_a_paid_picture_whose_link_needs_tls_that_cannot_be_had_is_not_called_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent.pem")
    with Web() as web:
        found = told(tmp_path, serving(web, [order({"url": "https://HERE/i"})]))
    assert found.error is not None
    assert (found.error.code, found.error.charge_possible) == ("image-not-fetched", True)
    assert (found.result.cost_usd, len(found.result.in_doubt), found.left) == (None, 1, ["/i"])
    assert "SSL_CERT_FILE" in str(found.error)


@pytest.mark.parametrize("status", ["300 Multiple Choices", "302 Found", "304 Not Modified"])
def test_a_redirect_that_names_no_place_does_not_lose_the_address_of_a_paid_picture(
    status: str, tmp_path: Path
) -> None:
    with Web() as web:
        links = order({"url": "http://HERE/i"}, {"url": "http://HERE/j"})
        found = told(tmp_path, serving(web, [links], i=response(b"", status), j=response(JPEG)), BOAT + "  n: 2\n")
    assert found.error is not None
    assert (found.error.code, found.error.charge_possible, found.left) == ("image-not-fetched", True, ["/i"])
    assert found.made == [JPEG]


def test_an_odd_address_of_a_proxy_that_is_not_asked_loses_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ftp_proxy", "http://[x")
    with Web() as web:
        found = told(tmp_path, serving(web, [order({"url": "http://HERE/i"})], i=response(PNG)))
    assert (found.error, found.made) == (None, [PNG])


def test_a_proxy_whose_address_cannot_be_read_is_no_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://[x")
    with Web() as web:
        found = told(tmp_path, web, endpoint="http://pictures.example/v1")
    assert found.error is not None
    assert (found.error.code, found.error.charge_possible) == ("service-unavailable", False)
    assert "the proxy of the environment, whose address cannot be read, is not supported" in str(found.error)


def test_a_link_for_which_the_disk_has_no_room_does_not_lose_the_next(tmp_path: Path) -> None:
    with Web() as web, files_of(1_000_000):
        links = order({"url": "http://HERE/large"}, {"url": "http://HERE/j"})
        found = told(tmp_path, serving(web, [links], large=response(LARGE), j=response(JPEG)), BOAT + "  n: 2\n")
    assert found.error is not None
    assert (found.error.code, found.error.charge_possible) == ("image-not-fetched", True)
    assert (found.made, found.left) == ([JPEG], ["/large"])


def test_a_disk_that_is_full_keeps_the_pictures_that_came_whole_before(tmp_path: Path) -> None:
    with Web(order(b64(PNG), b64(JPEG), b64(LARGE))) as web, files_of(1_000_000):
        found = told(tmp_path, web, BOAT + "  n: 3\n")
    assert found.error is not None
    assert (found.error.code, found.error.charge_possible) == ("image-unwritable", True)
    assert sorted(found.made) == sorted([PNG, JPEG])
    assert list(tmp_path.rglob(".*.part")) == []


COMPLETED = {"type": "image_generation.completed", **b64(PNG), "usage": {"total_tokens": 1}}
PARTIAL = {"type": "image_generation.partial_image", "partial_image_index": 0, **b64(GIF), "usage": {}}
LINK = {"type": "image_generation.completed", "url": "http://HERE/i"}


@pytest.mark.long
@pytest.mark.parametrize("timeout", [None, 1000], ids=["the connection breaks", "the deadline passes"])
def test_a_streamed_picture_that_came_whole_outlives_the_end_of_its_event(timeout: int | None, tmp_path: Path) -> None:
    end = sent(stream(PARTIAL, COMPLETED, cut='"total_'), hang if timeout else None)
    with Web(end) as web:
        more = f"  timeoutMs: {timeout}\n" if timeout else ""
        found = told(tmp_path, web, BOAT + "  stream: true\n" + more)
    assert found.error is not None
    assert (found.error.charge_possible, found.made) == (True, [PNG])


def test_an_unfinished_picture_of_a_stream_that_breaks_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    with Web(sent(stream(PARTIAL, cut='"usage"'))) as web:
        found = told(tmp_path, web, BOAT + "  stream: true\n")
    assert found.error is not None and found.made == []


def test_the_link_that_a_stream_completed_is_fetched_when_the_rest_does_not_come(tmp_path: Path) -> None:
    with Web(response(PNG)) as links:
        item = {**LINK, "url": f"{links.url}/i"}
        with Web(sent(stream(item, COMPLETED, cut='"b64_json"'))) as web:
            found = told(tmp_path, web, BOAT + "  stream: true\n  n: 2\n")
    assert found.error is not None
    assert (found.error.charge_possible, found.made) == (True, [PNG])


BROKEN = {"b64_json": "A*AA"}


def test_what_a_failed_attempt_brought_is_fetched_although_the_next_one_succeeds(tmp_path: Path) -> None:
    with Web() as web:
        orders = [order({"url": "http://HERE/i"}, BROKEN), order(b64(PNG), b64(GIF))]
        found = told(tmp_path, serving(web, orders, i=response(JPEG)), BOAT + "  n: 2\n", onUnknown="resend")
    assert (found.error, found.orders, found.targets) == (None, 2, ["/i"])
    assert sorted(found.made) == sorted([PNG, GIF, JPEG])


def test_a_link_of_a_failed_attempt_that_is_gone_is_told_although_the_next_one_succeeds(tmp_path: Path) -> None:
    with Web() as web:
        orders = [order({"url": "http://HERE/gone"}, BROKEN), order(b64(PNG), b64(GIF))]
        found = told(tmp_path, serving(web, orders), BOAT + "  n: 2\n", onUnknown="resend")
    assert (found.error, found.left) == (None, ["/gone"])


def test_what_a_failed_attempt_brought_is_kept_when_the_next_one_is_refused(tmp_path: Path) -> None:
    with Web() as web:
        serving(web, [order({"url": "http://HERE/i"}, {"url": "http://HERE/gone"}, BROKEN)], i=response(JPEG))
        assert web.routes is not None
        web.routes._answers[ORDER].append(response(b'{"error": {"message": "no"}}', "400 Bad Request"))
        found = told(tmp_path, web, BOAT + "  n: 3\n", onUnknown="resend")
    assert found.error is not None
    assert (getattr(found.error, "status", None), found.error.charge_possible) == (400, True)
    assert (found.made, found.left) == ([JPEG], ["/gone"])


def test_the_links_of_a_failed_attempt_are_told_when_the_next_one_fills_the_disk(tmp_path: Path) -> None:
    with Web() as web, files_of(1_000_000):
        orders = [order({"url": "http://HERE/i"}, BROKEN), order(b64(LARGE))]
        found = told(tmp_path, serving(web, orders, i=response(JPEG)), BOAT + "  n: 2\n", onUnknown="resend")
    assert found.error is not None
    assert (found.error.code, found.left) == ("image-unwritable", ["/i"])


def test_a_failure_of_the_disk_hides_no_address_of_a_paid_picture(tmp_path: Path) -> None:
    """Two requests: a link that is gone, and a picture for which there is no room."""
    with Web() as web, files_of(1_000_000):
        orders = [order({"url": "http://HERE/gone"}), order(b64(LARGE))]
        flow = BOAT.replace("gpt-image-2", "dall-e-3") + "  n: 2\n"
        found = told(tmp_path, serving(web, orders), flow, concurrency=1)
    assert found.error is not None
    assert (found.error.code, found.left) == ("image-unwritable", ["/gone"])


def test_a_cancelled_run_tells_the_links_that_it_did_not_fetch(tmp_path: Path) -> None:
    asked = threading.Event()
    own = ""

    def respond(connection: Any, ended: threading.Event) -> None:
        if len(web.seen) == 1:
            connection.sendall(order({"url": f"{own}/i"}, {"url": f"{own}/j"}))
        else:
            asked.set()
            hang(connection, ended)

    async def cancelled() -> list[str]:
        events: list[Event] = []
        entry = {"endpoint": f"{web.url}/v1", "apiKey": "sk-0123456789"}
        environment = Environment(services={"OPENAI_IMAGE_GENERATION": entry}, storage=Storage(images=tmp_path))
        flow = environment.load(BOAT + "  n: 2\n")
        task = asyncio.create_task(flow.arun(on_event=events.append))
        await asyncio.to_thread(asked.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [event.text[-2:] for event in events if isinstance(event, Note) and event.code == "image-left"]

    with Web(respond) as web:
        own = web.url
        assert asyncio.run(cancelled()) == ["/i", "/j"]


@pytest.mark.long
@pytest.mark.parametrize("timeout", [None, 1000], ids=["the connection breaks", "the deadline passes"])
def test_the_links_of_a_response_without_an_end_are_fetched(timeout: int | None, tmp_path: Path) -> None:
    with Web(response(JPEG)) as links:
        items = [b64(PNG), {"url": f"{links.url}/i"}, {"url": f"{links.url}/j"}]
        text = json.dumps({"created": 1, "data": items, "usage": {}})
        for end in ('"usage": {', '/j"'):
            head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n"
            whole = (head + text[: text.index(end) + len(end)]).encode()
            with Web(sent(whole, hang if timeout else None)) as web:
                more = f"  timeoutMs: {timeout}\n" if timeout else ""
                found = told(tmp_path, web, BOAT + "  n: 3\n" + more)
            assert found.error is not None
            assert (found.error.charge_possible, {*found.made}) == (True, {PNG, JPEG})
    assert sorted(seen.target for seen in links.seen) == ["/i", "/i", "/j"]  # side by side


def test_blanks_in_a_list_of_pictures_are_not_kept_to_be_searched_again(tmp_path: Path) -> None:
    document = Document(ImageStore(tmp_path), 100_000)
    encoded = json.dumps(b64(PNG)["b64_json"]).encode()
    document.feed(b'{"b64_json": [' + encoded)
    for _ in range(1000):
        document.feed(b" " * 100)
    document.feed(b",")
    for _ in range(1000):
        document.feed(b"\n" * 100)
    assert len(document.text()) < 200
    document.feed(encoded + b" " * 100 + b"]}")
    assert [writer.commit().read() for writer in document.value()["b64_json"]] == [PNG, PNG]


def test_an_order_that_cannot_be_asked_for_any_more_is_not_called_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor took it, and then the token that signs the questions has expired."""
    asked: list[str] = []

    async def sign(http: Any) -> dict[str, str]:
        asked.append(http.method)
        if len(asked) > 1:
            raise ConfigError("the token has expired", code="service-not-configured")
        return {}

    with made_up_vendor(monkeypatch), aurora_server() as server:
        vendor = type(vendor_named("aurora"))
        made = vendor.endpoint
        monkeypatch.setattr(vendor, "endpoint", lambda *given: made(*given)._replace(sign=sign))
        entry = {"provider": "aurora", "endpoint": server.url, "apiKey": KEY, "model": "borealis-1"}
        environment = Environment(services={"OPENAI_IMAGE_GENERATION": entry}, storage=Storage(images=tmp_path))
        with pytest.raises(ConfigError) as caught:
            environment.load(BOAT.replace("gpt-image-2", "borealis-1")).run()
    assert (len(server.orders), caught.value.charge_possible, len(caught.value.result.in_doubt)) == (1, True, 1)
    assert caught.value.result.cost_usd is None


def test_an_attempt_that_may_be_billed_is_not_forgotten_by_one_that_cannot_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def sign(http: Any) -> dict[str, str]:
        asked.append(http.method)
        return {"X-Token": "a\nb"} if len(asked) > 1 else {}

    made = OpenAI.endpoint
    monkeypatch.setattr(OpenAI, "endpoint", lambda *given: made(*given)._replace(sign=sign))
    with Web(response(b"", "500 Internal Server Error")) as web:
        found = told(tmp_path, web, onUnknown="resend")
    assert found.error is not None
    assert (found.orders, found.error.code, found.error.charge_possible) == (1, "invalid-header", True)
    assert (found.result.cost_usd, len(found.result.in_doubt)) == (None, 1)


def test_a_usage_that_cannot_be_counted_makes_no_picture_free(tmp_path: Path) -> None:
    usage = {"output_tokens": 10**400, "input_tokens": 1}
    with Web(response(json.dumps({"data": [b64(PNG)], "usage": usage}).encode(), headers=JSON)) as web:
        found = told(tmp_path, web)
    assert (found.error, found.made, found.result.cost_usd) == (None, [PNG], None)
