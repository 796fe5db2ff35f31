"""A strict server of the images API of OpenAI and Azure, edits alone, on a loopback socket: what it was sent is taken
apart by Python's own parser of mail, and what no vendor would take is a 400 that says why."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from image_pictures import drawn

KEY = "sk-edits-0123456789"
FORMATS = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff", "image/webp": b"RIFF"}
FIELDS = {
    "prompt", "model", "n", "size", "quality", "background", "output_format", "output_compression", "stream",
    "partial_images", "user", "safety_identifier", "input_fidelity", "complexity", "frame_count", "frame_duration_ms",
    "svg[model]",
}  # fmt: skip
DONE: dict[str, Any] = {
    "created": 1764000000,
    "data": [{"b64_json": base64.b64encode(drawn("PNG")).decode()}],
    "usage": {
        "input_tokens": 1034,
        "input_tokens_details": {"image_tokens": 1024, "text_tokens": 10},
        "output_tokens": 196,
        "total_tokens": 1230,
    },
}


class Sent(NamedTuple):
    """A part as it came: the name of its field, the name of its file, its media type and its bytes."""

    name: str
    filename: str | None
    media_type: str | None
    content: bytes


class EditsServer(ThreadingHTTPServer):
    """Keeps what it was sent; `responses` are given first, as (status, body), then pictures."""

    daemon_threads = True

    def __init__(self, azure: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.azure = azure
        self.responses: list[tuple[int, Any]] = []
        self.forms: list[list[Sent]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: EditsServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.paths.append(self.path)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        problem = self.problem(content)
        status, body = (400, {"error": {"message": problem, "code": "invalid_value"}}) if problem else (200, DONE)
        if not problem and self.server.responses:
            status, body = self.server.responses.pop(0)
        if status == 0:  # nobody knows what became of it
            self.close_connection = True
            return
        self.reply(status, body)

    def problem(self, content: bytes) -> str | None:
        """What is wrong with a request; None when nothing is."""
        key = self.headers.get("api-key") if self.server.azure else self.headers.get("Authorization", "")[7:]
        if key != KEY:
            return "who are you?"
        if not self.path.partition("?")[0].endswith("/images/edits"):
            return f"no edits at {self.path}"
        kind = self.headers["Content-Type"]
        if not kind.startswith("multipart/form-data; boundary="):
            return f"no form: {kind}"
        if "Transfer-Encoding" in self.headers:
            return "the length is not said"
        parts = list(
            BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + content).iter_parts()
        )
        form = [
            Sent(
                str(part.get_param("name", header="content-disposition")),
                part.get_filename(),
                part.get_content_type() if "content-type" in part else None,
                part.get_payload(decode=True) or b"",
            )
            for part in parts
        ]
        self.server.forms.append(form)
        return _wrong(form)

    def reply(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _wrong(form: list[Sent]) -> str | None:
    fields, files = [each for each in form if each.filename is None], [each for each in form if each.filename]
    images = [each for each in files if each.name.startswith("image")]
    if len({each.name for each in fields}) < len(fields) or not {each.name for each in fields} <= FIELDS:
        return f"fields: {[each.name for each in fields]}"
    if "prompt" not in {each.name for each in fields}:
        return "no prompt"
    if not 1 <= len(images) <= 16 or {each.name for each in images} != {"image" if len(images) == 1 else "image[]"}:
        return f"pictures: {[each.name for each in images]}"
    for each in files:
        if each.media_type not in FORMATS or not each.content.startswith(FORMATS[each.media_type]):
            return f"{each.name} is no {each.media_type}"
    masks = [each for each in files if each.name == "mask"]
    if len(masks) > 1 or (masks and masks[0].media_type != "image/png") or len(images) + len(masks) != len(files):
        return f"files: {[each.name for each in files]}"
    return None


@contextlib.contextmanager
def edits_server(azure: bool = False) -> Iterator[EditsServer]:
    """The server while it runs."""
    server = EditsServer(azure)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
