"""Pictures to edit inside a JSON body, in base64: they are held in memory, and such vendors take small ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowdsl.image.image import Image


def data_address(image: Image) -> str:
    """A picture as a `data:` address."""
    return f"data:{image.mime};base64,{image.b64_json}"
