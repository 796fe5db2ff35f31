"""A gateway with all its parts, ready to serve."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.types import Receive, Scope, Send

from flowdsl.environment import Environment
from flowdsl.environment.flow import Flow
from flowdsl.errors import UsageError
from flowdsl.image.shelf import ORIGINALS
from flowdsl.serve.access import Access
from flowdsl.serve.app import Application
from flowdsl.serve.flow_addresses import FlowAddresses
from flowdsl.serve.flow_runs import FlowRuns, Given
from flowdsl.serve.gateway import Gateway
from flowdsl.serve.metrics import Metrics, counting
from flowdsl.serve.outside import Log
from flowdsl.serve.pictures import Pictures
from flowdsl.serve.refusal import Refusal
from flowdsl.serve.routes import Routing
from flowdsl.serve.server import Server
from flowdsl.serve.shared_counts import SharedCounts
from flowdsl.serve.tokens import Tokens
from flowdsl.serve.warned import in_both
from flowdsl.settings.said_tokens import SaidToken

if TYPE_CHECKING:
    from flowdsl.journal.journal import Journal
    from flowdsl.serve.mcp_address import McpAddress


class Parts(NamedTuple):
    """What a gateway is made of. `paths` are those of the application, `state` is the folder that its processes
    share, `parent` a descriptor at whose end the gateway ends as well, `counts` where several processes count,
    `log_content` whether the log says what requests ask for, `question` what is asked before an agent runs a flow,
    `given` what the journal keeps of a run of a flow, `tokens` what settings say of tokens."""

    environment: Environment
    routing: Routing
    journal: Journal
    state: Path
    paths: Mapping[str, str]
    flows: Mapping[str, Flow] = MappingProxyType({})
    public_url: str | None = None
    proxy_headers: bool = False
    log: Log | None = None
    log_content: bool = False
    tell: Log = lambda text: None
    parent: int | None = None
    counts: SharedCounts | None = None
    question: Callable[[Flow, Mapping[str, Any]], str | None] = lambda flow, inputs: None
    given: Given = lambda flow: {}
    tokens: Mapping[str, SaidToken] = MappingProxyType({})

    @property
    def told(self) -> Log:
        """What tells a warning, on standard error and in the log."""
        return in_both(self.tell, self.log)

    @property
    def is_worker(self) -> bool:
        """Whether other processes serve the same port."""
        return self.parent is not None


async def serve(parts: Parts, sock: socket.socket, on_ready: Callable[[Server], None]) -> int:
    """Serves on a socket until a signal, or until the server that `on_ready` is given is told to stop; gives how many
    requests did not end.

    Raises:
        UsageError: the pictures are not in a folder, whoever asks may name files of this machine, or
            flows may read standard input.
    """
    if parts.environment.limits.files_by_value:
        raise UsageError("clients of a gateway name no files: its environment has Limits(files_by_value=False)")
    if parts.environment.limits.standard_input:
        raise UsageError("standard input is the gateway's own: its environment has Limits(standard_input=False)")
    images = parts.environment.storage.images
    if not isinstance(images, str):
        raise UsageError("a gateway serves pictures from a folder: Storage(images=…) of its environment names one")
    private = [Path(images), Path(parts.environment.storage.output), parts.state]
    folder = Path(images).absolute() / ORIGINALS  # noqa: ASYNC240  nothing is served yet
    pictures = Pictures(folder, parts.state, parts.public_url, private=private)
    parts.journal.running.sweep(spare=True)
    tokens = Tokens(parts.state, said=parts.tokens)
    with suppress(UsageError):  # a request will say so
        tokens.all()  # what is there now is needed as long as this process lives
    access = Access(tokens, parts.journal)
    async with parts.environment, AsyncExitStack() as stack:
        gateway = Gateway(parts.environment, parts.routing, tell=parts.told, own=pictures.own_file)
        mcp: McpAddress | None = None

        def in_flight() -> int:
            return gateway.in_flight + (0 if mcp is None else mcp.in_flight)

        metrics = await stack.enter_async_context(counting(parts.counts, in_flight))
        flows = FlowAddresses(FlowRuns(parts.flows, gateway, parts.given), access, pictures, metrics)
        mcp = _agents(parts, access, pictures, metrics)
        agents = mcp or NoAgents(_why_no_agents(parts))
        said: dict[str, Any] = {"tell": parts.told, "log": parts.log, "log_content": parts.log_content}
        application = Application(gateway, pictures, access, flows, parts.paths, agents, metrics, **said)
        server = Server(application, gateway, sock, on_ready, proxy_headers=parts.proxy_headers)
        stack.push_async_callback(server.cut_off)  # once all that is worked on has ended
        if parts.parent is not None:
            asyncio.get_running_loop().add_reader(parts.parent, server.stop)
        if mcp is not None:
            await stack.enter_async_context(mcp.running())
            server.on_stop = partial(asyncio.get_running_loop().call_soon_threadsafe, mcp.stop)
        await server.run_here(in_flight)
        left = mcp.cut_off() if mcp is not None and server.force_exit else 0
        return left + await gateway.cut_off()


class NoAgents:
    """Responds at `/mcp` where agents are not served."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Says why.

        Raises:
            Refusal: always.
        """
        raise Refusal(404, f"Agents are not served here: {self._why}.", code="mcp_not_served")


def _why_no_agents(parts: Parts) -> str:
    if not parts.flows:
        return "the gateway serves no flows, which `flows` below `[serve]` names"
    return "the gateway needs the package mcp: pip install 'flowdsl[mcp]'"


def _agents(parts: Parts, access: Access, pictures: Pictures, metrics: Metrics) -> McpAddress | None:
    """What responds to agents, where flows are served and the extra is there. Only a process that is alone has
    sessions."""
    if not parts.flows or find_spec("mcp") is None:
        return None
    from flowdsl.serve.mcp_address import McpAddress

    share = parts.state if parts.is_worker else None
    return McpAddress(parts.flows, access, pictures, parts.question, parts.given, parts.told, metrics, share)
