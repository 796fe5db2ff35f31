"""`python -m flowdsl_steps.image.simulator`: serves until Ctrl-C and prints the URL, for benchmarks and scripts."""

from __future__ import annotations

import argparse
import sys

from flowdsl.errors import UsageError
from flowdsl_steps.image.simulator.server import Simulator, serve_forever
from flowdsl_steps.image.simulator.state import DEFAULT_KEY


def main() -> int:
    """The exit status: 0 after a clean end, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m flowdsl_steps.image.simulator")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--key", default=DEFAULT_KEY, help="the right key; empty accepts any")
    parser.add_argument("--payload-bytes", type=int, default=None, help="exact size of every picture's file")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds an image takes at least")
    parser.add_argument("--batch-seconds", type=float, default=0.0, help="seconds a batch takes, about")
    parser.add_argument("--fault", action="append", default=[], help="KIND[:TIMES][,KEY=VALUE]...")
    options = parser.parse_args()
    try:
        simulator = Simulator(
            options.port,
            key=options.key or None,
            faults=options.fault,
            payload_bytes=options.payload_bytes,
            latency_s=options.latency,
            batch_s=options.batch_seconds,
        )
        serve_forever(simulator, _announce)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _announce(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
