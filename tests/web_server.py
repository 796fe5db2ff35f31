"""A web server on a real loopback socket that responds as a test says, faults included."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NamedTuple


class Seen(NamedTuple):
    """A request as it came in; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Response = bytes | Callable[[socket.socket, threading.Event], None]


def response(body: bytes = b"", status: str = "200 OK", headers: str = "") -> bytes:
    """The bytes of a response; `headers` are whole lines."""
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode() + body


def hang(connection: socket.socket, ended: threading.Event) -> None:
    """Says nothing until the test is over."""
    ended.wait(30)


def reset(connection: socket.socket, ended: threading.Event) -> None:
    """Breaks the connection off."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def cut(content: bytes) -> Response:
    """Ends with its connection, before it is whole."""

    def send(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_RDWR)

    return send


def drip(connection: socket.socket, ended: threading.Event) -> None:
    """Begins a response and goes on for ever, byte by byte."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while not ended.wait(0.05):
        connection.sendall(b".")


def endless(connection: socket.socket, ended: threading.Event) -> None:
    """A response without an end, as fast as it is taken."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not ended.is_set():
        connection.sendall(b"x" * 65536)


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """An address that refuses connections as long as the context: nobody else can listen there meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


class Routes:
    """Responses by method and target (`GET /a?b=1`), each its list in order; any other request is not found."""

    def __init__(self, responses: dict[str, list[bytes]]) -> None:
        self._answers = responses

    def take(self, seen: Seen) -> bytes:
        """The response to a request."""
        given = self._answers.get(f"{seen.method} {seen.target}", [response(b"not here", "404 Not Found")])
        return given.pop(0) if len(given) > 1 else given[0]


class Web(socketserver.ThreadingTCPServer):
    """Gives the responses in order, the last one again and again; keeps the requests."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, *responses: Response, routes: Routes | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.responses = list(responses)
        self.routes = routes
        self.seen: list[Seen] = []
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def take(self, seen: Seen) -> Response:
        """Keeps a request; gives its response."""
        with self.lock:
            self.seen.append(seen)
            if self.routes is not None:
                return self.routes.take(seen)
            return self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave are part of the tests."""

    def __enter__(self) -> Web:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Connection(socketserver.StreamRequestHandler):
    server: Web

    def handle(self) -> None:
        self.connection.settimeout(5)
        with contextlib.suppress(OSError):
            while line := self.rfile.readline():
                method, target, _ = line.decode("latin-1").split(" ", 2)
                headers: dict[str, str] = {}
                while (header := self.rfile.readline()) not in (b"\r\n", b""):
                    name, _, value = header.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                body = self.rfile.read(int(headers.get("content-length", "0")))
                given = self.server.take(Seen(method, target, headers, body))
                if callable(given):
                    given(self.connection, self.server.ended)
                    return
                self.connection.sendall(given)
