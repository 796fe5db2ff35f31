"""REST: servers that fail, resends, redirects and limits."""

from __future__ import annotations

import asyncio
import gzip
import time
from pathlib import Path
from typing import Any

import pytest
from web_server import Response, Web, drip, endless, hang, refusing, reset, response

import flowdsl
from flowdsl.testing import Recorder

BUSY = response(b"busy", "503 Service Unavailable")
WAIT = response(b"busy", "503 Service Unavailable", "retry-after: 0\r\n")
ANSWERS = ["503", "503 and when to come again", "429"]
MANY = response(b"slow down", "429 Too Many Requests")


def failure(host: Any, flow: str, **settings: Any) -> Any:
    with pytest.raises(flowdsl.RunError) as caught:
        host(flow, **settings)
    return caught.value


def rest(url: str, **options: Any) -> str:
    return f"- step: REST\n  url: {url}\n" + "".join(f"  {key}: {value}\n" for key, value in options.items())


def facts(error: Any) -> tuple[str, int | None, bool, bool, int]:
    return type(error).__name__, error.status, error.retryable, error.charge_possible, error.attempts


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize("refusal", [BUSY, MANY], ids=["503", "429"])
def test_a_refused_request_is_sent_again_when_that_does_no_harm(host: Any, method: str, refusal: bytes) -> None:
    recorder = Recorder()
    with Web(
        refusal if method != "HEAD" else refusal.replace(b"busy", b"").replace(b"slow down", b""), response()
    ) as web:
        assert host(rest(web.url, method=method), on_event=recorder).context == {"text": ""}
        assert [seen.method for seen in web.seen] == [method, method]
    assert [event.code for event in recorder.events if isinstance(event, flowdsl.Note)] == ["retry"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(("refusal", "is_refused"), [(BUSY, False), (WAIT, True), (MANY, True)], ids=ANSWERS)
def test_a_request_that_changes_something_is_never_sent_twice(
    host: Any, method: str, refusal: bytes, is_refused: bool
) -> None:
    with Web(refusal, response()) as web:
        error = failure(host, rest(web.url, method=method, body="x"))
        assert len(web.seen) == 1
    assert (error.retryable, error.charge_possible) == (is_refused, not is_refused)


@pytest.mark.parametrize("status", ["408", "500", "502", "503", "504", "520", "524", "599"])
def test_what_a_gateway_says_does_not_call_the_work_of_a_post_free(host: Any, status: str) -> None:
    """It may come after the service behind has done it."""
    recorder = Recorder()
    with Web(response(b"", f"{status} Gateway")) as web:
        error = failure(host, rest(web.url, method="POST"), on_event=recorder)
    assert (error.charge_possible, error.to_dict()["charge_possible"], len(error.result.in_doubt)) == (True, True, 1)
    (failed,) = (event for event in recorder.events if isinstance(event, flowdsl.StepFailed))
    assert failed.error.charge_possible is True


@pytest.mark.parametrize("status", ["502", "503", "504"])
def test_a_post_that_a_gateway_lost_is_not_repeated_by_try(host: Any, status: str) -> None:
    flow = "- step: TRY\n  retry: {max: 2}\n  try:\n    - step: REST\n      url: URL\n      method: POST\n"
    flow += '  catch:\n    - step: SET\n      charged: "{{ flowContext.error.charge_possible }}"\n'
    with Web(response(b"", f"{status} Gateway")) as web:
        result = host(flow.replace("URL", web.url))
        assert len(web.seen) == 1
    assert (result.context["charged"], len(result.in_doubt)) == (True, 1)


@pytest.mark.parametrize(
    ("status", "may_be_done"), [("301", True), ("302", True), ("303", True), ("307", False), ("308", False)]
)
@pytest.mark.parametrize("place", ["/result", "//["], ids=["a place", "no place"])
def test_a_post_whose_result_is_elsewhere_is_not_called_free(
    host: Any, status: str, may_be_done: bool, place: str
) -> None:
    with Web(response(b"", f"{status} Elsewhere", f"location: {place}\r\n")) as web:
        error = failure(host, rest(web.url, method="POST"))
        assert len(web.seen) == 1
    assert (error.code, error.charge_possible) == ("redirect-refused", may_be_done)


@pytest.mark.parametrize(
    ("body", "options", "code"),
    [
        (b"x" * 100, {"maxBytes": 10}, "response-too-large"),
        (b"no json", {"outputs": "[{type: json, name: found}]"}, "not-json"),
    ],
    ids=["too large", "no json"],
)
@pytest.mark.parametrize(("method", "may_be_done"), [("POST", True), ("GET", False)])
def test_a_response_that_is_of_no_use_does_not_call_the_work_free(
    host: Any, body: bytes, options: dict[str, Any], code: str, method: str, may_be_done: bool
) -> None:
    with Web(response(body)) as web:
        error = failure(host, rest(web.url, method=method, **options))
    assert (error.code, error.charge_possible) == (code, may_be_done)


@pytest.mark.long
@pytest.mark.parametrize(("method", "may_be_done"), [("POST", True), ("PATCH", True), ("GET", False)])
@pytest.mark.parametrize("slow", [hang, drip])
def test_a_run_that_ends_while_a_post_is_out_says_that_it_may_be_charged(
    host: Any, slow: Response, method: str, may_be_done: bool
) -> None:
    limits = flowdsl.Limits(private_addresses=True, timeout_s=1)
    with Web(slow) as web:
        error = failure(host, rest(web.url, method=method), limits=limits)
    assert (error.code, error.charge_possible) == ("deadline", may_be_done)
    assert len(error.result.in_doubt) == may_be_done


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_request_is_sent_again_as_often_as_max_retries_says(host: Any, retries: int) -> None:
    with Web(BUSY) as web:
        error = failure(host, rest(f"{web.url}/a?key=secret", maxRetries=retries))
        assert len(web.seen) == retries + 1
    assert str(error) == f"GET {web.url}/a got 503 Service Unavailable: busy"
    assert facts(error) == ("ServiceUnavailable", 503, True, False, retries + 1)
    assert error.service == web.url.removeprefix("http://")


def test_the_pause_that_the_server_asks_for_is_kept(host: Any) -> None:
    recorder = Recorder()
    with Web(response(b"", "429 Too Many Requests", "Retry-After: 0.3\r\n"), response(b"ok")) as web:
        began = time.monotonic()
        host(rest(web.url), on_event=recorder)
        assert time.monotonic() - began >= 0.3
    assert [event.text for event in recorder.events if isinstance(event, flowdsl.Note)] == [
        f"GET {web.url} got 429 Too Many Requests; sent again in 0.3 s"
    ]


def test_a_server_that_asks_for_a_long_pause_is_not_waited_for(host: Any) -> None:
    with Web(response(b"", "429 Too Many Requests", "Retry-After: 3600\r\n")) as web:
        error = failure(host, rest(web.url))
    assert facts(error) == ("ServiceRateLimited", 429, True, False, 1)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_gets_no_connection_is_sent_again(host: Any, method: str) -> None:
    recorder = Recorder()
    with refusing() as url:
        error = failure(host, rest(url, method=method), on_event=recorder)
    assert str(error) == f"{method} {url} got no connection: Connection refused"
    assert facts(error) == ("ServiceUnavailable", None, True, False, 3)
    assert len([event for event in recorder.events if isinstance(event, flowdsl.Note)]) == 2


@pytest.mark.parametrize(("method", "repeatable"), [("GET", True), ("PUT", True), ("POST", False), ("PATCH", False)])
def test_a_connection_that_breaks_says_whether_the_work_may_be_done(host: Any, method: str, repeatable: bool) -> None:
    with Web(reset) as web:
        error = failure(host, rest(web.url, method=method, maxRetries=0))
    assert str(error).startswith(f"the response to {method} {web.url} is not complete: ")
    assert facts(error) == ("ServiceUnavailable", None, repeatable, not repeatable, 1)


@pytest.mark.long
@pytest.mark.parametrize("slow", [hang, drip])
def test_the_deadline_counts_for_the_whole_attempt(host: Any, slow: Response) -> None:
    began = time.monotonic()
    with Web(slow) as web:
        error = failure(host, rest(web.url, timeoutMs=1000))
        assert len(web.seen) == 1
    assert time.monotonic() - began < 20  # and not as long as the server takes
    assert str(error) == f"GET {web.url} got no response within 1 s"
    assert facts(error) == ("ServiceTimeout", None, True, False, 1)


def test_a_body_that_ends_early_is_no_response(host: Any) -> None:
    def cut(connection: Any, ended: Any) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort")

    with Web(cut) as web:
        error = failure(host, rest(web.url))
    assert str(error).startswith(f"the response to GET {web.url} is not complete: ")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (response(b"abc", headers="content-encoding: gzip\r\n"), "it cannot be unpacked: Error -3"),
        (
            response(gzip.compress(b"a" * 99, mtime=0)[:-9], headers="content-encoding: gzip\r\n"),
            "it ends before it is unpacked",
        ),
        (response(b"abc", headers="content-encoding: br\r\n"), "it is packed as 'br', which was not asked for"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_no_response(host: Any, given: bytes, reason: str) -> None:
    with Web(given) as web:
        error = failure(host, rest(web.url))
    assert str(error).startswith(f"the response to GET {web.url} is not complete: {reason}")


@pytest.mark.parametrize(
    "given",
    [
        response(b"x" * 1001),
        endless,
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nx",
        response(gzip.compress(b"x" * 100_000_000, mtime=0), headers="content-encoding: gzip\r\n"),
    ],
    ids=["one byte more", "endless", "announced", "packed"],
)
def test_a_response_that_is_too_large_is_left(host: Any, given: Response) -> None:
    with Web(given) as web:
        error = failure(host, rest(web.url, maxBytes=1000))
    assert (type(error).__name__, error.code) == ("StepError", "response-too-large")
    assert str(error) == f"the response to GET {web.url} has more than 1,000 bytes"


def test_a_response_of_just_the_limit_is_taken(host: Any) -> None:
    with Web(response(b"x" * 1000)) as web:
        assert len(host(rest(web.url, maxBytes=1000)).context["text"]) == 1000


def test_the_limit_of_the_host_counts_too(host: Any) -> None:
    limits = flowdsl.Limits(private_addresses=True, response_bytes=10)
    with Web(response(b"x" * 11)) as web:
        assert str(failure(host, rest(web.url), limits=limits)).endswith("has more than 10 bytes")


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        ("400 Bad Request", "ServiceRefused", False),
        ("401 Unauthorized", "ServiceRefused", False),
        ("404 Not Found", "ServiceRefused", False),
        ("408 Request Timeout", "ServiceTimeout", True),
        ("500 Internal Server Error", "ServiceUnavailable", True),
        ("504 Gateway Timeout", "ServiceTimeout", True),
        ("304 Not Modified", "ServiceRefused", False),
        ("799 Odd", "ServiceUnavailable", True),
    ],
)
def test_a_status_that_is_no_success_is_an_error_at_once(host: Any, status: str, kind: str, retryable: bool) -> None:
    with Web(response(b"" if status[:3] == "304" else b"no luck", status)) as web:
        error = failure(host, rest(web.url))
        assert len(web.seen) == 1
    assert facts(error) == (kind, int(status[:3]), retryable, False, 1)


