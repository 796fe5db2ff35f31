"""`flowdsl graph`: a flow as a picture, with what its steps will cost."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowdsl.cli.actions import load
from flowdsl.cli.arguments import Parser, add_stdin_filename, check_stdin_filename, file_name, one_of
from flowdsl.cli.flow_files import flow_source, read_source
from flowdsl.environment import Environment
from flowdsl.errors import FlowError, UsageError

if TYPE_CHECKING:
    from flowdsl.environment.flow import Flow
    from flowdsl.graph.drawing import Costs, Drawing
    from flowdsl.graph.run_state import StepState

FORMATS = {".mmd": "mermaid", ".mermaid": "mermaid", ".svg": "svg", ".html": "html", ".htm": "html"}
"""The ending of a file, and the form that it means."""
EXAMPLES = (
    "flowdsl graph skyline.flow.yaml",
    "flowdsl graph skyline.flow.yaml --output skyline.svg",
    "flowdsl graph skyline.flow.yaml --events events.jsonl --output run.html",
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0."""
    options = parser().parse(arguments)
    check_stdin_filename(options.stdin_filename, [options.file])
    flow = load(Environment(), flow_source(options.file, options.stdin_filename), options.action)
    states = _states(options.events) if options.events is not None else None
    from flowdsl.graph.drawing import drawing

    costs, whole = _costs(flow)
    drawn = drawing(flow.document, costs, whole)
    if states is not None and not any(box.path in states for box in drawn.boxes()):
        raise UsageError(f"{options.events} holds no event of a step of this flow: is it of another one?")
    text = _text(drawn, states, options.format or _meant(options.output))
    if options.output is None:
        sys.stdout.write(text)
        return 0
    from pathlib import Path

    from flowdsl.cli.generated import write_atomically

    write_atomically(Path(options.output), text)
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("graph", COMMANDS["graph"], EXAMPLES)
    parser.add_argument("file", metavar="FILE", help="the flow or kit; - for stdin")
    add_stdin_filename(parser)
    parser.add_argument("--action", metavar="NAME", help="which action of a kit: its title or its id")
    parser.add_argument(
        "--format",
        type=one_of("mermaid", "svg", "html"),
        metavar="FORM",
        help="mermaid (default), svg or html, a page in one file; without it what the ending of --output means",
    )
    parser.add_argument("--output", type=file_name, metavar="FILE", help="write it there, in place of stdout")
    parser.add_argument(
        "--events",
        type=file_name,
        metavar="FILE",
        help="the events of a run, as `flowdsl run --events` prints them: each step shows what became of it, and its "
        "cost",
    )
    return parser


def _meant(output: str | None) -> str:
    ending = "" if output is None else output[output.rfind(".") :].lower()
    return FORMATS.get(ending, "mermaid")


def _states(path: str) -> dict[str, StepState]:
    from flowdsl.graph.run_state import run_states

    source, mistakes = read_source(path)
    if mistakes:
        raise UsageError(f"{path} is not UTF-8 text")
    return run_states(source.text.splitlines(), path)


def _costs(flow: Flow) -> tuple[Costs, str]:
    """What each step will cost, as a plan without inputs says it, and the run as a whole."""
    from flowdsl.plan.shown import cost_lines, headline

    try:
        plan = flow.plan()
    except FlowError as error:
        return {}, f"what it costs is not known: {error}"
    return cost_lines(plan), headline(plan.bounds, plan.assumed)


def _text(drawn: Drawing, states: dict[str, StepState] | None, form: str) -> str:
    if form == "svg":
        from flowdsl.graph.svg import svg

        return svg(drawn, states)
    if form == "html":
        from flowdsl.graph.page import page

        return page(drawn, states)
    from flowdsl.graph.mermaid import mermaid

    return mermaid(drawn, states)
