"""Responses with pictures, as pieces: a picture is read from its file while it is sent, never whole in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pybase64

if TYPE_CHECKING:
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
    formats = {format_of(image) for image in made.images}
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
                yield from base64_of(image)
            yield after
        yield end

    return length, pieces()


def error_event(body: Mapping[str, Any]) -> bytes:
    """The event for a failure after a stream has begun."""
    return f"event: error\ndata: {json.dumps(body)}\n\n".encode()


def _item(image: Image, address: Callable[[Image], str] | None) -> tuple[bytes, bytes]:
    """What stands before and after a picture in `data`."""
    revised = "" if image.revised_prompt is None else f', "revised_prompt": {json.dumps(image.revised_prompt)}'
    if address is not None:
        return f'{{"url": {json.dumps(address(image))}{revised}}}'.encode(), b""
    return b'{"b64_json": "', f'"{revised}}}'.encode()


def format_of(image: Image) -> str:
    """The format of a picture, as the API calls it."""
    return image.mime.partition("/")[2].partition("+")[0]


def _base64_length(image: Image) -> int:
    return 4 * ((image.bytes + 2) // 3)


def base64_of(image: Image) -> Iterator[bytes]:
    """The text of a picture as pieces."""
    with Path(image.original).open("rb") as file:
        while block := file.read(_BLOCK):
            yield pybase64.b64encode(block)


def whole(pieces: Iterator[bytes] | Sequence[bytes]) -> bytes:
    """The pieces in one."""
    return b"".join(pieces)
