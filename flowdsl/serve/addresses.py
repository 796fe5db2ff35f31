"""What responds at which address."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from flowdsl.serve.fields import shown
from flowdsl.serve.refusal import Refusal, not_found


class Addresses:
    """Has the route of an address respond: a function of the request, or an ASGI application. That of an address
    without parameters is found by its name."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes
        self._named = {route.path: route for route in routes if not route.param_convertors}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Responds.

        Raises:
            Refusal: there is nothing, or not for the method.
        """
        route = self._named.get(scope["path"]) or self._matching(scope)
        scope["state"]["place"] = route.path
        if route.methods and scope["method"] not in route.methods:
            message = f"Not allowed to {shown(scope['method'])[1:-1]} on {shown(scope['path'])[1:-1]}."
            raise Refusal(405, message, code="method_not_allowed", headers={"allow": ", ".join(sorted(route.methods))})
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
        raise not_found(shown(scope["method"])[1:-1], shown(scope["path"])[1:-1])
