"""`flowdsl run`: a flow from its file to its pictures."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from flowdsl.cli.absent_files import check_not_several_absent
from flowdsl.cli.account import Account, alone, in_its_words
from flowdsl.cli.arguments import (
    Parser,
    add_allow_endpoint,
    add_as_of,
    add_stdin_filename,
    check_stdin_filename,
    count,
    file_name,
    flag,
    folder_name,
    one_of,
    pair,
    seconds,
    usd,
)
from flowdsl.cli.consent import may_begin
from flowdsl.cli.failure import FAILED, is_of_inputs
from flowdsl.cli.flow_files import flow_source
from flowdsl.cli.flow_help import FlowHelp
from flowdsl.cli.from_step import start_of
from flowdsl.cli.given_inputs import GivenInputs
from flowdsl.cli.journaled import announce, behind, elsewhere, journal_of, listed_later
from flowdsl.cli.kept_arguments import tags_of
from flowdsl.cli.observed import add_watching, watchers
from flowdsl.cli.printed import equal_requests, point_to_report, print_result
from flowdsl.cli.ready_flow import IMAGES, fault_door, ready_flow
from flowdsl.cli.rehearsed import print_warnings, rehearsed, warnings
from flowdsl.cli.streams import UnwrittenOutput, stdout_at_stake, tell
from flowdsl.cli.summary import inner_names
from flowdsl.cli.terminal import colors
from flowdsl.cli.termination import Terminated, ignore_interrupts, until_terminated
from flowdsl.cli.unread_inputs import unread_inputs
from flowdsl.cli.vendor_batched import add_vendor_batch
from flowdsl.cli.vendor_batched import check as check_vendor_batch
from flowdsl.diagnostics import Diagnostic
from flowdsl.environment.flow import Flow
from flowdsl.errors import ConfigError, RunError, UsageError, in_words
from flowdsl.host import METADATA
from flowdsl.source import Source

if TYPE_CHECKING:
    from flowdsl.engine.result import Result
    from flowdsl.events import Event
    from flowdsl.source import Source

MAX_REQUESTS = 200
"""How many paid requests a run sends unless its options say otherwise: a loop that never ends is found out by then."""
_NOT_READY = frozenset({"service-not-configured", "secret-not-set"})
EXAMPLES = (
    "flowdsl run skyline.flow.yaml --simulate",
    "flowdsl run two-takes.flow.yaml --simulate --fault OPENAI_IMAGE_GENERATION=moderation",
    "flowdsl run skyline.flow.yaml -i city=Lisbon -i count=2 --out pictures",
    "flowdsl run skyline.flow.yaml --inputs inputs.yaml --json",
    'flowdsl run studio.ai-kit.yaml --action "Event poster"',
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 after a complete run, 1 when the flow or its inputs are wrong, so that nothing has run, 4 after
    one that failed, 128 and more after a signal."""
    options = parser().parse(arguments)
    options.argv = ["run", *arguments]
    check_stdin_filename(options.stdin_filename, [options.file])
    if options.file.endswith((".csv", ".tsv", ".jsonl", ".ndjson")):
        from flowdsl.cli.meant_options import check_is_flow

        check_is_flow(options.file)
    check_not_several_absent(options)
    source = flow_source(options.file, options.stdin_filename)
    if options.dry_run and options.from_step is not None:
        raise UsageError("--dry-run shows the requests of all steps: leave --from out")
    if options.dry_run:
        from flowdsl.cli.dry_run import dry_run

        return dry_run(source, options)
    return perform(options, source)


