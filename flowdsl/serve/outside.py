"""What every request meets first and last: an id, a look at who asks, a refusal where nothing else responded, a count,
a line of the log."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowdsl.errors import UsageError
from flowdsl.secrets.plain import without_keys
from flowdsl.serve.addresses import Handler
from flowdsl.serve.bodies import ClientGone
from flowdsl.serve.content import CONTENT
from flowdsl.serve.headers import NO_STORE
from flowdsl.serve.hosts import stranger
from flowdsl.serve.metrics import Metrics
from flowdsl.serve.purchases import Purchases
from flowdsl.serve.reading import Held, Reading
from flowdsl.serve.refusal import Refusal, cut_off
from flowdsl.serve.tokens import Tokens

Log = Callable[[str], None]
"""Writes a line of the log."""
_OTHER = "other"
"""The address in counts of what has none of ours."""
_GONE = 499
"""The status in the log of a request whose client left before it was there."""


class Outside:
    """The outermost layer. Where no token is needed it looks at the names in a request: a page of a stranger can make
    its own name point to this machine (DNS rebinding); `Host` and `Origin` give it away. `log` gets a line of JSON for
    each request, without its token, and without what it asks for unless `log_content`; `tell` says to whoever runs the
    gateway what it cannot do."""

    def __init__(
        self,
        app: ASGIApp,
        tokens: Tokens,
        metrics: Metrics,
        reading: Reading,
        tell: Log,
        log: Log | None = None,
        *,
        log_content: bool = False,
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._metrics = metrics
        self._reading = reading
        self._tell = tell
        self._log = log
        self._log_content = log_content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        id, began, status = _new_id(), time.perf_counter(), _GONE
        held = Held(self._reading)
        scope.setdefault("state", {}).update(request_id=id, held=held)
        if self._log_content:
            scope["state"][CONTENT] = {}

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", id.encode())]
            await send(message)

        try:
            await self._respond(scope, receive, sent)
        except asyncio.CancelledError:  # a second signal ends everything at once
            if status != _GONE:
                raise
            purchases: Purchases | None = scope["state"].get("purchases")  # of an agent's call, which has ended by now
            refusal = cut_off(charge_possible=purchases is not None and purchases.is_charged)
            await response_of(refusal)(scope, receive, sent)
        finally:
            held.end()
            elapsed = time.perf_counter() - began
            self._metrics.request(scope["state"].get("place", _OTHER), status, elapsed)
            if self._log is not None:
                self._log(json.dumps(_line(scope, id, status, elapsed), ensure_ascii=False))

    def refused(self, status: int, code: str) -> str:
        """Something came that is no request, and got this response; gives the id that it is logged by."""
        id = _new_id()
        self._metrics.request(_OTHER, status, 0.0)
        if self._log is not None:
            self._log(json.dumps({"time": _now(), "request": id, "status": status, "code": code}))
        return id

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            problem = None if self._tokens.required else stranger(scope["headers"])
        except UsageError as error:
            await response_of(closed(error, self._tell))(scope, receive, send)
            return
        if problem is not None:
            refusal = Refusal(403, problem, code="unknown_host", headers={"connection": "close"})
            await response_of(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _line(scope: Scope, id: str, status: int, elapsed_s: float) -> dict[str, Any]:
    """What the log says of a request: what it asks for only where that is noted, and never the query of its
    address."""
    state = scope["state"]
    facts = {name: state[name] for name in ("token", "model", "images", "cost_usd", "code") if name in state}
    path = without_keys(scope["path"])  # a client may have put one there, in place of a model or flow
    if path.startswith("/pictures/"):
        path = "/pictures/…"  # whoever reads it could fetch it
    return {
        "time": _now(),
        "request": id,
        "method": scope["method"],
        "path": path,
        "status": status,
        "elapsed_ms": round(elapsed_s * 1000, 1),
        **facts,
        **state.get(CONTENT, {}),
    }


def _new_id() -> str:
    return f"req_{secrets.token_hex(16)}"


def _now() -> str:
    now = time.time()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now * 1000) % 1000:03d}Z"


def closed(error: UsageError, tell: Log) -> Refusal:
    """Nobody can be let in; why is told to whoever runs the gateway."""
    tell(str(error))
    message = "The gateway cannot read its tokens; its log says why."
    return Refusal(503, message, kind="server_error", code="tokens_unreadable", headers={"x-should-retry": "false"})


def response_of(refusal: Refusal) -> Response:
    """The response for a refusal."""
    return JSONResponse(refusal.body(), refusal.status, {**NO_STORE, **refusal.headers})


async def refused(request: Request, refusal: Refusal) -> Response:
    """The response for a refusal, which the log says too."""
    request.scope["state"]["code"] = refusal.code
    return response_of(refusal)


async def _gone(request: Request, error: ClientGone) -> Response:
    return Response(status_code=_GONE)


async def bug(request: Request, error: Exception) -> Response:
    """The response where the gateway itself is wrong."""
    message = "The gateway had an error; its log has more under the id of this request."
    return response_of(Refusal(500, message, kind="server_error", code="internal_error"))


HANDLERS: Mapping[type[Exception], Handler] = {Refusal: refused, ClientGone: _gone}
"""What responds to what is raised."""
