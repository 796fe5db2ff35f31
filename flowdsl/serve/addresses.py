"""What responds at which address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from flowdsl.nearest import nearest
from flowdsl.serve.fields import shown
from flowdsl.serve.refusal import Refusal, not_found

Handler = Callable[[Request, Any], Awaitable[Response]]
"""Responds to what was raised."""


class Addresses:
    """Has the route of an address respond: a function of the request, or an ASGI application. That of an address
    without parameters is found by its name. `handlers` respond to what is raised, the first that is for it."""

    def __init__(self, routes: Sequence[Route], handlers: Mapping[type[Exception], Handler]) -> None:
        self._routes = routes
        self._named = {route.path: route for route in routes if not route.param_convertors}
        self._handlers = handlers
        self._met = tuple(handlers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Responds."""
        try:
            await self._respond(scope, receive, send)
        except self._met as error:
            handler = next(found for kind, found in self._handlers.items() if isinstance(error, kind))
            response = await handler(Request(scope, receive, send), error)
            await response(scope, receive, send)
            error.__traceback__ = None  # of a refusal that is kept for whoever asks again

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._named.get(scope["path"]) or self._matching(scope)
        scope["state"]["place"] = route.path
        if route.methods and scope["method"] not in route.methods:
            takes = ", ".join(sorted(route.methods))
            message = (
                f"Not allowed to {shown(scope['method'])[1:-1]} on {shown(scope['path'])[1:-1]}; it takes {takes}."
            )
            raise Refusal(405, message, code="method_not_allowed", headers={"allow": takes})
        if route.app is route.endpoint:
            await route.app(scope, receive, send)
            return
        response: Response = await route.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    def _matching(self, scope: Scope) -> Route:
        for route in self._routes:
            match, found = route.matches(scope)
            if match is not Match.NONE:
                scope.update(found)
                return route
        raise not_found(shown(scope["method"])[1:-1], shown(scope["path"])[1:-1], self._meant(scope["path"]))

    def _meant(self, path: str) -> str | None:
        """The address that is likely to be meant: one that goes on where this one ends, or the most similar one."""
        path = path.rstrip("/")
        if path in self._named:
            return path
        parts, alike = path.split("/"), list(self._named)
        for route in self._routes:
            *begin, last = route.path.split("/")
            if len(begin) == len(parts) and _filled(begin, parts) == parts:
                return "/".join([*parts, last])
            if len(begin) + 1 == len(parts) and last[:1] != "{":
                alike.append("/".join(_filled([*begin, last], parts)))
        return nearest(path, alike)


def _filled(address: list[str], parts: list[str]) -> list[str]:
    """The parts of an address with parameters, which have what is said at their place."""
    return [said if own[:1] == "{" else own for own, said in zip(address, parts, strict=True)]