def perform(options: Namespace, source: Source) -> int:
    """Runs the flow of a source as the options say; gives the exit code."""
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # httpx's own command line: half its import
    given = GivenInputs()
    given.values |= options.served
    if options.inputs is not None:
        given.take_file(options.inputs)
    start = start_of(options, source, {*given.values, *(name for name, _ in options.input)}, parser)
    names = {**({} if start is None else start.inputs), **given.values, **dict(options.input)}
    most = MAX_REQUESTS if options.max_requests is None else options.max_requests
    with ExitStack() as stack:
        flow = ready_flow(source, options, names, stack, most)
        check_vendor_batch(flow, options)
        tags_of(options, flow)
        shown = []
        if not options.quiet:
            shown = rehearsed(flow, source, options, names) if options.simulate else warnings(flow)
            print_warnings(shown)
            for warning in unread_inputs(flow.document, names):
                sys.stderr.write(f"flowdsl: warning: {warning}\n")
        inputs = given.take_options(options.input, flow.document.inputs)
        if start is not None:
            inputs = {**start.inputs_of(flow), **inputs}
        if not options.quiet:
            given.warn_of_lacking_keys(flow.document)
        for warning in () if options.quiet else given.warnings:
            sys.stderr.write(f"flowdsl: warning: {warning}\n")
        if options.resume is not None and not announce(options.resume, flow, inputs, options):
            return 0
        part = None if start is None else partial(start.bought, flow=flow, options=options, inputs=inputs)
        if options.resume is None and not may_begin(flow, source.path, inputs, options, part=part):
            return 0
        seen_by = watchers(options, flow, source, stack)  # before requests in doubt are released for a run
        journal = journal_of(flow, source, options, stack)
        if start is not None and journal is not None:
            start.begin(journal, flow, options, inputs)
        account = Account(simulated=options.simulate, source=source, journal=journal, watchers=seen_by)
        try:
            result = _run(flow, inputs, options, account, shown)
        except RunError as error:
            error.hint = _hint_of_inputs(error, flow, inputs) or error.hint
            return _failed(error, account, options, _missing(flow, error) if not options.simulate else "")
        except Terminated as stop:
            _tell(f"{alone(account.text())}terminated\n", account, options)
            return 128 + stop.signal
        except SystemExit as exit:  # of a step; its own code could be 0
            _tell(f"{alone(account.text())}a step has ended the program: {in_words(exit)}\n", account, options)
            return FAILED
        except (KeyboardInterrupt, Exception) as error:  # a bug of ours too ends a run that may have paid
            if isinstance(error, KeyboardInterrupt):
                ignore_interrupts()
            _tell(alone(account.text()), account, options)
            raise
        equal = behind(journal) if journal is not None else ""
        if journal is not None and not options.quiet:
            with suppress(ConfigError):  # a journal that cannot be read any more
                equal += equal_requests(journal, result, options) + listed_later(journal, result.run, of="id")
                equal += elsewhere(journal, f"{equal}`flowdsl runs`" if result.in_doubt else equal)
    nothing = account.lost.fruitless(result, flow)
    try:
        account.check_output()
        with stdout_at_stake():
            inner = inner_names(flow.document, names)
            print_result(result, options, source, inner, None if nothing else account.lost.lines(), journal)
    except (BrokenPipeError, UnwrittenOutput, UsageError):  # the last: values that JSON has no form for
        sys.stderr.write(account.text())
        raise
    if nothing is not None:
        tell(nothing)
        return FAILED
    sys.stderr.write(equal)
    if options.open:
        _open(options)
    elif journal is not None and result.made and not options.events:
        point_to_report(journal.folder, options.out or IMAGES, options)
    return 0


def _open(options: Namespace) -> None:
    """Opens the folder of the pictures, or says where it is."""
    from os.path import abspath

    from flowdsl.cli.desktop import open_folder

    said = open_folder(abspath(options.out or IMAGES))  # noqa: PTH100  pathlib is slow to import
    if said is not None:
        sys.stderr.write(f"{said}\n")


def _missing(flow: Flow, error: RunError) -> str:
    """What else a run lacks that failed for want of a key or a secret: all of it at once, and not one in each run."""
    if error.code not in _NOT_READY:
        return ""
    from flowdsl.cli.needs import needs

    lines = needs([flow.document], flow._settings.services, flow.environment.registry.step_class)
    own = f": {error.message.split('`')[1]} is not set" if error.code == "secret-not-set" else f": {error.message}"
    others = [line for line in lines if own not in line]
    return "".join(f"{line.replace(': not ready: ', ': also missing: ', 1)}\n" for line in others)


