"""`flowdsl report`: what a run or a batch made, as a page with its pictures."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flowdsl.cli.arguments import Parser, file_name, flag
from flowdsl.cli.journaled import named, state_of
from flowdsl.display.visible import visible_line
from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.journal.batches import KeptBatch
    from flowdsl.journal.journal import Journal
    from flowdsl.journal.runs import KeptRun
    from flowdsl.report.rows import Row

EXAMPLES = (
    "flowdsl report --open",
    "flowdsl report 01a21b4b --out report/index.html",
    "flowdsl report pictures",
    "flowdsl report 01a21b4b --embed --out cards.html",
)
_ABOUT = """\
One file that opens from a disk, without a server: prompts, cost, timing and failures, with search, filters and an \
export of what you choose. It links to the pictures, so leave them where they are; with --embed they are in it."""
_PAGE = "report.html"


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    options = parser().parse(arguments)
    title, rows, folder = _found(options.of)
    if not rows:
        raise UsageError(f"{title}: there is nothing to show, no picture and no request")
    from flowdsl.report.page import MOST_EMBEDDED, page
    from flowdsl.report.thumbnails import thumbnails
    from flowdsl.rewriting.files import put

    pictures = [row.path for row in rows if row.path is not None]
    if options.embed and len(pictures) > MOST_EMBEDDED:
        raise UsageError(f"--embed takes {MOST_EMBEDDED} pictures at most, not {len(pictures):,}: leave it out")
    out = Path(options.out) if options.out else folder / _PAGE
    if out.is_dir():
        out = out / _PAGE
    small = thumbnails(pictures, out.absolute().parent / ".thumbnails")
    if pictures and not small and not options.quiet:
        sys.stderr.write("flowdsl: `pip install pillow` makes small pictures for the page; it has the large ones now\n")
    put(str(out), page(title, rows, out.absolute().parent, small, embed=options.embed).encode("utf-8", "replace"))
    print(visible_line(_near(out)))
    if options.open:
        from flowdsl.cli.desktop import open_folder

        said = open_folder(str(out.absolute()))
        if said is not None:
            sys.stderr.write(f"{said}\n")
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("report", f"{COMMANDS['report']} {_ABOUT}", EXAMPLES)
    parser.add_argument(
        "of",
        nargs="?",
        metavar="RUN|BATCH|FOLDER",
        help="the id of a run or a batch, or its beginning, or a folder of pictures (default: the last run or batch)",
    )
    parser.add_argument(
        "--out", type=file_name, metavar="FILE", help=f"the page (default: {_PAGE} beside the pictures)"
    )
    flag(parser, "--embed", help="put the pictures into the page, at most 200")
    flag(parser, "--open", help="open the page")
    flag(parser, "-q", "--quiet", help="no warnings on stderr")
    return parser


def _found(of: str | None) -> tuple[str, list[Row], Path]:
    """The title, the rows and the folder of what is meant.

    Raises:
        UsageError: there is no such thing.
    """
    from flowdsl.journal.journal import Journal
    from flowdsl.report.rows import rows_of_folder

    if of is not None and os.path.isdir(of):  # noqa: PTH112  pathlib is slow to import
        try:
            return f"Pictures in {of}", list(rows_of_folder(Path(of))), Path(of)
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise UsageError(f"{of} has no manifest of pictures: {said}") from error
    with Journal(state_of("<report>")) as journal:
        batch = _batch(journal, of)
        if batch is not None:
            return _of_batch(journal, batch)
        if of is not None:
            return _of_run(journal, journal.runs.find(of))
        runs = journal.runs.all(most=1)
        if not runs:
            raise UsageError(f"no run in {journal.folder} has paid for anything yet: name a folder of pictures")
        return _of_run(journal, runs[0])


def _batch(journal: Journal, of: str | None) -> KeptBatch | None:
    if of is not None:
        return journal.batches.find(of)
    batches, runs = journal.batches.all(), journal.runs.all(most=1)
    return batches[0] if batches and (not runs or batches[0].began > runs[0].began) else None


def _of_batch(journal: Journal, batch: KeptBatch) -> tuple[str, list[Row], Path]:
    from flowdsl.report.rows import rows_of_batch

    folder = Path(batch.folder)
    rows = list(rows_of_batch(journal.runs, batch.id, folder))
    return f"{os.path.basename(batch.flow)}, batch {batch.id[:13]}, {batch.status}", rows, folder  # noqa: PTH119


def _of_run(journal: Journal, run: KeptRun) -> tuple[str, list[Row], Path]:
    from flowdsl.report.rows import rows_of_run

    rows = list(rows_of_run(journal.runs, run))
    paths = [Path(row.path) for row in rows if row.path is not None]
    return f"{named(run)}, {run.status}", rows, paths[0].parent if paths else Path()


def _near(path: Path) -> str:
    shown = os.path.relpath(path)
    return str(path) if shown.startswith(os.pardir) else shown
