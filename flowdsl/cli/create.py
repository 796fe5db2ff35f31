"""`flowdsl create`: a flow that shows some steps, to go on from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowdsl.cli.arguments import Parser, written_file
from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.step.registry import Registry
    from flowdsl.step.spec import StepSpec

EXAMPLES = (
    "flowdsl create OPENAI_IMAGE_GENERATION",
    "flowdsl create REST,FOR,SAVE_IMAGES --output flows/mine.flow.yaml",
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 2 when there is no such step, or the file is there already."""
    options = parser().parse(arguments)
    from flowdsl.reference.skeleton import names, skeleton
    from flowdsl.step.registry import installed

    registry = installed()
    wanted = names(options.steps)
    if not wanted:
        raise UsageError("name a step: `flowdsl create SET`; `flowdsl steps` lists them")
    text = skeleton([_described(registry, name) for name in wanted])
    if options.output is None:
        sys.stdout.write(text)
        return 0
    from pathlib import Path

    from flowdsl.rewriting.files import put_new

    path = Path(options.output)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        put_new(str(path), text.encode())
    except FileExistsError:
        raise UsageError(f"{path} is there already, and stays as it is; name another file") from None
    print(f"{path} written")
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("create", COMMANDS["create"], EXAMPLES)
    parser.add_argument("steps", nargs="+", metavar="STEP", help="the steps, with commas or spaces between")
    parser.add_argument(
        "--output", type=written_file, metavar="FILE", help="write it there; a file that is there stays"
    )
    return parser


def _described(registry: Registry, name: str) -> StepSpec:
    from flowdsl.reference.docstrings import documented

    spec = registry.spec(name)
    if spec is None:
        near = registry.nearest(name)
        raise UsageError(
            f"there is no step `{name}`; {f'did you mean `{near}`?' if near else '`flowdsl steps` lists them'}"
        )
    return documented(registry.step_class(spec.name))
