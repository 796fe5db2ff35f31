"""`flowdsl run`: a flow from its file to its pictures."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, TextIO

from flowdsl.cli.account import Account
from flowdsl.cli.actions import load
from flowdsl.cli.arguments import Parser, add_as_of, count, flag, one_of, pair, seconds, usd
from flowdsl.cli.flow_files import flow_source
from flowdsl.cli.given_inputs import from_file, from_options
from flowdsl.cli.streams import UnwrittenOutput, stdout_at_stake
from flowdsl.cli.summary import inner_names, summary
from flowdsl.cli.terminal import colors
from flowdsl.cli.termination import Terminated, until_terminated
from flowdsl.cli.unread_inputs import unread_inputs
from flowdsl.diagnostics import Diagnostic, render
from flowdsl.environment import Environment, Flow
from flowdsl.errors import RunError
from flowdsl.host import METADATA, Host, Storage
from flowdsl.limits import Limits

if TYPE_CHECKING:
    from flowdsl.engine.result import Result
    from flowdsl.events import Event

MAX_REQUESTS = 200
"""How many paid requests a run sends unless its options say otherwise: a loop that never ends is found out by then."""
EXAMPLES = (
    "flowdsl run skyline.flow.yaml --simulate",
    "flowdsl run skyline.flow.yaml -i city=Lisbon -i count=2 --out pictures",
    "flowdsl run skyline.flow.yaml --inputs inputs.yaml --json",
    'flowdsl run studio.ai-kit.yaml --action "Event poster"',
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 after a complete run, 1 after one that failed, 128 and more after a signal."""
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # httpx's own command line: half its import
    options = _parser().parse(arguments)
    source = flow_source(options.file)
    given = from_file(options.inputs) if options.inputs else {}
    names = {**given, **dict(options.input)}
    most = MAX_REQUESTS if options.max_requests is None else options.max_requests
    with ExitStack() as stack:
        settings: dict[str, Any] = {
            "storage": Storage(
                images=options.out or "flowdsl-images",
                output=options.out or "flowdsl-output",
                metadata=options.metadata,
            ),
            "as_of": options.as_of,
            "limits": Limits(timeout_s=options.timeout, max_requests=most, max_usd=options.max_usd),
        }
        if options.simulate:
            from flowdsl.cli import simulated

            settings |= {
                "host": Host(secrets=simulated.placeholder_secret),
                "overrides": simulated.overrides(simulated.NOWHERE, ""),
            }
            seen = load(Environment(**settings), source, options.action, names)
            settings["overrides"] = stack.enter_context(simulated.running_simulator(seen))
        flow = load(Environment(**settings), source, options.action, names)
        if options.max_requests is not None:
            flow._layers.max_requests = None  # the option raises what flowdsl.toml lowers
        if not options.quiet:
            _print_warnings(flow)
            for warning in unread_inputs(flow.document, names):
                sys.stderr.write(f"flowdsl: warning: {warning}\n")
        account = Account(simulated=options.simulate)
        try:
            result = _run(flow, {**given, **from_options(options.input, flow.document.inputs)}, options, account)
        except RunError as error:
            return _failed(error, account, options)
        except Terminated as stop:
            sys.stderr.write(f"{account.text()}terminated\n")
            return 128 + stop.signal
        except (KeyboardInterrupt, Exception):  # a bug of ours too ends a run that may have paid
            sys.stderr.write(account.text())
            raise
    try:
        account.check_output()
        with stdout_at_stake():
            _print_result(result, options, inner_names(flow.document, names))
    except (BrokenPipeError, UnwrittenOutput):
        sys.stderr.write(account.text())
        raise
    if options.open:
        _open(options)
    return 0


def _open(options: Namespace) -> None:
    """Opens the folder of the pictures, or says where it is."""
    from os.path import abspath

    from flowdsl.cli.desktop import open_folder

    said = open_folder(abspath(_storage(options).images))  # noqa: PTH100  pathlib is slow to import
    if said is not None:
        sys.stderr.write(f"{said}\n")


