"""`flowdsl costs`: what was paid, summed up from the journal of a project."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from flowdsl.cli.arguments import Parser, day, flag, one_of
from flowdsl.cli.journaled import state_of, sum_of
from flowdsl.display.visible import visible_line
from flowdsl.errors import UsageError
from flowdsl.journal.costs import BY, Costs, costs

EXAMPLES = (
    "flowdsl costs",
    "flowdsl costs --by service --since 2026-11-01",
    "flowdsl costs --by tag --json",
)
_ABOUT = """\
It counts the requests of the project's journal that were sent and not refused. Those in doubt may be billed: they \
stand beside the cost with the most that they can, and so do those that a vendor's batch has. `docs/guide/costs.md` \
has the view of the journal's file for tools that speak SQL."""
_NOTHING = Costs(None, 0, 0, 0.0, 0, 0, 0.0)
_NONE = {"flow": "unknown", "service": "unknown", "model": "unknown", "day": "unknown", "tag": "no tag"}


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    options = parser().parse(arguments)
    if options.since is not None and options.until is not None and options.since > options.until:
        raise UsageError(f"--since {options.since} is after --until {options.until}: no day is between them")
    from flowdsl.journal.database import Database

    with Database(state_of("<costs>")) as database:
        between = {"since": str(options.since or ""), "until": str(options.until or "9")}
        *rows, whole = costs(database, options.by, simulated=options.simulated, **between) or [_NOTHING]
        others = [] if rows else costs(database, options.by, simulated=not options.simulated, **between)[:-1]
    if options.json:
        found = [{**row.to_dict(), "key": row.key or None} for row in rows]
        total = {name: value for name, value in whole.to_dict().items() if name != "key"}
        said = {"by": options.by, "simulated": options.simulated, "costs": found, "total": total}
        print(json.dumps(said, indent=2, ensure_ascii=False))
    elif rows:
        _print(rows, whole, options.by)
    else:
        when = " in that time" if options.since or options.until else ""
        paid = "no simulated request was sent" if options.simulated else "nothing was paid"
        here = "`flowdsl costs` shows what was paid" if options.simulated else "`--simulated` shows what was simulated"
        print(f"{paid} here{when}{f'; {here}' if others else ''}")
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("costs", f"{COMMANDS['costs']} {_ABOUT}", EXAMPLES)
    parser.of_a_further_word = "; `flowdsl runs show RUN` says what one run has cost"
    words = f"{', '.join(BY[:-1])} or {BY[-1]}"
    parser.add_argument(
        "--by", type=one_of(*BY), default="day", metavar="WHAT", help=f"what the sums are of: {words} (default: day)"
    )
    parser.add_argument("--since", type=day, metavar="DAY", help="only requests from this day on, such as 2026-11-01")
    parser.add_argument("--until", type=day, metavar="DAY", help="only requests up to this day, which counts too")
    flag(parser, "--simulated", help="what simulated requests would have cost, in place of what was paid")
    flag(parser, "--json", help="print it as JSON")
    return parser


def _print(rows: Sequence[Costs], whole: Costs, by: str) -> None:
    more = [name for name, number in (("in doubt", whole.in_doubt), ("at the vendor", whole.at_vendor)) if number]
    head = (by, "requests", "images", "cost", *more)
    lines = [head]
    for row in (*rows, whole):
        name = "all" if row is whole else _shown(row.key, by)
        cells = (name, f"{row.requests:,}", f"{row.images:,}", _cost(row))
        open_ = {"in doubt": (row.in_doubt, row.in_doubt_usd), "at the vendor": (row.at_vendor, row.at_vendor_usd)}
        lines.append((*cells, *(_open(*open_[each]) for each in more)))
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    for line in lines:
        first, *others = (
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join((first, *others)).rstrip())
    if whole.in_doubt > whole.released:
        print("in doubt: sent, and nobody knows what became of it; `flowdsl runs` shows the runs")
    if whole.released:
        print(
            f"in doubt, and released to be sent again: {whole.released:,}; only the vendor's own account says whether "
            "the first time was billed too"
        )
    if whole.at_vendor:
        print("at the vendor: it goes on there, and is billed when it is done; `flowdsl resume` fetches it")


def _shown(key: str | None, by: str) -> str:
    if not key:
        return _NONE[by]
    if by == "flow" and not key.startswith("<"):
        below = os.path.relpath(key)
        key = key if below.startswith("..") else below
    return visible_line(key)


def _cost(row: Costs) -> str:
    known = sum_of(row.usd)
    if not row.unpriced:
        return known
    return f"{known} and {row.unpriced:,} at a price not known" if row.usd else f"{row.unpriced:,} at a price not known"


def _open(number: int, usd: float | None) -> str:
    if not number:
        return ""
    return f"{number:,}" if usd is None else f"{number:,}, up to {sum_of(usd)}"
