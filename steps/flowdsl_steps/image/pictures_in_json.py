"""Pictures to edit inside a JSON body, in base64: they are held in memory, and such vendors take small ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flowdsl.errors import ConfigError

if TYPE_CHECKING:
    from flowdsl.image.image import Image

_LONGEST_DATA_URL = 20_971_520
"""Source: OpenAPI description of OpenAI's API, `ImageRefParam`, 2026-11."""


def data_address(image: Image) -> str:
    """A picture as a `data:` address."""
    return f"data:{image.mime};base64,{image.b64_json}"


def linked(image: Image, than: str, otherwise: str) -> dict[str, str]:
    """A picture as an edit in JSON of OpenAI's API has it.

    Raises:
        ConfigError: it has more bytes `than` that takes; `otherwise` is what to do in its place.
    """
    url = data_address(image)
    if len(url) > _LONGEST_DATA_URL:
        raise ConfigError(
            f"the picture to edit {os.path.basename(image.path)} has {image.bytes:,} bytes, more than {than}",  # noqa: PTH119
            code="request-too-large",
            hint=f"edit a picture of less than 15 MB, or {otherwise}",
        )
    return {"image_url": url}
