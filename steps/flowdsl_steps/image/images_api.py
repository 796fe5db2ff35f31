"""The body of OpenAI's images API, which Azure, the HUB and many gateways speak: what comes back.

Source: OpenAI API reference, Images.
"""

from __future__ import annotations

from typing import Any

from flowdsl.image.image import Image
from flowdsl.image.store import ImageWriter
from flowdsl_steps.image.received import MOST_PICTURES, BrokenResponse, LinkedImage, Received
from flowdsl_steps.image.response import stored
from flowdsl_steps.image.usage import figures

URL_LIFETIME_S = 60 * 60
"""How long an image address of the vendor lives. Source: OpenAI API reference, Images: valid for 60 minutes."""


def received_of(payload: dict[str, Any], url_lifetime_s: int | None = URL_LIFETIME_S) -> Received:
    """What a parsed document holds whose pictures are still open writers, and whose addresses live so long, if that is
    known.

    Raises:
        BrokenResponse: an error object in it, no picture, or a wrong type.
    """
    if payload.get("error"):
        raise BrokenResponse("vendor-error", "the response holds an error", payload=payload)
    items = payload.pop("data", None)
    if items is None or items == []:
        raise BrokenResponse("empty", "the response holds no picture")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BrokenResponse("malformed", "`data` in the response is not a list of pictures")
    created = payload.get("created")
    expires = created + url_lifetime_s if isinstance(created, int) and url_lifetime_s is not None else None
    images: list[Image | LinkedImage] = []
    problems: list[BrokenResponse] = []
    if len(items) > MOST_PICTURES:
        problems.append(BrokenResponse("too-large", f"the response holds more than {MOST_PICTURES} pictures"))
    for item in items[:MOST_PICTURES]:
        try:
            images.append(_picture(item, expires))
        except BrokenResponse as problem:
            problems.append(problem)
    if problems:
        first = next((problem for problem in problems if problem.error is not None), problems[0])
        said = first.payload
        if isinstance(said, dict) and isinstance(payload.get("usage"), dict):
            said = {**said, "usage": payload["usage"]}  # it counted work: it bills what it refused
        raise BrokenResponse(first.reason, str(first), payload=said, images=images, error=first.error)
    return with_facts(Received(tuple(images), payload))


def with_facts(received: Received) -> Received:
    """The facts of a payload, as far as it holds them."""
    usage, size, quality = (received.payload.get(key) for key in ("usage", "size", "quality"))
    return received._replace(
        usage=figures(usage) if isinstance(usage, dict) else None,
        size=size if isinstance(size, str) else None,
        quality=quality if isinstance(quality, str) else None,
    )


def _refusal(item: dict[str, Any]) -> dict[str, Any] | None:
    """What a vendor says of a picture that it did not send: an error of its own, or a content filter. None of one it
    sent, whatever stands beside it."""
    if item.get("b64_json") or item.get("url"):
        return None
    if item.get("error"):
        return {"error": item["error"]}
    reason = item.get("finish_reason") or item.get("finishReason")
    if not isinstance(reason, str) or reason in ("", "stop"):
        return None
    said = item.get("message") or item.get("revised_prompt") or f"it ended with `{reason}`"
    return {"error": {"code": reason, "message": said}}


def _picture(item: dict[str, Any], url_expires_at: int | None) -> Image | LinkedImage:
    refusal = _refusal(item)
    if refusal is not None:
        raise BrokenResponse("vendor-error", "a picture of the response is refused", payload=refusal)
    content, url, revised = item.get("b64_json"), item.get("url"), item.get("revised_prompt")
    revised_prompt = revised if isinstance(revised, str) else None
    url = url if isinstance(url, str) and url else None
    if isinstance(content, BrokenResponse) and url is None:
        raise content
    if isinstance(content, ImageWriter) and (content.size or url is None):
        expires = url_expires_at if url else None
        return stored(content, url=url, revised_prompt=revised_prompt, url_expires_at=expires)
    if url:
        return LinkedImage(url, revised_prompt, url_expires_at)
    raise BrokenResponse("malformed", "a picture of the response has neither `b64_json` nor `url`")
