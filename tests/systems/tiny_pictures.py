"""An images API on the loopback interface that answers at once: each picture is a dot, a prompt that begins with
REFUSED is refused by moderation, and one that begins with FAILS is an invalid request."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
REFUSAL = {"error": {"message": "refused", "type": "image_generation_user_error", "code": "moderation_blocked"}}
FAILURE = {"error": {"message": "it fails", "type": "invalid_request_error", "code": "invalid_value"}}


class TinyPictures:
    """The server; `bodies` are those of the requests, in their order."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        pictures = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                pictures.bodies.append(body)
                pictures.keys.append(self.headers.get("authorization"))
                usage = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
                found: dict[str, Any] = {"created": 1, "data": [{"b64_json": DOT}], "usage": usage}
                wrong = {"REFUSED": REFUSAL, "FAILS": FAILURE}.get(body["prompt"].split(" ")[0])
                said = json.dumps(wrong or found).encode()
                self.send_response(400 if wrong else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> TinyPictures:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


assert base64.b64decode(DOT).startswith(b"\x89PNG")
