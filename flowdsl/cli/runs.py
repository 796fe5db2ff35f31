"""`flowdsl runs`: the runs that paid for something, and deciding what became of requests in doubt."""

from __future__ import annotations

import json
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from time import localtime, strftime
from typing import TYPE_CHECKING

from flowdsl.cli.arguments import Parser, count, flag
from flowdsl.cli.batch_runs import OPEN_ENDS, batches_as_json, check_goes_on, list_batches, of_batch
from flowdsl.cli.journaled import named, state_of, sum_of
from flowdsl.cli.run_names import goes_on_elsewhere, meant, short_id
from flowdsl.display.visible import visible_line
from flowdsl.errors import UsageError
from flowdsl.nearest import nearest

if TYPE_CHECKING:
    from flowdsl.journal.runs import KeptRun, Request, Runs

EXAMPLES = (
    "flowdsl runs list",
    "flowdsl runs show 01a21b4b",
    "flowdsl runs release 01a21b4b",
    "flowdsl runs gc --older-than 30",
    "flowdsl runs export 01a21b4b > run.jsonl",
)
ACTIONS = {
    "list": "the runs, the newest first",
    "show": "one run: what it paid for, and what is in doubt",
    "release": "let requests in doubt be sent again when the run is resumed",
    "hold": "take that back",
    "cancel": "give a run up: it is not resumed any more",
    "gc": "remove what finished runs kept for a resume; what they cost stays",
    "export": "a run and its requests as lines of JSON",
}
_ID = re.compile(r"[0-9a-f][0-9a-f-]{3,}")
_DAY_S = 86_400
_PROMPT = 60


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    options = parser().parse(arguments)
    action = options.action
    if action not in ACTIONS:
        near = nearest(action, ACTIONS)
        known = f"did you mean `{near}`?" if near else f"there are {', '.join(ACTIONS)}"
        known = f"`flowdsl runs show {action}` shows a run" if action == "last" or _ID.fullmatch(action) else known
        raise UsageError(f"`flowdsl runs` knows no `{action}`: {known}")
    if action not in ("list", "gc") and options.run is None:
        raise UsageError(f"say which run: `flowdsl runs {action} RUN`; `flowdsl runs list` shows their ids")
    if action in ("list", "gc") and options.run is not None:
        raise UsageError(f"`flowdsl runs {action}` takes no run: `flowdsl runs show {options.run}` shows one")
    if action not in ("release", "hold") and options.request:
        raise UsageError(f"`flowdsl runs {action}` is of a whole run: leave `{options.request[0]}` out")
    from flowdsl.journal.journal import Journal

    with Journal(state_of("<runs>")) as journal:
        options.journal = journal
        options.run = options.run and meant(journal, options.run)
        batch = None if options.run is None else journal.batches.find(options.run)
        if batch is not None:
            return of_batch(journal, batch, options)
        if action == "list" and not options.json:
            list_batches(journal, options)
        return _ACTIONS[action](journal.runs, options)


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    actions = "; ".join(f"{name}: {text}" for name, text in ACTIONS.items())
    parser = Parser("runs", COMMANDS["runs"], EXAMPLES)
    parser.add_argument("action", nargs="?", default="list", metavar="ACTION", help=actions)
    parser.add_argument("run", nargs="?", metavar="RUN", help="the id of a run or batch, its beginning, or `last`")
    parser.add_argument("request", nargs="*", metavar="REQUEST", help="ids of requests, for release and hold")
    parser.add_argument("--limit", type=count, default=50, metavar="N", help="list at most N runs (default: 50)")
    parser.add_argument(
        "--older-than", type=count, default=30, metavar="DAYS", help="gc: of runs that began before (default: 30)"
    )
    flag(parser, "--json", help="print it as JSON")
    return parser


def request_line(request: Request) -> str:
    """A paid request in one line."""
    asked = request.request if isinstance(request.request, dict) else {}
    prompt = visible_line(" ".join(str(asked.get("prompt") or "").split()))
    prompt = prompt if len(prompt) <= _PROMPT else f"{prompt[: _PROMPT - 1]}…"
    when = strftime("%H:%M:%S", localtime(request.began))
    return f"{request.id[:8]}  {when}  {request.step} {request.path}  {request.model or ''}  “{prompt}”"


