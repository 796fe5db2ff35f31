"""`flowdsl report`: what a run or a batch made, as a page with its pictures."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flowdsl.cli.arguments import STDOUT, Parser, file_name, flag
from flowdsl.cli.journaled import state_of
from flowdsl.cli.run_names import LAST, of_record
from flowdsl.cli.terminal import is_terminal
from flowdsl.display.visible import in_place, visible_line
from flowdsl.errors import UsageError
from flowdsl.nearest import nearest

if TYPE_CHECKING:
    from flowdsl.journal.batches import KeptBatch
    from flowdsl.journal.journal import Journal
    from flowdsl.journal.runs import KeptRun
    from flowdsl.report.page import Facts
    from flowdsl.report.row import Row

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
_THUMBNAILS = ".thumbnails"


class _Found(NamedTuple):
    facts: Facts
    rows: list[Row]
    folder: Path


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    options = parser().parse(arguments)
    found = _found(options.of)
    if not found.rows:
        raise UsageError(f"{found.facts.title}: there is nothing to show, no picture and no request")
    pictures = [row.path for row in found.rows if row.path is not None]
    told = _moving if is_terminal(sys.stderr) and not options.quiet else _silent
    if options.out == STDOUT:
        if options.open:
            raise UsageError("--open opens a file, and `--out -` writes none: name one, such as `--out report.html`")
        sys.stdout.write(_on_stdout(found, pictures, told, embed=options.embed))
        if not options.quiet:
            _warn(pictures, found)
        return 0
    out = Path(options.out) if options.out else found.folder / _PAGE
    out = out / _PAGE if out.is_dir() else out
    if out.is_file() and out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{out} is there and is no page: name a file that ends in .html")
    try:
        _write(out, found, pictures, told, embed=options.embed)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{out} cannot be written: {why}; `--out FILE` writes the page elsewhere") from error
    print(visible_line(_near(out)))
    if not options.quiet:
        _warn(pictures, found)
    if options.open:
        from flowdsl.cli.desktop import open_file

        said = open_file(str(out.absolute()))
        if said is not None:
            sys.stderr.write(f"{said}\n")
    return 0


def _on_stdout(found: _Found, pictures: list[str], told: Callable[[int, int], None], *, embed: bool) -> str:
    """The page, as it is to lie in the working folder. Without `embed` it shows the large pictures, as no small ones
    are left beside it."""
    if embed:
        return _page(Path.cwd(), found, pictures, told, embed=True)
    from flowdsl.report.page import page

    return page(found.rows, found.facts, Path.cwd(), {}, embed=False)


def _write(out: Path, found: _Found, pictures: list[str], told: Callable[[int, int], None], *, embed: bool) -> None:
    from flowdsl.rewriting.files import put

    put(str(out), _page(out.absolute().parent, found, pictures, told, embed=embed).encode())


def _page(folder: Path, found: _Found, pictures: list[str], told: Callable[[int, int], None], *, embed: bool) -> str:
    """The text of a page that is to lie in a folder, where its small pictures are left.

    Raises:
        UsageError: there are too many pictures to be put into it.
    """
    from flowdsl.report.page import MOST_EMBEDDED, page
    from flowdsl.report.thumbnails import thumbnails

    if embed and len(pictures) > MOST_EMBEDDED:
        raise UsageError(
            f"--embed takes {MOST_EMBEDDED} pictures at most, and there are {len(pictures):,}: without it the page "
            "links to them, and goes wherever their folder goes"
        )
    with ExitStack() as stack:
        small, instead = folder / _THUMBNAILS, dict[str, Path]()
        if embed:
            from flowdsl.rewriting.temporary import temporary_folder

            small = Path(stack.enter_context(temporary_folder("flowdsl-report-")))
            instead = _fit_to_embed(pictures, small / "screen", told)
        made = thumbnails(pictures, small, told)
        return page(found.rows, found.facts, folder, made, embed=embed, instead=instead)


def _fit_to_embed(pictures: list[str], folder: Path, told: Callable[[int, int], None]) -> dict[str, Path]:
    """Files to be put into a page in place of pictures that are together too large for one.

    Raises:
        UsageError: they are too large all the same.
    """
    from flowdsl.report.page import MOST_AS_THEY_ARE, MOST_BYTES
    from flowdsl.report.pillow import is_there
    from flowdsl.report.thumbnails import SCREEN, thumbnails

    sizes = {path: os.stat(path).st_size for path in pictures if os.path.isfile(path)}  # noqa: PTH113, PTH116
    if sum(sizes.values()) <= MOST_AS_THEY_ARE:
        return {}
    made = thumbnails(pictures, folder, told, SCREEN)
    instead = {path: small for path, small in made.items() if small.stat().st_size < sizes[path]}
    total = sum(instead[path].stat().st_size if path in instead else size for path, size in sizes.items())
    if total > MOST_BYTES:
        help = "" if is_there() else "; `pip install pillow` makes them as small as a screen"
        raise UsageError(
            f"--embed: the pictures have {total // 1_000_000:,} MB together, and a browser opens a page with up to "
            f"{MOST_BYTES // 1_000_000} MB: without it the page links to them{help}"
        )
    return instead


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("report", f"{COMMANDS['report']} {_ABOUT}", EXAMPLES)
    parser.add_argument(
        "of",
        nargs="?",
        metavar="RUN|BATCH|FOLDER",
        help="the id of a run or a batch, its beginning, or a folder of pictures (default: `last`, the last run or "
        "batch)",
    )
    parser.add_argument(
        "--out", type=file_name, metavar="FILE", help=f"the page (default: {_PAGE} beside the pictures); - for stdout"
    )
    flag(parser, "--embed", help="put the pictures into the page, at most 200")
    flag(parser, "--open", help="open the page")
    flag(parser, "-q", "--quiet", help="no warnings on stderr")
    return parser


def _found(of: str | None) -> _Found:
    """The rows of what is meant, and where their page goes.

    Raises:
        UsageError: there is no such thing.
    """
    if of is not None and os.path.exists(of):  # noqa: PTH110  pathlib is slow to import
        return _of_folder(Path(of))
    from flowdsl.journal.journal import Journal

    of = None if of == LAST else of
    with Journal(state_of("<report>")) as journal:
        batch = _batch(journal, of)
        if batch is not None:
            return _of_batch(journal, batch)
        if of is not None:
            try:
                return _of_run(journal, journal.runs.find(of_record(journal, of) or of))
            except UsageError as error:
                if "/" in of or os.sep in of:
                    raise UsageError(f"there is no folder {of}") from error
                if (near := nearest(of, [each.name for each in Path().iterdir() if each.is_dir()])) is not None:
                    raise UsageError(f"{error}; or did you mean the folder `{near}`?") from error
                raise
        runs = journal.runs.all(most=1)
        if not runs:
            raise UsageError(f"no run in {journal.folder} has paid for anything yet: name a folder of pictures")
        return _of_run(journal, runs[0])


_IN_FOLDERS = ("manifest.json", "results.jsonl", "failed.jsonl")
"""What a run or a batch leaves in its folder: one of them at least."""


def _of_folder(path: Path) -> _Found:
    from flowdsl.report.of_folder import rows_of_folder
    from flowdsl.report.page import Facts

    if path.is_file():
        if path.suffix != ".json":
            if any((path.parent / name).is_file() for name in _IN_FOLDERS):
                raise UsageError(f"{path} is a file: name its folder, {path.parent}")
            what = "`flowdsl report` takes the last one, and `flowdsl runs list` shows those there are"
            raise UsageError(f"{path} is neither a run nor a folder of pictures: {what}")
        path = path.parent
    try:
        rows = list(rows_of_folder(path))
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(
            f"{path} has no manifest of pictures: {said}; a folder that `flowdsl run --out` wrote has one"
        ) from error
    rows = _with_simulated(rows, path)
    runs, simulated = len({row.run for row in rows}), {row.simulated for row in rows}
    facts = [f"the pictures of {runs} run{'' if runs == 1 else 's'}"]
    if True in simulated:
        facts.append("simulated" if len(simulated) == 1 else "some of them simulated")
    return _Found(
        Facts(path.resolve().name, tuple(facts), simulated.pop() if len(simulated) == 1 else None), rows, path
    )


def _with_simulated(rows: list[Row], folder: Path) -> list[Row]:
    """The rows of a folder with what the journal knows of their runs: that of its project, else that of the working
    folder. Without one, or where it cannot be read, it is what their lines say."""
    from flowdsl.journal.errors import JournalError
    from flowdsl.journal.journal import Journal
    from flowdsl.journal.simulated import simulated

    found: dict[str, bool] = {}
    for path in (str(folder / _PAGE), "<report>"):
        unknown = {row.run for row in rows if row.run is not None} - found.keys()
        if unknown:
            with suppress(JournalError, UsageError), Journal(state_of(path)) as journal:
                found |= simulated(journal.database, unknown)
    return [row._replace(simulated=found.get(row.run or "", row.simulated)) for row in rows]


def _batch(journal: Journal, of: str | None) -> KeptBatch | None:
    if of is not None:
        return journal.batches.find(of)
    return journal.batches.last(journal.runs.all(most=1))


def _of_batch(journal: Journal, batch: KeptBatch) -> _Found:
    from flowdsl.report.of_journal import as_listed, rows_of_batch

    rows = as_listed(list(rows_of_batch(journal.runs, batch)))
    return _Found(_facts(batch, f"batch {batch.id[:13]}"), rows, Path(batch.folder))


def _of_run(journal: Journal, run: KeptRun) -> _Found:
    from flowdsl.report.of_journal import as_listed, rows_of_run

    rows = as_listed(list(rows_of_run(journal.runs, run)))
    paths = [Path(row.path) for row in rows if row.path is not None]
    return _Found(_facts(run, f"run {run.id}"), rows, paths[0].parent if paths else Path())


def _facts(kept: KeptBatch | KeptRun, name: str) -> Facts:
    from time import localtime, strftime

    from flowdsl.report.page import Facts

    title = getattr(kept, "title", None) or os.path.basename(kept.flow)  # noqa: PTH119
    began = strftime("%Y-%m-%d %H:%M", localtime(kept.began))
    took = "" if kept.ended is None else f"took {lasted(kept.ended - kept.began)}"
    said = (name, kept.status, began, took, "simulated" if kept.simulated else "")
    return Facts(title, tuple(filter(None, said)), kept.simulated)


def lasted(seconds: float) -> str:
    """A time in words, `2 h 5 min`."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{max(0.0, seconds):.1f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _warn(pictures: list[str], found: _Found) -> None:
    """Says what the page lacks, and what helps."""
    gone = [path for path in pictures if not os.path.isfile(path)]  # noqa: PTH113  there may be many
    if gone:
        count = "1 picture is" if len(gone) == 1 else f"{len(gone):,} pictures are"
        sys.stderr.write(
            f"flowdsl: {count} not where the run put them, such as {visible_line(gone[0])}; where their folder was "
            "moved, `flowdsl report FOLDER` shows it\n"
        )
    from flowdsl.report.pillow import is_there

    if len(gone) < len(pictures) and not is_there():
        sys.stderr.write(
            "flowdsl: the page shows the pictures in full size, which is slow for many: `pip install pillow` makes "
            "small ones\n"
        )


def _moving(done: int, all: int) -> None:
    """A line that moves while small pictures are made."""
    if done == all or done % 20 == 0:
        sys.stderr.write(in_place("" if done == all else f"{done:,} of {all:,} small pictures"))
        sys.stderr.flush()


def _silent(done: int, all: int) -> None:
    """Nobody reads along."""


def _near(path: Path) -> str:
    shown = os.path.relpath(path)
    return str(path) if shown.startswith(os.pardir) else shown
