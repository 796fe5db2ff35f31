"""What became of a batch, told when it ends: its records, its files, what is in doubt, and how it goes on."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Collection, Mapping, Sequence
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flowdsl.cli import vendor_batched
from flowdsl.cli.failure import FAILED
from flowdsl.cli.journaled import behind, elsewhere, listed_later, sum_of
from flowdsl.cli.printed import point_to_report, saved_by_cache
from flowdsl.display.visible import visible_line

if TYPE_CHECKING:
    from flowdsl.cli.batch_progress import BatchProgress
    from flowdsl.cli.record_files import Lines
    from flowdsl.journal.journal import Journal


_MOST_SHOWN = 20


class Work(Protocol):
    """What is told of."""

    id: str
    journal: Journal
    options: Namespace
    results: Lines
    failed: Lines


def account(
    work: Work,
    progress: BatchProgress,
    folder: Path,
    signals: Sequence[int],
    spent: Sequence[str],
    unwritten: Sequence[str],
    *,
    is_cancelled: bool,
) -> int:
    """Says what became of the batch; gives the exit code."""
    options = work.options
    requests, usd, is_known = work.journal.batches.spent(work.id)
    in_doubt = work.journal.batches.held(work.id)
    held = len(in_doubt and in_doubt - work.results.records())  # the journal may not have taken how one ended
    caught = work.journal.batches.caught(work.id)
    done, failed = work.results.count, work.failed.count
    facts = {"batch": work.id, "done": done, "failed": failed, "held": held, "requests": requests}
    facts |= {"caught": [{"record": record, "requests": number} for record, number in caught.items()]}
    facts |= {"cost_usd": usd if is_known else None, "folder": str(folder), "interrupted": bool(signals)}
    facts |= {"not_paid_again": dict(zip(("requests", "usd"), work.journal.saved, strict=True))}
    if options.json:
        import json

        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        known = sum_of(usd) if is_known else "unknown"
        cost = f"simulated, would cost about {known}" if options.simulate else f"cost {known}"
        said = [f"{done:,} record{'' if done == 1 else 's'} done"]
        said += [f"{failed:,} failed"] if failed else []
        said += [f"{held:,} in doubt"] if held else []
        said += [f"{_requests(caught, 'caught request')} in doubt"] if caught else []
        print(f"{', '.join(said)}, {cost}")
        if done:
            print(f"results: {near(work.results.path)}")
        if failed:
            print(f"failed: {near(work.failed.path)}, which `--over` takes as it is")
        if done:
            point_to_report(work.journal.folder, str(folder), options)
    short = work.id[:13]
    if not options.quiet:
        sys.stderr.write(saved_by_cache(work.journal, options))
    told = ""
    if unwritten:
        is_full = any(os.strerror(number) in unwritten[0] for number in (ENOSPC, EDQUOT))
        mend = "make room" if is_full else "make it writable"
        told += f"stopped: {unwritten[0]}\n  {mend}; `flowdsl resume {short}` goes on, and buys nothing twice\n"
    elif spent:
        told += spent[0]
    elif (signals or is_cancelled) and not held:
        told += f"interrupted; `flowdsl resume {short}` goes on, and buys nothing twice\n"
    if held:
        told += (
            "in doubt: requests were sent, and nobody knows what became of them; look at the vendor's own account\n"
            f"  `flowdsl resume {short} --resend` sends them again: one that was done is billed twice\n"
        )
    if caught:
        told += (
            f"in doubt, and caught by the flow, which went on: {_requests(caught)} of {records(caught)}, sent, and "
            "perhaps done and billed; look at the vendor's own account\n"
            f"  not sent again by itself: `flowdsl runs show {work.id}.{min(caught)}` says how it can be\n"
        )
    told += behind(work.journal) + listed_later(work.journal, work.id)
    number = 0 if options.simulate else work.journal.batches.at_vendor(work.id)
    if number:
        goes_on = vendor_batched.goes_on(number, batched=options.vendor_batch)
        told += f"{goes_on}: `flowdsl resume {short}` fetches what it made\n"
    sys.stderr.write(told + elsewhere(work.journal, told))
    if signals:
        return 128 + signals[0]
    if is_cancelled:
        return 130
    return FAILED if progress.failed or held or spent or failed or unwritten or progress.waiting else 0


def records(numbers: Collection[int]) -> str:
    """The numbers of records, as many as people read."""
    shown = ", ".join(f"{number:,}" for number in sorted(numbers)[:_MOST_SHOWN])
    return f"record{'' if len(numbers) == 1 else 's'} {shown}{' …' if len(numbers) > _MOST_SHOWN else ''}"


def _requests(caught: Mapping[int, int], word: str = "request") -> str:
    number = sum(caught.values())
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def near(path: Path) -> str:
    """A path as people find it: from the working folder, where it is below that."""
    shown = os.path.relpath(path)
    return visible_line(str(path) if shown.startswith(os.pardir) else shown)
