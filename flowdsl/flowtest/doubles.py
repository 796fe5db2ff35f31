"""What stands between a tested flow and the world: every request is written down, and web services are mocks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

import httpx

if TYPE_CHECKING:
    from ssl import SSLContext

    from flowdsl.document.document import Document
    from flowdsl.engine.effects import Effect, Effects
    from flowdsl.syntax.node import Node

T = TypeVar("T")
_SENDING: ContextVar[dict[str, Any] | None] = ContextVar("sending", default=None)
"""The request that is written down, for the transport to add what is really sent."""
REQUESTS = ("image", "http")
"""The kinds of effects that are requests."""
_NOT_MOCKED = 501
_THIS_MACHINE = "127.0.0.1"
_TEXT_BYTES = 100_000


class Door:
    """A door for effects that writes requests down, and waits for nothing: pauses are skipped. `inner` is the door that
    requests go through then. Lots are drawn the same in each run."""

    def __init__(self, document: Document, inner: Effects, seed: str) -> None:
        self._ids = {step.path: step.id for step in document.every_step() if step.id is not None}
        self._inner = inner
        self._seed = seed
        self.requests: list[dict[str, Any]] = []
        """What was asked for, in order."""

    async def perform(self, effect: Effect, act: Callable[[], Awaitable[T]]) -> T:
        """The result of an effect."""
        if effect.key == "sleep":
            return cast("T", _without_waiting(act()))
        if effect.key not in REQUESTS:
            return await act()
        invocation = effect.invocation
        request: dict[str, Any] = {"step": invocation.step, "path": invocation.path}
        if invocation.path in self._ids:
            request["id"] = self._ids[invocation.path]
        described = {key: value for key, value in effect.request.items() if key != "bodySha256"}
        options = described.pop("request", {})
        request |= {**described, **options}
        self.requests.append(request)
        token = _SENDING.set(request)
        try:
            return await self._inner.perform(effect, act)
        finally:
            _SENDING.reset(token)

    def perform_now(self, effect: Effect, act: Callable[[], T]) -> T:
        """The result of an effect that needs no waiting."""
        if effect.key == "random":
            drawn: Any = int.from_bytes(hashlib.sha256(self._seed.encode()).digest()[:6])
            return cast("T", drawn)
        return act()


def _without_waiting(pause: Any) -> Any:
    """What a pause does before it waits; it is not waited for."""
    try:
        pause.send(None)
    except StopIteration as done:
        return done.value
    finally:
        pause.close()
    return None


class Mocks:
    """The web services of a case: opens a transport that responds as the mocks say, and hands what is for the simulator
    on to it. A request that no mock is for gets 501, and is in `unmocked`."""

    def __init__(self, mocks: Sequence[Node]) -> None:
        self._mocks = [_Mock(node) for node in mocks]
        self.simulator = ""
        """The address of the simulator, once it runs."""
        self.unmocked: list[str] = []

    def open(self, tls: SSLContext | None) -> httpx.AsyncBaseTransport:
        """A transport."""
        return _Transport(self)

    def unused(self) -> list[Node]:
        """The mocks that no request was for."""
        return [mock.node for mock in self._mocks if mock.times == 0]

    def response(self, request: httpx.Request, content: bytes) -> httpx.Response:
        """The response to a request."""
        url = str(request.url)
        noted = _SENDING.get()
        if noted is not None:
            noted["url"] = url
            noted.update(_body(content))
        for mock in self._mocks:
            if mock.is_for(request.method, url):
                return mock.response()
        self.unmocked.append(f"{request.method} {url}")
        return httpx.Response(_NOT_MOCKED, text="no mock of the test is for this request")


class _Mock:
    def __init__(self, node: Node) -> None:
        self.node = node
        self.times = 0
        values: Mapping[str, Node] = node.value
        self._url = _pattern(str(values["url"].value))
        self._method = str(values["method"].value).upper() if "method" in values else None
        self._responses: list[Node] = values["responses"].value if "responses" in values else [node]

    def is_for(self, method: str, url: str) -> bool:
        known = self._url.fullmatch(url) or self._url.fullmatch(url.partition("?")[0])
        return self._method in (None, method) and known is not None

    def response(self) -> httpx.Response:
        node = self._responses[min(self.times, len(self._responses) - 1)]
        self.times += 1
        return _response(node)


def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, glob.split("*"))), re.DOTALL)


def _response(node: Node) -> httpx.Response:
    plain = node.plain()
    status = plain.get("status", 200)
    headers = {str(name): str(value) for name, value in plain.get("headers", {}).items()}
    if status >= 400:
        headers.setdefault("retry-after-ms", "1")  # what is sent again is not waited for
    if "json" in plain:
        return httpx.Response(status, headers=headers, json=plain["json"])
    if "text" in plain:
        return httpx.Response(status, headers=headers, text=plain["text"])
    if "file" not in plain:
        return httpx.Response(status, headers=headers)
    from flowdsl.document.files import Files
    from flowdsl.syntax.opened import read_file

    named, files = str(plain["file"]), Files(node.source)
    real, _ = files.resolve(named if named.startswith(("/", "./", "../")) else f"./{named}", node.span)
    if real is None:
        return httpx.Response(_NOT_MOCKED, text=f"there is no file {named}")
    import mimetypes

    headers.setdefault("content-type", mimetypes.guess_type(real)[0] or "application/octet-stream")
    return httpx.Response(status, headers=headers, content=read_file(real, files.root))


def _body(content: bytes) -> dict[str, Any]:
    """The body of a request as a test can compare it: the value of JSON, or a text."""
    if not content or len(content) > _TEXT_BYTES:
        return {}
    import json

    try:
        text = content.decode()
    except UnicodeDecodeError:
        return {}
    try:
        return {"body": json.loads(text)}
    except (ValueError, RecursionError):
        return {"body": text}


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, mocks: Mocks) -> None:
        self._mocks = mocks
        self._inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=64))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        simulator = self._mocks.simulator
        if simulator and str(request.url).startswith(f"{simulator}/"):
            response = await self._inner.handle_async_request(request)
            response.extensions["peer"] = _THIS_MACHINE  # the pictures that it links to lie there too
            return response
        return self._mocks.response(request, await request.aread())

    async def aclose(self) -> None:
        await self._inner.aclose()