def _storage(options: Namespace) -> Storage:
    images, output = (options.out, options.out) if options.out else ("flowdsl-images", "flowdsl-output")
    return Storage(images=images, output=output, metadata=options.metadata)


def _failed(error: RunError, account: Account, options: Namespace) -> int:
    """Reports a failed run, and what it made before; gives the exit code."""
    from flowdsl.cli.failure import report_error

    code = report_error(error)
    sys.stderr.write(account.text(error))
    if options.json:
        import json

        with suppress(BrokenPipeError, UnwrittenOutput), stdout_at_stake():  # stderr has said it already
            print(json.dumps(account.to_dict(error), indent=2, ensure_ascii=False))
    return code


def _print_result(result: Result, options: Namespace, inner: set[str]) -> None:
    if options.json:
        import json

        print(json.dumps(result.to_json(), indent=2, ensure_ascii=False))
    elif options.events:
        from flowdsl.cli.event_lines import print_result

        print_result(result, simulated=options.simulate)
    else:
        print(summary(result, simulated=options.simulate, inner=inner))


def _parser() -> Parser:
    from flowdsl.cli import COMMANDS

    parser = Parser("run", COMMANDS["run"], EXAMPLES)
    parser.add_argument("file", metavar="FILE", help="the flow or kit; - for stdin")
    parser.add_argument("--action", metavar="NAME", help="which action of a kit to run: its title or its id")
    parser.add_argument(
        "-i",
        dest="input",
        action="append",
        default=[],
        type=pair,
        metavar="NAME=VALUE",
        help="an input; may be repeated, the last one counts",
    )
    parser.add_argument("--inputs", metavar="FILE", help="a YAML or JSON file of inputs")
    flag(parser, "--simulate", help="use a simulator on this machine in place of every service")
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="where pictures are stored and files are written (default: flowdsl-images and flowdsl-output)",
    )
    parser.add_argument(
        "--metadata",
        type=one_of(*METADATA),
        metavar="LEVEL",
        help="what the files of pictures say of themselves: none, basic (default), or full, with the prompt",
    )
    flag(parser, "--open", help="open the folder of the pictures when the run has ended")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print the outputs as JSON, and nothing else")
    shown.add_argument("--events", action="store_true", help="print each event as a line of JSON, the result last")
    flag(parser, "-q", "--quiet", help="no progress and no warnings on stderr")
    add_as_of(parser)
    parser.add_argument("--timeout", type=seconds, metavar="S", help="end the run after so many seconds")
    parser.add_argument(
        "--max-requests",
        type=count,
        metavar="N",
        help=f"send at most N paid requests, simulated ones counted alike (default: {MAX_REQUESTS})",
    )
    parser.add_argument("--max-usd", type=usd, metavar="X", help="spend at most X USD, by the catalogue's prices")
    return parser


def _print_warnings(flow: Flow) -> None:
    warnings = _warnings(flow)
    if warnings:
        sys.stderr.write(render(warnings, color=colors(sys.stderr)) + "\n\n")
        sys.stderr.flush()


def _warnings(flow: Flow) -> list[Diagnostic]:
    return [diagnostic for diagnostic in flow.diagnostics if diagnostic.severity == "warning"]


def _run(flow: Flow, inputs: dict[str, Any], options: Namespace, account: Account) -> Result:
    """The result of the run, with its events shown as the options say."""
    import asyncio

    if options.events:
        from flowdsl.cli.event_lines import print_event

        return asyncio.run(until_terminated(flow.arun(inputs, on_event=account.hearing(print_event))))
    if options.quiet:
        return asyncio.run(until_terminated(flow.arun(inputs, on_event=account.hearing(_quiet(options)))))
    return asyncio.run(until_terminated(_run_with_progress(flow, inputs, account, _responses(options))))


async def _run_with_progress(flow: Flow, inputs: dict[str, Any], account: Account, responses: TextIO) -> Result:
    from flowdsl.cli.progress import progress_on

    known = {diagnostic.message for diagnostic in _warnings(flow)}
    async with progress_on(sys.stderr, known, responses) as progress:
        return await flow.arun(inputs, on_event=account.hearing(progress))


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
