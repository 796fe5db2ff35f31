"""A service says in the headers of its responses what it allows, and is asked no faster than that from then on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flowdsl import Environment, Limits, Storage
from flowdsl.journal.journal import Journal
from flowdsl_steps.http.allowances import allowances, time_s

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FLOW = """\
- step: FOR
  var: n
  start: 1
  end: COUNT
  concurrency: 16
  do:
    - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: "Boat {{ flowContext.n }}", maxRetries: RETRIES}
"""


class Bucket:
    """An images API that allows `most` requests at once and one more each `gap_s` seconds, and says so. It refuses when
    there are `more` than that, for requests do not come evenly over a network."""

    def __init__(self, most: int, gap_s: float, more: int) -> None:
        self.most, self.gap_s, self.more = most, gap_s, more
        self.full_at = time.monotonic()
        self.paid = self.refused = 0
        self.lock = threading.Lock()

    def take(self) -> tuple[bool, dict[str, str]]:
        with self.lock:
            now = time.monotonic()
            self.full_at = max(self.full_at, now)
            allowed = self.full_at + self.gap_s - now <= (self.most + self.more) * self.gap_s
            if allowed:
                self.full_at += self.gap_s
                self.paid += 1
            else:
                self.refused += 1
            full_s = self.full_at - now
            left = max(int(self.most - full_s / self.gap_s + 1e-9), 0)
            reset = f"{int(full_s * 1000)}ms"
        named = {"limit": str(self.most), "remaining": str(left), "reset": reset}
        return allowed, {f"x-ratelimit-{name}-requests": value for name, value in named.items()}


@contextmanager
def served(bucket: Bucket) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            allowed, headers = bucket.take()
            error = {"error": {"message": "slower", "type": "requests", "code": "rate_limit_exceeded"}}
            picture = {"created": 1, "data": [{"b64_json": DOT}]}
            body = json.dumps(picture if allowed else error).encode()
            self.send_response(200 if allowed else 429)
            for name, value in {
                **headers,
                "content-length": str(len(body)),
                "content-type": "application/json",
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(folder: Path, url: str, count: int, retries: int) -> None:
    services = {"OPENAI_IMAGE_GENERATION": {"endpoint": url, "apiKey": "sk-none"}}
    storage = Storage(images=folder / "pictures", output=folder / "out")
    environment = Environment(services=services, storage=storage, limits=Limits(private_addresses=True))
    text = FLOW.replace("COUNT", str(count)).replace("RETRIES", str(retries))
    with Journal(folder / "state") as journal:
        environment.load(text).run(journal=journal)


@pytest.mark.long
def test_a_service_that_said_what_it_allows_refuses_nothing_from_then_on(tmp_path: Path) -> None:
    bucket = Bucket(most=4, gap_s=0.2, more=5)
    with served(bucket) as url:
        run(tmp_path, url, 1, 5)
        run(tmp_path, url, 16, 0)  # all of them side by side; one refusal would end it
    assert (bucket.paid, bucket.refused) == (17, 0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1", 1), ("6m0s", 360), ("120ms", 0.12), ("1h2m3.5s", 3723.5), ("7m12s", 432), (" 2s ", 2),
        ("", None), (None, None), ("soon", None), ("1s later", None), ("-1", None), ("9" * 400, None),
    ],
)  # fmt: skip
def test_times_of_vendors_are_read_or_say_nothing(text: str | None, seconds: float | None) -> None:
    assert time_s(text) == seconds


@pytest.mark.parametrize("left", ["", "-1", "61", "many", "1" * 20, "\u0663"])
def test_what_cannot_be_says_nothing(left: str) -> None:
    assert list(allowances({"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": left})) == []
