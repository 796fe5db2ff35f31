"""A fake of OpenAI's images API that is strict about what it is asked, and gives a picture of one pixel."""

from __future__ import annotations

import base64
import json
from typing import Any

from web_server import Response, Routes, Seen, Web, response

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
KEY = "sk-of-the-fake"
_FIELDS = {"prompt", "model", "n", "size", "quality", "style", "response_format"}
_REFUSED = "Your request was rejected as a result of our safety system."


class ImagesApi(Routes):
    """Refuses a prompt in which `forbidden` stands, as the vendor's moderation does, and `twice` gives two pictures."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def take(self, seen: Seen) -> bytes:
        """The response to a request."""
        if (seen.method, seen.target) != ("POST", "/v1/images/generations"):
            return _error("404 Not Found", "no such address", None)
        if seen.headers.get("authorization") != f"Bearer {KEY}":
            return _error("401 Unauthorized", "Incorrect API key provided", "invalid_api_key")
        if not seen.headers.get("content-type", "").startswith("application/json"):
            return _error("400 Bad Request", "no JSON", None)
        body = json.loads(seen.body)
        self.bodies.append(body)
        if body.keys() - _FIELDS or not isinstance(body.get("prompt"), str):
            return _error("400 Bad Request", f"Unknown parameter in {sorted(body)}", "unknown_parameter")
        if "forbidden" in body["prompt"]:
            return _error("400 Bad Request", _REFUSED, "moderation_blocked")
        picture = {"b64_json": base64.b64encode(PIXEL).decode()}
        made = {"created": 1795715684, "data": [picture] * (2 if "twice" in body["prompt"] else 1)}
        return response(json.dumps(made).encode(), headers="content-type: application/json\r\n")


def _error(status: str, message: str, code: str | None) -> bytes:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    body = json.dumps({"error": error}).encode()
    return response(body, status, headers="content-type: application/json\r\n")


class FakeImages(Web):
    """The fake on a loopback socket."""

    def __init__(self, *responses: Response) -> None:
        self.api = ImagesApi()
        super().__init__(*responses, routes=self.api)

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The overrides that send all requests to it."""
        return {"openai": {"endpoint": f"{self.url}/v1", "apiKey": KEY, "headers": None}}
