"""`flowdsl mcp`: flows as tools of an agent, over standard input and output."""

from __future__ import annotations

import os
import signal
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from flowdsl.cli.absent_files import check_not_several_absent
from flowdsl.cli.arguments import Parser, add_allow_endpoint, add_as_of, count, flag, folder_name, usd
from flowdsl.cli.ready_flow import IMAGES, check_folder
from flowdsl.cli.run import MAX_REQUESTS
from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.environment.flow import Flow
    from flowdsl.journal.journal import Journal

EXAMPLES = ("flowdsl mcp flows --simulate", "flowdsl mcp skyline.flow.yaml --max-usd 1")


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 when the agent has left."""
    options = parser().parse(arguments)
    from importlib.util import find_spec

    if find_spec("mcp") is None:
        raise UsageError("tools for agents need the package mcp: pip install 'flowdsl[mcp]'")
    check_not_several_absent(options)
    with ExitStack() as stack:
        return _serve(options, stack)


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("mcp", COMMANDS["mcp"], EXAMPLES)
    parser.add_argument(
        "paths", nargs="*", default=["."], metavar="PATH", help="flows and kits, or folders of them (default: .)"
    )
    over = "an agent speaks to it over standard input and output; `flowdsl serve` serves flows to agents at `/mcp`"
    parser.instead = {
        **dict.fromkeys(("--port", "--host", "--http", "--sse", "--transport"), over),
        "--stdio": "leave it out: standard input and output are all it speaks over",
        "--flows": "name flows and folders of them as they are: `flowdsl mcp flows`",
    }
    flag(parser, "--simulate", help="use a simulator on this machine in place of every service")
    parser.add_argument("--out", type=folder_name, metavar="DIR", help=f"where pictures are stored (default: {IMAGES})")
    parser.add_argument("--max-usd", type=usd, metavar="X", help="let a call spend at most X USD")
    parser.add_argument(
        "--max-requests", type=count, default=MAX_REQUESTS, metavar="N", help="let a call send at most N paid requests"
    )
    add_allow_endpoint(parser)
    add_as_of(parser)
    return parser


def _serve(options: Namespace, stack: ExitStack) -> int:
    import asyncio

    from flowdsl.cli.consent import budget_of, warn_of_misspelt
    from flowdsl.cli.served_arguments import served_arguments
    from flowdsl.cli.termination import Terminated, until_terminated
    from flowdsl.cli.tool_flows import tool_flows
    from flowdsl.cli.variables import stored_values, variables
    from flowdsl.environment import Environment
    from flowdsl.host import Host, Storage
    from flowdsl.journal.journal import Journal
    from flowdsl.limits import Limits
    from flowdsl.source import Source

    check_folder(options.out)
    source = Source("", "<mcp>")
    host: dict[str, Any] = {"env": variables(source, ()), "kv": stored_values(source, ())}
    given: dict[str, Any] = {
        "storage": Storage(images=Path(options.out or IMAGES).absolute(), output=options.out or "flowdsl-output"),
        "limits": Limits(max_usd=options.max_usd, max_requests=options.max_requests, standard_input=False),
        "as_of": options.as_of,
        "allow_endpoints": options.allow_endpoint,
    }
    if options.simulate:
        from flowdsl.cli import simulated
        from flowdsl_steps.image.simulator import Simulator

        simulator = stack.enter_context(Simulator(as_of=options.as_of))
        given["overrides"] = simulated.overrides(simulator.url, simulator.key)
        host["secrets"] = simulated.placeholder_secret
    environment = Environment(**given, host=Host(**host))
    flows = tool_flows(environment, options.paths)
    warn_of_misspelt(flows.values(), "<mcp>")
    journal = stack.enter_context(Journal(_state(), simulated=options.simulate))
    journal.running.sweep(spare=True)
    journal.budget = budget_of("<mcp>", journal)

    async def serve() -> None:
        from mcp.server.stdio import stdio_server

        from flowdsl.serve.tools import Purse, Shared, Tools

        async with environment, stdio_server() as (reads, writes):
            purse = Purse(journal, {"agent": "mcp"})
            shared = Shared(
                purse=lambda _: purse,
                question=lambda flow, inputs: _question(flow, inputs, journal),
                given=lambda flow: served_arguments(options, flow),
                tell=_tell,
            )
            server = Tools(flows, shared).server
            try:
                await until_terminated(server.run(reads, writes, server.create_initialization_options()))
            except (Terminated, KeyboardInterrupt, asyncio.CancelledError) as stop:
                _end(journal, 128 + (stop.signal if isinstance(stop, Terminated) else signal.SIGINT))

    sys.stderr.write(f"flowdsl: {len(flows)} tool{'' if len(flows) == 1 else 's'}: {', '.join(flows)}\n")
    asyncio.run(serve())
    return 0


def _end(journal: Journal, code: int) -> NoReturn:
    """Ends the process when every run has: a thread of `stdio_server` reads standard input, which nothing ends before
    the agent closes it."""
    journal.close()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _tell(text: str) -> None:
    sys.stderr.write(f"flowdsl: {text}\n")
    sys.stderr.flush()


def _state() -> Path:
    from flowdsl.cli.journaled import state_of

    return state_of("<mcp>")


def _question(flow: Flow, inputs: Mapping[str, Any], journal: Journal) -> str | None:
    from flowdsl.cli.consent import cost_question

    return None if journal.simulated else cost_question(flow, flow.document.source.path, inputs)
