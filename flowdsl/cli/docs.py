"""`flowdsl docs`: the reference page of each step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flowdsl.cli.arguments import Parser, flag, folder_name
from flowdsl.cli.generated import write_or_check

EXAMPLES = ("flowdsl docs", "flowdsl docs --out site/steps", "flowdsl docs --check")


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when `--check` finds files that differ."""
    from flowdsl.reference.docs import MARK, doc_pages
    from flowdsl.reference.docstrings import documented
    from flowdsl.step.registry import installed

    options = parser().parse(arguments)
    registry = installed()
    pages = doc_pages(documented(registry.step_class(name)) for name in registry)
    again = "flowdsl docs" if options.out == "docs/steps" else f"flowdsl docs --out {options.out}"
    return write_or_check(Path(options.out), pages, mark=MARK, check=options.check, again=again)


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("docs", COMMANDS["docs"], EXAMPLES)
    parser.add_argument(
        "--out", type=folder_name, default="docs/steps", metavar="DIR", help="the folder (default: docs/steps)"
    )
    flag(parser, "--check", help="write nothing, and name the files that differ")
    return parser
