"""`flowdsl graph`: a flow as a picture, with what its steps will cost."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from flowdsl.cli.absent_files import check_not_several_absent
from flowdsl.cli.actions import load
from flowdsl.cli.arguments import Parser, add_stdin_filename, check_stdin_filename, file_name, one_of, written_file
from flowdsl.cli.flow_files import flow_source, read_source
from flowdsl.cli.journaled import naming_journal, state_of
from flowdsl.cli.overwriting import check_written_over
from flowdsl.cli.run_names import LAST, meant
from flowdsl.environment import Environment
from flowdsl.errors import FlowError, UsageError

if TYPE_CHECKING:
    from flowdsl.environment.flow import Flow
    from flowdsl.graph.drawing import Costs, Drawing
    from flowdsl.graph.run_state import StepState
    from flowdsl.journal.journal import Journal

    StatesOf = Callable[[Drawing, Flow], dict[str, StepState]]

FORMATS = {".mmd": "mermaid", ".mermaid": "mermaid", ".svg": "svg", ".html": "html", ".htm": "html"}
"""The ending of a file, and the form that it means."""
EXAMPLES = (
    "flowdsl graph skyline.flow.yaml",
    "flowdsl graph skyline.flow.yaml --output skyline.svg",
    "flowdsl graph skyline.flow.yaml --events events.jsonl --output run.html",
    "flowdsl graph --run last --output run.html",
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0."""
    options = parser().parse(arguments)
    check_written_over(options.output, "drawing")
    if options.run is None:
        if options.file is None:
            raise UsageError("name the file of a flow, or with --run a run of it")
        check_stdin_filename(options.stdin_filename, [options.file])
        check_not_several_absent(options)
        return _draw(options, options.file, options.action, None if options.events is None else _of_events(options))
    if options.events is not None:
        raise UsageError("--run and --events both say what became of the steps: give one of them")
    from flowdsl.journal.journal import Journal

    with Journal(state_of(options.file or "<graph>")) as journal, naming_journal(journal):
        return _draw_run(options, journal)


def _draw(options: Namespace, file: str, action: str | None, states_of: StatesOf | None) -> int:
    """Draws a flow, with the states of its steps where somebody says them; the exit code."""
    flow = load(Environment(), flow_source(file, options.stdin_filename), action)
    from flowdsl.graph.drawing import drawing

    costs, whole = _costs(flow)
    drawn = drawing(flow.document, costs, whole)
    states = None if states_of is None else states_of(drawn, flow)
    text = _text(drawn, states, options.format or _meant(options.output), of_run=options.run is not None)
    if options.output is None:
        sys.stdout.write(text)
        return 0
    from pathlib import Path

    from flowdsl.cli.generated import write_atomically

    write_atomically(Path(options.output), text)
    return 0


def _of_events(options: Namespace) -> StatesOf:
    def states(drawn: Drawing, flow: Flow) -> dict[str, StepState]:
        found = _states(options.events)
        if not any(box.path in found for box in drawn.boxes()):
            raise UsageError(f"{options.events} holds no event of a step of this flow: is it of another one?")
        return found

    return states


def _draw_run(options: Namespace, journal: Journal) -> int:
    single = journal.runs.all(most=1)
    batch = journal.batches.last(single) if options.run == LAST else journal.batches.find(meant(journal, options.run))
    if batch is not None:
        runs, name = journal.runs.all(batch=batch.id), f"the batch {batch.id}"
    elif options.run == LAST:
        runs, name = single, f"the last run in {journal.folder}"
    else:
        runs = [journal.runs.find(meant(journal, options.run))]
        name = f"the run {runs[0].id}"
    if not runs:
        raise UsageError(f"{name} has paid for nothing: `flowdsl runs list` shows which there are")
    first = runs[0]
    if options.file is None and first.flow.startswith("<"):
        raise UsageError(f"{name} was of a flow that had no file: name the file to draw it over")

    def states(drawn: Drawing, flow: Flow) -> dict[str, StepState]:
        from flowdsl.graph.kept_state import kept_states
        from flowdsl.journal.steps import text_digest

        found = kept_states(drawn, journal.runs, runs)
        if not any(box.path in found for box in drawn.boxes()):
            raise UsageError(f"{name} did nothing in this flow that was kept: its flow was {first.flow}")
        if text_digest(flow.document.source.text) != first.flow_sha256:
            sys.stderr.write("flowdsl: the flow has changed since the run; steps may stand in other places now\n")
        return found

    return _draw(options, options.file or _near(first.flow), options.action or first.action, states)


def _near(path: str) -> str:
    shown = os.path.relpath(path)
    return path if shown.startswith(os.pardir) else shown


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("graph", COMMANDS["graph"], EXAMPLES)
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="the flow or kit; - for stdin; with --run that of the run"
    )
    add_stdin_filename(parser)
    parser.add_argument("--action", metavar="NAME", help="which action of a kit: its title or its id")
    parser.add_argument(
        "--format",
        type=one_of("mermaid", "svg", "html"),
        metavar="FORM",
        help="mermaid (default), svg or html, a page in one file; without it what the ending of --output means",
    )
    parser.add_argument("--output", type=written_file, metavar="FILE", help="write it there, in place of stdout")
    parser.add_argument(
        "--events",
        type=file_name,
        metavar="FILE",
        help="the events of a run, as `flowdsl run --events` prints them: each step shows what became of it, and its "
        "cost",
    )
    parser.add_argument(
        "--run",
        metavar="RUN",
        help="the id of a run or a batch, its beginning, or `last`: each step shows what the journal has of it; steps "
        "that pay and ask for nothing leave nothing there",
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


def _text(drawn: Drawing, states: dict[str, StepState] | None, form: str, *, of_run: bool) -> str:
    if form == "svg":
        from flowdsl.graph.svg import svg

        return svg(drawn, states)
    if form == "html":
        from flowdsl.graph.page import page

        return page(drawn, states, "nothing kept" if of_run else "not run")
    from flowdsl.graph.mermaid import mermaid

    return mermaid(drawn, states)
