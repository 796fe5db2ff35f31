"""`flowdsl schema`: JSON Schemas for editors, and the index of a steps package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flowdsl.cli.arguments import Parser, flag, folder_name
from flowdsl.cli.generated import write_or_check

EXAMPLES = (
    "flowdsl schema",
    "flowdsl schema --out .vscode/schemas",
    "flowdsl schema --index my_steps",
    "flowdsl schema --check",
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when `--check` finds files that differ."""
    options = parser().parse(arguments)
    if options.index is not None:
        return _index(options.index, options.check)
    from flowdsl.document.dialects import schemas
    from flowdsl.reference.docstrings import documented
    from flowdsl.reference.schema import MARK, schema_files
    from flowdsl.step.registry import installed

    registry = installed()
    files = schema_files((documented(registry.step_class(name)) for name in registry), schemas())
    again = "flowdsl schema" if options.out == "schemas" else f"flowdsl schema --out {options.out}"
    return write_or_check(Path(options.out), files, mark=MARK, check=options.check, again=again)


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("schema", COMMANDS["schema"], EXAMPLES)
    parser.add_argument(
        "--out", type=folder_name, default="schemas", metavar="DIR", help="the folder to write to (default: schemas)"
    )
    flag(parser, "--check", help="write nothing, and name the files that differ")
    parser.add_argument(
        "--index",
        metavar="PACKAGE",
        help="write the index of a steps package instead, with which its steps are checked without being imported",
    )
    return parser


def _index(package: str, check: bool) -> int:
    from flowdsl.reference.index import index_path, index_text

    path = index_path(package)
    again = f"flowdsl schema --index {package}"
    return write_or_check(path.parent, {path.name: index_text(package)}, mark=f"`{again}`", check=check, again=again)
