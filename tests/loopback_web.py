"""A web server on this machine for flows that reach out: it responds as a test says and keeps what was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Web:
    """Responses by path: a list gives its responses one after the other, and then the last one again.

    A response is bytes, an image; None, a 404; any other value, JSON.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.responses: dict[str, Any] = {}
        self.asked: list[str] = []
        self._lock = threading.Lock()

    def response(self, target: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a request."""
        path = target.partition("?")[0]
        with self._lock:
            self.asked.append(target)
            found = self.responses.get(path)
            if isinstance(found, list):
                found = found.pop(0) if len(found) > 1 else found[0]
        if found is None:
            return 404, "application/json", b'{"message": "Not Found"}'
        if isinstance(found, bytes):
            return 200, "image/png", found
        return 200, "application/json", json.dumps(found).encode()


@contextmanager
def running_web(responses: Mapping[str, Any] | None = None) -> Iterator[Web]:
    """A web server that runs as long as the context."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = web.response(self.path)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Tests print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        web = Web(f"http://127.0.0.1:{server.server_port}")
        web.responses.update(responses or {})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()
