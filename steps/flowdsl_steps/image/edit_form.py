"""The form of an edit: the fields of a request as parts, then its pictures, read from disk while they go out.

Source: openai-python 3.57, `Images.edit`: one picture is `image`, several are `image[]`, a map is `svg[model]`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from flowdsl.image.formats import EXTENSIONS
from flowdsl.image.image import Image
from flowdsl_steps.http.multipart import Multipart, Part
from flowdsl_steps.image.pictures_in_json import linked
from flowdsl_steps.image.request import ImageRequest


def edit_form(fields: Mapping[str, Any], request: ImageRequest) -> Multipart:
    """The body of an edit."""
    parts = [part for name, value in fields.items() for part in _parts(name, value)]
    name = "image" if len(request.images) == 1 else "image[]"
    parts += [picture_part(name, f"image-{number}", image) for number, image in enumerate(request.images, 1)]
    if request.mask is not None:
        parts.append(picture_part("mask", "mask", request.mask))
    return Multipart(parts)


def edit_json(fields: Mapping[str, Any], request: ImageRequest) -> dict[str, Any]:
    """The body of an edit that says what a form does not. Source: OpenAPI description of OpenAI's API, 2026-11.

    Raises:
        ConfigError: a picture is larger than JSON may hold.
    """
    than, otherwise = "an edit with `moderation` takes", "leave `moderation` out"
    body = {**fields, "images": [linked(image, than, otherwise) for image in request.images]}
    return body if request.mask is None else {**body, "mask": linked(request.mask, than, otherwise)}


def picture_part(name: str, stem: str, image: Image) -> Part:
    """A picture as a part. Its file is read while it is sent; where a host keeps it, it is asked for it.

    Raises:
        StepError: it is gone.
    """
    filename = f"{stem}.{EXTENSIONS[image.mime]}"
    if os.path.isfile(image.original):  # noqa: PTH113  as everywhere on this way
        return Part(name, filename=filename, media_type=image.mime, path=image.original)
    return Part(name, image.read(), filename, image.mime)


def _parts(name: str, value: Any) -> Iterator[Part]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _parts(f"{name}[{key}]", inner)
    elif value is not None:
        yield Part(name, ("false", "true")[value] if isinstance(value, bool) else str(value))
