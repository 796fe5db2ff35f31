"""uvicorn, on a socket of ours, with the connection within the application's reach."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from flowdsl_steps.image.simulator.app import ImagesApi
from flowdsl_steps.image.simulator.asgi import TRANSPORT, Receive, Scope, Send


class BreakableProtocol(H11Protocol):
    """HTTP/1.1 that hands its transport to the application, which may break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its parent does
        super().connection_made(transport)
        self.app = functools.partial(_with_transport, self.app, transport)


async def _with_transport(
    app: ImagesApi, transport: asyncio.Transport, scope: Scope, receive: Receive, send: Send
) -> None:
    scope["extensions"] = {**scope.get("extensions", {}), TRANSPORT: transport}
    await app(scope, receive, send)


class LoopbackServer(uvicorn.Server):
    """A server on a bound socket that starts and stops at once."""

    def __init__(self, api: ImagesApi, listener: socket.socket) -> None:
        config = uvicorn.Config(
            api,
            http=BreakableProtocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self.port: int = listener.getsockname()[1]
        self.on_started: Callable[[], None] | None = None
        self._listener = listener
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def run_quietly(self) -> None:
        """Serves until it is stopped."""
        try:
            self.run(sockets=[self._listener])
        finally:
            self._listener.close()
            self._ready.set()

    def wait_started(self) -> None:
        """Returns once connections are accepted."""
        self._ready.wait()

    def stop(self) -> None:
        """Asks the serving thread to end, breaking off what is open."""
        self.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts listening and wakes who waits for it."""
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        if self.on_started is not None:
            self.on_started()

    async def main_loop(self) -> None:
        """Ticks ten times a second, and ends at once when it is stopped."""
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 1) % 864_000
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends; requests that hang do not hold it up."""
        self._break_off()
        await super().shutdown(sockets)

    def _break_off(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def handle_exit(self, sig: int, frame: object) -> None:
        """Ends on the first signal, without raising it again: SIGTERM and Ctrl-C are the ordinary end here."""
        self.should_exit = True
