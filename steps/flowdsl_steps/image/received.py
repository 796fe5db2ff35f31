"""What a response brought: pictures, addresses of pictures, and facts; or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from flowdsl.errors import StepError
from flowdsl.image.image import Image

MOST_PICTURES = 64
"""So many pictures of one response are taken: a service sends at most ten, and each holds a file open or is fetched."""


class BrokenResponse(Exception):
    """A response that is not what the vendor promises; `images` holds the pictures that could be saved from it.

    `reason` is one of truncated, not-json, bad-base64, not-an-image, too-large, empty, malformed, vendor-error,
    unwritable. For a vendor-error `payload` is what the vendor sent; for a picture that is unwritable `error` is the
    failure of the disk, and the response is as promised.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        payload: Any = None,
        images: Sequence[Image | LinkedImage] = (),
        error: StepError | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.payload = payload
        self.error = error
        self.images = tuple(images)


class Partial(NamedTuple):
    """An unfinished picture of a stream: its number from 0, and the picture, None when what came is none."""

    number: int
    image: Image | None


class Finished(NamedTuple):
    """A picture of a stream, with what its own event says of it."""

    image: Image
    usage: Mapping[str, Any] | None
    quality: str | None


class LinkedImage(NamedTuple):
    """A picture that a response only gives the address of. `said` is the address as what is told of it may have it,
    where that is another one: without the keys that a service wrote into it."""

    url: str
    revised_prompt: str | None
    url_expires_at: int | None
    said: str | None = None

    def absolute(self, endpoint: str) -> LinkedImage:
        """With its address in full, which may be relative to the endpoint, whose query may be a key and is left out;
        what is no address stays as it is."""
        try:
            is_whole = urlsplit(self.url).scheme
            return self if is_whole else self._replace(url=urljoin(endpoint.partition("?")[0], self.url))
        except ValueError:
            return self


class Received(NamedTuple):
    """What a response holds: its pictures in order, the facts that a vendor reports of them, and its other keys.

    `usage` is in OpenAI's words: input_tokens, output_tokens, total_tokens and their details. `request_id` is the
    vendor's name for the request where a body holds it, `headers` are those of the response, `notes` say
    what of it could not be used.
    """

    images: tuple[Image | LinkedImage, ...] = ()
    payload: Mapping[str, Any] = {}
    usage: Mapping[str, Any] | None = None
    size: str | None = None
    quality: str | None = None
    finish_reason: str = "stop"
    cost_usd: float | None = None
    request_id: str | None = None
    headers: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """What is kept of it beside its pictures, as JSON values."""
        left_out = ("images", "headers")
        return {name: _plain(value) for name, value in self._asdict().items() if name not in left_out}

    def followed_by(self, later: Received) -> Received:
        """This with the pictures and facts of a later response to the same order; of facts that both have, this one's
        count."""
        known = {name: value for name, value in self._asdict().items() if value != self._field_defaults[name]}
        both = {"images": (*self.images, *later.images), "notes": (*self.notes, *later.notes)}
        return later._replace(**{**known, **both, "headers": later.headers})


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else [*value] if isinstance(value, tuple) else value
