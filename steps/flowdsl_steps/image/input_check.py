"""Whether the pictures that a request edits are ones that its model takes, by what is known of them.

A picture without a media type is not known yet: a link, or what a template decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flowdsl.step.problem import Problem, drop, show
from flowdsl_steps.image.catalogue import EditLimits, catalogue
from flowdsl_steps.image.request import ImageRequest, is_edit
from flowdsl_steps.image.resolved_model import ResolvedModel

if TYPE_CHECKING:
    from flowdsl.image.image import Image

NOT_IN_EDITS = ("style",)
"""Options of generation that an edit has no field for. Source: openai-python 3.57, `ImageEditParams`."""
ONLY_IN_JSON = ("moderation",)
"""Those that OpenAI has for an edit as JSON alone. Source: OpenAPI description of OpenAI's API, 2026-11."""
_PNG = "image/png"
_MEGABYTE = 1024 * 1024


def edit_problems(request: ImageRequest, resolved: ResolvedModel) -> Iterator[Problem]:
    """Everything that an edit of these pictures would be refused for. Source: openai-python 3.57, `ImageEditParams`."""
    if not is_edit(request):
        return
    for name in (*NOT_IN_EDITS, *(() if resolved.provider == "openai" else ONLY_IN_JSON)):
        if request.option(name) is not None:
            message = f"`{name}` is an option of generation: an edit has none"
            yield Problem("unsupported-parameter", message, name, "remove it", fixes=drop(name))
    if resolved.model is not None and resolved.model.edits is None:
        yield _edits_nothing(resolved)
        return
    if resolved.model is not None and resolved.model.edits is not None:
        yield from _of_images(request.images, resolved.model.edits, show(resolved.model.name))
    if request.mask is not None:
        limit = resolved.model.edits.mask_below_bytes if resolved.model and resolved.model.edits else None
        yield from _of_mask(request, request.mask, limit)


def offered_edit_problems(
    request: ImageRequest, limits: EditLimits | None, who: str, key: str | None = "model"
) -> Iterator[Problem]:
    """The same at a vendor with an API of its own; `limits` is None for a model that edits nothing, `key` is where the
    step names it."""
    asked = [name for name in ("images", "mask") if getattr(request, name) or (name == "images" and is_edit(request))]
    if limits is None:
        for name in asked:
            yield Problem("unsupported-parameter", f"{who} edits no pictures: `{name}` cannot be sent", name, WHO_EDITS)
        return
    if limits.only and "images" not in asked:
        message = f"{who} only edits: it draws nothing without a picture"
        yield Problem("unsupported-value", message, key, "edit a picture, with OPENAI_IMAGE_EDIT, or use another model")
    yield from _of_images(request.images, limits, who)
    if "mask" in asked and limits.mask_below_bytes is None:
        hint = "say in the prompt what shall change"
        yield Problem("unsupported-parameter", f"{who} takes no `mask`", "mask", hint, fixes=drop("mask"))
    elif request.mask is not None:
        yield from _of_mask(request, request.mask, limits.mask_below_bytes)
    elif limits.needs_mask and "images" in asked and "mask" not in request.unknown:
        hint = "add `mask:`, a PNG that is transparent where the picture shall change"
        yield Problem("missing-key", f"`mask` is missing: {who} edits what a mask marks", hint=hint)


WHO_EDITS = "use a model or a service that edits"
"""Where it is known which vendors there are, they are named."""


def picture_name(image: Image, number: int | None = None) -> str:
    """What a picture is called in a message: its file or address, else its number."""
    from flowdsl_steps.image.unfetched import shown

    last = shown(image.path).rstrip("/").rpartition("/")[2] if image.path else ""
    return show(last) if last else f"picture {number}" if number is not None else "the picture"


def _edits_nothing(resolved: ResolvedModel) -> Problem:
    alive = [show(model.name) for model in catalogue().alive(resolved.provider, resolved.as_of) if model.edits][:2]
    hint = f"use a model that edits: {', '.join(alive)}" if alive else WHO_EDITS
    return Problem("unsupported-parameter", f"{show(resolved.label)} edits no pictures", "images", hint)


def _of_images(images: Sequence[Image], limits: EditLimits, model: str) -> Iterator[Problem]:
    if len(images) > limits.images:
        most = "one picture" if limits.images == 1 else f"at most {limits.images} pictures"
        message = f"there are {len(images)} pictures to edit, and {model} takes {most}"
        yield Problem("unsupported-value", message, "images", "leave some out")
    for number, image in enumerate(images, 1):
        form = image.mime.removeprefix("image/")
        if image.mime and form not in limits.formats:
            message = f"{picture_name(image, number)} is {_words(form)}, and {model} edits {_listed(limits.formats)}"
            yield Problem("unsupported-value", message, "images", "save it in another format")
        elif image.bytes >= limits.below_bytes:
            size, below = image.bytes / _MEGABYTE, limits.below_bytes // _MEGABYTE
            message = f"{picture_name(image, number)} has {size:.1f} MB, and {model} takes less than {below} MB"
            yield Problem("unsupported-value", message, "images", "make it smaller, or save it as JPEG or WebP")


def _of_mask(request: ImageRequest, mask: Image, below_bytes: int | None) -> Iterator[Problem]:
    first = request.images[0] if request.images and "images" not in request.unknown else None
    name = f"the mask {picture_name(mask)}".removesuffix(" the picture")
    if mask.mime and mask.mime != _PNG:
        message = f"{name} is {_words(mask.mime.removeprefix('image/'))}, and a mask is a PNG"
        yield Problem("unsupported-value", message, "mask", "save it as PNG with transparency")
    elif below_bytes is not None and mask.bytes >= below_bytes:
        size, most = mask.bytes / _MEGABYTE, below_bytes // _MEGABYTE
        message = f"{name} has {size:.1f} MB, and must have less than {most} MB"
        yield Problem("unsupported-value", message, "mask", "a mask needs few colours: save it with fewer")
    elif first is not None and None not in (mask.width, first.width) and _size(mask) != _size(first):
        message = f"{name} has {_size(mask)} pixels, and the first picture {_size(first)}"
        yield Problem("unsupported-value", message, "mask", "make the mask as large as the picture that it lies on")
    elif mask.mime and _is_opaque(mask):
        message = f"{name} has no transparency, so that it marks nothing"
        yield Problem("unsupported-value", message, "mask", "what is fully transparent in it is edited")
    if request.output_format == "gif":
        message = "`output_format: gif` goes without a mask"
        yield Problem("conflicting-values", message, "mask", "remove `mask`", covers=("mask", "output_format"))


def _is_opaque(mask: Image) -> bool:
    """Whether a PNG has neither an alpha channel nor a transparent colour, as far as its first bytes say."""
    from flowdsl_steps.image.input_pictures import head_of_image

    head = head_of_image(mask)
    if len(head) < 26 or not head.startswith(b"\x89PNG"):
        return False
    before_pixels, found, _ = head.partition(b"IDAT")
    return head[25] not in (4, 6) and bool(found) and b"tRNS" not in before_pixels


def _size(image: Image) -> str:
    return f"{image.width}x{image.height}"


def _words(form: str) -> str:
    name = form.partition("+")[0].upper()
    return f"{'an' if name[0] in 'AEFHILMNORSX' else 'a'} {name}"


def _listed(formats: Sequence[str]) -> str:
    *most, last = [{"webp": "WebP"}.get(form, form.upper()) for form in formats]
    return f"{', '.join(most)} and {last}" if most else last
