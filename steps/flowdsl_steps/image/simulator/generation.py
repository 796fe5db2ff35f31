"""Answers a request for images: judged, drawn, and spoiled when a fault says so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowdsl_steps.image.simulator import answers, stream
from flowdsl_steps.image.simulator.exchange import Exchange
from flowdsl_steps.image.simulator.fault_answers import fault_answer
from flowdsl_steps.image.simulator.faults import Fault
from flowdsl_steps.image.simulator.files import MIME
from flowdsl_steps.image.simulator.gallery import Picture, picture_digest
from flowdsl_steps.image.simulator.judge import ImageRequest
from flowdsl_steps.image.simulator.models import Vendor
from flowdsl_steps.image.simulator.refusal import Refusal

if TYPE_CHECKING:
    from flowdsl_steps.image.simulator.app import ImagesApi

_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Call:
    """One request being answered. `number` counts requests, `began` is the clock's time at arrival."""

    api: ImagesApi
    exchange: Exchange
    vendor: Vendor
    number: int
    began: float
    fault: Fault | None

    def headers(self) -> dict[str, str]:
        """The vendor's headers for this answer."""
        seconds = self.api.clock() - self.began
        return answers.vendor_headers(self.vendor, self.number, self.exchange.headers, seconds)

    def has(self, *kinds: str) -> bool:
        """Whether the fault is one of these."""
        return self.fault is not None and self.fault.kind in kinds


async def spoil_early(call: Call) -> bool:
    """Commits the faults that need no valid request; True when there is nothing left to answer.

    Raises: Refusal for the faults that are ordinary error answers.
    """
    fault = call.fault
    if fault is None:
        return False
    if fault.delay and await call.exchange.left_within(fault.delay):
        return True
    error = fault_answer(fault, call.vendor, call.api.clock())
    if error is not None:
        raise Refusal(error)
    if fault.kind == "html_error":
        await call.exchange.answer(502, {"content-type": "text/html"}, [_HTML])
    elif fault.kind == "hang":
        await call.exchange.gone()
    elif fault.kind == "reset_before_body":
        await call.exchange.reset()
    else:
        return False
    return True


async def generate(call: Call, request: ImageRequest) -> None:
    """Answers a valid request with its images."""
    request = call.api.numbered(request)
    latency = call.api.latency_s
    if latency and await call.exchange.left_within(latency):
        return
    if request.stream:
        await _stream(call, request)
    else:
        await _answer(call, request)


async def draw(call: Call, request: ImageRequest, index: int, sharpness: float = 1.0) -> Picture:
    """A picture of the request, drawn in a thread unless it is there already."""
    gallery = call.api.gallery
    known = gallery.known(request, index, sharpness)
    if known is not None:
        return known
    return await asyncio.to_thread(gallery.picture, request, index, sharpness)


async def _answer(call: Call, request: ImageRequest) -> None:
    pictures = [] if call.has("empty_data") else [await draw(call, request, index) for index in range(request.n)]
    if call.has("bad_base64"):
        pictures = [Picture(picture.content, (b"*not base64*",)) for picture in pictures]
    publish = request.wants_url or call.has("redirect")

    def url_of(picture: Picture, index: int) -> str:
        return _publish(call, request, picture, index)

    created = int(call.api.clock())
    body = list(answers.generation_body(request, pictures, created, call.vendor, url_of if publish else None))
    headers = {"content-type": "application/json", **call.headers()}
    exchange = call.exchange
    if call.has("truncated_json"):
        content = b"".join(body)
        await exchange.answer(200, headers, [content[: len(content) // 2]])
    elif call.has("reset", "stream_cut", "stream_error"):
        content = b"".join(body)
        await exchange.start(200, {**headers, "content-length": str(len(content))})
        await exchange.write(content[: len(content) // 2])
        await _break_off(call)
    else:
        await exchange.answer(200, headers, body)


async def _break_off(call: Call) -> None:
    # What was written needs a moment to reach the client: a reset throws away what is still in the buffers.
    if await call.exchange.left_within(0.02):
        return
    if call.has("reset"):
        await call.exchange.reset()
    else:
        await call.exchange.cut()


def _publish(call: Call, request: ImageRequest, picture: Picture, index: int) -> str:
    identity = f"img-{picture_digest(request, index)[:24]}"
    path = call.api.files.publish(identity, picture, MIME[request.output_format])
    if call.fault is not None and call.fault.kind == "redirect":
        target = call.fault.location or call.exchange.origin + path
        path = call.api.files.redirect(identity, target)
    return call.exchange.origin + path


async def _stream(call: Call, request: ImageRequest) -> None:
    exchange = call.exchange

    async def drawn(index: int, sharpness: float) -> Picture:
        return await draw(call, request, index, sharpness)

    await exchange.start(200, {"content-type": "text/event-stream; charset=utf-8", **call.headers()})
    kind = call.fault.kind if call.fault is not None else None
    async for pieces in stream.events(request, drawn, int(call.api.clock()), kind):
        if call.has("reset", "stream_cut") and stream.COMPLETED.encode() in pieces[0]:
            await exchange.write(pieces[0])
            await _break_off(call)
            return
        for piece in pieces:
            await exchange.write(piece)
    await exchange.finish()
