"""The pictures behind `url` results, for an hour."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from flowdsl_steps.image.simulator.asgi import Asgi
from flowdsl_steps.image.simulator.gallery import Picture

# Source: OpenAI Images API: a URL is valid for 60 minutes after the image has been generated.
LIFETIME_S = 3600
_KEEP = 512
MIME = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "svg": "image/svg+xml",
}
_EXPIRED = (
    b"<?xml version='1.0' encoding='utf-8'?><Error><Code>AuthenticationFailed</Code>"
    b"<Message>Signature not valid in the specified time frame.</Message></Error>"
)


@dataclass(frozen=True, slots=True)
class _Shelf:
    picture: Picture
    mime: str
    expires: float


class PublishedFiles:
    """Pictures by id. `clock` gives unix seconds and decides what has expired."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._files: OrderedDict[str, _Shelf] = OrderedDict()
        self._redirects: dict[str, str] = {}

    def publish(self, identity: str, picture: Picture, mime: str) -> str:
        """The path of a picture, good for an hour."""
        self._files[identity] = _Shelf(picture, mime, self._clock() + LIFETIME_S)
        self._files.move_to_end(identity)
        while len(self._files) > _KEEP:
            self._files.popitem(last=False)
        return f"/v1/images/files/{identity}.png"

    def redirect(self, identity: str, target: str) -> str:
        """The path that responds with a redirect to `target`."""
        self._redirects[identity] = target
        return f"/v1/images/moved/{identity}.png"

    async def serve(self, asgi: Asgi, identity: str) -> None:
        """Responds with the picture: 404 when unknown, 403 when expired."""
        shelf = self._files.get(identity)
        if shelf is None:
            await asgi.respond(404, {"content-type": "text/plain"}, [b"Not found"])
        elif self._clock() >= shelf.expires:
            await asgi.respond(403, {"content-type": "application/xml"}, [_EXPIRED])
        else:
            await asgi.respond(200, {"content-type": shelf.mime}, [shelf.picture.content])

    async def serve_redirect(self, asgi: Asgi, identity: str) -> None:
        """Responds with a redirect, 404 when unknown."""
        target = self._redirects.get(identity)
        if target is None:
            await asgi.respond(404, {"content-type": "text/plain"}, [b"Not found"])
        else:
            await asgi.respond(302, {"location": target}, [])

    def clear(self) -> None:
        """Forgets all files."""
        self._files.clear()
        self._redirects.clear()
