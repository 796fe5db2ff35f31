"""`flowdsl simulate`: a simulated images API on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from flowdsl.cli.arguments import Parser, add_as_of, pair, port, seconds

EXAMPLES = (
    "flowdsl simulate --port 8080",
    "flowdsl simulate --fault rate_limit:2,retry_after=1",
    "flowdsl simulate --deployment prod-images=gpt-image-2",
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 after Ctrl-C."""
    options = parser().parse(arguments)
    from flowdsl_steps.image.simulator import Simulator, serve_forever
    from flowdsl_steps.image.simulator.state import DEFAULT_KEY

    simulator = Simulator(
        options.port,
        host=options.host,
        key=DEFAULT_KEY if options.key is None else options.key or None,
        faults=options.fault,
        deployments=dict(options.deployment),
        as_of=options.as_of,
        allow_hosts=options.allow_host,
        batch_s=options.batch_seconds,
    )
    serve_forever(simulator, lambda url: _announce(url, simulator.key, simulator.control_token))
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS
    from flowdsl_steps.image.simulator.faults import FAULTS

    parser = Parser("simulate", COMMANDS["simulate"], EXAMPLES)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=port, default=0, metavar="P", help="the port (default: a free one)")
    parser.add_argument("--key", metavar="K", help="the key to ask for (default: sk-simulated); empty: any")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="SPEC",
        help="go wrong on purpose: KIND[:TIMES][,KEY=VALUE]…, for example hang or server_error:2; without :TIMES once, "
        "with :* every time; may be repeated; "
        f"KIND is {', '.join(FAULTS)}",
    )
    takes = "let a batch take about so many seconds (default: as long as its pictures)"
    parser.add_argument("--batch-seconds", type=seconds, default=0.0, metavar="S", help=takes)
    add_as_of(parser)
    parser.add_argument(
        "--deployment",
        action="append",
        default=[],
        type=pair,
        metavar="NAME=MODEL",
        help="an Azure deployment and its model; may be repeated",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="serve requests to and from this host too (default: this machine's own names); may be repeated",
    )
    return parser


def _announce(url: str, key: str, control_token: str | None) -> None:
    print(f"simulated images API: {url}")
    if control_token is not None:
        print(f"control token, for the header X-Simulator-Token: {control_token}")
    for name, value in (
        ("OPENAI_BASE_URL", f"{url}/v1"),
        ("OPENAI_API_KEY", key),
        ("AZURE_OPENAI_ENDPOINT", url),
        ("AZURE_OPENAI_API_KEY", key),
    ):
        print(f"export {name}={value}")
    print("Ctrl-C ends it.")
    sys.stdout.flush()
