"""A strict server of the made-up vendor in `tests/packages/aurora`, on a loopback socket."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from image_pictures import drawn

KEY = "aurora-key-0123456789"
RUNNING_POLLS = 2


class AuroraServer(ThreadingHTTPServer):
    """Takes orders and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.orders: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.pictures: list[bytes] = []
        self.polls = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: AuroraServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def reply(self, value: Any, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def is_let_in(self) -> bool:
        if self.headers.get("X-Aurora-Key") == KEY:
            return True
        self.reply({"reason": "who are you?", "signal": "unauthorized"}, 401)
        return False

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.is_let_in():
            return
        assert self.path == "/v1/models/borealis-1:predict", self.path
        is_json = self.headers["Content-Type"] == "application/json"
        order = json.loads(content) if is_json else self.from_form(content)
        assert set(order) == {"instances", "parameters"}, order
        self.server.orders.append(order)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.reply({"operation": f"op-{len(self.server.orders)}", "state": "QUEUED"})

    def from_form(self, content: bytes) -> Any:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = list(BytesParser(policy=HTTP).parsebytes(head + content).iter_parts())
        named = [(part.get_param("name", header="content-disposition"), part) for part in parts]
        self.server.pictures += [part.get_payload(decode=True) for name, part in named if name == "picture"]
        ((_, order),) = [pair for pair in named if pair[0] == "order"]
        return json.loads(order.get_payload(decode=True))

    def do_GET(self) -> None:
        if not self.is_let_in():
            return
        self.server.polls += 1
        number = int(self.path.removeprefix("/v1/operations/op-"))
        order = self.server.orders[number - 1]
        prompt = order["instances"][0]["prompt"]
        if self.server.polls <= RUNNING_POLLS:
            self.reply({"operation": f"op-{number}", "state": "RUNNING"})
        elif "forbidden" in prompt:
            reason = {"reason": "Aurora does not draw this.", "signal": "safety"}
            self.reply({"operation": f"op-{number}", "state": "FAILED", **reason})
        elif "impossible" in prompt:
            reason = {"reason": "Out of paint.", "signal": "paint"}
            self.reply({"operation": f"op-{number}", "state": "FAILED", **reason})
        elif "busy" in prompt and self.server.polls <= RUNNING_POLLS + 1:
            self.send_error(503)
        else:
            count = order["parameters"]["sampleCount"]
            picture = {"bytesBase64Encoded": base64.b64encode(drawn("PNG")).decode(), "mimeType": "image/png"}
            units = {"prompt": 3, "picture": 10 * count}
            self.reply({"operation": f"op-{number}", "state": "DONE", "predictions": [picture] * count, "units": units})


@contextlib.contextmanager
def aurora_server() -> Iterator[AuroraServer]:
    """A running server."""
    server = AuroraServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
