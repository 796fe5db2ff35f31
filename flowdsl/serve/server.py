"""uvicorn on a socket of ours: it says when it serves, ends in order on a signal, and says what it could not finish."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from functools import partial

import uvicorn

from flowdsl.errors import UsageError
from flowdsl.serve.app import Application
from flowdsl.serve.descriptors import most_connections
from flowdsl.serve.gateway import Gateway
from flowdsl.serve.protocol import Protocol

DRAIN_S = 600.0
"""So long what was begun may take after a signal; a second signal ends it at once."""
_TOLD_S = 0.5
"""So long it takes then to tell whoever waits."""
_LOOK_S = 0.1
"""So often is looked whether there was one."""


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens at an address.

    Raises:
        UsageError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else asyncio leaves Nagle's algorithm on
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(2048)
    except OSError as error:
        found.close()
        raise UsageError(_unlistened(host, port, error)) from None
    return found


def _unlistened(host: str, port: int, error: OSError) -> str:
    import errno

    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken: end what listens there, or write `--port 0` for a free one"
    if error.errno == errno.EACCES:
        return f"port {port} is for the system's own services: write a port from 1024 on, such as `--port 8080`"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"`{host}` is no address of this machine: write `--host 127.0.0.1`, or `--host 0.0.0.0` for all of them"
    return f"the gateway cannot listen on {host}:{port}: {error.strerror or error}"


class Server(uvicorn.Server):
    """A server of one process."""

    def __init__(
        self,
        application: Application,
        gateway: Gateway,
        sock: socket.socket,
        on_ready: Callable[[Server], None],
        *,
        proxy_headers: bool = False,
    ) -> None:
        config = uvicorn.Config(
            application.asgi,
            http=partial(Protocol, on_refused=application.asgi.refused),  # type: ignore[arg-type]  # as good as a class
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # what a client sends that is no request is a line of our own log
            access_log=False,
            server_header=False,
            proxy_headers=proxy_headers,
            backlog=min(most_connections() // 2, 2048),  # so many are accepted before any of them is looked at
            timeout_keep_alive=30,
            timeout_graceful_shutdown=int(DRAIN_S),
        )
        super().__init__(config)
        self.application = application
        self._gateway = gateway
        self._socket = sock
        self._on_ready = on_ready
        self.on_stop: Callable[[], object] | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._socket.getsockname()[1])

    def stop(self) -> None:
        """Ends in order, as after the first signal."""
        self.should_exit = self.application.is_stopping = True
        tell, self.on_stop = self.on_stop, None
        if tell is not None:
            tell()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, and says so."""
        await super().startup(sockets)
        self._on_ready(self)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Waits for what was begun, but not long for requests that are not there yet. After a second signal it waits no
        more: that of uvicorn would, as from Python 3.12 on a server is closed when its last connection is."""
        self.application.reading.stop()
        ending = asyncio.create_task(super().shutdown(sockets))
        while not (ending.done() or self.force_exit):
            await asyncio.wait({ending}, timeout=_LOOK_S)
        if self.force_exit:
            ending.cancel()
            await asyncio.wait({ending})
        else:
            await ending

    async def run_here(self, in_flight: Callable[[], int]) -> None:
        """Serves until a signal, and then as long as something is worked on, also where nobody is connected any more;
        but not after a second signal."""
        with self.capture_signals():
            await self.serve(sockets=[self._socket])
            end = time.monotonic() + DRAIN_S
            while in_flight() and not self.force_exit and time.monotonic() < end:  # noqa: ASYNC110  a flag of signals
                await asyncio.sleep(_LOOK_S)

    async def cut_off(self) -> None:
        """After a second signal: whoever still waits is told, and every connection ended."""
        if not self.force_exit:
            return
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_TOLD_S)  # what they wait for has ended
        if responding := [*self.server_state.tasks]:
            for task in responding:
                task.cancel()
            await asyncio.wait(responding)
        for connection in self.server_state.connections:
            if connection.transport is not None:
                connection.transport.close()

    def handle_exit(self, sig: int, frame: object) -> None:
        """The first signal ends in order, and a second one at once; neither is raised again."""
        self.force_exit = self.should_exit
        if self.force_exit:
            logging.getLogger(
                "uvicorn.error"
            ).disabled = True  # each request that is cut off would be a traceback there
        self.stop()
