"""The pictures to edit themselves: each is copied into the store before anything is paid, so that what is sent, what is
sent again and what the digest of the purchase says are the same bytes, whatever becomes of the file or the link."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowdsl import Blob, Image, ServiceError, StepError
from flowdsl.image.own_addresses import NoPicture, own_file
from flowdsl_steps.image.input_pictures import as_image, decoded, find_picture, flat, is_link

if TYPE_CHECKING:
    from flowdsl import StepContext

_BLOCK = 256 * 1024
MOST_BYTES = 50 * 1024 * 1024
"""No vendor edits a larger picture."""


async def gathered(value: Any, ctx: StepContext) -> tuple[Image, ...]:
    """The pictures that a value names, in its order.

    Raises:
        ConfigError: one of them is none, or is not in the project.
        ServiceError: a link cannot be fetched.
        StepError: the store cannot write.
    """
    items = value if isinstance(value, (list, tuple)) else () if value is None else (value,)
    return tuple([await _one(each, ctx) for item in items for each in flat(item)])


async def _one(item: Any, ctx: StepContext) -> Image:
    if isinstance(item, Blob):
        as_image(item)
        return await asyncio.to_thread(_kept, [item.content], ctx)
    if isinstance(item, str) and item[:5].lower() == "data:":
        return await asyncio.to_thread(_kept, [decoded(item)], ctx)
    if isinstance(item, str) and is_link(item):
        return await _fetched(item, ctx)
    if isinstance(item, str):
        return await asyncio.to_thread(_kept, _pieces(find_picture(item, ctx.project_file)), ctx)
    return as_image(item)


def _kept(pieces: Iterable[bytes], ctx: StepContext) -> Image:
    """Bytes as a picture in the store, which no step has made."""
    with ctx.store.writer(MOST_BYTES) as writer:
        for piece in pieces:
            writer.write(piece)
        return writer.commit(partial=True)


def _pieces(path: str) -> Iterator[bytes]:
    try:
        with Path(path).open("rb") as file:
            while piece := file.read(_BLOCK):
                yield piece
    except OSError as error:
        message = f"{Path(path).name} cannot be read: {error.strerror or error}"
        raise StepError(message, code="image-unreadable") from error


async def _fetched(link: str, ctx: StepContext) -> Image:
    """The picture behind a link, fetched as REST would: the same addresses are refused. One that the server of the
    run has given out itself is read from its store."""
    from flowdsl_steps.http.public_network import open_fetcher
    from flowdsl_steps.image.fetch import Unfetched, fetched
    from flowdsl_steps.image.received import LinkedImage
    from flowdsl_steps.image.unfetched import shown

    private, named = ctx.limits.private_addresses, shown(link.partition("?")[0])  # what is behind it may be a key

    async def perform() -> Image:
        try:
            own = own_file(link)
        except NoPicture as error:
            raise ServiceError(f"{named} is no picture to edit: {error}", code="image-unreadable") from error
        if own is not None:
            return await asyncio.to_thread(_kept, _pieces(own), ctx)
        client = await ctx.resource(("rest", private), lambda: open_fetcher(private, open_transport=ctx.transport))
        try:
            linked = LinkedImage(link, None, None)
            return await fetched(client, linked, ctx.store, limit=MOST_BYTES, allow_private=private, partial=True)
        except Unfetched as error:
            raise ServiceError(
                f"the picture to edit cannot be fetched from {named}: {error}", code="image-unreadable"
            ) from error

    return await ctx.effect("http", {"method": "GET", "url": named}, perform)
