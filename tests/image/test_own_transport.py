"""A host's own transport: what it sends, what still holds with it, and what is its own matter."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest
from image_pictures import drawn

import flowdsl
from flowdsl import Environment, Limits, OpenTransport, ServiceError, Storage, UsageError
from flowdsl.testing import StubContext, run_step
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.io.rest import Rest

PICTURE = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A boat\n  quality: low\n"
REST = "- step: REST\n  url: %s\n"
PNG = drawn("PNG")
Reply = Callable[[httpx.Request], httpx.Response]


def opened(reply: Reply) -> OpenTransport:
    return lambda tls: httpx.MockTransport(reply)


def environment(folder: Path, transport: OpenTransport, **more: Any) -> Environment:
    entry = {"endpoint": "https://images.invalid/v1", "apiKey": "sk-0123456789abcdef", **more.pop("entry", {})}
    return Environment(
        services={"OPENAI_IMAGE_GENERATION": entry},
        storage=Storage(images=folder),
        settings=None,
        environ={},
        transport=transport,
        **more,
    )


def pictures(*items: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json={"data": list(items)})


def test_image_requests_and_the_links_in_their_responses_go_by_the_transport_of_the_host(tmp_path: Path) -> None:
    asked: list[tuple[str, str, str | None]] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, str(request.url), request.headers.get("authorization")))
        return (
            httpx.Response(200, content=PNG) if request.method == "GET" else pictures({"url": "https://cdn.invalid/a"})
        )

    result = environment(tmp_path, opened(reply)).run(PICTURE)
    assert [image.read() for image in result.images] == [PNG]
    assert asked == [
        ("POST", "https://images.invalid/v1/images/generations", "Bearer sk-0123456789abcdef"),
        ("GET", "https://cdn.invalid/a", None),
    ]


def test_rest_goes_by_the_transport_of_the_host_and_of_no_other_environment(tmp_path: Path) -> None:
    flow = REST % "https://api.invalid/"
    own = environment(tmp_path, opened(lambda request: httpx.Response(200, text="mocked")))
    other = environment(tmp_path, opened(lambda request: httpx.Response(200, text="other")))
    assert [each.run(flow).outputs["text"] for each in (own, other, own)] == ["mocked", "other", "mocked"]
    with pytest.raises(ServiceError, match="no connection"):
        Environment(settings=None).run("- step: REST\n  url: https://api.invalid/\n  maxRetries: 0\n")


def test_a_transport_is_opened_once_for_an_open_environment_and_closed_with_it(tmp_path: Path) -> None:
    said: list[str] = []

    class Counted(httpx.MockTransport):
        async def aclose(self) -> None:
            said.append("closed")

    def open_transport(tls: ssl.SSLContext | None) -> httpx.AsyncBaseTransport:
        said.append("opened")
        return Counted(lambda request: httpx.Response(200, text="ok"))

    with environment(tmp_path, open_transport) as kept:
        for _ in range(3):
            kept.run(REST % "https://api.invalid/")
        assert said == ["opened"]
    assert said == ["opened", "closed"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://2130706433/", "http://10.0.0.1/"]
)
def test_private_addresses_are_refused_before_a_transport_of_the_host_is_asked(tmp_path: Path, url: str) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        raise AssertionError("it was asked")

    with pytest.raises(flowdsl.RunError, match="private address"):
        environment(tmp_path, opened(reply)).run(REST % json.dumps(url))


def test_a_name_that_this_machine_knows_as_private_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def inside(*asked: Any, **more: Any) -> list[Any]:
        return [(2, 1, 6, "", ("10.1.2.3", 0))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", inside)
    with pytest.raises(flowdsl.RunError, match=r"leads to the private address 10\.1\.2\.3"):
        environment(tmp_path, opened(lambda request: httpx.Response(200))).run(REST % "https://intranet.example/")
    allowed = environment(
        tmp_path, opened(lambda request: httpx.Response(200, text="ok")), limits=Limits(private_addresses=True)
    )
    assert allowed.run(REST % "https://intranet.example/").outputs["text"] == "ok"


def test_redirects_are_followed_with_care_whatever_the_transport(tmp_path: Path) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": "http://169.254.169.254/keys"})

    with pytest.raises(flowdsl.RunError, match=r"out of https|private"):
        environment(tmp_path, opened(reply)).run(REST % "https://api.invalid/")


@pytest.mark.long
def test_limits_of_size_and_time_hold_whatever_the_transport(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    large = environment(
        tmp_path, opened(lambda request: httpx.Response(200, content=endless())), limits=Limits(response_bytes=10**6)
    )
    with pytest.raises(flowdsl.RunError, match="more than 1,000,000 bytes"):
        large.run(REST % "https://api.invalid/")

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(60)
            raise AssertionError

    with pytest.raises(ServiceError, match="within 1 s"):
        environment(tmp_path, lambda tls: Silent()).run(f"{REST % 'https://api.invalid/'}  timeoutMs: 1000\n")


SENT_OR_NOT: dict[str, tuple[type[Exception], int, bool]] = {
    "no connection": (httpx.ConnectError, 3, False),
    "no turn in the pool": (httpx.PoolTimeout, 3, False),
    "a broken connection": (httpx.ReadError, 1, True),
    "a protocol error": (httpx.RemoteProtocolError, 1, True),
    "an error of the system": (ConnectionResetError, 1, True),
    "a mistake of the host": (KeyError, 1, True),
}


@pytest.mark.parametrize("case", SENT_OR_NOT)
def test_a_paid_request_that_may_have_left_is_not_sent_again(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, times, charge_possible = SENT_OR_NOT[case]
    asked: list[int] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(1)
        raise error("no luck")

    monkeypatch.setattr("flowdsl_steps.image.sender.repeated", _without_pauses())
    with pytest.raises(ServiceError) as raised:
        environment(tmp_path, opened(reply)).run(f"{PICTURE}  maxRetries: 2\n")
    assert (len(asked), raised.value.charge_possible) == (times, charge_possible)
    assert any("no luck" in str(cause) for cause in causes(raised.value))


def causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _without_pauses() -> Any:
    from flowdsl_steps.http import attempt

    async def repeated(work: Any, max_retries: int, on_retry: Any) -> Any:
        for left in range(max_retries, -1, -1):
            try:
                return await work()
            except attempt.Again as failed:
                if not left:
                    raise failed.error from failed.__cause__
        raise AssertionError

    return repeated


def test_a_body_that_the_transport_breaks_off_is_no_picture_and_may_be_billed(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b'{"data": [{"b64_json": "'
        raise OSError(104, "Connection reset by peer")

    with pytest.raises(ServiceError, match="before the response was complete") as raised:
        environment(tmp_path, opened(lambda request: httpx.Response(200, content=broken()))).run(PICTURE)
    assert raised.value.charge_possible


def test_certificates_of_an_entry_reach_the_transport_of_the_host(tmp_path: Path) -> None:
    given: list[ssl.SSLContext | None] = []

    def open_transport(tls: ssl.SSLContext | None) -> httpx.AsyncBaseTransport:
        given.append(tls)
        body = {"b64_json": base64.b64encode(PNG).decode()}
        return httpx.MockTransport(lambda request: pictures(body))

    environment(tmp_path, open_transport).run(PICTURE)
    environment(tmp_path, open_transport, entry={"caPem": certifi.where()}).run(PICTURE)
    assert given[0] is None
    assert isinstance(given[1], ssl.SSLContext)


def test_a_transport_of_httpx_itself_serves_real_connections(tmp_path: Path) -> None:
    with Simulator() as simulator:
        entry = {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}
        with environment(tmp_path, lambda tls: httpx.AsyncHTTPTransport(), entry=entry) as real:
            assert len({real.run(PICTURE).images[0].sha256 for _ in range(3)}) >= 1
            assert simulator.request_count == 3


def test_what_is_no_transport_is_a_mistake_of_the_host(tmp_path: Path) -> None:
    async def later(tls: object) -> Any:
        return None

    wrong: list[Any] = [httpx.MockTransport(lambda request: httpx.Response(200)), later]
    for given in wrong:
        with pytest.raises(UsageError, match="transport"):
            Environment(transport=given)


def test_a_function_that_opens_no_transport_is_named_and_not_the_step(tmp_path: Path) -> None:
    def broken(tls: object) -> Any:
        raise OSError("no proxy today")

    client: Any = lambda tls: httpx.Client()  # noqa: E731
    for given, message in (
        (broken, "cannot be opened: no proxy today"),
        (client, "gives Client, and no httpx.AsyncBaseTransport"),
    ):
        for flow in (REST % "https://api.invalid/", PICTURE):
            with pytest.raises(flowdsl.ConfigError) as raised:
                environment(tmp_path, given).run(flow)
            assert (raised.value.code, raised.value.charge_possible) == ("transport-failed", False)
            assert message in raised.value.message


def test_a_step_alone_is_tested_with_a_transport(tmp_path: Path) -> None:
    context = StubContext(transport=opened(lambda request: httpx.Response(200, text=f"asked {request.url.host}")))
    assert run_step(Rest(url="https://api.invalid/"), context) == {"text": "asked api.invalid"}


class Mute(Exception):
    """Fails to say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


