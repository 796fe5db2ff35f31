"""`flowdsl resume`: a run that was killed, or failed, goes on; what it has paid for is used again."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.cli.arguments import Parser, count, flag, pair, seconds, usd
from flowdsl.cli.journaled import listed_later, state_of
from flowdsl.cli.kept_arguments import give_again
from flowdsl.cli.run_names import goes_on_elsewhere, meant, short_id
from flowdsl.cli.served_arguments import take_inputs
from flowdsl.display.visible import visible_line
from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.journal.batches import KeptBatch
    from flowdsl.journal.journal import Journal
    from flowdsl.journal.runs import KeptRun, Runs

EXAMPLES = (
    "flowdsl resume",
    "flowdsl resume 01a21b4b --yes",
    "flowdsl resume --resend",
)
_ABOUT = """\
A run of a flow that pays writes down what it buys. Resumed, it begins at its first step; what asks for the same again \
gets what was bought, also where steps have moved, were added or left out. A request that was sent and whose outcome \
nobody knows is not sent again unless you say so."""
_MOST_SHOWN = 10
_OVER = {"done": "is done", "dropped": "was given up"}
"""How a run or a batch stands that does not go on."""


def main(arguments: Sequence[str]) -> int:
    """The exit code, as that of `flowdsl run`; 1 also where requests are in doubt."""
    options = parser().parse(arguments)
    from flowdsl.journal.journal import Journal

    with Journal(state_of("<resume>")) as journal:
        options.run = options.run and meant(journal, options.run)
        found = _batch(journal, options)
        if found is not None:
            if _lists(journal, found, options):
                return 0
            return _go_on(journal, found, options)
        runs = journal.runs
        run = runs.find(options.run) if options.run is not None else _last(runs, journal)
        if _lists(journal, run, options, of="id"):
            return 0
        _check(run)
        if not _decided(runs, run, options):
            return 1
    again = _options(run, options)
    _go_to(run, journal, options)
    return _perform(run, again, options)


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("resume", f"{COMMANDS['resume']} {_ABOUT}", EXAMPLES)
    parser.add_argument(
        "run",
        nargs="?",
        metavar="RUN",
        help="the id of the run or batch, its beginning, or `last`; `flowdsl runs list` shows them (default: the last "
        "unfinished one)",
    )
    flag(parser, "-y", "--yes", help="go on without asking")
    flag(parser, "--resend", help="send requests in doubt again: what the vendor has done is then billed twice")
    parser.add_argument(
        "-i",
        dest="input",
        action="append",
        default=[],
        type=pair,
        metavar="NAME=VALUE",
        help="another value for an input, or one that held a secret, which is not kept; may be repeated",
    )
    stored = "a value for `kv('NAME')` again that held a secret; may be repeated"
    parser.add_argument("--kv", action="append", default=[], type=pair, metavar="NAME=VALUE", help=stored)
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print the outputs as JSON, and nothing else")
    shown.add_argument("--events", action="store_true", help="print each event as a line of JSON, the result last")
    flag(parser, "-q", "--quiet", help="no progress and no warnings on stderr")
    parser.add_argument("--timeout", type=seconds, metavar="S", help="end the run after so many seconds")
    parser.add_argument("--max-requests", type=count, metavar="N", help="send at most N requests, earlier ones too")
    parser.add_argument("--max-usd", type=usd, metavar="X", help="spend at most X USD, with what is spent already")
    return parser


def _batch(journal: Journal, options: Namespace) -> KeptBatch | None:
    """The batch that is meant: by its id, or the last thing that is not finished."""
    if options.run is not None:
        return journal.batches.find(options.run)
    found, run = journal.batches.unfinished(), journal.runs.unfinished()
    return found if found is not None and (run is None or found.began > run.began) else None


def _go_on(journal: Journal, found: KeptBatch, options: Namespace) -> int:
    """Goes on with a batch.

    Raises:
        UsageError: it goes on elsewhere, or is done.
    """
    from flowdsl.cli import batch
    from flowdsl.cli.batch_taken import check_may_go_on

    check_may_go_on(found)
    _, *arguments = found.given["argv"]
    again = batch.parser().parse(arguments)
    give_again(again, options, found.given.get("hidden", []), found.id)
    again.resend = options.resend  # they are released when nothing keeps the batch from going on
    journal.close()
    again.fault, again.json, again.quiet, again.yes = [], options.json, options.quiet, options.yes
    for name in ("timeout", "max_requests", "max_usd"):
        if getattr(options, name) is not None:
            setattr(again, name, getattr(options, name))
    again.argv = found.given["argv"]
    _go_to(found, journal, options)
    return batch.perform(again, found)


def _lists(journal: Journal, found: KeptBatch | KeptRun, options: Namespace, *, of: str = "batch") -> bool:
    """Whether all that was left to do of a batch or a run was to list pictures whose manifest took no line."""
    how = _OVER.get(found.status)
    if how is None:
        return False
    from flowdsl.journal.unlisted import list_again

    id = found.id
    left = listed_later(journal, id, of=of)
    number = list_again(journal.database, id, of=of)
    if left and (still := listed_later(journal, id, of=of)):
        raise UsageError(f"it {how}, but {still.rstrip()}")
    if left:
        said = f"it {how}; {number:,} picture{' was' if number == 1 else 's were'} listed in manifest.json"
        print(json.dumps({"id": id, "listed": number}) if options.json else said)
    return bool(left)


def _last(runs: Runs, journal: Any) -> KeptRun:
    runs.check()
    found = runs.unfinished()
    if found is None:
        raise UsageError(f"no run in {journal.folder} is unfinished: `flowdsl runs list` shows those there are")
    return found


def _check(run: KeptRun) -> None:
    """Raises UsageError for a run that cannot be resumed."""
    from flowdsl.journal.runs import OF_GATEWAY
    from flowdsl.journal.tags import FLOW_TAG

    if run.batch is not None:
        raise UsageError(
            f"{run.id} is a record of a batch: `flowdsl resume {run.batch[:13]}` goes on with the batch, and "
            f"`flowdsl runs release {short_id(run)}` before it lets what is in doubt of the record be sent again"
        )
    if run.status == "done":
        raise UsageError(f"the run {run.id} is done: there is nothing to resume")
    if run.status == "running":
        raise UsageError(f"the run {run.id} goes on in another process: wait until it has ended, or end it there")
    if run.status == "dropped":
        raise UsageError(f"the run {run.id} was given up by `flowdsl runs cancel`: `flowdsl run` begins anew")
    if run.flow == OF_GATEWAY:
        raise UsageError(f"the run {run.id} is a request to a gateway: {goes_on_elsewhere(run)}")
    if "argv" not in run.given and FLOW_TAG in run.tags:
        raise UsageError(f"a client of a gateway has begun the run {run.id}: {goes_on_elsewhere(run)}")
    if "argv" not in run.given:
        raise UsageError(f"a host application has made the run {run.id}: there {goes_on_elsewhere(run)}")


def _go_to(run: KeptRun | KeptBatch, journal: Journal, options: Namespace) -> None:
    """Makes the folder in which it began the working folder: paths of its options are meant from there. The journal
    stays that in which it was found."""
    from flowdsl.journal.place import VARIABLE

    folder = run.given.get("cwd") or "."
    os.environ[VARIABLE] = str(journal.folder)  # one that was named from here, or by nothing but this folder
    here = os.getcwd()  # noqa: PTH109
    try:
        os.chdir(folder)
    except OSError as error:
        raise UsageError(
            f"the folder in which it began cannot be entered: {folder}: {error.strerror}; put it back there"
        ) from error
    if os.getcwd() != here and not options.quiet:  # noqa: PTH109
        sys.stderr.write(f"flowdsl: it began in {visible_line(folder)}: the paths below are meant from there\n")


def _decided(runs: Runs, run: KeptRun, options: Namespace) -> bool:
    """Whether nothing is in doubt any more; says what is."""
    doubts = [request for request in runs.requests(run.id) if request.blocks and not request.is_lost]
    if not doubts:
        return True
    if options.resend:  # they are released when the run goes on
        return True
    from flowdsl.cli.runs import request_line

    number = "1 request of the run is" if len(doubts) == 1 else f"{len(doubts)} requests of the run are"
    lines = [f"{number} in doubt: sent, and nobody knows whether done and billed"]
    lines += [f"  {request_line(each)}" for each in doubts[:_MOST_SHOWN]]
    lines += ["look at the vendor's own account whether they are; then"]
    lines += [f"  flowdsl resume {run.id[:13]} --resend    sends them again: one that was done is billed twice"]
    lines += [f"  flowdsl runs cancel {run.id[:13]}        gives the run up"]
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    if options.json:
        from flowdsl.journal.errors import RequestHeld

        resend, cancel = f"flowdsl resume {run.id} --resend", f"flowdsl runs cancel {run.id}"
        hint = f"look at the vendor's own account; then `{resend}` sends them again, `{cancel}` gives the run up"
        error = RequestHeld(lines[0], hint=hint)
        error.charge_possible = True
        said = {"error": error.to_dict(), "run": run.id, "requests": [each.to_dict() for each in doubts]}
        print(json.dumps(said, indent=2, ensure_ascii=False))
    return False


def _options(run: KeptRun, options: Namespace) -> Namespace:
    """The options of the run, with those that are given now in their place.

    Raises:
        UsageError: an input held a secret, and is not given again.
    """
    from flowdsl.cli import image as image_command
    from flowdsl.cli import run as run_command

    command, *arguments = run.given["argv"]
    module = image_command if command == "image" else run_command
    found: Namespace = module.parser().parse(arguments)
    take_inputs(run, found)
    give_again(found, options, run.given.get("hidden", []), run.id)
    found.argv, found.resume, found.yes = run.given["argv"], run, options.yes
    found.resend = options.resend
    found.fault = []  # it failed once, as it was told
    found.json, found.events, found.quiet = options.json, options.events, options.quiet
    for name in ("timeout", "max_requests", "max_usd"):
        if getattr(options, name) is not None:
            setattr(found, name, getattr(options, name))
    return found


def _perform(run: KeptRun, again: Namespace, options: Namespace) -> int:
    from flowdsl.cli import image as image_command
    from flowdsl.cli.flow_files import flow_source
    from flowdsl.cli.run import perform

    if run.given["argv"][0] == "image":
        return image_command.perform_again(again)
    if again.file != "-" and not os.path.exists(again.file):  # noqa: PTH110
        raise UsageError(f"the flow of the run is gone: {os.path.abspath(again.file)}")  # noqa: PTH100
    return perform(again, flow_source(again.file, again.stdin_filename))
