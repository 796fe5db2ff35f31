"""The HTTP side of the gateway: addresses, who may speak to it, and responses."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowdsl.events import PartialImage
from flowdsl.serve.access import Access
from flowdsl.serve.bodies import ClientGone, edit, generation
from flowdsl.serve.fields import Asked, shown
from flowdsl.serve.flow_addresses import FlowAddresses
from flowdsl.serve.gateway import Asker, Gateway, Made
from flowdsl.serve.headers import NO_STORE, check_room, key_of
from flowdsl.serve.hosts import stranger
from flowdsl.serve.pictures import Pictures
from flowdsl.serve.refusal import Refusal, not_found, stopping
from flowdsl.serve.responses import completed_events, error_event, images_body, partial_event, whole
from flowdsl.serve.tokens import Tokens

if TYPE_CHECKING:
    from flowdsl.image.image import Image

_SENT_WHOLE = 512 * 1024


class Application:
    """The gateway's application. `paths` are the beginnings of the addresses of the images APIs that it speaks, each
    with what `response_format` is there where a request does not say it."""

    def __init__(
        self,
        gateway: Gateway,
        pictures: Pictures,
        access: Access,
        flows: FlowAddresses,
        paths: Mapping[str, str],
    ) -> None:
        self._gateway = gateway
        self._pictures = pictures
        self._access = access
        self.is_stopping = False
        routes = [
            Route(f"{path}/images/{name}", partial(self._images, read=read, usual=usual), methods=["POST"])
            for path, usual in paths.items()
            for name, read in (("generations", generation), ("edits", edit))
        ]
        routes += [
            Route("/v1/models", self._models),
            Route("/pictures/{signature}/{expires}/{name}", self._picture),
            *flows.routes(),
            Route("/healthz", self._health),
            Route("/readyz", self._ready),
        ]
        handlers: dict[Any, Any] = {Refusal: _refused, 404: _no_address, 405: _no_method, ClientGone: _gone, 500: _bug}
        self.asgi: ASGIApp = _Outside(Starlette(routes=routes, exception_handlers=handlers), access.tokens)

    async def _images(
        self, request: Request, read: Callable[[Request, str | None], Awaitable[Asked]], usual: str
    ) -> Response:
        if self.is_stopping:
            raise stopping()
        check_room(self._gateway.in_flight)
        token = self._access.token(request)
        await self._access.count(token)
        asked = await read(request, request.path_params.get("deployment"))
        key = key_of(request)
        self._access.check_model(token, asked.model)
        route = self._gateway.route(asked)
        heard: asyncio.Queue[PartialImage] = asyncio.Queue()
        owner = "" if token is None else token.name
        asker = Asker(owner, self._access.journal(token), heard.put_nowait)
        task = self._gateway.start(asked, route, asker, key)
        if asked.stream:
            return await self._stream(task, heard, asked)
        made = await asyncio.shield(task)
        address = partial(self._address, request) if (asked.response_format or usual) == "url" else None
        length, pieces = images_body(made, asked, address)
        headers = {**NO_STORE, **_cost(made)}
        if length <= _SENT_WHOLE:
            return Response(whole(pieces), media_type="application/json", headers=headers)
        headers["content-length"] = str(length)
        return StreamingResponse(_sent(pieces), media_type="application/json", headers=headers)

    async def _stream(self, task: asyncio.Task[Made], heard: asyncio.Queue[PartialImage], asked: Asked) -> Response:
        """The events of a request. What fails before the first of them is an ordinary refusal."""
        waiting = asyncio.ensure_future(heard.get())
        await asyncio.wait(set[asyncio.Future[Any]]((waiting, task)), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            await asyncio.shield(task)

        async def events() -> AsyncIterator[bytes]:
            following: asyncio.Future[PartialImage] | None = waiting if not waiting.cancelled() else None
            while following is not None:
                await asyncio.wait(set[asyncio.Future[Any]]((following, task)), return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    break
                event = following.result()
                for piece in partial_event(event, event.image, asked, self._gateway.now()):  # type: ignore[arg-type]
                    yield piece
                following = asyncio.ensure_future(heard.get())
            try:
                made = await asyncio.shield(task)
            except Refusal as refusal:
                yield error_event(refusal.body())
                return
            for piece in completed_events(made, asked):
                yield piece

        return StreamingResponse(events(), media_type="text/event-stream", headers=NO_STORE)

    def _address(self, request: Request, image: Image) -> str:
        return self._pictures.address_of(Path(image.original).name, str(request.base_url))

    async def _models(self, request: Request) -> Response:
        token = self._access.token(request)
        names = [name for name in self._gateway.routing.names() if token is None or token.may_use(name)]
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "flowdsl"} for name in names]
        return JSONResponse({"object": "list", "data": models})

    async def _picture(self, request: Request) -> Response:
        found = self._pictures.file_of(**request.path_params)
        if found is None or not found[0].is_file():
            message = "There is no such picture, or its address is over: addresses are good for an hour."
            raise Refusal(404, message, code="picture_not_found")
        headers = {
            "cache-control": "private, max-age=3600, immutable",
            "x-content-type-options": "nosniff",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        }
        return FileResponse(found[0], media_type=found[1], headers=headers)

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _ready(self, request: Request) -> Response:
        if self.is_stopping:
            raise stopping()
        return JSONResponse({"status": "ready", "in_flight": self._gateway.in_flight})


class _Outside:
    """What every request meets first: an id, and where no token is needed a look at the names in it. A page of a
    stranger can make its own name point to this machine (DNS rebinding); `Host` and `Origin` give it away."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id = f"req_{secrets.token_hex(16)}"
        scope.setdefault("state", {})["request_id"] = id

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", id.encode())]
            await send(message)

        problem = None if self._tokens.required else stranger(scope["headers"])
        if problem is not None:
            refusal = Refusal(403, problem, code="unknown_host", headers={"connection": "close"})
            await _response(refusal)(scope, receive, sent)
            return
        await self._app(scope, receive, sent)


def _cost(made: Made) -> dict[str, str]:
    return {} if made.cost_usd is None else {"x-flowdsl-cost-usd": f"{made.cost_usd:.6f}"}


async def _sent(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _response(refusal: Refusal) -> Response:
    return JSONResponse(refusal.body(), refusal.status, {**NO_STORE, **refusal.headers})


async def _refused(request: Request, refusal: Refusal) -> Response:
    return _response(refusal)


async def _no_address(request: Request, error: Exception) -> Response:
    return _response(not_found(request.method, shown(request.url.path)[1:-1]))


async def _no_method(request: Request, error: Exception) -> Response:
    allowed = getattr(error, "headers", None) or {}
    message = f"Not allowed to {shown(request.method)[1:-1]} on {shown(request.url.path)[1:-1]}."
    return _response(Refusal(405, message, code="method_not_allowed", headers=allowed))


async def _gone(request: Request, error: ClientGone) -> Response:
    return Response(status_code=499)


async def _bug(request: Request, error: Exception) -> Response:
    message = "The gateway had an error; its log has more under the id of this request."
    return _response(Refusal(500, message, kind="server_error", code="internal_error"))
