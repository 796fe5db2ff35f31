"""Streamed responses: server-sent events with partial images, then the finished one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable

from flowdsl_steps.image.simulator.gallery import Picture
from flowdsl_steps.image.simulator.refusal import vendor_error
from flowdsl_steps.image.simulator.responses import input_tokens, output_tokens
from flowdsl_steps.image.simulator.usage import PARTIAL_IMAGE_TOKENS, usage_body
from flowdsl_steps.image.simulator.validation import AcceptedRequest

Draw = Callable[[int, float], Awaitable[Picture]]
PARTIAL, COMPLETED = ".partial_image", ".completed"
"""How the names of the events end; what is before it is the operation."""


async def events(
    request: AcceptedRequest, draw: Draw, created: int, fault: str | None
) -> AsyncIterator[tuple[bytes, ...]]:
    """The events of a stream, each as pieces of bytes.

    `draw` gives picture number i at a sharpness. Every image of the request has its own partial images and its own
    completed event. With a `fault` the stream goes wrong in place of the first completed event, and ends there.
    """
    operation = "image_edit" if request.inputs else "image_generation"
    for index in range(request.n):
        for partial in range(request.partial_images):
            sharpness = (partial + 1) / (request.partial_images + 1)
            picture = await draw(index, sharpness)
            yield _event(
                operation + PARTIAL, {**_facts(request, created), "partial_image_index": partial}, picture.base64
            )
        if fault == "empty_data":
            return
        if fault == "stream_error":
            yield (_error_event(),)
            return
        picture = await draw(index, 1.0)
        usage = usage_body(
            request.prompt,
            output_tokens(request) + PARTIAL_IMAGE_TOKENS * request.partial_images,
            details=False,
            image_tokens=input_tokens(request) // request.n,
        )
        fields = {**_facts(request, created), "usage": usage}
        if fault == "truncated_json":
            kind = (operation + COMPLETED).encode()
            yield (b"event: " + kind + b'\ndata: {"type": "' + kind + b'", "b64_\n\n',)
            return
        yield _event(operation + COMPLETED, fields, (b"*not base64*",) if fault == "bad_base64" else picture.base64)


def _facts(request: AcceptedRequest, created: int) -> dict[str, object]:
    facts: dict[str, object] = {
        "created_at": created,
        "size": request.size,
        "quality": request.quality,
        "background": request.background,
        "output_format": request.output_format,
    }
    if request.safety_identifier:
        facts["safety_identifier"] = request.safety_identifier
    return facts


def _event(kind: str, fields: dict[str, object], base64: tuple[bytes, ...]) -> tuple[bytes, ...]:
    head = f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})[:-1]}, " + '"b64_json": "'
    return (head.encode(), *base64, b'"}\n\n')


def _error_event() -> bytes:
    response = vendor_error(
        500, "The server had an error while generating the image.", kind="server_error", code="server_error"
    )
    return b"event: error\ndata: " + json.dumps(response.body).encode() + b"\n\n"
