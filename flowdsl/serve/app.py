"""The HTTP side of the gateway: addresses, who may speak to it, and responses."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from flowdsl import __version__
from flowdsl.errors import UsageError
from flowdsl.journal.errors import JournalError
from flowdsl.serve.access import Access
from flowdsl.serve.addresses import Addresses, Handler
from flowdsl.serve.bodies import ClientGone, edit, generation, held_of
from flowdsl.serve.content import note_revised
from flowdsl.serve.fields import Asked
from flowdsl.serve.flow_addresses import FlowAddresses
from flowdsl.serve.gateway import Asker, CameImage, Gateway, Made, Making
from flowdsl.serve.headers import NO_STORE, check_room, key_of
from flowdsl.serve.metrics import TYPE, Metrics
from flowdsl.serve.openapi import openapi, with_models
from flowdsl.serve.openapi_page import WELCOME, page
from flowdsl.serve.outside import HANDLERS, Log, Outside, bug, closed, refused, response_of
from flowdsl.serve.pictures import Pictures
from flowdsl.serve.reading import Reading
from flowdsl.serve.refusal import Refusal, of_run, stopping
from flowdsl.serve.responses import error_event, images_body, whole
from flowdsl.serve.streamed import Streamed

if TYPE_CHECKING:
    from flowdsl.image.image import Image

_RANGE = re.compile("bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-[0-9]{1,18})")
_SENT_WHOLE = 512 * 1024
_PAGE = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
_PLACES = {
    "docs": "/docs",
    "openapi": "/openapi.json",
    "models": "/v1/models",
    "flows": "/flows",
    "health": "/healthz",
}


class Application:
    """The gateway's application. `paths` are the beginnings of the addresses of the images APIs that it speaks, each
    with what `response_format` is there where a request does not say it; `log` gets a line for each request, with
    `log_content` also of what it asks for; `mcp` responds to agents."""

    def __init__(
        self,
        gateway: Gateway,
        pictures: Pictures,
        access: Access,
        flows: FlowAddresses,
        paths: Mapping[str, str],
        mcp: ASGIApp,
        metrics: Metrics,
        *,
        tell: Log,
        log: Log | None = None,
        log_content: bool = False,
    ) -> None:
        self._gateway = gateway
        self._pictures = pictures
        self._access = access
        self._flows = flows
        self._paths = paths
        self._metrics = metrics
        self.reading = Reading()
        self.is_stopping = False
        routes = [
            Route(f"{path}/images/{name}", partial(self._images, read=read, usual=usual), methods=["POST"])
            for path, usual in paths.items()
            for name, read in (("generations", generation), ("edits", edit))
        ]
        routes += [
            Route("/", self._root),
            *(Route(f"{path}/models", self._models) for path in with_models(paths)),
            *(Route(f"{path}/models/{{model:path}}", self._model) for path in with_models(paths)),
            Route("/pictures/{signature}/{expires}/{name}", self._picture),
            *flows.routes(),
            Route("/mcp", mcp),
            Route("/metrics", self._counts),
            Route("/openapi.json", self._openapi),
            Route("/docs", self._page),
            Route("/healthz", self._health),
            Route("/readyz", self._ready),
        ]

        async def unreadable(request: Request, error: Exception) -> Response:
            return response_of(closed(UsageError(str(error)), tell))

        async def hidden(request: Request, refusal: Refusal) -> Response:
            refusal.message = pictures.published(refusal.message, "")
            return await refused(request, refusal)

        async def unkept(request: Request, error: JournalError) -> Response:
            return await hidden(request, of_run(error))

        handlers: dict[type[Exception], Handler] = {
            **HANDLERS,
            Refusal: hidden,
            UsageError: unreadable,
            JournalError: unkept,
        }
        inside = ServerErrorMiddleware(Addresses(routes, handlers), bug)
        self.asgi = Outside(inside, access.tokens, self._metrics, self.reading, tell, log, log_content=log_content)

    async def _images(
        self, request: Request, read: Callable[[Request, str | None], Awaitable[Asked]], usual: str
    ) -> Response:
        if self.is_stopping:
            raise stopping()
        check_room(self._gateway.in_flight)
        token = self._access.token(request)
        await self._access.count(token)
        state = request.scope["state"]
        owner = "" if token is None else token.name
        asked = await read(request, request.path_params.get("deployment"))
        key = key_of(request)
        self._access.check_model(token, asked.model)
        route = self._gateway.route(asked)
        state["model"] = asked.model
        heard: asyncio.Queue[CameImage | None] = asyncio.Queue()
        bought = self._metrics.and_in(state)
        asker = Asker(owner, self._access.journal(token), heard.put_nowait, bought)
        if asked.is_edit and await request.is_disconnected():  # while its form was read
            raise ClientGone
        making = state["making"] = self._gateway.start(asked, route, asker, key)
        task = making.task
        held_of(request).kept_by(task)
        task.add_done_callback(lambda task: _note(task, state))
        if asked.stream:
            task.add_done_callback(lambda _: heard.put_nowait(None))
            return await self._stream(making, heard, asked)
        made = await making.made()
        address = partial(self._address, request) if (asked.response_format or usual) == "url" else None
        length, pieces = images_body(made, asked, address)
        headers = {**NO_STORE, **_cost(made)}
        if length <= _SENT_WHOLE:
            return Response(whole(pieces), media_type="application/json", headers=headers)
        headers["content-length"] = str(length)
        return StreamingResponse(_sent(pieces), media_type="application/json", headers=headers)

    async def _stream(self, making: Making, heard: asyncio.Queue[CameImage | None], asked: Asked) -> Response:
        """The events of a request. What fails before the first of them is an ordinary refusal."""
        first = await heard.get()
        if first is None:
            await making.made()

        async def events() -> AsyncIterator[bytes]:
            event, streamed = first, Streamed(asked)
            while event is not None:
                for piece in streamed.came(event, self._gateway.now()):
                    yield piece
                event = await heard.get()
            try:
                made = await making.made()
            except Refusal as refusal:
                yield error_event(self._pictures.published(refusal.body(), ""))
                return
            for piece in streamed.rest(made):
                yield piece

        return StreamingResponse(events(), media_type="text/event-stream", headers=NO_STORE)

    def _address(self, request: Request, image: Image) -> str:
        return self._pictures.address_of(Path(image.original).name, str(request.base_url))

    async def _root(self, request: Request) -> Response:
        """Says where to look, to whoever comes without an address."""
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(WELCOME, headers=_PAGE)
        return JSONResponse({"message": "A flowdsl gateway: /docs says what it serves.", **_PLACES})

    async def _models(self, request: Request) -> Response:
        token = self._access.token(request)
        names = [name for name in self._gateway.routing.names() if token is None or token.may_use(name)]
        return JSONResponse({"object": "list", "data": [_model(name) for name in names]})

    async def _model(self, request: Request) -> Response:
        token, name = self._access.token(request), request.path_params["model"]
        self._access.check_model(token, name)
        if self._gateway.routing.route(name) is None:
            raise self._gateway.no_model(name)
        return JSONResponse(_model(name))

    async def _picture(self, request: Request) -> Response:
        found = self._pictures.file_of(**request.path_params)
        if found is None or not found[0].is_file():
            message = "There is no such picture, or its address is over: addresses are good for an hour."
            raise Refusal(404, message, code="picture_not_found")
        tag = f'"{found[0].stem}"'  # of its bytes
        headers = {
            "cache-control": "private, max-age=3600, immutable",
            "etag": tag,
            "x-content-type-options": "nosniff",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        }
        if {tag, f"W/{tag}", "*"} & {each.strip() for each in request.headers.get("if-none-match", "").split(",")}:
            return Response(status_code=304, headers=headers)
        if not _is_range(request.headers.get("range", "")):  # it counts as none
            request.scope["headers"] = [each for each in request.scope["headers"] if each[0] != b"range"]
        return FileResponse(found[0], media_type=found[1], headers=headers)

    async def _counts(self, request: Request) -> Response:
        self._access.token(request)
        return Response(self._metrics.text(), media_type=TYPE)

    async def _openapi(self, request: Request) -> Response:
        return JSONResponse(self._described())

    async def _page(self, request: Request) -> Response:
        models = [] if self._access.tokens.required else self._gateway.routing.names()
        return HTMLResponse(page(self._described(), models), headers=_PAGE)

    def _described(self) -> dict[str, Any]:
        """What is served; where tokens are needed it names no flow and no model, as nobody has shown one."""
        if self._access.tokens.required:
            return openapi(self._paths, {}, __version__, guarded=True)
        return openapi(self._paths, self._flows.schemas(), __version__, self._gateway.routing.names())

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _ready(self, request: Request) -> Response:
        if self.is_stopping:
            raise stopping()
        return JSONResponse({"status": "ready", "in_flight": self._gateway.in_flight})


def _is_range(text: str) -> bool:
    """Whether it names one part of a picture: nobody has to serve several at once."""
    found = _RANGE.fullmatch(text)
    return found is not None and not (found[2] and int(found[2]) < int(found[1]))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "flowdsl"}


def _note(task: asyncio.Task[Made], state: dict[str, Any]) -> None:
    """Notes for the log what a request has brought; what another one has bought costs nothing."""
    if not task.cancelled() and task.exception() is None:
        images = task.result().images
        state["images"] = len(images)
        note_revised(state, (image.revised_prompt for image in images))
        state.setdefault("cost_usd", 0.0)


def _cost(made: Made) -> dict[str, str]:
    return {} if made.cost_usd is None else {"x-flowdsl-cost-usd": f"{made.cost_usd:.6f}"}


async def _sent(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
