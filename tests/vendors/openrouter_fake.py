"""A strict fake of OpenRouter's images operation.

Source: openrouter 1.3, components/imagegenerationrequest.py and imagegenerationresponse.py; OpenRouter docs, Errors.
"""

from __future__ import annotations

import re
from typing import Any

from fake_vendor import PICTURE_B64, SOON, Asked, Fake, Fault, Reply, only

KEY = "sk-or-v1-openrouter-0123456789"
_OPTIONS = {
    "input_references",
    "size",
    "n",
    "quality",
    "background",
    "output_format",
    "output_compression",
    "seed",
    "user",
}
_WORDS = {
    "quality": ("auto", "low", "medium", "high", "xhigh", "max"),
    "background": ("auto", "transparent", "opaque"),
    "output_format": ("png", "jpeg", "webp", "svg"),
}


_DATA = re.compile(r"data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/]+=*\Z")


class OpenRouterFake(Fake):
    """OpenRouter."""

    def respond(self, asked: Asked) -> Reply:
        if (asked.method, asked.target) != ("POST", "/api/v1/images"):
            raise Fault(f"{asked.method} {asked.target} is no operation")
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return error(401, "No auth credentials found")
        body = asked.json
        only(body, {"model", "prompt"}, _OPTIONS)
        for name, words in _WORDS.items():
            if name in body and body[name] not in words:
                raise Fault(f"{name} is {body[name]}")
        if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", body.get("size", "1x1")):
            raise Fault(f"the size is {body['size']}")
        if not isinstance(body.get("seed", 0), int) or not 0 <= body.get("output_compression", 0) <= 100:
            raise Fault(f"wrong types: {body}")
        for reference in body.get("input_references", ()):
            only(reference, {"type", "image_url"})
            only(reference["image_url"], {"url"})
            if reference["type"] != "image_url" or not _DATA.match(reference["image_url"]["url"]):
                raise Fault(f"no reference: {reference}")
        if "/" not in body["model"]:
            return error(400, f"{body['model']} is not a valid model ID")
        return self._told(body["prompt"])

    def _told(self, prompt: str) -> Reply:
        if "forbidden" in prompt:
            flagged = {"reasons": ["violence"], "flagged_input": "something for...", "provider_name": "OpenAI"}
            return error(403, "Your input was flagged", metadata=flagged)
        if "upstream refuses" in prompt:
            raw = '{"error": {"code": "moderation_blocked", "message": "Rejected by the safety system."}}'
            metadata = {"raw": raw, "provider_name": "OpenAI"}
            return error(400, "Provider returned error", metadata=metadata)
        if "busy" in prompt and self.times("busy") == 1:
            return error(429, "Rate limit exceeded")._replace(headers=SOON)
        if "no credit" in prompt:
            return error(402, "This request requires more credits.")
        if "fails late" in prompt:
            return Reply(error(502, "The provider disconnected").body)
        usage = {
            "prompt_tokens": 6,
            "completion_tokens": 1299,
            "total_tokens": 1305,
            "completion_tokens_details": {"image_tokens": 1290, "reasoning_tokens": None},
            "cost": 0.0387243,
            "is_byok": False,
        }
        data = [{"b64_json": PICTURE_B64, "media_type": "image/png"}]
        return Reply({"created": 1795000000, "data": data, "usage": usage})


def error(code: int, message: str, metadata: dict[str, Any] | None = None) -> Reply:
    """OpenRouter's error object."""
    said: dict[str, Any] = {"code": code, "message": message}
    return Reply({"error": {**said, **({"metadata": metadata} if metadata else {})}, "user_id": "user_1"}, code)