def test_what_the_server_says_is_shown_short_and_without_what_was_sent_in_secret(host: Any) -> None:
    said = b"bad key tok-1234567890 and qqqqqqqq\n" + b"long " * 500
    with Web(response(said, "403 Forbidden")) as web:
        error = failure(host, rest(f"{web.url}/a?key=qqqqqqqq", headers="{Authorization: Bearer tok-1234567890}"))
    assert str(error).startswith(f"GET {web.url}/a got 403 Forbidden: bad key *** and *** long long")
    assert len(str(error)) < 280
    assert error.hint == "check the key in `headers`"


def test_redirects_are_followed_and_keys_stay_at_home(host: Any) -> None:
    with Web(response(b"there")) as other, Web() as web:
        web.responses = [
            response(b"", "302 Found", "location: /next?x=1\r\n"),
            response(b"", "307 Temporary Redirect", f"location: {other.url}/end\r\n"),
        ]
        flow = rest(web.url, headers="{X-Key: k, Accept: text/plain}", outputs="[{type: object, name: o}]")
        assert host(flow).context["o"]["url"] == f"{other.url}/end"
        assert [(seen.target, seen.headers.get("x-key")) for seen in web.seen] == [("/", "k"), ("/next?x=1", "k")]
        (last,) = other.seen
        assert (last.headers.get("x-key"), last.headers["accept"]) == (None, "text/plain")


