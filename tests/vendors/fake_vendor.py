"""A strict fake of a vendor's endpoint, on a loopback socket.

Subclass `Fake` for a vendor: `respond` looks at every part of a request and gives the response that the vendor
documents for it. What no client of the vendor would send is refused with `Fault`: the client gets a 400, and the test
fails when the fake closes. A fake keeps what it was asked.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Collection, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlsplit

from image_pictures import drawn

SOON = {"Retry-After": "0.05"}
"""So that no test waits for what it asks again."""
PICTURE = drawn("PNG")
PICTURE_B64 = base64.b64encode(PICTURE).decode()


class Asked(NamedTuple):
    """A request as it came in; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def path(self) -> str:
        """The path, as it was sent: nothing is decoded."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def json(self) -> Any:
        """The body as JSON.

        Raises:
            Fault: it is none, or no header says so.
        """
        if self.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise Fault(f"the body is {self.headers.get('content-type')}, and not JSON")
        return json.loads(self.content)


class Reply(NamedTuple):
    """A response: JSON, or bytes of a type that its headers name."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = {}


class Fault(AssertionError):
    """What a client of the vendor never sends."""


class Fake:
    """A vendor's endpoint at `url`, which keeps what it was asked and what of it was wrong."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.replies: list[Reply] = []
        self.faults: list[str] = []
        self.lock = threading.Lock()
        self.url = ""

    def respond(self, asked: Asked) -> Reply:
        """The response to a request.

        Raises:
            Fault: the request is none of the vendor's.
        """
        raise NotImplementedError

    def picture(self, asked: Asked) -> Reply | None:
        """The picture behind an address that the fake gave, to which nobody sends a key; None for other requests.

        Raises:
            Fault: it came with one.
        """
        if not asked.path.startswith("/pictures/"):
            return None
        if asked.method != "GET" or "authorization" in asked.headers:
            raise Fault(f"{asked.method} {asked.path} came with a key, or is no GET")
        return Reply(PICTURE, headers={"Content-Type": "image/png"})

    @property
    def bodies(self) -> list[Any]:
        """The JSON bodies that came, in order."""
        return [asked.json for asked in self.asked if asked.content]

    def times(self, word: str) -> int:
        """How many requests so far had a word in their body."""
        return sum(word.encode() in asked.content for asked in self.asked)


def only(found: Any, required: set[str], optional: Collection[str] = ()) -> None:
    """Raises Fault unless an object has these keys and no others."""
    if not isinstance(found, dict):
        raise Fault(f"{found!r} is no object")
    if not required <= set(found) <= required | set(optional):
        raise Fault(f"the keys are {sorted(found)}, and not {sorted(required)} with {sorted(optional)}")


F = TypeVar("F", bound=Fake)


@contextlib.contextmanager
def running(fake: F) -> Iterator[F]:
    """The fake at its `url` as long as the context; then no fault may have come.

    Raises:
        Fault: what came that no client of the vendor sends.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Tests print nothing."""

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            with fake.lock:
                fake.asked.append(asked)
                try:
                    reply = fake.respond(asked)
                except Fault as fault:
                    fake.faults.append(str(fault))
                    reply = Reply({"error": {"message": f"fault: {fault}"}}, 400)
            fake.replies.append(reply)
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_DELETE = do_GET

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        fake.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
    if fake.faults:
        raise Fault("; ".join(fake.faults))
