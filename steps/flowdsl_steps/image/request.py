"""ImageRequest: what is asked of a vendor, whoever asks: a step, a program or a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from flowdsl.record import Record

if TYPE_CHECKING:
    from flowdsl.image.image import Image

DEFAULT_MODEL = "dall-e-3"
"""The model when nobody names one, at the vendors that have it."""
EDIT_MODEL = "gpt-image-2"
"""The model that edits when nobody names one: both OpenAI and Azure have it."""
NOTHING: Mapping[str, Any] = MappingProxyType({})


class ImageRequest(Record):
    """Pictures that are wanted, in words that belong to no vendor; None is an option that nobody gave.

    `model` is None when nobody named one. `images` are pictures to edit, `mask` says where. `extra` holds options that
    only some vendors know. While a flow is checked, `unknown` names the options that only its run decides; they are
    None then, and a vendor says nothing about them. (A named tuple, as dataclasses take 10 ms to import, which every
    check would pay.)
    """

    prompt: str = ""
    model: str | None = None
    n: int = 1
    size: str | None = None
    quality: str | None = None
    style: str | None = None
    response_format: str | None = None
    output_format: str | None = None
    background: str | None = None
    seed: int | None = None
    user: str | None = None
    moderation: str | None = None
    output_compression: int | None = None
    stream: bool | None = None
    partial_images: int | None = None
    complexity: str | None = None
    safety_identifier: str | None = None
    frame_count: int | None = None
    frame_duration_ms: int | None = None
    svg: Mapping[str, Any] | None = None
    input_fidelity: str | None = None
    images: tuple[Image, ...] = ()
    mask: Image | None = None
    extra: Mapping[str, Any] = NOTHING
    unknown: frozenset[str] = frozenset()

    def option(self, name: str) -> Any:
        """The value of an option, or None when it is absent or not known yet."""
        return getattr(self, name) if name in OPTIONS else self.extra.get(name)

    def options(self) -> Iterator[tuple[str, Any]]:
        """Name and value of every option that somebody gave."""
        own = self.__dict__
        for name in OPTIONS:
            if own[name] is not None:
                yield name, own[name]
        for name, value in self.extra.items():
            if value is not None and name not in OPTIONS:
                yield name, value

    def with_count(self, n: int) -> ImageRequest:
        """The same request for another number of pictures."""
        return self._replace(n=n)

    def described(self) -> dict[str, Any]:
        """The request as JSON can hold it, equal for equal requests: pictures by their digests. It holds no secret
        that the prompt does not hold."""
        found: dict[str, Any] = {"prompt": self.prompt, "model": self.model, **dict(self.options())}
        if self.images:
            found["images"] = [image.sha256 for image in self.images]
        if self.mask is not None:
            found["mask"] = self.mask.sha256
        return {name: value for name, value in found.items() if value is not None}


def is_edit(request: ImageRequest) -> bool:
    """Whether pictures are to be edited; while a flow is checked they may not be known yet."""
    return bool(request.images) or "images" in request.unknown


_BESIDE = ("prompt", "model", "images", "mask", "extra", "unknown")
OPTIONS = tuple(name for name in ImageRequest._fields if name not in _BESIDE)
"""The options of a request that every vendor is asked about, in the order in which a body holds them."""
