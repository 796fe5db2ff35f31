"""Responses with pictures, as pieces: a picture is read from its file while it is sent, never whole in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pybase64

if TYPE_CHECKING:
    from flowdsl.events import PartialImage
    from flowdsl.image.image import Image
    from flowdsl.serve.fields import Asked
    from flowdsl.serve.gateway import Made

_BLOCK = 3 * 16 * 1024
"""A multiple of three bytes, which base64 makes four letters of."""
_ABOUT = ("size", "quality", "usage")


def images_body(made: Made, asked: Asked, address: Callable[[Image], str] | None) -> tuple[int, Iterator[bytes]]:
    """The body of a response with finished pictures, its length, and its pieces. With an `address` the pictures are
    links, else they are in it."""
    heads = [_item(image, address) for image in made.images]
    facts: dict[str, Any] = {"created": made.created}
    formats = {_format(image) for image in made.images}
    if len(formats) == 1:
        facts["output_format"] = formats.pop()
    if "background" in asked.options:
        facts["background"] = asked.options["background"]
    facts |= {name: made.facts[name] for name in _ABOUT if made.facts.get(name) is not None}
    start = f'{json.dumps(facts)[:-1]}, "data": ['.encode()
    end = b"]}"
    bytes_of = [0 if address is not None else _base64_length(image) for image in made.images]
    length = len(start) + sum(len(a) + len(b) for a, b in heads) + sum(bytes_of) + max(0, len(heads) - 1) + len(end)

    def pieces() -> Iterator[bytes]:
        yield start
        for number, (image, (before, after)) in enumerate(zip(made.images, heads, strict=True)):
            yield b"," + before if number else before
            if address is None:
                yield from _base64_of(image)
            yield after
        yield end

    return length, pieces()


def partial_event(event: PartialImage, image: Image, asked: Asked, created: int) -> Iterator[bytes]:
    """The event of a stream for an unfinished picture."""
    facts = {**_stream_facts(image, asked, {}, created), "partial_image_index": event.index}
    return _event(f"{_operation(asked)}.partial_image", facts, image)


def completed_events(made: Made, asked: Asked) -> Iterator[bytes]:
    """The events of a stream for finished pictures. Each says what of the usage is its own, so that who adds them up
    has what was used."""
    usage = made.facts.get("usage")
    for number, image in enumerate(made.images):
        facts = _stream_facts(image, asked, made.facts, made.created)
        if usage is not None:
            facts["usage"] = _share(usage, number, len(made.images))
        yield from _event(f"{_operation(asked)}.completed", facts, image)


def error_event(body: Mapping[str, Any]) -> bytes:
    """The event for a failure after a stream has begun."""
    return f"event: error\ndata: {json.dumps(body)}\n\n".encode()


def _operation(asked: Asked) -> str:
    return "image_edit" if asked.is_edit else "image_generation"


def _share(value: Any, number: int, count: int) -> Any:
    """What of a usage falls to one of so many pictures: whole tokens, which add up to all of them."""
    if isinstance(value, Mapping):
        found = {name: _share(each, number, count) for name, each in value.items()}
        if isinstance(found.get("total_tokens"), int):
            found["total_tokens"] = found.get("input_tokens", 0) + found.get("output_tokens", 0)
        return found
    if isinstance(value, int) and not isinstance(value, bool):
        return value // count + (number < value % count)
    return value


def _stream_facts(image: Image, asked: Asked, facts: Mapping[str, Any], created: int) -> dict[str, Any]:
    size = f"{image.width}x{image.height}" if image.width else asked.options.get("size") or "auto"
    return {
        "created_at": created,
        "size": size,
        "quality": facts.get("quality") or asked.options.get("quality") or "auto",
        "background": asked.options.get("background") or "auto",
        "output_format": _format(image),
    }


def _event(kind: str, facts: Mapping[str, Any], image: Image) -> Iterator[bytes]:
    head = f"event: {kind}\ndata: {json.dumps({'type': kind, **facts})[:-1]}, " + '"b64_json": "'
    yield head.encode()
    yield from _base64_of(image)
    yield b'"}\n\n'


def _item(image: Image, address: Callable[[Image], str] | None) -> tuple[bytes, bytes]:
    """What stands before and after a picture in `data`."""
    revised = "" if image.revised_prompt is None else f', "revised_prompt": {json.dumps(image.revised_prompt)}'
    if address is not None:
        return f'{{"url": {json.dumps(address(image))}{revised}}}'.encode(), b""
    return b'{"b64_json": "', f'"{revised}}}'.encode()


def _format(image: Image) -> str:
    return image.mime.partition("/")[2].partition("+")[0]


def _base64_length(image: Image) -> int:
    return 4 * ((image.bytes + 2) // 3)


def _base64_of(image: Image) -> Iterator[bytes]:
    with Path(image.original).open("rb") as file:
        while block := file.read(_BLOCK):
            yield pybase64.b64encode(block)


def whole(pieces: Iterator[bytes] | Sequence[bytes]) -> bytes:
    """The pieces in one."""
    return b"".join(pieces)
