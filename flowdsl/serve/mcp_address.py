"""`/mcp`: the flows of a gateway as tools of agents, by the streamable HTTP of the Model Context Protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Container, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from sse_starlette.sse import AppStatus
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from flowdsl.environment.flow import Flow
from flowdsl.serve.access import Access
from flowdsl.serve.asked import AskedByAll
from flowdsl.serve.bodies import LONGEST_JSON, whole_body
from flowdsl.serve.flow_runs import Given
from flowdsl.serve.headers import check_room
from flowdsl.serve.metrics import Metrics
from flowdsl.serve.pictures import Pictures
from flowdsl.serve.refusal import Refusal, stopping
from flowdsl.serve.tools import ASKS_BY_RESULT, OWNER_TAG, Purse, Question, Shared, Tools


class McpAddress:
    """An ASGI application for one address. Each call is paid for by the token that it shows. With a folder that several
    processes `share` none of them has sessions: whichever gets a message responds to it."""

    def __init__(
        self,
        flows: Mapping[str, Flow],
        access: Access,
        pictures: Pictures,
        question: Question,
        given: Given,
        tell: Callable[[str], None],
        metrics: Metrics,
        share: Path | None = None,
    ) -> None:
        self._access = access
        self._pictures = pictures
        self._metrics = metrics
        asked = None if share is None else AskedByAll(share)
        self._tools = Tools(flows, Shared(self._purse, question, self._said, given, tell, pictures.own_file, asked))
        self._has_sessions = share is None
        self._manager = StreamableHTTPSessionManager(
            self._tools.server, stateless=not self._has_sessions, max_request_body_size=LONGEST_JSON
        )
        self._stopping = asyncio.Event()
        self._is_cut_off = False
        self._responding: set[asyncio.Task[Any]] = set()

    @property
    def in_flight(self) -> int:
        """How many calls are worked on."""
        return self._tools.in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on, once it shows a token that counts.

        Raises:
            Refusal: it shows none, the gateway does all it can, or ends; or it needs a session, and there are none.
        """
        if self._stopping.is_set():
            raise stopping()
        request = Request(scope)
        token = self._access.token(request)
        if request.method == "POST":
            check_room(self.in_flight)
            await self._access.count(token)
            # The manager would wait for a body however long it takes.
            body = await whole_body(Request(scope, receive), LONGEST_JSON)
            if not self._has_sessions and _gives_up(request, body):
                raise _without_sessions(400)
            receive = _after(body, receive)
            self._note(asyncio.current_task())
        elif not self._has_sessions:
            raise _without_sessions(405)
        await self._manager.asgi_app(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serves as long as the block; after `stop` what is called is finished, but for `cut_off`, and then every
        connection is ended."""
        AppStatus.enable_automatic_graceful_drain = False  # it ends what is still to be responded to, by a signal
        ready = asyncio.Event()
        task = asyncio.create_task(self._serve(ready))
        await ready.wait()
        try:
            yield
        finally:
            self.stop()
            if self._is_cut_off:
                await self._tools.idle()  # by then each has ended in order, and its run stands as it is
                task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.result()

    def cut_off(self) -> int:
        """Has what is called ended, and not finished; gives how many calls that are."""
        self._is_cut_off = True
        return self._tools.cut_off()

    def stop(self) -> None:
        """Takes no more calls."""
        self._stopping.set()

    async def _serve(self, ready: asyncio.Event) -> None:
        async with self._manager.run():
            ready.set()
            await self._stopping.wait()
            await self._tools.idle()
            while self._responding:  # a run is over before its response is
                await asyncio.wait(self._responding)

    def _note(self, task: asyncio.Task[Any] | None) -> None:
        if task is not None:
            self._responding.add(task)
            task.add_done_callback(self._responding.discard)

    def _purse(self, request: Any) -> Purse:
        token = self._access.token(request)
        tags = {"agent": "mcp", **({} if token is None else {OWNER_TAG: token.name})}
        state = request.scope["state"]
        models, bought = None if token is None else token.models, self._metrics.and_in(state)
        return Purse(self._access.journal(token), tags, models, bought, partial(state.__setitem__, "purchases"))

    def _said(self, request: Any, value: Any, known: Container[str]) -> Any:
        return self._pictures.published(value, str(request.base_url), known)


def _gives_up(request: Request, body: bytes) -> bool:
    """Whether a client of an older version names a call that it gives up: another process may work on that, and has
    only its connection. By the newer version every client closes that."""
    if b"notifications/cancelled" not in body or request.headers.get("mcp-protocol-version", "") >= ASKS_BY_RESULT:
        return False
    with suppress(ValueError, RecursionError):
        message = json.loads(body)
        return isinstance(message, dict) and message.get("method") == "notifications/cancelled"
    return False


def _without_sessions(status: int) -> Refusal:
    message = (
        "This gateway has several processes, and no sessions: at /mcp no stream is opened or gone on with, and no "
        "session ended; send each message by POST. A call is given up by closing its connection."
    )
    return Refusal(status, message, code="mcp_without_sessions", headers={"allow": "POST"} if status == 405 else {})


def _after(body: bytes, receive: Receive) -> Receive:
    """What gives a body that is there, and then whatever else comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return waiting.pop() if waiting else await receive()

    return received
