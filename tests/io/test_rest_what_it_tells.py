"""REST: what of a request goes where it is sent on to, and what is said of one that did not succeed."""

from __future__ import annotations

import socket
import threading
from base64 import b64encode
from typing import Any

import pytest
from web_server import Web, hang, response

import flowdsl


def failure(host: Any, flow: str) -> flowdsl.RunError:
    with pytest.raises(flowdsl.RunError) as caught:
        host(flow)
    return caught.value


def test_the_body_of_a_get_does_not_go_on_to_another_host(host: Any) -> None:
    flow = "- step: REST\n  url: URL\n  method: GET\n  body: {token: abc}\n"
    with Web(response(b"there")) as other, Web() as web:
        web.responses = [
            response(b"", "302 Found", "location: /next\r\n"),
            response(b"", "307 Temporary Redirect", f"location: {other.url}/end\r\n"),
        ]
        assert host(flow.replace("URL", web.url)).context == {"text": "there"}
        assert [seen.body for seen in web.seen] == [b'{"token":"abc"}'] * 2
        assert [(seen.target, seen.body) for seen in other.seen] == [("/end", b"")]
        assert "content-type" not in other.seen[0].headers


def test_a_refusal_whose_body_stalls_may_not_be_called_a_lost_response(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowdsl_steps.http.send.REFUSAL_TIMEOUT_S", 0.05)

    def refuse(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 500\r\n\r\nno")
        hang(connection, ended)

    with Web(refuse) as web:
        error = failure(host, f"- step: REST\n  url: {web.url}\n  method: POST\n  body: x\n  timeoutMs: 2000\n")
        assert len(web.seen) == 1
    assert (type(error).__name__, error.charge_possible) == ("ServiceRefused", False)
    assert str(error) == f"POST {web.url} got 401 Unauthorized"


def test_what_a_proxy_says_of_private_addresses_is_no_judgement_of_ours(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Web(response(b"", "403 no private address here")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        error = failure(host, "- step: REST\n  url: https://pictures.example/x\n  maxRetries: 0\n")
    assert (type(error).__name__, error.code) == ("ServiceUnavailable", "service-unavailable")
    assert "403 no private address here" in str(error)


def test_a_pause_in_a_zone_that_no_clock_has_is_no_pause(host: Any) -> None:
    zone = "retry-after: Mon, 01 Jan 2024 00:00:00 +99999999999999999999\r\n"
    with Web(response(b"", "429 Too Many Requests", zone)) as web:
        error = failure(host, f"- step: REST\n  url: {web.url}\n  maxRetries: 0\n")
    assert (type(error).__name__, error.code) == ("ServiceRateLimited", "service-rate-limited")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com:99999/", "its port is no number up to 65535"),
        (f"http://{'a' * 70}.example/", "no host has such a name"),
    ],
    ids=["port", "label"],
)
def test_an_address_that_cannot_be_is_no_lost_connection(
    url: str, said: str, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    error = failure(host, f"- step: REST\n  url: {url}\n")
    assert (type(error).__name__, error.code) == ("ConfigError", "invalid-url")
    assert said in error.message


def test_a_login_of_a_redirect_is_in_no_error(host: Any) -> None:
    with Web() as web:
        place = web.url.removeprefix("http://")
        web.responses = [
            response(b"", "302 Found", f"location: http://ada:secret@{place}/next\r\n"),
            response(b"", "404 Not Found"),
        ]
        error = failure(host, f"- step: REST\n  url: {web.url}\n")
    assert "ada" not in f"{error} {error.to_dict()}"


def test_a_login_that_a_redirect_names_goes_to_where_it_leads(host: Any) -> None:
    with Web() as web:
        place = web.url.removeprefix("http://")
        web.responses = [
            response(b"", "302 Found", f"location: http://ada:se%20cret@{place}/next\r\n"),
            response(b"{}"),
        ]
        host(f"- step: REST\n  url: {web.url}\n")
    first, second = (seen.headers.get("authorization") for seen in web.seen)
    assert (first, second) == (None, "Basic " + b64encode(b"ada:se cret").decode())
