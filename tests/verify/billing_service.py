"""An image service on this machine that keeps its own bill: what it made, whether or not it arrived."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
from random import Random
from types import TracebackType
from typing import Any

from flowdsl_steps.image import cost
from flowdsl_steps.image.catalogue import catalogue

_PICTURE = base64.b64encode(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;").decode()
_QUALITIES = ("low", "medium", "high")


class BillingService:
    """Makes pictures, refuses them, or is lost in the middle, as chance has it; `requests` and `usd` are its bill."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.requests = 0
        self.usd = 0.0
        self.reached = 0
        self.url = ""
        self._started = threading.Event()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))

    def __enter__(self) -> BillingService:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def begin(self) -> None:
        """A new bill."""
        self.requests, self.usd = 0, 0.0

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with server:
            self._started.set()
            await self._ended.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.lower().split(b"\r\n")
                length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
                body = json.loads(await reader.readexactly(length))
                self.reached += 1
                if self._random.random() < 0.3:
                    await asyncio.sleep(self._random.random() / 100)
                answer = self._answered(body)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    def _answered(self, body: dict[str, Any]) -> bytes | None:
        outcome = self._random.choices(("made", "busy", "refused", "failed", "lost"), (12, 1, 1, 1, 1))[0]
        if outcome == "busy":
            return _response({"error": {"message": "slow down"}}, "429 Too Many Requests", "retry-after: 0\r\n")
        if outcome == "refused":
            return _response({"error": {"message": "no"}}, "400 Bad Request")
        made = self._made(body)
        if outcome == "made":
            return _response(made)
        return _response({"error": {"message": "oh"}}, "500 Internal Server Error") if outcome == "failed" else None

    def _made(self, body: dict[str, Any]) -> dict[str, Any]:
        """A response that is made and billed, whether or not it arrives."""
        model = catalogue().find(body["model"])
        assert model is not None
        self.requests += 1
        number = body.get("n", 1)
        found: dict[str, Any] = {"data": [{"b64_json": _PICTURE}] * number}
        if "images" in model.prices:
            usd = cost.actual(model, None, body["size"], body["quality"], number)
        else:
            quality = body.get("quality", "auto")
            quality = self._random.choice(_QUALITIES) if quality == "auto" else quality
            output = (cost.output_tokens(model, body["size"], quality) or 0) * number
            said = self._random.randint(0, len(body["prompt"]))
            found["usage"] = {"input_tokens": said, "output_tokens": output, "total_tokens": said + output}
            usd = cost.actual(model, found["usage"])
        assert usd is not None
        self.usd += usd
        return found


def _response(payload: dict[str, Any], status: str = "200 OK", headers: str = "") -> bytes:
    body = json.dumps(payload).encode()
    kind = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return f"HTTP/1.1 {status}\r\n{kind}{headers}\r\n".encode() + body
