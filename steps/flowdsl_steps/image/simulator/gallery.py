"""Pictures by request: drawn once, kept as ready base64, padded on demand."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowdsl_steps.image.simulator.caption import caption_of
from flowdsl_steps.image.simulator.scene import digest_of
from flowdsl_steps.image.simulator.validation import AcceptedRequest

if TYPE_CHECKING:
    from PIL.Image import Image

# A multiple of three, so that the base64 of the pieces is the base64 of the whole: 256 KiB of text each.
_PIECE = 196_608
_POOL = 4


@dataclass(frozen=True, slots=True)
class Picture:
    """One file: its bytes, and their base64 in pieces that fit a socket."""

    content: bytes
    base64: tuple[bytes, ...]


class Gallery:
    """Draws the pictures of requests and remembers the last `keep` of them.

    With `payload_bytes` every picture has that size, and four pictures serve all prompts: drawing then costs nothing
    worth measuring. `plain` pictures have one colour, for tests in which nobody looks at them.
    """

    def __init__(self, payload_bytes: int | None = None, keep: int = 128, *, plain: bool = False) -> None:
        self._payload_bytes = payload_bytes
        self._plain = plain
        self._keep = keep
        self._pictures: OrderedDict[object, Picture] = OrderedDict()
        self._drawing = threading.Lock()

    @property
    def draws(self) -> bool:
        """Whether each request has pictures of its own."""
        return self._payload_bytes is None

    def known(self, request: AcceptedRequest, index: int, sharpness: float = 1.0) -> Picture | None:
        """The picture if it is already drawn."""
        return self._pictures.get(_key(request, index, sharpness, self._payload_bytes))

    def picture(self, request: AcceptedRequest, index: int, sharpness: float = 1.0) -> Picture:
        """The picture number `index` of a request; a `sharpness` below 1 gives a coarser draft of it."""
        key = _key(request, index, sharpness, self._payload_bytes)
        # One at a time: two requests for one picture draw it once, and two drawings share the interpreter anyway.
        with self._drawing:
            found = self._pictures.get(key)
            if found is None:
                found = self._pictures[key] = self._draw(request, index, sharpness)
                while len(self._pictures) > self._keep:
                    self._pictures.popitem(last=False)
            else:
                self._pictures.move_to_end(key)
        return found

    def _draw(self, request: AcceptedRequest, index: int, sharpness: float) -> Picture:
        prompt, digest = request.prompt, picture_digest(request, index)
        if self._plain and request.output_format != "svg":
            content = _plain_file(request, digest, sharpness)
            return Picture(content, _base64_pieces(content))
        if self._payload_bytes is not None:
            place = _pool_place(request, index)
            prompt, digest = f"throughput sample {place + 1} of {_POOL}", digest_of("sample", place)
        content = draw_file(request, prompt, digest, sharpness)
        if self._payload_bytes is not None:
            from flowdsl_steps.image.simulator.encode import pad

            content = pad(content, request.output_format, self._payload_bytes)
        return Picture(content, _base64_pieces(content))


def request_digest(request: AcceptedRequest) -> str:
    """The digest of what a picture shows, whatever its number."""
    return digest_of(request.prompt, request.rules.name, request.size, request.quality, *request.given)


def picture_digest(request: AcceptedRequest, index: int) -> str:
    """The digest that decides a picture: the same request gives the same series of pictures on every machine."""
    place = (*request.given, index, request.take) if request.take else (*request.given, index)
    return digest_of(request.prompt, request.rules.name, request.size, request.quality, *place)


def draw_file(request: AcceptedRequest, prompt: str, digest: str, sharpness: float) -> bytes:
    """The bytes of a picture in the requested format."""
    from flowdsl_steps.image.simulator import raster, vector
    from flowdsl_steps.image.simulator.view import view_of

    clear = request.background == "transparent"
    if request.inputs:
        return _draw_edit(request, prompt, digest, sharpness)
    caption = caption_of(prompt, request.rules.name, request.size, request.quality, digest)
    views = [
        view_of(prompt, digest, request.width, request.height, frame / request.frame_count)
        for frame in range(request.frame_count)
    ]
    if request.output_format == "svg":
        return vector.write_svg(views[0], caption)
    frames = [raster.paint(view, caption, transparent=clear) for view in views]
    return _encoded(frames, request, sharpness)


def _plain_file(request: AcceptedRequest, digest: str, sharpness: float) -> bytes:
    """The bytes of a picture of one colour, which the digest decides."""
    from PIL import Image

    kind = "RGBA" if request.background == "transparent" else "RGB"
    colour = bytes.fromhex(digest[:6])
    pixel = (*colour, 128) if kind == "RGBA" else tuple(colour)
    frame = Image.new(kind, (request.width, request.height), pixel)
    return _encoded([frame] * request.frame_count, request, sharpness)


def _draw_edit(request: AcceptedRequest, prompt: str, digest: str, sharpness: float) -> bytes:
    from flowdsl_steps.image.simulator import raster, vector
    from flowdsl_steps.image.simulator.editing import paint_edit

    model = f"{request.rules.name} · edit of {len(request.inputs)}"
    caption = caption_of(prompt, model, request.size, request.quality, digest)
    count = request.frame_count
    frames = [paint_edit(request, prompt, digest, caption, frame / count) for frame in range(count)]
    if request.output_format == "svg":
        return vector.around(frames[0], caption)
    if request.background == "transparent":
        for frame in frames:
            frame.putalpha(raster.rounded(frame.width, frame.height))
    return _encoded(frames, request, sharpness)


def _encoded(frames: Sequence[Image], request: AcceptedRequest, sharpness: float) -> bytes:
    from flowdsl_steps.image.simulator import encode, raster

    if request.output_format == "gif":
        return encode.encode_gif(frames, request.frame_duration_ms)
    picture = raster.blurred(frames[0], sharpness) if sharpness < 1 else frames[0]
    return encode.encode(picture, request.output_format, request.compression)


def _key(request: AcceptedRequest, index: int, sharpness: float, payload_bytes: int | None) -> tuple[object, ...]:
    digest = picture_digest(request, index) if payload_bytes is None else str(_pool_place(request, index))
    looks = (request.rules.name, request.size, request.quality, request.output_format, request.compression)
    return (*looks, request.background, request.frame_count, request.frame_duration_ms, digest, sharpness)


def _pool_place(request: AcceptedRequest, index: int) -> int:
    return (int(picture_digest(request, 0)[:8], 16) + index) % _POOL


def _base64_pieces(content: bytes) -> tuple[bytes, ...]:
    from pybase64 import b64encode

    return tuple(b64encode(content[at : at + _PIECE]) for at in range(0, len(content), _PIECE))
