"""The capability check of the edit steps: that of the image steps, and their pictures as far as they are known."""

from __future__ import annotations

from collections.abc import Iterator

from flowdsl.step.problem import Problem
from flowdsl.step.rules import Options
from flowdsl_steps.image.capabilities import check_request, request_in
from flowdsl_steps.image.input_pictures import Told

_PICTURES = ("images", "mask")


def check_edit(options: Options) -> Iterator[Problem]:
    """What is wrong with the pictures themselves, then every way in which the options do not fit vendor and model.

    Pictures of the input `imageList`, and those that a template decides, are not known yet.
    """
    images, mask = (Told(key, options) for key in _PICTURES)
    yield from images.problems
    yield from mask.problems
    if not mask.problems and len(mask.images) > 1:
        yield Problem("wrong-type", "`mask` is one picture", "mask", "it lies on the first of the pictures to edit")
    if options.has("images") and not (images.images or images.more or images.problems):
        yield Problem("missing-input", "`images` is empty: there is nothing to edit", "images", "name a picture")
        return
    plain = options.replaced({key: value for key, value in options.given.items() if key not in _PICTURES})
    request = request_in(plain)
    unknown = {"images"} if images.more or images.problems or not options.has("images") else set()
    request = request._replace(
        images=tuple(images.images),
        mask=mask.images[0] if mask.images else None,
        unknown=request.unknown | unknown | ({"mask"} if mask.more else set()),
    )
    yield from check_request(request, options)
