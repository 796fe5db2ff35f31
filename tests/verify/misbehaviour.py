"""A server of pictures that misbehaves in many ways, each by name: what it writes, raw, for an order and for a link.

An order is taken once the server has read it and does not refuse it: it may be billed then.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from PIL import Image as Pillow


def drawn(shade: int) -> bytes:
    """A small picture; each shade is another one."""
    out = io.BytesIO()
    Pillow.new("RGB", (9, 7), (shade, 40, 200)).save(out, "PNG")
    return out.getvalue()


GOOD = [drawn(shade) for shade in range(4)]
ONE, TWO = (base64.b64encode(each).decode() for each in GOOD[:2])
KEY = "sk-verysecret-0123456789"


class Visit:
    """One request, and the connection that it came on."""

    def __init__(self, connection: socket.socket, target: str, body: bytes, url: str, ended: threading.Event) -> None:
        self.connection = connection
        self.target = target
        self.body = body
        self.url = url
        self.ended = ended

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def until_gone(self, data: bytes = b".", pause_s: float = 0.05) -> None:
        """Goes on sending until the client leaves."""
        while not self.ended.wait(pause_s):
            self.send(data)


Answer = Callable[[Visit], None]


class Case(NamedTuple):
    """One way to misbehave.

    `good` is how many pictures of the order are whole; `fails` whether the run must fail; `refuses` whether the order
    is refused, and may be sent again; `link` answers a GET.
    """

    order: Answer
    good: int = 0
    fails: bool = True
    refuses: bool = False
    link: Answer | None = None
    n: int = 1


def raw(data: bytes) -> Answer:
    return lambda visit: visit.send(data)


def whole(body: bytes, status: str = "200 OK", headers: str = "content-type: application/json\r\n") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode("latin-1") + body


def said(payload: Any, status: str = "200 OK", headers: str = "content-type: application/json\r\n") -> Answer:
    return raw(whole(json.dumps(payload).encode(), status, headers))


def data(*items: Any, **more: Any) -> dict[str, Any]:
    return {"created": 1, "data": list(items), **more}


PICTURE = json.dumps(data({"b64_json": ONE})).encode()
BAD = {"error": {"message": f"no, {KEY}", "code": "bad_thing"}}


def linked(link: str, answer: Answer | None = None, *, good: int = 0, fails: bool = True, beside: bool = False) -> Case:
    """An order that is answered with a link; `HERE` in it is the server's own address."""

    def order(visit: Visit) -> None:
        items = [{"url": link.replace("HERE", visit.url)}, *([{"b64_json": TWO}] if beside else [])]
        said(data(*items))(visit)

    return Case(order, good + beside, fails, link=answer, n=1 + beside)


def hang(visit: Visit) -> None:
    visit.ended.wait(20)


def reset(visit: Visit) -> None:
    visit.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    visit.connection.close()


def then(first: bytes, last: Answer) -> Answer:
    def answer(visit: Visit) -> None:
        visit.send(first)
        last(visit)

    return answer


def later(body: bytes) -> Answer:
    def answer(visit: Visit) -> None:
        time.sleep(0.1)
        visit.send(body)

    return answer


def slowly(body: bytes) -> Answer:
    def answer(visit: Visit) -> None:
        for at in range(0, len(body), 40):
            visit.send(body[at : at + 40])
            time.sleep(0.005)

    return answer


def bomb(wrapped: bytes, times: int, encoding: str) -> Answer:
    """Zeros that were packed, a member at a time."""

    def answer(visit: Visit) -> None:
        visit.send(f"HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\n\r\n".encode())
        for _ in range(times):
            visit.send(wrapped)

    return answer


def long_base64(visit: Visit) -> None:
    visit.send(b'HTTP/1.1 200 OK\r\n\r\n{"data":[{"b64_json":"')
    visit.until_gone(b"QUJD" * 65536, 0)


def long_text(visit: Visit) -> None:
    visit.send(b'HTTP/1.1 200 OK\r\n\r\n{"data":[{"b64_json":"' + ONE.encode() + b'"}],"more":"')
    visit.until_gone(b"more" * 65536, 0)


def echo(visit: Visit) -> None:
    said({"error": {"message": f"bad header Authorization: Bearer {KEY}", "code": KEY}}, f"400 {KEY}")(visit)


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    parts = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n" + parts + end


def streamed(*events: Any, end: Answer | None = None) -> Answer:
    text = "".join(
        f"event: {event.get('type')}\ndata: {json.dumps(event)}\n\n" if isinstance(event, dict) else event
        for event in events
    )
    begin = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + text.encode()
    return raw(begin) if end is None else then(begin, end)


PARTIAL = {"type": "image_generation.partial_image", "b64_json": TWO, "partial_image_index": 0}
COMPLETED = {"type": "image_generation.completed", "b64_json": ONE, "usage": {"output_tokens": 4, "input_tokens": 1}}


