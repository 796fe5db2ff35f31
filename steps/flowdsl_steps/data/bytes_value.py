"""Bytes as a value of the FlowContext: an image in the store, or a blob."""

from __future__ import annotations

from flowdsl import Blob, Image, StepContext, StepError
from flowdsl.image.formats import media_type

ANY_BYTES = "application/octet-stream"
_HEAD = 4096


def bytes_value(content: bytes, content_type: str, ctx: StepContext) -> Blob | Image:
    """The bytes, stored as an image when they are one of a kind we know and nothing says that they are no image.

    Raises:
        StepError: an image that is larger than the limit.
    """
    kind = content_type.partition(";")[0].strip().lower() or ANY_BYTES
    if media_type(content[:_HEAD]) is None or not (kind.startswith("image/") or kind == ANY_BYTES):
        return Blob(content, content_type.strip() or ANY_BYTES)
    if len(content) > ctx.limits.image_bytes:
        raise StepError(
            f"the image has {len(content):,} bytes, more than the limit of {ctx.limits.image_bytes:,}",
            code="image-too-large",
        )
    return ctx.store.add(content)
