"""`run FILE --help`: behind the help of the command what the flow itself takes."""

from __future__ import annotations

import argparse
import sys
from typing import Any


class FlowHelp(argparse.Action):
    """Prints the help; behind a FILE also the inputs of that flow."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        super().__init__(
            option_strings, argparse.SUPPRESS, nargs=0, help="show this help; behind FILE also the inputs of the flow"
        )

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: Any) -> None:
        """Prints and ends the process with 0."""
        parser.print_help()
        file = getattr(namespace, "file", None)
        if file is not None:
            from flowdsl.cli.inputs import flows_of, listed
            from flowdsl.errors import FlowError

            try:
                print(f"\n{listed(flows_of(file, namespace.action))}")
            except (FlowError, OSError) as error:
                sys.stderr.write(f"flowdsl: the inputs of {file} cannot be shown: {str(error).strip()}\n")
        parser.exit()
