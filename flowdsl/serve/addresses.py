"""What responds at which address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from flowdsl.nearest import nearest
from flowdsl.secrets.plain import without_keys
from flowdsl.serve.fields import shown
from flowdsl.serve.refusal import Refusal, not_found

_ENDS = "cancel"
_ENDING = frozenset({"stop", "abort", "end", "kill", "delete", "terminate"})
"""Words that people have for that."""
_WORDS = """
    assistants audio batches chat completions containers conversations embeddings engines evals files fine_tuning
    messages moderations realtime rerank responses threads uploads vector_stores videos"""
_OTHER_APIS = frozenset(_WORDS.split())
"""What vendors have beside their API of images."""
_VARIATIONS = ["images", "variations"]
_USUAL = "/v1"
"""What clients leave out who know their base address without it."""
_LONGEST_MEANT = 200
_LONGEST_READ = 500
"""What is meant by a longer address nobody looks for: each of its parts may be the first."""
Handler = Callable[[Request, Any], Awaitable[Response]]
"""Responds to what was raised."""


class Addresses:
    """Has the route of an address respond: a function of the request, or an ASGI application. That of an address
    without parameters is found by its name. `handlers` respond to what is raised, the first that is for it."""

    def __init__(self, routes: Sequence[Route], handlers: Mapping[type[Exception], Handler]) -> None:
        self._routes = routes
        self._named = {route.path: route for route in routes if not route.param_convertors}
        self._with_parameters = [route.path.split("/") for route in routes if route.param_convertors]
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
            takes, path = ", ".join(sorted(route.methods)), shown(scope["path"])[1:-1]
            ends = scope["method"] == "DELETE" and f"{route.path}/{_ENDS}".split("/") in self._with_parameters
            hint = f" POST {path}/{_ENDS} ends it." if ends else ""
            message = f"Not allowed to {shown(scope['method'])[1:-1]} on {path}; it takes {takes}.{hint}"
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
        served = near = None
        if len(scope["path"]) <= _LONGEST_READ:
            served = self._in_place_of(scope["path"].rstrip("/").split("/"))
            near = None if served else self._meant(scope["path"])
        if near is not None and not (len(near) <= _LONGEST_MEANT and near.isprintable()):
            near = None
        path = shown(scope["path"])[1:-1]
        raise not_found(shown(scope["method"])[1:-1], path, None if near is None else without_keys(near), served)

    def _in_place_of(self, parts: list[str]) -> str | None:
        """What is served in place of something else that vendors have beside this; None for every other address."""
        for number, word in enumerate(parts):
            is_variation = parts[number:] == _VARIATIONS
            if is_variation or word in _OTHER_APIS:
                base = "/".join(parts[:number]) or _USUAL
                edits = f"{base}/images/edits"
                if not (edits in self._named or self._is_there(edits)) or len(base) > _LONGEST_MEANT:
                    return None
                edits = without_keys(shown(edits)[1:-1])
                if is_variation:
                    return f"no model that is served has variations: POST {edits} makes a picture of another one"
                return f"this gateway makes pictures: POST {edits.removesuffix('edits')}generations, or {edits}"
        return None

    def _meant(self, path: str) -> str | None:
        """The address that is likely to be meant: this one without what stands before or behind it, one that goes on
        where this one ends, or the most similar one."""
        parts = path.rstrip("/").split("/")
        for first in range(len(parts) - 1):
            inside = "/".join(["", *parts[first + 1 :]])
            if inside in self._named or self._is_there(inside):
                return inside
        for route in self._routes:
            *begin, last = route.path.split("/")
            if len(begin) == len(parts) and _filled(begin, parts) == parts:
                return "/".join([*parts, last])
        *before, word = parts
        if self._is_there(above := "/".join(before)):
            asked = f"{above}/{_ENDS if word in _ENDING else word}"
            return asked if self._is_there(asked) else self._alike(parts) or above
        return self._alike(parts) or nearest("/".join(parts), self._named)

    def _is_there(self, path: str) -> bool:
        """Whether there is an address with something at the place of its parameters."""
        parts = path.split("/")
        return "" not in parts[1:] and any(
            len(each) == len(parts) and _filled(each, parts) == parts for each in self._with_parameters
        )

    def _alike(self, parts: list[str]) -> str | None:
        """An address with parameters of which each other part is nearly what is said."""
        for address in self._with_parameters:
            found = _filled(address, parts) if len(address) == len(parts) else parts
            if found != parts and all(
                nearest(each, [own]) == own or each == own for each, own in zip(parts, found, strict=True)
            ):
                return "/".join(found)
        return None


def _filled(address: list[str], parts: list[str]) -> list[str]:
    """The parts of an address with parameters, which have what is said at their place."""
    return [said if own[:1] == "{" else own for own, said in zip(address, parts, strict=True)]
