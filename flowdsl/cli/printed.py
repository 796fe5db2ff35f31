"""What `flowdsl run` prints of a run that has ended: its outputs as JSON, or a summary for people."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from flowdsl.cli.summary import summary
from flowdsl.cli.terminal import is_terminal
from flowdsl.document.dialects import summary as of_dialect

if TYPE_CHECKING:
    from pathlib import Path

    from flowdsl.engine.result import Result
    from flowdsl.journal.journal import Journal
    from flowdsl.source import Source


def print_result(
    result: Result,
    options: Namespace,
    source: Source,
    inner: set[str],
    lost: list[str] | None,
    journal: Journal | None = None,
) -> None:
    """Prints a result as the options say; the outputs whose names are `inner` stand in no summary."""
    if options.json:
        import json

        print(json.dumps(result.to_json(), indent=2, ensure_ascii=False))
    elif options.events:
        from flowdsl.cli.event_lines import print_result as print_event

        print_event(result, simulated=options.simulate)
    else:
        lines = of_dialect(source, result.to_json())
        own = {"simulated": options.simulate, "journaled": journal is not None}
        print(summary(result, inner=inner, lost=lost, said=lines, **own))


def equal_requests(journal: Journal, result: Result, options: Namespace) -> str:
    """What `--cache` has saved, or would have, in lines."""
    from flowdsl.cli.journaled import sum_of

    saved = saved_by_cache(journal, options)
    if options.cache == "project" or not journal.wrote:
        return saved
    repeated = journal.runs.repeated(result.run)
    if options.cache == "off" and repeated["run"][0]:
        cache, (number, usd), before = "run", repeated["run"], "another"
    elif options.from_step is None and repeated["project"][0]:
        cache, (number, usd), before = "project", repeated["project"], "one that was bought before"
    else:
        return saved
    requests = "1 request asked" if number == 1 else f"{number} requests asked"
    return f"{saved}{requests} for the same as {before}: `--cache {cache}` buys that once, {sum_of(usd)} less\n"


def saved_by_cache(journal: Journal, options: Namespace) -> str:
    """What `--cache` has saved, as a line; empty where that is nothing."""
    from flowdsl.cli.journaled import sum_of

    number, usd = journal.saved
    requests = "1 request was" if number == 1 else f"{number:,} requests were"
    return f"--cache {options.cache}: {requests} not paid for again, {sum_of(usd)} less\n" if number else ""


def point_to_report(state: Path, pictures: str, options: Namespace) -> None:
    """Says on a terminal what shows the pictures of a run or a batch with all that is known of them. `state` is the
    folder of its journal: where the working folder has another, the folder of the pictures is named."""
    if options.quiet or options.json or not (is_terminal(sys.stdout) and is_terminal(sys.stderr)):
        return
    from shlex import quote

    from flowdsl.cli.journaled import state_of

    of = "" if state_of("<report>") == state else f" {quote(pictures)}"
    sys.stderr.write(f"`flowdsl report{of} --open` shows them with their prompts and costs\n")