def statuses() -> Iterator[tuple[str, Case]]:
    for status in (400, 401, 403, 404, 413, 422):
        yield f"status {status}", Case(said(BAD, f"{status} No"), refuses=True)
    for status in (408, 409, 418 + 102, 500, 502, 504, 599):
        yield f"status {status}", Case(said(BAD, f"{status} Oh"))
    for name, value in {
        "none": "", "now": "retry-after: 0\r\n", "a fraction": "retry-after: 0.01\r\n",
        "below 0": "retry-after: -5\r\n",
        "words": "retry-after: soon\r\n", "long ago": "retry-after: Wed, 21 Oct 2015 07:28:00 GMT\r\n",
        "a year": "retry-after: 31536000\r\n", "endless": "retry-after: inf\r\n", "no number": "retry-after: nan\r\n",
        "twice": "retry-after: 0\r\nretry-after: 99999\r\n", "in ms": "retry-after-ms: 1\r\n",
    }.items():  # fmt: skip
        yield f"retry-after {name}", Case(said(BAD, "429 Slow", value), refuses=True)
    yield "503 with a body", Case(said(BAD, "503 Busy", "retry-after: 0\r\n"), refuses=True)
    yield "503 of a proxy", Case(raw(whole(b"<html>busy", "503 Busy", "")))
    for status in (301, 302, 307, 308):
        yield f"redirect {status}", Case(said({}, f"{status} Moved", "location: /elsewhere\r\n"), refuses=True)
    yield "redirect to itself", Case(said({}, "307 Moved", "location: v1/images/generations\r\n"), refuses=True)
    yield "redirect with a key", Case(said({}, "302 Moved", f"location: http://x/?k={KEY}\r\n"), refuses=True)
    yield "the key echoed", Case(echo, refuses=True)
    yield "status 201", Case(raw(whole(PICTURE, "201 Created")), 1, fails=False)
    yield "status 204", Case(raw(b"HTTP/1.1 204 No Content\r\n\r\n"))
    yield "early hints", Case(raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" + whole(PICTURE)), 1, fails=False)


def connections() -> Iterator[tuple[str, Case]]:
    yield "closes after reading all", Case(lambda visit: None)
    yield "resets after reading all", Case(reset)
    yield "hangs", Case(hang)
    yield "hangs in the head", Case(then(b"HTTP/1.1 200 OK\r\ncontent-", hang))
    yield "hangs in the body", Case(then(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", hang))
    yield "drips the head", Case(then(b"HTTP/1.1 200 OK\r\n", lambda visit: visit.until_gone(b"a: b\r\n", 0.1)))
    drip = b"HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n"
    yield "drips the body", Case(then(drip, lambda visit: visit.until_gone(b" ", 0.1)))
    yield "slow but good", Case(slowly(whole(PICTURE)), 1, fails=False)
    yield "no HTTP", Case(raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"))
    yield "a status of words", Case(raw(b"HTTP/1.1 okay fine\r\n\r\n"))
    yield "a head without end", Case(lambda visit: visit.until_gone(b"x" * 65536, 0))
    yield "a very long header", Case(raw(whole(PICTURE, headers=f"a: {'b' * 2_000_000}\r\n")))
    yield "reset behind a picture", Case(then(b"HTTP/1.1 200 OK\r\n\r\n" + PICTURE[:-1], reset), 1)


def bodies() -> Iterator[tuple[str, Case]]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    yield "length too long", Case(raw(head + b"content-length: 99999\r\n\r\n" + PICTURE), 1)
    yield "length too short", Case(raw(head + b"content-length: 20\r\n\r\n" + PICTURE))
    yield "length below 0", Case(raw(head + b"content-length: -1\r\n\r\n" + PICTURE))
    yield "chunks", Case(raw(chunked(PICTURE[:50], PICTURE[50:])), 1, fails=False)
    yield "last chunk missing", Case(raw(chunked(PICTURE, end=b"")), 1)
    yield "a chunk of no size", Case(then(chunked(PICTURE, end=b""), later(b"zz\r\n")), 1)
    for name, end in {
        "of no size": b"zz\r\n", "of a size below 0": b"-1\r\n", "without its end": b"5\r\n{}{}{}{}\r\n",
        "of a size beyond all": b"f" * 40 + b"\r\n", "cut in its size": b"5",
    }.items():  # fmt: skip
        yield f"a chunk {name} with the picture", Case(raw(chunked(PICTURE, end=end)), 1)
    yield "a broken trailer with the picture", Case(raw(chunked(PICTURE, end=b"0\r\nno trailer\r\n\r\n")), 1)
    yield "gzip", Case(raw(whole(gzip.compress(PICTURE), headers="content-encoding: gzip\r\n")), 1, fails=False)
    broken = gzip.compress(PICTURE)[:-12] + b"x" * 12
    yield "gzip with a broken end", Case(raw(whole(broken, headers="content-encoding: gzip\r\n")))
    yield "gzip that is none", Case(raw(whole(b"no gzip", headers="content-encoding: gzip\r\n")))
    yield "an unknown encoding", Case(raw(whole(PICTURE, headers="content-encoding: rot13\r\n")), 1, fails=False)
    yield "a bomb of gzip", Case(bomb(gzip.compress(b"\0" * 50_000_000), 6, "gzip"))
    yield "a bomb of deflate", Case(bomb(zlib.compress(b" " * 300_000_000), 1, "deflate"))
    for name, body in {
        "empty": b"", "null": b"null", "a list": b"[]", "a map": b"{}", "a number": b"7", "html": b"<html>ok</html>",
        "no data": b'{"data":null}', "empty data": b'{"data":[]}', "data of numbers": b'{"data":[1]}',
        "cut": PICTURE[:40], "brackets": b"[" * 200_000, "bytes": bytes(range(256)),
        "a forged mark": b'{"data":[{"b64\\u005fjson":"image:7"}]}', "an error": json.dumps(BAD).encode(),
        "utf-16": '{"data":[]}'.encode("utf-16"),
    }.items():  # fmt: skip
        yield f"body {name}", Case(raw(whole(body)))
    yield "brackets behind a picture", Case(raw(whole(PICTURE[:-1] + b',"x":' + b"[" * 100_000)), 1)
    yield "garbage behind a picture", Case(raw(whole(PICTURE + b"garbage")), 1)
    yield "text without end behind a picture", Case(long_text, 1)
    yield "a number of 9,999 digits", Case(raw(whole(PICTURE[:-1] + b',"created":' + b"9" * 9999 + b"}")), 1)
    usage = {"output_tokens": "many", "input_tokens": -4, "input_tokens_details": 7}
    yield "odd usage", Case(said(data({"b64_json": ONE}, usage=usage)), 1, fails=False)


def spellings() -> Iterator[tuple[str, Case]]:
    for name, text in {
        "without padding": ONE.rstrip("="), "for addresses": ONE.replace("+", "-").replace("/", "_"),
        "in lines": "\n".join(ONE[at : at + 20] for at in range(0, len(ONE), 20)),
        "data": f"data:image/png;base64,{ONE}",
    }.items():  # fmt: skip
        yield f"base64 {name}", Case(said(data({"b64_json": text})), 1, fails=False)
    for name, text in {
        "cut": ONE[:-11],
        "none": "%%%%",
        "empty": "",
        "of a text": "bm8gcGljdHVyZQ==",
        "ä": "äöü",
    }.items():
        kept = Case(said(data({"b64_json": text}, {"b64_json": TWO})), 1, n=2)
        yield f"base64 {name.replace('ä', 'of letters')}", kept
    yield "base64 without end", Case(long_base64)
    yield "far more than asked", Case(said(data(*({"b64_json": ONE} for _ in range(3000)))), 1)


def links() -> Iterator[tuple[str, Case]]:
    picture = raw(whole(GOOD[0], headers="content-type: image/png\r\n"))
    gone = raw(whole(b"", "404 Gone", ""))
    yield "link", linked("HERE/p.png", picture, good=1, fails=False)
    yield "link relative", linked("p.png?sig=a%2Fb", picture, good=1, fails=False)
    yield "link gone", linked("HERE/p.png", gone, beside=True)
    yield "link that hangs", linked("HERE/p.png", hang, beside=True)
    yield "link that drips", linked("HERE/p.png", then(b"HTTP/1.1 200 OK\r\n\r\n", lambda v: v.until_gone(b"x", 0.1)))
    endless = then(b"HTTP/1.1 200 OK\r\n\r\n\x89PNG\r\n\x1a\n", lambda visit: visit.until_gone(b"\0" * 65536, 0))
    yield "link without end", linked("HERE/p.png", endless)
    yield "link in a circle", linked("HERE/p.png", said({}, "302 Moved", "location: p.png\r\n"), beside=True)
    yield "link to html", linked("HERE/p.png", raw(whole(b"<html>login</html>", headers="")), beside=True)
    yield "link to a file", linked("file:///etc/passwd", beside=True)
    yield "link with a login", linked("http://user:pw@127.0.0.1:1/i", beside=True)
    yield "link that is none", linked("http://[::1", beside=True)
    yield "link to this network", linked("http://169.254.169.254/latest", beside=True)
    yield (
        "link to a cut picture",
        linked("HERE/p.png", raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + GOOD[0][:30]), beside=True),
    )


def streams() -> Iterator[tuple[str, Case]]:
    yield "stream", Case(streamed(PARTIAL, COMPLETED), 1, fails=False)
    yield "stream of partial pictures only", Case(streamed(PARTIAL, PARTIAL))
    yield "stream cut after a partial picture", Case(streamed(PARTIAL, end=reset))
    yield "stream with an error", Case(streamed(PARTIAL, {"type": "error", **BAD}))
    yield "stream of garbage", Case(streamed("data: {no json\n\n"))
    yield "stream that hangs behind a picture", Case(streamed(COMPLETED, end=hang), 1)
    yield "stream of comments", Case(streamed(end=lambda visit: visit.until_gone(b": wait\n\n", 0.1)))
    yield (
        "stream of one line without end",
        Case(streamed("data: ", end=lambda visit: visit.until_gone(b"x" * 65536, 0))),
    )


CASES: dict[str, Case] = dict(
    pair for group in (statuses, connections, bodies, spellings, links, streams) for pair in group()
)
"""The ways by name."""
