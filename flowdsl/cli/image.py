"""`flowdsl image`: a picture from a prompt, without a file.

It makes a flow of one step, which is checked and run as any other.
"""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flowdsl.cli.arguments import Parser, pair
from flowdsl.cli.flow_files import STANDARD_INPUT, flow_source
from flowdsl.cli.run import add_options, perform
from flowdsl.environment import Environment
from flowdsl.environment.picture_steps import picture_step
from flowdsl.source import Source
from flowdsl.syntax.quoting import in_quotes

if TYPE_CHECKING:
    from flowdsl.diagnostics import Fix

EXAMPLES = (
    'flowdsl image "A lighthouse at dusk, gouache" --simulate',
    'flowdsl image "A lighthouse at dusk, gouache" --size 1536x1024 --quality low -n 2 --out pictures',
    "cat prompt.txt | flowdsl image - --set output_format=webp",
)
_NAME = "<image>"
_FLOW = """\
inputs:
  prompt: {type: string}
flow:
  - step: %s
    id: image
    instruction: "{{ inputs.prompt }}"
%soutputs:
  images: "{{ flowContext.imageList }}"
"""
_PLAIN = re.compile(r"[\w.-]+")


def main(arguments: Sequence[str]) -> int:
    """The exit code, as that of `flowdsl run`."""
    options = parser().parse(arguments)
    options.argv = ["image", *arguments]
    return perform_again(options)


def perform_again(options: Namespace) -> int:
    """Makes the picture of the options; gives the exit code."""
    if options.prompt == STANDARD_INPUT:
        options.prompt = flow_source(STANDARD_INPUT).text.strip()
    environment = Environment(as_of=options.as_of)
    layers = environment.settings_for(Source("", _NAME)).services
    step = picture_step(environment.registry, layers, options.service)
    service = options.service if options.service != step.service else None
    keys = {"service": service, "model": options.model, "size": options.size, "quality": options.quality}
    keys = {name: value for name, value in {**keys, "n": options.n, **dict(options.set)}.items() if value is not None}
    source = Source(_FLOW % (step.name, "".join(_lines(keys))), _NAME)
    if "model" not in keys:
        source = _with_living_model(source, environment, quiet=options.quiet)
    escaped = f"@{options.prompt}" if options.prompt.startswith("@") else options.prompt
    run = {"action": None, "inputs": None, "input": [("prompt", escaped)]}
    return perform(Namespace(**{**vars(options), **run}), source)


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("image", COMMANDS["image"], EXAMPLES)
    parser.of_a_further_word = "; write the prompt in quotes, as one argument"
    parser.add_argument(
        "prompt", metavar="PROMPT", help="what the picture shows, used unchanged; - reads it from stdin"
    )
    parser.add_argument(
        "--model", metavar="NAME", help="the model (default: the newest one that the vendor recommends)"
    )
    parser.add_argument("--size", metavar="SIZE", help="WIDTHxHEIGHT or auto, as far as the model has it")
    parser.add_argument("--quality", metavar="WORD", help="how finely it is drawn, in the words of the model")
    parser.add_argument("-n", metavar="N", help="how many pictures (default: 1)")
    parser.add_argument(
        "--service", metavar="NAME", help="the service that makes it (default: one whose settings are there)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=pair,
        metavar="KEY=VALUE",
        help="any other key of the image step; may be repeated",
    )
    add_options(parser)
    return parser


def _lines(keys: dict[str, str]) -> Iterator[str]:
    for name, value in keys.items():
        yield f"    {name}: {value if _PLAIN.fullmatch(value) else in_quotes(value)}\n"


def _with_living_model(source: Source, environment: Environment, *, quiet: bool) -> Source:
    """The flow with the model that a finding recommends in place of a default that is or will be shut down."""
    for finding in environment.check(source):
        if finding.code in ("retired-model", "retiring-model") and finding.fixes:
            fix = finding.fixes[0]
            if not quiet or len(fix.edits) > 1:  # what was asked for is another picture then
                has = (finding.hint or fix.title).rpartition("set ")[2].removeprefix("write ")
                sys.stderr.write(f"flowdsl: no --model is given; the run has {has}\n")
            return Source(_fixed(source.text, fix), _NAME)
    return source


def _fixed(text: str, fix: Fix) -> str:
    for edit in sorted(fix.edits, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text
