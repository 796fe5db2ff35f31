"""Batches among the runs that `flowdsl runs` shows and decides."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from time import localtime, strftime
from typing import TYPE_CHECKING, Any

from flowdsl.cli.batch_account import records
from flowdsl.cli.batch_standing import standing
from flowdsl.cli.journaled import sum_of
from flowdsl.display.visible import visible_line
from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.journal.batches import KeptBatch
    from flowdsl.journal.journal import Journal


OPEN_ENDS = "perhaps done and billed, which only the vendor's own account says"
"""What is said of requests of which nobody knows what became, where nothing more is done about them."""


def check_goes_on(batch: KeptBatch) -> None:
    """Raises UsageError for a batch that was given up: nothing of it is sent again."""
    if batch.status == "dropped":
        raise UsageError(f"the batch {batch.id} was given up: nothing of it is sent again; `flowdsl batch` begins anew")


def list_batches(journal: Journal, options: Namespace) -> None:
    """Prints a line for each batch."""
    for batch in journal.batches.all()[: options.limit]:
        print(_line(journal, batch))


def batches_as_json(journal: Journal) -> list[dict[str, Any]]:
    """The batches as JSON values, the newest first."""
    return [{"kind": "batch", **_as_json(journal, batch)} for batch in journal.batches.all()]


def of_batch(journal: Journal, batch: KeptBatch, options: Namespace) -> int:
    """What an action of `flowdsl runs` does with a batch; gives the exit code.

    Raises:
        UsageError: it is nothing that is done with a batch.
    """
    if options.request:
        raise UsageError(
            f"{batch.id} is a batch, and `{options.request[0]}` a request of one of its records: `flowdsl runs "
            f"{options.action} {batch.id[:13]}.RECORD {options.request[0]}` is about that alone"
        )
    if options.action == "show":
        return _show(journal, batch, options)
    if options.action == "release":
        check_goes_on(batch)
        number = journal.batches.release(batch.id)
        caught = [] if number else [*journal.batches.caught(batch.id)]
        none = "no request of it is in doubt"
        if caught:
            none = f"what the flow caught is released one by one: `flowdsl runs show {batch.id}.{caught[0]}` says how"
        then = f"`flowdsl resume {batch.id[:13]}` sends them again" if number else none
        said = f"{number:,} released: {then}"
        print(json.dumps({"batch": batch.id, "released": number}) if options.json else said)
        return 0
    if options.action == "hold":
        number = journal.batches.hold(batch.id)
        then = "what is held is not sent again" if number else "none of it waits to be sent again"
        print(json.dumps({"batch": batch.id, "held": number}) if options.json else f"{number:,} held: {then}")
        return 0
    if options.action == "cancel":
        if batch.status == "done":
            raise UsageError(f"the batch {batch.id} is done: there is nothing to give up")
        journal.batches.drop(batch.id)
        said = f"{batch.id} is given up; what it made stays where it is"
        print(json.dumps({"batch": batch.id}) if options.json else said)
        if not batch.simulated:
            from flowdsl.cli.end_batches import end_batches

            end_batches(journal, batch.id, batch.given)
        return 0
    if options.action == "export":
        sys.stdout.write(json.dumps({"batch": batch.to_dict()}, ensure_ascii=False) + "\n")
        for run in journal.runs.all(batch=batch.id):
            sys.stdout.write(json.dumps({"run": run.to_dict()}, ensure_ascii=False) + "\n")
            for request in journal.runs.requests(run.id):
                sys.stdout.write(json.dumps({"request": request.to_dict()}, ensure_ascii=False) + "\n")
        return 0
    raise UsageError(f"{batch.id} is a batch: `flowdsl runs {options.action}` takes single runs")


def _line(journal: Journal, batch: KeptBatch) -> str:
    requests, usd, is_known = journal.batches.spent(batch.id)
    cost = (sum_of(usd) if is_known else "unknown") + (" simulated" if batch.simulated else "")
    when = strftime("%Y-%m-%d %H:%M", localtime(batch.began))
    flow = visible_line(os.path.relpath(batch.flow))
    number = "1 request" if requests == 1 else f"{requests:,} requests"
    return f"{batch.id[:13]}  {batch.status}  batch of {number}  {cost}  {flow}, {when}"


def _as_json(journal: Journal, batch: KeptBatch) -> dict[str, Any]:
    batches = journal.batches
    requests, usd, is_known = batches.spent(batch.id)
    facts = {"requests": requests, "cost_usd": usd if is_known else None, "held": sorted(batches.held(batch.id))}
    return {**batch.to_dict(), **facts, "at_vendor": batches.at_vendor(batch.id), "caught": [*batches.caught(batch.id)]}


def _show(journal: Journal, batch: KeptBatch, options: Namespace) -> int:
    held, at_vendor = journal.batches.held(batch.id), journal.batches.at_vendor(batch.id)
    stands = standing(batch, held, journal.batches.begun(batch.id))
    if options.json:
        said = {"records": None} if stands is None else stands.to_dict()
        print(json.dumps({**_as_json(journal, batch), **said}, indent=2, ensure_ascii=False))
        return 0
    caught = journal.batches.caught(batch.id)
    print(_line(journal, batch))
    gone = "" if stands is not None else ", which is gone, and with it what became of each record"
    print(f"  results: {visible_line(batch.folder)}{gone}")
    for line in () if stands is None else stands.lines(batch):
        print(line)
    if batch.status == "running":  # what was sent may come yet
        return 0
    if batch.status == "dropped":
        if doubts := {*held, *caught}:
            print(f"  {OPEN_ENDS}: {records(doubts)}. It was given up: nothing of it is sent again")
        return 0
    if at_vendor:
        print(f"  at the vendor: {at_vendor:,}. `flowdsl resume {batch.id[:13]}` fetches what it made")
    if held:
        print(f"  in doubt: {records(held)}")
        print(f"  `flowdsl resume {batch.id[:13]} --resend` sends them again: one that was done is billed twice")
        if held != journal.batches.blocked(batch.id):
            print(f"  the vendor knew no batch with them: `flowdsl resume {batch.id[:13]}` asks once more before that")
    if caught:
        print(f"  in doubt, and caught by the flow: {records(caught)}")
        print(f"  `flowdsl runs show {batch.id}.{min(caught)}` says how that of a record can be sent again")
    if held:
        return 0
    if batch.may_be_resumed and not at_vendor:
        print(f"  `flowdsl resume {batch.id[:13]}` goes on with it")
    return 0
