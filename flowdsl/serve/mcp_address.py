"""`/mcp`: the flows of a gateway as tools of agents, by the streamable HTTP of the Model Context Protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Container, Mapping
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from flowdsl.environment.flow import Flow
from flowdsl.serve.access import Access
from flowdsl.serve.bodies import LONGEST_JSON, whole_body
from flowdsl.serve.flow_runs import Given
from flowdsl.serve.headers import check_room
from flowdsl.serve.metrics import Metrics
from flowdsl.serve.pictures import Pictures
from flowdsl.serve.refusal import stopping
from flowdsl.serve.tools import Purse, Question, Shared, Tools


class McpAddress:
    """An ASGI application for one address. Each call is paid for by the token that it shows."""

    def __init__(
        self,
        flows: Mapping[str, Flow],
        access: Access,
        pictures: Pictures,
        question: Question,
        given: Given,
        tell: Callable[[str], None],
        metrics: Metrics,
    ) -> None:
        self._access = access
        self._pictures = pictures
        self._metrics = metrics
        self._tools = Tools(flows, Shared(self._purse, question, self._said, given, tell, pictures.own_file))
        self._manager = StreamableHTTPSessionManager(self._tools.server, max_request_body_size=LONGEST_JSON)
        self._stopping = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """How many calls are worked on."""
        return self._tools.in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on, once it shows a token that counts.

        Raises:
            Refusal: it shows none, the gateway does all it can, or ends.
        """
        if self._stopping.is_set():
            raise stopping()
        request = Request(scope)
        token = self._access.token(request)
        if request.method == "POST":
            check_room(self.in_flight)
            await self._access.count(token)
        if request.method == "POST":  # the manager would wait for a body however long it takes
            receive = _after(await whole_body(Request(scope, receive), LONGEST_JSON), receive)
        await self._manager.asgi_app(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serves as long as the block; after `stop` what is called is finished, and then every connection is ended."""
        ready = asyncio.Event()
        task = asyncio.create_task(self._serve(ready))
        await ready.wait()
        try:
            yield
        finally:
            self.stop()
            await task

    def stop(self) -> None:
        """Takes no more calls."""
        self._stopping.set()

    async def _serve(self, ready: asyncio.Event) -> None:
        async with self._manager.run():
            ready.set()
            await self._stopping.wait()
            await self._tools.idle()

    def _purse(self, request: Any) -> Purse:
        token = self._access.token(request)
        tags = {"agent": "mcp", **({} if token is None else {"token": token.name})}
        bought = self._metrics.and_in(request.scope["state"])
        return Purse(self._access.journal(token), tags, None if token is None else token.models, bought)

    def _said(self, request: Any, value: Any, known: Container[str]) -> Any:
        return self._pictures.published(value, str(request.base_url), known)


def _after(body: bytes, receive: Receive) -> Receive:
    """What gives a body that is there, and then whatever else comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return waiting.pop() if waiting else await receive()

    return received
