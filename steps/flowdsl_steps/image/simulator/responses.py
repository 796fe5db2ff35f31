"""Response bodies and headers as the vendors shape them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import UUID

from flowdsl_steps.image.simulator.gallery import Picture
from flowdsl_steps.image.simulator.models import Vendor, frame_sheet
from flowdsl_steps.image.simulator.scene import digest_of
from flowdsl_steps.image.simulator.usage import image_tokens, input_image_tokens, svg_usage_body, usage_body
from flowdsl_steps.image.simulator.validation import AcceptedRequest

_SAFE = {"filtered": False, "severity": "safe"}
_UNDETECTED = {"detected": False, "filtered": False}
_CONTENT = dict.fromkeys(("hate", "self_harm", "sexual", "violence"), _SAFE)


def vendor_headers(vendor: Vendor, number: int, request_headers: Mapping[str, str], seconds: float) -> dict[str, str]:
    """The headers of a response; ids follow the number of the request, so they repeat from run to run."""
    identity = digest_of("request", number)[:32]
    limits = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": str(max(0, 500 - number)),
        "x-ratelimit-reset-requests": "120ms",
    }
    if vendor == "azure":
        own = {"apim-request-id": str(UUID(identity)), "x-request-id": str(UUID(identity)), "x-ms-region": "Simulated"}
        if "x-ms-client-request-id" in request_headers:
            own["x-ms-client-request-id"] = request_headers["x-ms-client-request-id"]
        return {**own, **limits}
    return {
        "x-request-id": f"req_{identity}",
        "openai-processing-ms": str(round(seconds * 1000)),
        "openai-version": "2020-10-01",
        **limits,
    }


def output_tokens(request: AcceptedRequest) -> int:
    """The output tokens of one image of the request, without partial images; the frames of a GIF count as one sheet."""
    width, height = request.width, request.height
    if request.frame_count > 1:
        width, height = frame_sheet(width, height, request.frame_count)
    return image_tokens(request.rules, width, height, request.quality)


def input_tokens(request: AcceptedRequest) -> int:
    """The input tokens of the pictures to edit, counted for each picture that is made."""
    return input_image_tokens(request.rules, (each.size for each in request.inputs)) * request.n


def generation_body(
    request: AcceptedRequest,
    pictures: Sequence[Picture],
    created: int,
    vendor: Vendor,
    url_of: Callable[[Picture, int], str] | None,
) -> Iterator[bytes]:
    """The JSON of a finished generation in pieces; with `url_of` the items hold URLs instead of base64."""
    fields: dict[str, object] = {"created": created}
    if not request.rules.is_dall_e:
        fields |= {
            "background": request.background,
            "output_format": request.output_format,
            "quality": request.quality,
            "size": request.size,
            "usage": usage_body(request.prompt, output_tokens(request) * request.n, image_tokens=input_tokens(request)),
        }
        if request.safety_identifier:
            fields["safety_identifier"] = request.safety_identifier
        if request.svg_author and pictures:
            fields["svg_usage"] = svg_usage_body(request.prompt, request.svg_author, len(pictures[0].content))
    extras = _item_extras(request, vendor)
    yield json.dumps(fields).encode()[:-1] + b', "data": ['
    for index, picture in enumerate(pictures):
        lead = b", " if index else b""
        if url_of is not None:
            yield lead + json.dumps({**extras, "url": url_of(picture, index)}).encode()
            continue
        inner = json.dumps(extras).encode()[1:-1] + b", " if extras else b""
        yield lead + b"{" + inner + b'"b64_json": "'
        yield from picture.base64
        yield b'"}'
    yield b"]}"


def _item_extras(request: AcceptedRequest, vendor: Vendor) -> dict[str, object]:
    if request.rules.name != "dall-e-3":
        return {}
    extras: dict[str, object] = {"revised_prompt": f"{request.prompt.rstrip('.')}, rendered by a simulator."}
    if vendor == "azure":
        # Source: Azure REST reference 2024-10-21, dall-e-3 items.
        extras["content_filter_results"] = _CONTENT
        extras["prompt_filter_results"] = {**_CONTENT, "profanity": _UNDETECTED, "jailbreak": _UNDETECTED}
    return extras