FAILURES = [RuntimeError("cannot close"), Mute(), asyncio.CancelledError()]


@pytest.mark.parametrize("failure", FAILURES, ids=["an error", "no words", "a cancellation of its own"])
def test_a_response_or_transport_that_fails_to_close_costs_no_picture_that_is_paid_for(
    failure: BaseException, tmp_path: Path
) -> None:
    content = json.dumps({"data": [{"b64_json": base64.b64encode(PNG).decode()}]}).encode()

    class Body(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield content

        async def aclose(self) -> None:
            raise failure

    class Closing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Body())

        async def aclose(self) -> None:
            raise failure

    result = environment(tmp_path, lambda tls: Closing()).run(PICTURE)
    assert [image.read() for image in result.images] == [PNG]


@pytest.mark.parametrize("failure", FAILURES[:2], ids=["an error", "no words"])
def test_a_transport_that_fails_to_open_is_named_and_not_the_step(failure: BaseException, tmp_path: Path) -> None:
    class Opening(httpx.AsyncBaseTransport):
        async def __aenter__(self) -> Opening:
            raise failure

    for flow in (REST % "https://api.invalid/", PICTURE):
        with pytest.raises(flowdsl.ConfigError) as raised:
            environment(tmp_path, lambda tls: Opening()).run(flow)
        assert (raised.value.code, raised.value.charge_possible) == ("transport-failed", False)
