"""A strict fake of an LLM gateway's `POST …/api/llm/images/generations`, on a loopback socket: the path, the bearer
token, and the fourteen body fields of its page with their types; anything else is a 400 that says why."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image as Pillow

KEY = "tfy-0123456789"
PATH = "/api/llm/images/generations"
FIELDS: dict[str, tuple[type, ...]] = {
    "prompt": (str,),
    "background": (str, type(None)),
    "model": (str,),
    "moderation": (str, type(None)),
    "n": (int, type(None)),
    "output_compression": (int, type(None)),
    "output_format": (str, type(None)),
    "partial_images": (int, type(None)),
    "quality": (str, type(None)),
    "response_format": (str, type(None)),
    "size": (str, type(None)),
    "stream": (bool, type(None)),
    "style": (str, type(None)),
    "user": (str,),
}
"""Every body field of the page, with what it may hold."""


def picture(number: int = 0) -> bytes:
    out = io.BytesIO()
    Pillow.new("RGB", (32, 32), (200, 30, 40 * number)).save(out, "PNG")
    return out.getvalue()


class Gateway(ThreadingHTTPServer):
    """Keeps the bodies that it took."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[dict[str, Any]] = []
        self.fetched: list[str] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def endpoint(self) -> str:
        """What an entry names: the page's address without the operation."""
        return f"{self.origin}/api/llm"


class _Handler(BaseHTTPRequestHandler):
    server: Gateway
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.fetched.append(self.path)
        assert "Authorization" not in self.headers, "a link is fetched without credentials"
        self.send(200, "image/png", picture(int(self.path.removeprefix("/files/").removesuffix(".png"))))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self.send_json(401, {"error": {"message": "Invalid token", "type": "authentication_error"}})
            return
        problem = self.problem(raw)
        if problem is not None:
            self.send_json(400, {"error": {"message": problem, "type": "invalid_request_error"}})
            return
        body = json.loads(raw)
        self.server.bodies.append(body)
        if body.get("stream"):
            self.send(200, "text/event-stream", b"".join(_events(body)))
        else:
            self.send_json(
                200, {"created": 1764000000, "data": [self.item(body, i) for i in range(body.get("n") or 1)]}
            )

    def item(self, body: dict[str, Any], number: int) -> dict[str, str]:
        if body.get("response_format", "url") == "url":
            return {"url": f"{self.server.origin}/files/{number}.png", "revised_prompt": "revised"}
        return {"b64_json": base64.b64encode(picture(number)).decode()}

    def problem(self, raw: bytes) -> str | None:
        if self.path != PATH:
            return f"no {self.path}"
        if self.headers["Content-Type"] != "application/json":
            return "no JSON"
        body = json.loads(raw)
        for name, value in body.items():
            kinds = FIELDS.get(name, ())
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                return f"`{name}` cannot be {value!r}"
        if "prompt" not in body or not 1 <= (body.get("n") or 1) <= 10:
            return "prompt and n"
        return None if body.get("response_format", "url") in ("url", "b64_json") else "response_format"

    def send_json(self, status: int, value: Any) -> None:
        self.send(status, "application/json", json.dumps(value).encode())

    def send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _events(body: dict[str, Any]) -> Iterator[bytes]:
    for number in range(body.get("partial_images") or 0):
        yield _event("image_generation.partial_image", number, {"partial_image_index": number})
    yield _event("image_generation.completed", 9, {})
    yield b"data: [DONE]\n\n"


def _event(kind: str, number: int, more: dict[str, Any]) -> bytes:
    event = {"type": kind, "b64_json": base64.b64encode(picture(number % 5)).decode(), "created_at": 1764000000, **more}
    return f"event: {kind}\ndata: {json.dumps(event)}\n\n".encode()


@contextlib.contextmanager
def gateway() -> Iterator[Gateway]:
    """The gateway while it runs."""
    server = Gateway()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