def _hint_of_inputs(error: RunError, flow: Flow, inputs: dict[str, Any]) -> str | None:
    """How inputs that are wrong are given here: the error says it for a host."""
    if not is_of_inputs(error):
        return None
    from flowdsl.checker.inputs import input_values
    from flowdsl.cli.given_inputs import by_option

    try:
        input_values(flow.document.inputs, inputs, by_option)
    except ConfigError as told:
        return told.hint
    return None


def _failed(error: RunError, account: Account, options: Namespace, missing: str) -> int:
    """Reports a failed run, and what it made before; gives the exit code."""
    from flowdsl.cli.failure import failed_run

    text = f"{failed_run(error, color=colors(sys.stderr), source=account.source)}\n{missing}{account.text(error)}"
    _tell(text, account, options, error)
    return 1 if is_of_inputs(error) else FAILED


def _tell(text: str, account: Account, options: Namespace, error: RunError | None = None) -> None:
    """Gives account of a run without a result: on stderr, as JSON on stdout too where that is asked for, and on stdout
    alone where stderr takes nothing."""
    text += elsewhere(account.journal, text)
    told = tell(text)
    with suppress(BrokenPipeError, UnwrittenOutput), stdout_at_stake():
        if options.json and (error is not None or not told):
            import json

            print(json.dumps(account.to_json(error), indent=2, ensure_ascii=False))
        elif not told:
            sys.stdout.write(text)


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("run", COMMANDS["run"], EXAMPLES, add_help=False)
    parser.add_argument("-h", "--help", action=FlowHelp)
    parser.add_argument("file", metavar="FILE", help="the flow or kit; - for stdin")
    add_stdin_filename(parser)
    parser.add_argument("--action", metavar="NAME", help="which action of a kit to run: its title or its id")
    parser.add_argument(
        "-i",
        dest="input",
        action="append",
        default=[],
        type=pair,
        metavar="NAME=VALUE",
        help="an input; may be repeated, the last one counts; @FILE stands for what a file holds (.json, .yaml, .csv, "
        "else a text), @- for stdin, @@ for an @ at the beginning",
    )
    parser.add_argument("--inputs", type=file_name, metavar="FILE", help="a YAML or JSON file of inputs")
    parser.add_argument(
        "--from",
        dest="from_step",
        metavar="STEP",
        help="begin at a step of the flow, by its id, name or place (`flow[2]`): what is before it is taken from the "
        "last run of the flow, what follows is bought anew",
    )
    flag(parser, "--dry-run", help="print the requests with their prompts, as far as they are known, and send nothing")
    add_options(parser)
    return parser


