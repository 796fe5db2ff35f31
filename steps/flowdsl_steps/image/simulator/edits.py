"""Validates a request for an edit as the vendor does: its fields as those of a generation, and its pictures.

Source: openai-python 3.57, `ImageEditParams`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from typing import Any

from flowdsl_steps.image.simulator.form import File
from flowdsl_steps.image.simulator.models import ModelRules, Vendor
from flowdsl_steps.image.simulator.refusal import Refusal, refused
from flowdsl_steps.image.simulator.validation import (
    INTEGERS,
    AcceptedRequest,
    Input,
    accepted,
    validated,
)

_MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp")
_MOST_IMAGES = 16
_BELOW_BYTES = 50 * 1024 * 1024
_MASK_BELOW_BYTES = 4 * 1024 * 1024
_NOT_IN_EDITS = frozenset({"style"})
_NOT_IN_FORMS = frozenset({"moderation", "style"})
_MEMBER = re.compile(r"svg\[(model)\]|svg\[reasoning\]\[(effort)\]")


def body_of(fields: Mapping[str, str]) -> dict[str, object]:
    """The fields of a form as the values that JSON would have. Raises: Refusal for a number that is none."""
    body: dict[str, object] = {}
    for name, text in fields.items():
        member = _MEMBER.fullmatch(name)
        if member is not None:
            svg: Any = body.setdefault("svg", {})
            svg["model" if member[1] else "reasoning"] = text if member[1] else {"effort": text}
        elif name in INTEGERS:
            if not re.fullmatch(r"-?[0-9]{1,9}", text):
                raise refused(f"Invalid type for '{name}': expected an integer.", param=name, code="invalid_type")
            body[name] = int(text)
        elif name == "stream":
            body[name] = text == "true"
        else:
            body[name] = text
    return body


def validated_edit(
    body: Mapping[str, object],
    files: Sequence[File],
    rules: ModelRules,
    *,
    vendor: Vendor,
    asked_model: str,
    in_json: bool = False,
) -> AcceptedRequest:
    """The request with its defaults filled in, and its pictures, which came as JSON or as a form.

    Raises: Refusal for the first thing that the vendor would refuse.
    """
    if not rules.edits:
        raise refused(f"The model '{asked_model}' does not support image edits.", param="model")
    fidelity = frozenset({"input_fidelity"} if rules.fidelities else ())
    asked = replace(rules, parameters=(rules.parameters | fidelity) - (_NOT_IN_EDITS if in_json else _NOT_IN_FORMS))
    request = validated(body, asked, vendor=vendor, asked_model=asked_model)
    if body.get("input_fidelity", "low") not in (*rules.fidelities, "low"):
        raise refused(f"Invalid value: '{body['input_fidelity']}'.", param="input_fidelity")
    return _with_pictures(replace(request, rules=rules), files)


def accepted_edit(body: Mapping[str, object], files: Sequence[File]) -> AcceptedRequest:
    """An edit by a model that nothing is known of. Raises: Refusal when there is no prompt or no picture."""
    return _with_pictures(accepted(body), files)


def _with_pictures(request: AcceptedRequest, files: Sequence[File]) -> AcceptedRequest:
    strange = next((file.field for file in files if file.field not in ("image", "image[]", "mask")), None)
    if strange is not None:
        raise refused(f"Unknown parameter: '{strange}'.", param=strange, code="unknown_parameter")
    images = [_input(file, "image", _BELOW_BYTES) for file in files if file.field != "mask"]
    if not images:
        raise refused("Missing required parameter: 'image'.", param="image", code="missing_required_parameter")
    if len(images) > _MOST_IMAGES:
        message = f"Invalid 'image': array too long. Expected an array with maximum length {_MOST_IMAGES}."
        raise refused(message, param="image", code="array_above_max_length")
    masks = [file for file in files if file.field == "mask"]
    mask = _mask(masks[0], images[0]) if masks else None
    return replace(request, inputs=tuple(images), mask=mask)


def _mask(file: File, first: Input) -> Input:
    mask = _input(file, "mask", _MASK_BELOW_BYTES)
    if file.media_type != "image/png" or not mask.has_alpha:
        raise refused("Invalid mask image format - mask image missing alpha channel.", param="mask", code=_INVALID)
    if mask.size != first.size:
        message = "Invalid mask image format - mask size does not match image size."
        raise refused(message, param="mask", code=_INVALID)
    return mask


_INVALID = "invalid_image_file"


def _input(file: File, param: str, below: int) -> Input:
    if file.media_type not in _MEDIA_TYPES:
        message = (
            f"Invalid file '{param}': unsupported mimetype ('{file.media_type}'). Supported file formats are "
            "'image/jpeg', 'image/png', and 'image/webp'."
        )
        raise refused(message, param=param, code="unsupported_file_mimetype")
    if len(file.content) >= below:
        message = f"Invalid file '{param}': must be less than {below // (1024 * 1024)}MB."
        raise refused(message, param=param, code="file_too_large", status=413)
    return Input(file.content, sha256(file.content).hexdigest(), *_facts(file, param))


def _facts(file: File, param: str) -> tuple[tuple[int, int], bool]:
    """Size, and whether there is an alpha channel. Raises: Refusal for bytes that are no picture."""
    from PIL import Image

    try:
        with Image.open(BytesIO(file.content)) as picture:
            has_alpha = "A" in picture.getbands() or "transparency" in picture.info
            return picture.size, has_alpha
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise _no_picture(param) from None


def _no_picture(param: str) -> Refusal:
    message = "Invalid image file or mode for image, please check your image file."
    return refused(message, param=param, code=_INVALID)
