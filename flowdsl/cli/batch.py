"""`flowdsl batch`: a flow over the records of a file, side by side; what ends early goes on with `flowdsl resume`."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from flowdsl.cli import vendor_batched
from flowdsl.cli.absent_files import check_not_several_absent
from flowdsl.cli.arguments import Parser, count, mapping, pair
from flowdsl.cli.batch_account import account, near
from flowdsl.cli.batch_inputs import RecordInputs, declared_types
from flowdsl.cli.batch_progress import BatchProgress
from flowdsl.cli.batch_signals import signals_to
from flowdsl.cli.batch_taken import check_same, named, stopped, take_batch, warn_of_unfinished
from flowdsl.cli.consent import budget_of, may_begin
from flowdsl.cli.flow_files import flow_source
from flowdsl.cli.given_inputs import GivenInputs
from flowdsl.cli.journaled import state_of
from flowdsl.cli.kept_arguments import kept_arguments, tags_of
from flowdsl.cli.meant_options import check_is_flow
from flowdsl.cli.observed import Watchers, watchers
from flowdsl.cli.ready_flow import fault_door, ready_flow
from flowdsl.cli.record_files import (
    LINES,
    TABLES,
    Lines,
    Read,
    check_is_there,
    chosen_records,
    count_records,
    head_of,
    read_records,
    wanted_records,
)
from flowdsl.cli.rehearsed import print_warnings, rehearsed, warnings
from flowdsl.cli.run import add_options
from flowdsl.errors import ConfigError, UsageError
from flowdsl.journal.errors import JournalError
from flowdsl.template.json_values import to_json

if TYPE_CHECKING:
    from flowdsl.batches.running import Outcome
    from flowdsl.engine.effects import Effects
    from flowdsl.environment.flow import Flow
    from flowdsl.journal.batches import KeptBatch
    from flowdsl.journal.journal import Journal

EXAMPLES = (
    "flowdsl batch card.flow.yaml --over people.csv --simulate",
    "flowdsl batch card.flow.yaml --over people.jsonl --sample 5 --max-usd 1",
    "flowdsl batch card.flow.yaml --over people.csv --map name=full_name --concurrency 20 --out cards",
    "flowdsl batch card.flow.yaml --over cards/failed.jsonl --out cards-again",
)
_ABOUT = """\
Each record is the inputs of one run: a line of JSON, or a line of CSV with its columns. What became of each stands in \
results.jsonl in the folder, the records that failed in failed.jsonl, which can be run again as it is. Ctrl-C takes no \
further records, and ends when those it works on have ended; `flowdsl resume` goes on, and buys nothing twice."""
_KNOWN = {"done": 1, "failed": 2}


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 when every record is done, 4 when some failed or are held, 130 after Ctrl-C."""
    options = parser().parse(arguments)
    options.argv = ["batch", *arguments]
    return perform(options)


class _Parser(Parser):
    """The parser of the command: a file of records that stands alone is meant for `--over`."""

    _given: Sequence[str] = ()

    def parse(self, arguments: Sequence[str]) -> Namespace:
        self._given = arguments
        return super().parse(arguments)

    def error(self, message: str) -> NoReturn:
        super().error(f"{message}{self._records()}" if message.endswith("required: --over") else message)

    def _records(self) -> str:
        from shlex import quote

        for before, word in pairwise(self._given):
            option = self._option_string_actions.get(before)
            if word.lower().endswith((*LINES, *TABLES)) and "=" not in word and (option is None or option.nargs == 0):
                return f"; did you mean `--over {quote(word)}`?"
        return ", which names the records: a .jsonl, .csv or .tsv file"


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.batches.running import CONCURRENCY
    from flowdsl.cli import COMMANDS
    from flowdsl.cli.vendor_batched import CONCURRENCY as BATCHED

    parser = _Parser("batch", f"{COMMANDS['batch']} {_ABOUT}", EXAMPLES)
    parser.add_argument("file", metavar="FLOW", help="the flow, kit or document of another system")
    parser.add_argument("--action", metavar="NAME", help="which action of a kit to run: its title or its id")
    parser.add_argument("--over", required=True, metavar="FILE", help="the records: a .jsonl, .csv or .tsv file")
    repeated: dict[str, Any] = {"action": "append", "default": []}
    mapped = "an input and the field that it comes from, where their names differ; may be repeated"
    parser.add_argument("--map", type=mapping, metavar="INPUT=FIELD", help=mapped, **repeated)
    parser.add_argument(
        "-i", dest="input", type=pair, metavar="NAME=VALUE", help="an input that all records share", **repeated
    )
    parser.add_argument(
        "--concurrency",
        type=count,
        metavar="N",
        help=f"work on N records at once (default: {CONCURRENCY}, with --vendor-batch {BATCHED:,})",
    )
    parser.add_argument("--limit", type=count, metavar="N", help="only the first N records")
    parser.add_argument("--sample", type=count, metavar="N", help="only N records, chosen by lot, the same each time")
    add_options(parser, "all records together; default: any number")
    parser.set_defaults(inputs=None, resend=False)
    return parser


