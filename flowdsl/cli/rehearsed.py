"""What is odd about a flow that is about to run: its warnings, and what a real run would be refused for."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flowdsl.cli.terminal import colors
from flowdsl.cli.variables import stored_values, variables
from flowdsl.diagnostics import Diagnostic, render
from flowdsl.environment import Environment
from flowdsl.host import Host

if TYPE_CHECKING:
    from flowdsl.environment.flow import Flow
    from flowdsl.source import Source


def rehearsed(flow: Flow, source: Source, options: Namespace, names: Iterable[str]) -> list[Diagnostic]:
    """The warnings of a simulated run, and what a real one would be refused for."""
    host = Host(env=variables(source, options.env), kv=stored_values(source, options.kv))
    real = Environment(as_of=options.as_of, host=host, allow_endpoints=options.allow_endpoint).check(
        source, declare=names
    )
    refused = [found for found in real if found.severity == "error"]
    places = {(found.code, found.span) for found in refused}
    others = [found for found in warnings(flow) if (found.code, found.span) not in places]
    told = {(found.code, found.span) for found in others} | places
    unknown = [found for found in real if found.code == "unknown-model" and (found.code, found.span) not in told]
    return (
        others
        + unknown  # the endpoint of a simulator might serve any; it does not, and its 404 names no other
        + [found._replace(severity="warning", message=f"a real run is refused: {found.message}") for found in refused]
    )


def print_warnings(found: list[Diagnostic]) -> None:
    """Shows them on stderr."""
    if found:
        sys.stderr.write(render(found, color=colors(sys.stderr)) + "\n\n")
        sys.stderr.flush()


def warnings(flow: Flow) -> list[Diagnostic]:
    """The warnings of a flow."""
    return [diagnostic for diagnostic in flow.diagnostics if diagnostic.severity == "warning"]
