"""`flowdsl completion`: what makes a shell complete commands, options, files and steps."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from flowdsl.cli.arguments import Parser, one_of

SHELLS = ("bash", "zsh", "fish")
EXAMPLES = (
    "flowdsl completion bash > ~/.local/share/bash-completion/completions/flowdsl",
    "flowdsl completion zsh > ~/.zfunc/_flowdsl",
    "flowdsl completion fish > ~/.config/fish/completions/flowdsl.fish",
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0."""
    options = parser().parse(arguments)
    import shtab

    print(shtab.complete(_everything(), options.shell).rstrip())
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("completion", COMMANDS["completion"], EXAMPLES)
    parser.add_argument(
        "shell", type=one_of(*SHELLS), metavar="SHELL", help=" or ".join((", ".join(SHELLS[:2]), "fish"))
    )
    return parser


def _everything() -> argparse.ArgumentParser:
    """One parser of all commands, its arguments marked with what completes them."""
    from flowdsl.cli import COMMANDS
    from flowdsl.step.registry import installed

    root = argparse.ArgumentParser(prog="flowdsl")
    root.add_argument("-V", "--version", action="store_true", help="name the version")
    commands = root.add_subparsers()
    for name, summary in COMMANDS.items():
        made: Parser = import_module(f"flowdsl.cli.{name}").parser()
        for action in made._actions:
            _mark(action)
            if name == "steps" and action.dest == "name":
                action.choices = list(installed())
        commands.add_parser(name, parents=[made], add_help=False, help=summary)
    return root


def _mark(action: Any) -> None:
    """Says what completes an argument: the words it takes, files or folders."""
    import shtab

    words = getattr(action.type, "words", None)
    if words is not None:
        action.choices = words
    elif action.metavar in ("FILE", "PATH", "FILE:LINE"):
        action.complete = shtab.FILE
    elif action.metavar == "DIR":
        action.complete = shtab.DIRECTORY