def perform(options: Namespace, kept: KeptBatch | None = None) -> int:
    """Runs a batch, from its beginning or where an earlier one ended; gives the exit code."""
    from flowdsl.journal.journal import Journal
    from flowdsl.journal.run_row import flow_path

    check_is_flow(options.file, options.over)
    check_not_several_absent(options)
    _check(options)
    source = flow_source(options.file)
    first = next(read_records(options.over, {}), None)  # so that a file that cannot be read is told first
    if first is None:
        raise UsageError(f"{options.over} holds no records")
    with ExitStack() as stack:
        id, folder = named(options, kept, state_of(source.path))
        options.out = str(folder)
        shared = {name for name, _ in options.input}
        fields = {field: name for name, field in options.map}
        names = [*shared, *(fields.get(name, name) for name in first.fields)]
        flow = ready_flow(source, options, names, stack, None)
        vendor_batched.check(flow, options)
        tags_of(options, flow)
        if not options.quiet and kept is None:
            print_warnings(rehearsed(flow, source, options, names) if options.simulate else warnings(flow))
        types = declared_types(flow, fields)
        given = GivenInputs().take_options(options.input, flow.document.inputs)
        inputs = RecordInputs(flow, given, dict(options.map))
        inputs.check_fields(first.fields, options.over, warn=not (kept or options.quiet), begins=kept is None)
        journal = stack.enter_context(Journal(state_of(source.path), simulated=options.simulate, cache=options.cache))
        journal.budget = budget_of(source.path, journal)
        if kept is not None:
            take_batch(journal, kept, stack)
        elif not options.quiet:
            warn_of_unfinished(journal, flow_path(source.path))
        seen_by = watchers(options, flow, source, stack)
        results, failed = Lines(folder / "results.jsonl"), Lines(folder / "failed.jsonl")
        stack.callback(results.close)
        stack.callback(failed.close)
        known = _known(results, failed)
        anew = set[int]() if kept is None else journal.batches.released(id) & known.keys()
        known = {number: how for number, how in known.items() if number not in anew}
        if not may_begin(flow, source.path, given, options, records=lambda: _left(options, known, inputs)):
            return 0
        if kept is None:
            stack.enter_context(journal.holding(id))
            argv, hidden = kept_arguments(options, flow)
            again = {"argv": argv, "hidden": hidden, "cwd": os.getcwd(), "over": head_of(options.over)}  # noqa: PTH109
            journal.batches.begin(id, flow_path(source.path), again, str(folder), simulated=options.simulate)
        else:
            check_same(options.over, kept)
            journal.batches.settle(id, {number for number, how in known.items() if how == _KNOWN["done"]})
            journal.batches.go_on(id, resend=options.resend)
            for file in (results, failed) if anew else ():
                file.take_out(anew)
        return _run(_Batch(id, flow, journal, options, results, failed, inputs, known, seen_by), types, folder)