def _list(runs: Runs, options: Namespace) -> int:
    found = runs.all(most=options.limit)
    if options.json:
        both = [*batches_as_json(options.journal), *({"kind": "run", **run.to_dict()} for run in found)]
        both.sort(key=lambda each: each["began"], reverse=True)
        print(json.dumps(both[: options.limit], indent=2, ensure_ascii=False))
        return 0
    if not found:
        print(
            "no run outside of a batch has paid for anything here yet"
            if options.limit
            else "none are shown, as --limit is 0"
        )
        return 0
    rows = [(run.id[:13], run.status, str(run.paid), _cost(run), named(run)) for run in found]
    head = ("run", "status", "paid", "cost", "flow")
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    for row in (head, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if doubts := [run for run in found if run.status != "dropped" and (run.in_doubt or run.caught)]:
        print(f"in doubt: {', '.join(run.id[:13] for run in doubts)}; `flowdsl runs show RUN` says what")
    if waiting := [run for run in found if run.at_vendor and run.may_be_resumed]:
        print(f"at a vendor: {', '.join(run.id[:13] for run in waiting)}; `flowdsl resume RUN` fetches that")
    return 0


def _show(runs: Runs, options: Namespace) -> int:
    run = runs.find(options.run)
    requests = runs.requests(run.id)
    if options.json:
        said = {**run.to_dict(), "requests": [request.to_dict() for request in requests]}
        print(json.dumps(said, indent=2, ensure_ascii=False))
        return 0
    print(f"{run.id}  {run.status}  {_cost(run)}  {named(run)}")
    if run.error is not None:
        print(f"  {visible_line(str(run.error.get('message')))}")
    for request in requests:
        state = _state(request)
        cost = "" if request.cost_usd is None else f"  {sum_of(request.cost_usd)}"
        print(f"{state:9} {request_line(request)}{cost}")
        for path in request.files:
            print(f"          {visible_line(path)}")
    if settled := sum(request.is_settled for request in requests):
        print(
            f"settled: {settled}. Its record is done, see the results of the batch; the journal took neither its cost"
        )
        print("  nor its pictures, and counts the most that it can cost")
    batch = None if run.batch is None else options.journal.batches.find(run.batch)
    if "dropped" in (run.status, batch and batch.status):
        if doubts := run.in_doubt + run.caught + run.at_vendor:
            print(f"{OPEN_ENDS}: {doubts}. It was given up: nothing of it is sent again, nor fetched")
        return 0
    if run.in_doubt:
        print(f"in doubt: {run.in_doubt}. Look at the vendor's own account whether they were done; then")
        print(f"  flowdsl runs release {short_id(run)}    lets them be sent again: one that was done is billed twice")
        if run.batch is None and run.status != "done":
            print(f"  flowdsl runs cancel {run.id[:13]}     gives the run up")
        if any(request.is_lost for request in requests):
            print("the vendor knew no batch with them; with a key of the project that made it")
            print(f"  flowdsl resume {run.id[:13]}          asks once more, and sends nothing again")
    if caught := [request for request in requests if request.is_caught]:
        print(f"in doubt, and caught by the flow, which went on: {len(caught)}. Look at the vendor's own account; then")
        print(f"  flowdsl runs release {run.id if run.batch else run.id[:13]} {caught[0].id[:8]}", end="    ")
        print("lets one be sent again: if it was done it is billed twice")
    if run.at_vendor:
        at_vendor = [request for request in requests if request.is_at_vendor]
        place = "at the vendor" if any(request.is_ordered for request in at_vendor) else "in the vendor's batch"
        print(f"{place}: {run.at_vendor}. `flowdsl resume {run.id[:13]}` fetches what it made")
        if ordered := [request for request in at_vendor if request.is_ordered]:
            print(f"  flowdsl runs release {run.id if run.batch else run.id[:13]} {ordered[0].id[:8]}", end="    ")
            print("lets one be ordered again: if it was done it is billed twice")
    elif run.may_be_resumed and not run.in_doubt:
        print(goes_on_elsewhere(run) or f"`flowdsl resume {run.id[:13]}` goes on with it")
    return 0


def _state(request: Request) -> str:
    if request.blocks or request.is_caught:
        return "in doubt"
    if request.is_settled:
        return "settled"
    return request.state if not request.is_at_vendor else "ordered" if request.is_ordered else "in batch"


def _release(runs: Runs, options: Namespace) -> int:
    run = runs.find(options.run)
    if run.status == "dropped":
        raise UsageError(f"the run {run.id} was given up: nothing of it is sent again; `flowdsl run` begins anew")
    batch = None if run.batch is None else options.journal.batches.find(run.batch)
    if batch is not None:
        check_goes_on(batch)
    number = runs.release(run.id, options.request)
    then = goes_on_elsewhere(run) or f"`flowdsl resume {run.id[:13]}` sends what is released again"
    if run.batch is not None:
        options.journal.batches.reopen(run.batch)
        then = f"`flowdsl resume {run.batch[:13]}` sends what is released again"
    elif run.status == "done":
        then = "a run that begins at a later step, `flowdsl run --from`, buys it anew"
    none = "no request of it is in doubt"
    if run.caught:
        none = f"what the flow caught is released one by one: `flowdsl runs show {run.id}` says how"
    _decided(number, "released", then, none, options, run)
    return 0


def _hold(runs: Runs, options: Namespace) -> int:
    run = runs.find(options.run)
    number = runs.hold(run.id, options.request)
    _decided(number, "held", "what is held is not sent again", "none of it waits to be sent again", options, run)
    return 0


def _decided(number: int, what: str, then: str, none: str, options: Namespace, run: KeptRun) -> None:
    if options.json:
        print(json.dumps({"run": run.id, what: number}))
        return
    requests = "1 request is" if number == 1 else f"{number} requests are"
    print(f"{requests} {what}: {then if number else none}")


def _cancel(runs: Runs, options: Namespace) -> int:
    run = runs.find(options.run)
    if run.status == "done":
        raise UsageError(f"the run {run.id} is done: there is nothing to give up")
    if run.batch is not None:
        batch = run.batch[:13]
        raise UsageError(
            f"{run.id} is a record of a batch: `flowdsl runs cancel {batch}` gives the whole batch up, and "
            f"`flowdsl runs release {batch}.RECORD` lets another record be sent again without this one"
        )
    runs.drop(run.id)
    print(json.dumps({"run": run.id}) if options.json else f"{run.id} is given up; what it made stays where it is")
    if not run.simulated:
        from flowdsl.cli.end_batches import end_batches

        end_batches(options.journal, run.id, run.given)
    return 0


def _gc(runs: Runs, options: Namespace) -> int:
    from flowdsl.journal.runs import ago

    number = runs.collect(ago(options.older_than * _DAY_S))
    print(
        json.dumps({"runs": number})
        if options.json
        else f"cleaned up after {number} finished run{'' if number == 1 else 's'}"
    )
    return 0


def _export(runs: Runs, options: Namespace) -> int:
    run = runs.find(options.run)
    sys.stdout.write(json.dumps({"run": run._asdict()}, ensure_ascii=False) + "\n")
    for request in runs.requests(run.id):
        sys.stdout.write(json.dumps({"request": request.to_dict()}, ensure_ascii=False) + "\n")
    return 0


def _cost(run: KeptRun) -> str:
    cost = "unknown" if run.cost_usd is None else sum_of(run.cost_usd)
    return f"{cost} simulated" if run.simulated else cost


_ACTIONS: dict[str, Callable[[Runs, Namespace], int]] = {
    "list": _list,
    "show": _show,
    "release": _release,
    "hold": _hold,
    "cancel": _cancel,
    "gc": _gc,
    "export": _export,
}
