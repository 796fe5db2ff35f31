"""What is a refusal, and what may be a picture on the bill: by what was really sent, and by who really responded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from image_bench import Bench
from image_server import plain, tiny
from image_told import BOAT, JSON, PNG, b64, order, sent, told
from web_server import Web, hang, response

from flowdsl import Environment, RunError


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdsl_steps.http.attempt.delay_s", lambda *_: 0.0)


GATEWAYS = {
    "a message": b'{"message": "Service Unavailable"}',
    "a detail": b'{"detail": "upstream timed out"}',
    "a text as the error": b'{"error": "upstream request timeout"}',
    "a page": b"<html>busy</html>",
}


@pytest.mark.parametrize("body", GATEWAYS.values(), ids=GATEWAYS.keys())
def test_a_503_that_a_gateway_may_have_written_buys_no_second_picture(body: bytes, tmp_path: Path) -> None:
    """The vendor behind it may have the request, and be drawing."""
    with Web(response(body, "503 Service Unavailable", JSON), order(b64(PNG))) as web:
        found = told(tmp_path, web)
    assert found.error is not None
    assert (found.orders, found.error.charge_possible, len(found.result.in_doubt)) == (1, True, 1)


@pytest.mark.parametrize(
    ("body", "headers"),
    [(b'{"error": {"message": "overloaded"}}', ""), (b'{"message": "busy"}', "retry-after: 1\r\n")],
    ids=["the vendor's own error", "a time to come back"],
)
def test_a_503_that_refused_the_work_is_sent_again(body: bytes, headers: str, tmp_path: Path) -> None:
    with Web(response(body, "503 Service Unavailable", JSON + headers), order(b64(PNG))) as web:
        found = told(tmp_path, web)
    assert (found.error, found.orders, found.made) == (None, 2, [PNG])


def test_a_refusal_whose_body_stalls_is_still_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdsl_steps.image.sender.REFUSAL_TIMEOUT_S", 0.05)
    head = b'HTTP/1.1 401 Unauthorized\r\ncontent-length: 500\r\n\r\n{"error": '
    with Web(sent(head, hang)) as web:
        found = told(tmp_path, web, BOAT + "  timeoutMs: 2000\n")
    assert found.error is not None
    assert (found.error.code, found.error.charge_possible) == ("service-refused", False)
    assert (found.result.cost_usd, found.result.in_doubt) == (0.0, ())


@pytest.mark.parametrize("provider", ["openai", "azure", "hub"])
def test_a_header_of_the_entry_goes_out_once_however_it_is_spelled(provider: str, tmp_path: Path) -> None:
    own = {"authorization": "Bearer mine", "API-KEY": "mine", "user-agent": "mine", "X-Target": "mine"}

    async def run() -> list[str]:
        async with tiny(plain(order(b64(PNG)).partition(b"\r\n\r\n")[2], headers=JSON)) as server:
            more = {"deploymentId": "d", "target": "theirs", "headers": own}
            await Bench(tmp_path, {"provider": provider, "endpoint": server.url, "apiKey": "theirs", **more}).arun()
            return server.heads[0].decode().split("\r\n")[1:-2]

    lines = [line.partition(": ") for line in asyncio.run(run())]
    sent = [(name.lower(), value) for name, _, value in lines]
    assert len(sent) == len(dict(sent))
    assert {name.lower(): value for name, value in own.items()}.items() <= dict(sent).items()


@pytest.mark.parametrize("location", ["mailto:x", "http://[x", "http://a b/", "//", "\u00ff"])
def test_a_redirect_of_an_endpoint_is_a_refusal_wherever_it_leads(location: str, tmp_path: Path) -> None:
    with Web(response(b"", "302 Found", f"location: {location}\r\n")) as web:
        found = told(tmp_path, web)
    assert found.error is not None
    assert (found.error.code, found.error.charge_possible, found.orders) == ("service-refused", False, 1)
    assert found.error.hint == "set `endpoint` to the final address"


@pytest.mark.parametrize(("status", "is_done"), [("301", False), ("303", True), ("307", False), ("308", False)])
def test_an_order_whose_result_is_at_another_address_is_not_called_free(
    status: str, is_done: bool, tmp_path: Path
) -> None:
    with Web(response(b"", f"{status} Elsewhere", "location: /x\r\n")) as web:
        found = told(tmp_path, web, onUnknown="resend")
    assert found.error is not None
    assert (found.error.code, found.error.charge_possible, found.orders) == ("service-refused", is_done, 1)


def test_a_target_that_no_header_can_hold_is_no_lost_connection(tmp_path: Path) -> None:
    flow = BOAT.replace("OPENAI", "HUB") + '  target: "a\\nb"\n'
    with Web(order(b64(PNG))) as web:
        environment = Environment(services={"HUB": {"endpoint": web.url, "apiKey": "sk-0123456789"}})
        with pytest.raises(RunError) as caught:
            environment.load(flow).run()
        assert web.seen == []
    assert (type(caught.value).__name__, caught.value.code) == ("ConfigError", "invalid-header")


def test_a_setting_that_no_header_can_hold_is_no_lost_connection(tmp_path: Path) -> None:
    with Web(order(b64(PNG))) as web:
        found = told(tmp_path, web, organizationId="org-0123\n456789")
        assert web.seen == []
    assert found.error is not None
    assert (type(found.error).__name__, found.error.code) == ("ConfigError", "invalid-header")
    assert (found.error.charge_possible, found.result.cost_usd, found.result.in_doubt) == (False, 0.0, ())
    assert "456789" not in f"{found.error}{found.error.hint}"
