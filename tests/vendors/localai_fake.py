"""A strict fake of LocalAI's images operation, on a server that has a key.

Source: mudler/LocalAI, core/http/endpoints/openai/image.go; docs, API errors.
"""

from __future__ import annotations

import re
from typing import Any

from fake_vendor import PICTURE, PICTURE_B64, SOON, Asked, Fake, Fault, Reply, only

KEY = "localai-key-0123456789"


class LocalAIFake(Fake):
    """LocalAI."""

    def respond(self, asked: Asked) -> Reply:
        if asked.method == "GET" and asked.path.startswith("/generated-images/"):
            return Reply(PICTURE, headers={"Content-Type": "image/png"})
        if (asked.method, asked.target) != ("POST", "/v1/images/generations"):
            raise Fault(f"{asked.method} {asked.target} is no operation")
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return error(401, "Unauthorized")
        body = asked.json
        only(body, {"model", "prompt", "response_format"}, {"size", "n", "seed"})
        if not re.fullmatch(r"\d+x\d+", body.get("size", "512x512")) or body["response_format"] not in (
            "b64_json",
            "url",
        ):
            raise Fault(f"wrong options: {body}")
        prompt, count = body["prompt"], body.get("n", 1)
        if "busy" in prompt and self.times("busy") == 1:
            return error(503, "model flux.1-schnell is cooling down after it failed to load")._replace(headers=SOON)
        if "breaks" in prompt:
            return error(500, "rpc error: code = Unknown desc = could not generate")
        link = {"url": f"{self.url}/generated-images/b641.png"}
        item: dict[str, Any] = {"b64_json": PICTURE_B64} if body["response_format"] == "b64_json" else link
        usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        return Reply({"id": "8c4c", "created": 1795000000, "data": [item] * count, "usage": usage})


def error(code: int, message: str) -> Reply:
    """LocalAI's error object."""
    return Reply({"error": {"code": code, "message": message, "type": ""}}, code)
