"""An image service on this machine that counts what it is asked for: by its prompts, whether or not anybody waits for
the response. Each picture that it makes is another one.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from types import TracebackType
from typing import Any

FLAKY = "refused once"
"""A prompt with these words is refused the first time, for nothing."""
LOST = "lost once"
"""A prompt with these words is made the first time, and the connection ends before the response."""
REPEATED = "said again"
"""A prompt with these words is refused, for nothing, with an error that repeats it."""
KEY = "sk-counted-0123456789abcdef"


class CountingService:
    """Answers after a delay that chance draws from `delay_s`. `asked` counts requests by prompt, `refused` those of
    them that cost nothing, `delivered` those whose response was written to the end; `times` is when they came,
    `most_at_once` how many were under way at the same time. `first` is for pictures that another service has not made
    either. When so many requests came as `silent_from` says, nobody gets a response any more."""

    def __init__(self, seed: int = 0, delay_s: tuple[float, float] = (0.0, 0.0), first: int = 0) -> None:
        self._first = first
        self._random = Random(seed)
        self.delay_s = delay_s
        self.asked: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.under_way: Counter[str] = Counter()
        self.times: list[float] = []
        self.most_at_once = 0
        self.silent_from: int | None = None
        self.url = ""
        self.heard = threading.Condition()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))

    @property
    def paid(self) -> Counter[str]:
        """Requests by prompt that cost something."""
        return self.asked - self.refused

    @property
    def count(self) -> int:
        """How many requests came."""
        return self.asked.total()

    def variables(self) -> dict[str, str]:
        """Variables of the environment with which OPENAI_IMAGE_GENERATION comes here."""
        return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": self.url}

    def wait_for(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Waits until something is so, which only requests change; False when it is not by then."""
        with self.heard:
            return self.heard.wait_for(is_so, timeout_s)

    def __enter__(self) -> CountingService:
        self._thread.start()
        assert self._started.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    async def _main(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        self._started.set()
        await self._ended.wait()
        server.close()

    def _is_silent(self) -> bool:
        return self.silent_from is not None and self.count >= self.silent_from

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
                self.times.append(time.perf_counter())
                length = next(int(line[15:]) for line in head if line.startswith(b"content-length:"))
                asked = json.loads(await reader.readexactly(length))
                prompt = asked["prompt"]
                with self.heard:
                    self.asked[prompt] += 1
                    is_first, number = self.asked[prompt] == 1, self._first + self.count
                    if (is_first and FLAKY in prompt) or REPEATED in prompt:
                        self.refused[prompt] += 1
                    self.under_way[prompt] += 1
                    self.most_at_once = max(self.most_at_once, self.under_way.total())
                    self.heard.notify_all()
                await asyncio.sleep(self._random.uniform(*self.delay_s))
                while self._is_silent() and not reader.at_eof():  # noqa: ASYNC110  which no event tells
                    await asyncio.sleep(0.002)
                with self.heard:
                    self.under_way[prompt] -= 1
                    self.heard.notify_all()
                if reader.at_eof() or (is_first and LOST in prompt):
                    break
                if REPEATED in prompt:
                    writer.write(_response({"error": {"message": f"no: {prompt}", "code": prompt}}, "400 Bad Request"))
                elif is_first and FLAKY in prompt:
                    error = {"error": {"message": "slow down", "type": "rate_limit_error"}}
                    writer.write(_response(error, "429 Too Many Requests", "retry-after: 0\r\n"))
                else:
                    writer.write(_response(_made(number, asked.get("n", 1), len(prompt.encode()))))
                await writer.drain()
                self.delivered[prompt] += 1
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def _made(number: int, count: int, tokens: int) -> dict[str, Any]:
    """A response with pictures that no other one has: the number stands in a comment of each. The prompt has so many
    tokens."""
    pictures = []
    for at in range(count):
        text = f"{number}.{at}".encode()
        comment = b"\x21\xfe" + bytes((len(text),)) + text + b"\0"
        pictures.append(b"GIF89a\x01\0\x01\0\0\0\0" + comment + b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0;")
    usage = {"input_tokens": tokens, "output_tokens": 196 * count, "total_tokens": tokens + 196 * count}
    return {"data": [{"b64_json": base64.b64encode(each).decode()} for each in pictures], "usage": usage}


def _response(payload: dict[str, Any], status: str = "200 OK", headers: str = "") -> bytes:
    body = json.dumps(payload).encode()
    kind = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return f"HTTP/1.1 {status}\r\n{kind}{headers}\r\n".encode() + body