def add_options(parser: Parser, requests: str = f"default: {MAX_REQUESTS}") -> None:
    """Adds what every run takes; `requests` is what is said of `--max-requests`."""
    repeated: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument("--env", metavar="NAME", help="let templates read an environment variable", **repeated)
    stored = "a value for `kv('NAME')`, before that of `[kv]` in flowdsl.toml; may be repeated"
    parser.add_argument("--kv", type=pair, metavar="NAME=VALUE", help=stored, **repeated)
    flag(parser, "--simulate", help="use a simulator on this machine in place of every service")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="STEP=KIND[:TIMES]",
        help="with --simulate: let requests of a step (its id, name or place) fail, such as paint=rate_limit:2; "
        "without :TIMES once, with :* every time; quota, moderation and auth fail at once, rate_limit, slow_down and "
        "overloaded are sent again; may be repeated; `flowdsl simulate --help` lists the kinds",
    )
    parser.add_argument(
        "--out",
        type=folder_name,
        metavar="DIR",
        help="where pictures are stored and files are written (default: flowdsl-images and flowdsl-output)",
    )
    parser.add_argument(
        "--metadata",
        type=one_of(*METADATA),
        metavar="LEVEL",
        help="what the files of pictures say of themselves: none, basic (default), or full, with the prompt",
    )
    add_vendor_batch(parser)
    flag(parser, "--no-journal", help="keep no journal: what is paid for is bought again when the run is broken off")
    parser.add_argument(
        "--cache",
        type=one_of("off", "run", "project"),
        default="off",
        metavar="WHERE",
        help="buy equal requests once: `run` within the run or batch, `project` among all runs of it (default: off)",
    )
    tag = "what `flowdsl costs --by tag` adds up by; it stands in manifest.json too; may be repeated"
    parser.add_argument("--tag", type=pair, metavar="NAME=VALUE", help=tag, **repeated)
    flag(parser, "--open", help="open the folder of the pictures when the run has ended")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print the outputs as JSON, and nothing else")
    shown.add_argument("--events", action="store_true", help="print each event as a line of JSON, the result last")
    flag(parser, "-q", "--quiet", help="no progress and no warnings on stderr")
    add_watching(parser)
    add_as_of(parser)
    parser.add_argument("--timeout", type=seconds, metavar="S", help="end the run after so many seconds")
    parser.add_argument(
        "--max-requests",
        type=count,
        metavar="N",
        help=f"send at most N paid requests, simulated ones counted alike ({requests})",
    )
    add_allow_endpoint(parser)
    flag(parser, "--private-addresses", help="let steps such as REST reach this machine and its own network")
    parser.add_argument("--max-usd", type=usd, metavar="X", help="spend at most X USD, by the catalogue's prices")
    flag(parser, "-y", "--yes", help="do not ask, whatever it can cost: `ask_above_usd` of the settings does not count")
    parser.set_defaults(resume=None, resend=False, from_step=None, served={}, files_by_value=True)


def _run(
    flow: Flow, inputs: dict[str, Any], options: Namespace, account: Account, shown: Iterable[Diagnostic]
) -> Result:
    """The result of the run, with its events shown as the options say; findings that were `shown` are not repeated."""
    import asyncio

    effects, tags = fault_door(flow, options), dict(options.tag)

    async def performed(show: Callable[[Event], None]) -> Result:
        run, journal = options.resume and options.resume.id, account.journal
        if not options.vendor_batch or journal is None:
            return await flow.arun(
                inputs, on_event=account.hearing(show), effects=effects, journal=journal, run_id=run, tags=tags
            )
        from flowdsl.cli.vendor_batched import batch_door
        from flowdsl.engine.state import new_run_id

        account.batched = run = run or new_run_id()
        async with batch_door(options, journal, run, effects) as door:
            return await flow.arun(
                inputs, on_event=account.hearing(show), effects=door, journal=journal, run_id=run, tags=tags
            )

    if options.events:
        from flowdsl.cli.event_lines import print_event

        return asyncio.run(until_terminated(performed(print_event)))
    if options.quiet:
        return asyncio.run(until_terminated(performed(_quiet(options))))
    places = {(finding.code, finding.span) for finding in shown}
    known = {finding.message for finding in flow.diagnostics if (finding.code, finding.span) in places}
    return asyncio.run(until_terminated(_with_progress(performed, account.source, known, _responses(options))))


async def _with_progress(
    performed: Callable[[Callable[[Event], None]], Awaitable[Result]],
    source: Source | None,
    known: set[str],
    responses: TextIO,
) -> Result:
    from flowdsl.cli.progress import progress_on

    async with progress_on(sys.stderr, known, responses) as progress:
        return await performed(in_its_words(source, progress))


def _responses(options: Namespace) -> TextIO:
    """Where the responses of a flow go: to stdout, unless that is for JSON alone."""
    return sys.stderr if options.json else sys.stdout


def _quiet(options: Namespace) -> Callable[[Event], None]:
    """What a quiet run shows: the responses of the flow, unless stdout is for JSON alone."""
    from flowdsl.cli import emitted_text
    from flowdsl.events import Emitted

    def show(event: Event) -> None:
        if not options.json and isinstance(event, Emitted) and emitted_text.kind_of(event) == emitted_text.RESPONSE:
            print(emitted_text.response(event.payload), flush=True)

    return show
