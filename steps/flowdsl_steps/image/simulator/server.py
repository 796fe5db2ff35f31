"""The simulator on a real loopback socket."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from types import TracebackType
from typing import TYPE_CHECKING, Self

from flowdsl.errors import UsageError
from flowdsl_steps.image.simulator.access import is_loopback
from flowdsl_steps.image.simulator.app import ImagesApi
from flowdsl_steps.image.simulator.faults import Fault, FaultQueue
from flowdsl_steps.image.simulator.record import RecordedRequest
from flowdsl_steps.image.simulator.state import BATCH_LIMITS, DEFAULT_KEY, State

if TYPE_CHECKING:
    from flowdsl_steps.image.simulator.uvicorn_server import LoopbackServer


class Simulator:
    """A simulated images API to start and stop, as a context manager or an asynchronous one.

    `port` 0 takes a free one. Requests to and from other names than this machine's are refused, but for `allow_hosts`;
    on another `host` than this machine's own the control address needs `control_token`. The other options are those of
    `State`.

    Raises: UsageError without the `simulator` extra, when the port is taken, or for a bad option.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        key: str | None = DEFAULT_KEY,
        faults: Iterable[Fault | str] = (),
        deployments: Mapping[str, str] | None = None,
        models: Mapping[str, str] | None = None,
        as_of: date | None = None,
        payload_bytes: int | None = None,
        plain: bool = False,
        latency_s: float = 0.0,
        batch_s: float = 0.0,
        batch_limits: tuple[int, int] = BATCH_LIMITS,
        clock: Callable[[], float] = time.time,
        allow_hosts: Iterable[str] = (),
    ) -> None:
        _require_extra()
        self.key = DEFAULT_KEY if key is None else key
        self.host = host
        self._port = port
        self._state = State(
            key=key,
            deployments=deployments,
            models=models,
            as_of=as_of,
            payload_bytes=payload_bytes,
            plain=plain,
            latency_s=latency_s,
            batch_s=batch_s,
            batch_limits=batch_limits,
            faults=faults,
            clock=clock,
            hosts=allow_hosts if is_loopback(host) else (*allow_hosts, host, "*"),
            control_token=None if is_loopback(host) else secrets.token_urlsafe(24),
        )
        self._server: LoopbackServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on; 0 before it has taken one."""
        return self._port if self._server is None else self._server.port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def control_token(self) -> str | None:
        """What the header `X-Simulator-Token` of requests to the control address must hold; None: nothing."""
        return self._state.control_token

    @property
    def openai_base_url(self) -> str:
        """What an OpenAI client takes as its base URL."""
        return f"{self.url}/v1"

    @property
    def azure_endpoint(self) -> str:
        """What an Azure OpenAI client takes as its endpoint."""
        return self.url

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """Every API request so far, downloads of results included, secrets hidden."""
        return self._state.ledger.requests

    @property
    def request_count(self) -> int:
        """How many requests for images came in: what a vendor could bill."""
        return self._state.ledger.generation_count

    @property
    def peak_concurrency(self) -> int:
        """The most requests for images that were open at once."""
        return self._state.ledger.peak_concurrency

    @property
    def faults(self) -> FaultQueue:
        """The faults still to come."""
        return self._state.faults

    def reset(self) -> None:
        """Forgets recorded requests, faults and published files."""
        self._state.reset()

    def start(self) -> Self:
        """Starts serving in a thread and returns when it does.

        Raises: UsageError when it runs already or the port is taken.
        """
        server = self._listen()
        self._thread = threading.Thread(target=server.run_quietly, name="flowdsl-simulator", daemon=True)
        self._thread.start()
        server.wait_started()
        return self

    def stop(self) -> None:
        """Stops serving; open requests are broken off. Does nothing when it does not run."""
        server, thread, self._server, self._thread = self._server, self._thread, None, None
        if server is None:
            return
        self._port = server.port
        server.stop()
        if thread is not None:
            thread.join()
        self._state.uploads.clear()

    def serve(self, on_ready: Callable[[str], None]) -> None:
        """Serves in this thread until Ctrl-C or SIGTERM; `on_ready` gets the URL once connections are accepted."""
        server = self._listen()
        server.on_started = lambda: on_ready(self.url)
        try:
            server.run_quietly()
        except KeyboardInterrupt:
            # Ctrl-C before uvicorn has taken over the signals.
            return
        finally:
            self._server = None
            self._state.uploads.clear()

    def _listen(self) -> LoopbackServer:
        from flowdsl_steps.image.simulator.uvicorn_server import LoopbackServer

        if self._server is not None:
            raise UsageError("The simulator runs already.")
        self._server = LoopbackServer(ImagesApi(self._state), _bind(self.host, self._port))
        return self._server

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)


def serve_forever(simulator: Simulator, on_ready: Callable[[str], None]) -> None:
    """Serves until Ctrl-C or SIGTERM, then ends cleanly; `on_ready` gets the URL.

    Raises: UsageError when it runs already or the port is taken.
    """
    simulator.serve(on_ready)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else asyncio leaves Nagle's algorithm on
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = str(getattr(error, "strerror", None) or error).rstrip(".")
        raise UsageError(f"The simulator cannot listen on {host}:{port}: {reason}. Port 0 takes a free one.") from None
    return listener


def _require_extra() -> None:
    from importlib.util import find_spec

    if find_spec("uvicorn") is None or find_spec("PIL") is None:
        raise UsageError("The simulator needs uvicorn and Pillow: pip install 'flowdsl[simulator]'")
