"""REST: a key is for the host it was written for, however a redirect spells another; and a redirect buys nothing."""

from __future__ import annotations

from typing import Any

import pytest
from web_server import Seen, Web, response

import flowdsl

STATUSES = [301, 302, 303, 307, 308]
ELSEWHERE = {
    "another port": "http://127.0.0.1:{other}/x",
    "without a scheme": "//127.0.0.1:{other}/x",
    "another name": "http://localhost:{other}/x",
    "upper case": "HTTP://LOCALHOST:{other}/x",
    "a login": "http://ada:secret@127.0.0.1:{other}/x",
    "a host as login": "http://127.0.0.1:{own}@127.0.0.1:{other}/x",
    "a host as login behind a tab": "http://127.0.0.1:{own}\t@127.0.0.1:{other}/x",
    "an address of the other family": "http://[::ffff:127.0.0.1]:{other}/x",
    "an address of one number": "http://2130706433:{other}/x",
    "a port with a zero": "http://127.0.0.1:0{other}/x",
    "a control in front": "\x01http://127.0.0.1:{other}/x",
    "the own port, another name": "http://localhost:{own}/x",
    "a login on the own host": "http://ada:pass@127.0.0.1:{own}/x",
}
OWN = {
    "a path": "/x",
    "a query": "?a=1",
    "in full": "http://127.0.0.1:{own}/x",
    "upper case": "HTTP://127.0.0.1:{own}/x",
    "without a scheme": "//127.0.0.1:{own}/x",
    "a fragment": "http://127.0.0.1:{own}/x#y",
    "a port with a zero": "http://127.0.0.1:0{own}/x",
    "backslashes, which are of a path": "/\\\\127.0.0.1:{other}/x",
    "no slashes": "http:127.0.0.1:{other}/x",
}
FLOW = """\
- step: REST
  url: {url}/a
  method: {method}
  headers: {{Authorization: Bearer secret-1, X-Api-Key: secret-2, Cookie: session=secret-3}}
  parameters: {{key: secret-4}}
"""


def sent(host: Any, status: int, place: str, method: str = "GET") -> tuple[list[Seen], list[Seen], Any]:
    """What came to the first host beyond the first request, what came to the other one, and the error."""
    with Web(response(b"there")) as other, Web() as web:
        location = f"location: {place.format(own=web.port, other=other.port)}\r\n"
        web.responses = [response(b"", f"{status} Elsewhere", location), response(b"here")]
        error = None
        try:
            host(FLOW.format(url=web.url, method=method) + ("  body: secret-5\n" if method == "POST" else ""))
        except flowdsl.RunError as failed:
            error = failed
        return web.seen[1:], other.seen, error


def keys(seen: Seen) -> list[str]:
    return [text for text in (seen.target, *seen.headers.values(), seen.body.decode()) if "secret-" in text]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("place", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_redirect_takes_no_key_to_another_host(host: Any, status: int, place: str) -> None:
    again, other, error = sent(host, status, place)
    assert error is None and len(again) + len(other) == 1
    assert [key for seen in (*again, *other) for key in keys(seen)] == []


@pytest.mark.parametrize("place", OWN.values(), ids=OWN)
def test_a_redirect_on_the_same_host_keeps_the_keys(host: Any, place: str) -> None:
    again, other, error = sent(host, 302, place)
    assert (error, other, len(again)) == (None, [], 1)
    assert keys(again[0]) == ["Bearer secret-1", "secret-2", "session=secret-3"]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://10.0.0.1:80", "/x"),
        ("http://10.0.0.1", "http://10.0.0.1:80/x"),
        ("http://EXAMPLE.test", "/x"),
        ("http://example.test", "http://EXAMPLE.test/x"),
    ],
)
def test_another_spelling_of_the_host_is_no_other_host(
    host: Any, url: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Web(response(b"", "302 Found", f"location: {place}\r\n"), response(b"here")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        host(FLOW.format(url=url, method="GET"))
        assert len(keys(proxy.seen[1])) == 3


@pytest.mark.parametrize("place", ["http://example.test./x", "https://example.test/x", "http://example.test:8080/x"])
def test_a_trailing_dot_another_scheme_or_port_is_another_host(
    host: Any, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Web(response(b"", "302 Found", f"location: {place}\r\n"), response(b"here")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("https_proxy", proxy.url)
        try:
            host(FLOW.format(url="http://example.test", method="GET"))
        except flowdsl.RunError as error:
            assert place.startswith("https:"), error  # the proxy makes no tunnel
        assert [key for seen in proxy.seen[1:] for key in keys(seen)] == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("place", ["/x", "http://127.0.0.1:{other}/x"], ids=["the same host", "another"])
def test_what_changes_something_is_sent_once_whatever_it_is_redirected_to(
    host: Any, method: str, status: int, place: str
) -> None:
    again, other, error = sent(host, status, place, method)
    assert (again, other, error.code) == ([], [], "redirect-refused")


def test_the_login_of_a_redirect_is_not_told_as_the_address_of_the_response(host: Any) -> None:
    with Web() as web:
        place = web.url.removeprefix("http://")
        web.responses = [response(b"", "302 Found", f"location: http://ada:pass@{place}/x\r\n"), response(b"here")]
        found = host(f"- step: REST\n  url: {web.url}\n  outputs: [{{type: object, name: got}}]\n")
    assert found.context["got"]["url"] == f"{web.url}/x"