class _Batch:
    """A batch that goes on: its flow, its files, and what is known of earlier."""

    def __init__(
        self,
        id: str,
        flow: Flow,
        journal: Journal,
        options: Namespace,
        results: Lines,
        failed: Lines,
        inputs: RecordInputs,
        known: Mapping[int, int],
        watchers: Watchers | None,
    ) -> None:
        self.watchers = watchers
        self.id = id
        self.flow = flow
        self.journal = journal
        self.options = options
        self.results = results
        self.failed = failed
        self.inputs = inputs
        self.known = known
        self.reading: dict[int, Read] = {}
        self.progress = BatchProgress(None, None, 0)

    def records(self, types: Mapping[str, str], chosen: set[int] | None) -> Iterator[tuple[int, Any]]:
        """The inputs of the records that are not done yet; lines that hold no record fail at once."""
        for read in read_records(self.options.over, types):
            if self.options.limit is not None and read.number >= self.options.limit:
                return
            if read.number in self.known or (chosen is not None and read.number not in chosen):
                continue
            if read.problem is not None:
                error = ConfigError(f"{self.options.over}: {read.problem}", code="input-unreadable")
                self.fail(read, None, error.to_dict())
                self.progress.take("failed", None)
                continue
            self.reading[read.number] = read
            yield read.number, self.inputs.of(read.fields)

    def has_no_more(self, records: Iterator[tuple[int, Any]]) -> bool:
        """Whether all that `records` had to give has ended."""
        return not self.reading and next(records, None) is None

    def take(self, outcome: Outcome) -> float | None:
        """Writes what became of a record; gives what it cost."""
        read = self.reading.pop(outcome.number)
        if self.watchers is not None and self.watchers.log is not None:
            self.watchers.log.record(self.id, outcome)
        if outcome.status == "done" and outcome.result is not None:
            result = outcome.result
            images = [image.to_json() for image in result.made]
            line = {"record": outcome.number, "status": "done", "run": outcome.run, "cost_usd": result.cost_usd}
            self.results.add({**line, "images": to_json(images), "outputs": result.to_json()})
            return result.cost_usd
        if outcome.status == "failed" and outcome.error is not None:
            self.fail(read, outcome.run, outcome.error.to_dict())
        left = None if outcome.error is None else outcome.error.result
        return None if left is None else left.cost_usd

    def fail(self, read: Read, run: str | None, error: Mapping[str, Any]) -> None:
        """Writes a record that failed, so that the file can be run again as it is, but for secrets, which are not
        written."""
        fields, hidden = self.inputs.shown(read.fields)
        said = {"record": read.number, "line": read.line, "run": run, "error": error}
        self.failed.add({**fields, "_failed": {**said, "hidden": hidden} if hidden else said})