def test_redirects_come_to_an_end(host: Any) -> None:
    with Web(response(b"", "302 Found", "location: /again\r\n")) as web:
        error = failure(host, rest(web.url))
        assert len(web.seen) == 6
    assert str(error) == f"GET {web.url}/again redirects (status 302) after 5 redirects already"
    assert error.code == "redirect-refused"


def test_a_request_that_changes_something_follows_no_redirect(host: Any) -> None:
    with Web(response(b"", "307 Temporary Redirect", "location: http://me:word@other.example/x?key=1\r\n")) as web:
        error = failure(host, rest(web.url, method="POST", body="x"))
        assert len(web.seen) == 1
    assert str(error) == (
        f"POST {web.url} redirects (status 307) to http://other.example/x, which only GET and HEAD follow"
    )


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:alert(1)", "http://[::1"])
def test_a_redirect_to_something_else_than_a_web_address_is_refused(host: Any, target: str) -> None:
    with Web(response(b"", "302 Found", f"location: {target}\r\n")) as web:
        error = failure(host, rest(web.url))
    assert error.code == "redirect-refused"
    assert str(error) == f"GET {web.url} redirects to something that is not a web address"


def test_no_cookie_is_kept_from_one_step_to_the_next(host: Any) -> None:
    with Web(response(b"a", headers="set-cookie: a=b\r\n")) as web:
        host(rest(web.url) + rest(web.url))
        assert [seen.headers.get("cookie") for seen in web.seen] == [None, None]


def test_cancelling_a_run_ends_the_request_and_leaves_no_files(tmp_path: Path) -> None:
    async def run(url: str, web: Web) -> None:
        environment = flowdsl.Environment(
            limits=flowdsl.Limits(private_addresses=True),
            storage=flowdsl.Storage(images=tmp_path / "i", output=tmp_path / "o"),
        )
        flow = environment.load(
            rest(url, outputs="[{type: blob, name: b}]") + "- step: DOWNLOAD\n  filename: x\n  in: b\n"
        )
        task = asyncio.create_task(flow.arun())
        while not web.seen:  # noqa: ASYNC110  the server is in another thread
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Web(drip) as web:
        asyncio.run(run(web.url, web))
    assert list(tmp_path.rglob("*")) == []
