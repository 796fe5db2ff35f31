"""Responds to a request for images: validated, drawn, and spoiled when a fault says so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from flowdsl_steps.image.simulator import responses, stream
from flowdsl_steps.image.simulator.asgi import Asgi
from flowdsl_steps.image.simulator.fault_responses import fault_response
from flowdsl_steps.image.simulator.faults import Fault
from flowdsl_steps.image.simulator.files import MIME
from flowdsl_steps.image.simulator.gallery import Picture, picture_digest
from flowdsl_steps.image.simulator.models import Vendor
from flowdsl_steps.image.simulator.refusal import Refusal
from flowdsl_steps.image.simulator.state import State
from flowdsl_steps.image.simulator.validation import AcceptedRequest

_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Call:
    """One request being responded to. `number` counts requests, `began` is the clock's time at arrival."""

    state: State
    asgi: Asgi
    vendor: Vendor
    number: int
    began: float
    fault: Fault | None

    def headers(self) -> dict[str, str]:
        """The vendor's headers for this response."""
        seconds = self.state.clock() - self.began
        return responses.vendor_headers(self.vendor, self.number, self.asgi.headers, seconds)

    def has(self, *kinds: str) -> bool:
        """Whether the fault is one of these."""
        return self.fault is not None and self.fault.kind in kinds


async def spoil_early(call: Call) -> bool:
    """Commits the faults that need no valid request; True when there is nothing left to respond to.

    Raises: Refusal for the faults that are ordinary error responses.
    """
    fault = call.fault
    if fault is None:
        return False
    if fault.delay and await call.asgi.left_within(fault.delay):
        return True
    error = fault_response(fault, call.vendor, call.state.clock())
    if error is not None:
        raise Refusal(error)
    if fault.kind == "html_error":
        await call.asgi.respond(502, {"content-type": "text/html"}, [_HTML])
    elif fault.kind == "hang":
        await call.asgi.gone()
    elif fault.kind == "reset_before_body":
        await call.asgi.reset()
    else:
        return False
    return True


async def generate(call: Call, request: AcceptedRequest) -> None:
    """Responds to a valid request with its images."""
    request = call.state.numbered(request)
    latency = call.state.latency_s
    if latency and await call.asgi.left_within(latency):
        return
    if request.stream:
        await _stream(call, request)
    else:
        await _respond(call, request)


async def draw(call: Call, request: AcceptedRequest, index: int, sharpness: float = 1.0) -> Picture:
    """A picture of the request, drawn in a thread unless it is there already."""
    gallery = call.state.gallery
    known = gallery.known(request, index, sharpness)
    if known is not None:
        return known
    return await asyncio.to_thread(gallery.picture, request, index, sharpness)


async def _respond(call: Call, request: AcceptedRequest) -> None:
    pictures = [] if call.has("empty_data") else [await draw(call, request, index) for index in range(request.n)]
    if call.has("bad_base64"):
        pictures = [Picture(picture.content, (b"*not base64*",)) for picture in pictures]
    publish = request.wants_url or call.has("redirect")

    def url_of(picture: Picture, index: int) -> str:
        return _publish(call, request, picture, index)

    created = int(call.state.clock())
    body = list(responses.generation_body(request, pictures, created, call.vendor, url_of if publish else None))
    headers = {"content-type": "application/json", **call.headers()}
    asgi = call.asgi
    if call.has("truncated_json"):
        content = b"".join(body)
        await asgi.respond(200, headers, [content[: len(content) // 2]])
    elif call.has("reset", "stream_cut", "stream_error"):
        content = b"".join(body)
        await asgi.start(200, {**headers, "content-length": str(len(content))})
        await asgi.write(content[: len(content) // 2])
        await _break_off(call)
    else:
        await asgi.respond(200, headers, body)


async def _break_off(call: Call) -> None:
    # What was written needs a moment to reach the client: a reset throws away what is still in the buffers.
    if await call.asgi.left_within(0.02):
        return
    if call.has("reset"):
        await call.asgi.reset()
    else:
        await call.asgi.cut()


def _publish(call: Call, request: AcceptedRequest, picture: Picture, index: int) -> str:
    identity = f"img-{picture_digest(request, index)[:24]}"
    path = call.state.files.publish(identity, picture, MIME[request.output_format])
    if call.fault is not None and call.fault.kind == "redirect":
        target = call.fault.location or call.asgi.origin + path
        path = call.state.files.redirect(identity, target)
    return call.asgi.origin + path


async def _stream(call: Call, request: AcceptedRequest) -> None:
    asgi = call.asgi

    async def drawn(index: int, sharpness: float) -> Picture:
        return await draw(call, request, index, sharpness)

    await asgi.start(200, {"content-type": "text/event-stream; charset=utf-8", **call.headers()})
    kind = call.fault.kind if call.fault is not None else None
    async for pieces in stream.events(request, drawn, int(call.state.clock()), kind):
        if call.has("reset", "stream_cut") and stream.COMPLETED.encode() in pieces[0]:
            await asgi.write(pieces[0])
            await _break_off(call)
            return
        for piece in pieces:
            await asgi.write(piece)
    await asgi.finish()