def _run(work: _Batch, types: Mapping[str, str], folder: Path) -> int:
    import asyncio

    options = work.options
    total = count_records(options.over)
    chosen = chosen_records(total, options.limit, options.sample)
    wanted = wanted_records(total, options.limit, options.sample)
    batches, stream = work.journal.batches, None if options.quiet else sys.stderr
    before_usd = batches.spent_before(work.id, {*work.known, *batches.blocked(work.id)})
    progress = work.progress = BatchProgress(stream, wanted, len(work.known), work.failed.count, before_usd)
    if not options.quiet:
        before = f", {len(work.known):,} of them ended before" if work.known else ""
        sys.stderr.write(
            f"batch {work.id}: {wanted:,} record{'' if wanted == 1 else 's'}{before}, results in {near(folder)}\n"
        )
    from flowdsl.batches.running import CONCURRENCY, Stop, batch

    stop, signals, spent_out, unwritten = Stop(), list[int](), list[str](), list[str]()
    records = work.records(types, chosen)
    at_once = options.concurrency or (vendor_batched.CONCURRENCY if options.vendor_batch else CONCURRENCY)
    faults = fault_door(work.flow, options)

    def tell(text: str) -> None:
        if not options.quiet:
            progress.clear()
            sys.stderr.write(f"{text}\n")

    async def run() -> None:
        with signals_to(stop, signals, progress, drains=not options.vendor_batch):
            async with vendor_batched.batch_door(options, work.journal, work.id, faults, tell) as door:
                await run_by(door)

    async def run_by(door: Effects | None) -> None:
        outcomes = batch(
            work.flow,
            records,
            journal=work.journal,
            batch_id=work.id,
            concurrency=min(at_once, max(wanted, CONCURRENCY)),
            effects=door,
            max_requests=options.max_requests,
            max_usd=work.flow._settings.limits.max_usd,
            on_event=work.watchers,
            tags=dict(options.tag),
            stop=stop,
        )
        async with aclosing(outcomes):
            async for outcome in outcomes:
                try:
                    progress.take(outcome.status, None if unwritten else work.take(outcome))
                except OSError as error:  # what was sent is paid for: it ends, and `resume` writes what it made
                    unwritten.append(f"{near(folder)} cannot be written to: {error.strerror}")
                    stop()
                if outcome.status == "stopped" and outcome.error is not None:
                    if outcome.error.code == "image-unwritable":
                        unwritten.append(outcome.error.message)
                    else:
                        spent_out.append(stopped(outcome.error, work.id))
                elif (outcome.status, progress.waiting + progress.held) in (("waiting", 1), ("held", 1)):
                    hint = outcome.error and outcome.error.hint
                    tell(f"record {outcome.number:,}: {outcome.error}" + (f"\n  hint: {hint}" if hint else ""))

    is_cancelled, refused = False, list[JournalError]()
    try:
        asyncio.run(run())
    except (asyncio.CancelledError, KeyboardInterrupt):
        is_cancelled = True
    except JournalError as error:
        refused.append(error)
        spent_out.append(f"stopped: `flowdsl resume {work.id[:13]}` goes on, and buys nothing twice\n")
    finally:
        progress.clear()
        is_whole = not (spent_out or unwritten or progress.held or progress.waiting) and sys.exc_info()[0] is None
        if signals or is_cancelled:
            is_whole = is_whole and work.has_no_more(records)
            if is_whole:  # it came when all were under way, and broke nothing off
                signals, is_cancelled = [], False
        try:
            work.journal.batches.end(work.id, "done" if is_whole else "stopped")
        except KeyboardInterrupt:  # it waits for pictures that the disk is to take; the end is handed in
            is_cancelled = not is_whole
    try:
        code = account(work, progress, folder, signals, spent_out, unwritten, is_cancelled=is_cancelled)
    except JournalError:
        if not refused:
            raise
    if refused:
        raise refused[0]
    return code


def _check(options: Namespace) -> None:
    if wrong := [*_wrong(options)]:
        raise UsageError(wrong[0] if len(wrong) == 1 else "\n  ".join([f"{len(wrong)} options are wrong:", *wrong]))
    check_is_there(options.over)


def _wrong(options: Namespace) -> Iterator[str]:
    """What a batch cannot take of what it is given."""
    from flowdsl.batches.dispatching import MOST_AT_ONCE

    if options.file == "-":
        yield "a batch takes the flow from a file: it may be resumed"
    for name in ("limit", "sample"):
        if getattr(options, name) == 0:
            yield f"--{name} 0 leaves no record: write a number from 1 on, or leave it out for all of them"
    if options.concurrency is not None and not 1 <= options.concurrency <= MOST_AT_ONCE:
        yield f"--concurrency takes a number from 1 on, and up to {MOST_AT_ONCE:,}"
    if options.no_journal:
        yield "a batch always has a journal: what it paid for would be lost when it is broken off"
    if options.events:
        yield "--events goes with `flowdsl run`: the results of a batch are lines of JSON in a file"


def _known(results: Lines, failed: Lines) -> dict[int, int]:
    """The records that ended in earlier attempts."""
    known = {int(line["record"]): _KNOWN["done"] for line in results.known() if "record" in line}
    for line in failed.known():
        known[int(line["_failed"]["record"])] = _KNOWN["failed"]
    return known


def _left(options: Namespace, known: Mapping[int, int], inputs: RecordInputs) -> tuple[int, frozenset[str]]:
    most = wanted_records(count_records(options.over), options.limit, options.sample)
    return most - len(known), inputs.names(options.over)
