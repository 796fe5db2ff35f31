"""`flowdsl test`: flows tried without a service, and compared with what their tests expect."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowdsl.cli.arguments import STDOUT, Parser, count, cut, file_name, flag
from flowdsl.cli.flow_files import TEST_ENDINGS, read_source, search, test_paths
from flowdsl.cli.overwriting import check_written_over
from flowdsl.cli.rewritten import said_of_error
from flowdsl.cli.terminal import colors
from flowdsl.display.visible import shown, styled, visible_line
from flowdsl.errors import FlowError, UsageError

if TYPE_CHECKING:
    from argparse import Namespace

    from flowdsl.flowtest.coverage import Coverage
    from flowdsl.flowtest.run import Outcome
    from flowdsl.flowtest.session import CaseFile, Work

EXAMPLES = (
    "flowdsl test",
    "flowdsl test flows/skyline.test.yaml -k Lisbon",
    "flowdsl test flows --coverage --fail-under 90",
    "flowdsl test flows --junit out/flows.xml --coverage-json out/coverage.json",
    "flowdsl test flows --update-snapshots",
    "flowdsl test flows --watch",
)
_STYLES = {"bad": "1;31", "good": "32"}


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when a case fails, a file of tests has mistakes, or less ran than `--fail-under` asks for; 2
    when there is nothing to run."""
    options = parser().parse(arguments)
    if options.jobs == 0:
        raise UsageError("-j 0 lets no case run: write a number from 1 on")
    documents = [name for name in ("--junit", "--coverage-json") if _given(options, name) == STDOUT]
    if len(documents) > 1:
        raise UsageError("--junit and --coverage-json are both `-`, and stdout holds one document: name a file for one")
    if documents and options.watch:
        raise UsageError(f"--watch runs again and again, and stdout holds one document: name a file for {documents[0]}")
    check_written_over(None if options.junit == STDOUT else options.junit, "report of tests")
    check_written_over(None if options.coverage_json == STDOUT else options.coverage_json, "report of coverage")
    paths = options.paths or ["."]
    if not options.watch:
        return _once(options, paths)
    from flowdsl.cli.watching import changes

    for _ in changes(paths):
        try:
            _once(options, paths)
        except (FlowError, OSError) as error:
            _complain(str(error))
        print("waiting for a change; Ctrl-C ends it", flush=True)
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("test", COMMANDS["test"], EXAMPLES)
    where = "a file of tests, or a folder (its *.test.yaml; default: this one)"
    parser.add_argument("paths", nargs="*", metavar="PATH", help=where)
    parser.add_argument("-k", metavar="TEXT", help="only the cases whose path or name holds this text")
    flag(parser, "--update-snapshots", help="write the prompts that come now as those that are expected")
    flag(parser, "--coverage", help="say what of the flows ran: steps, branches, catch blocks, iterations")
    parser.add_argument(
        "--coverage-json", type=file_name, metavar="FILE", help="write that as JSON, with every point; - for stdout"
    )
    parser.add_argument(
        "--fail-under",
        type=_percent,
        metavar="N",
        help="fail when less than N %% of steps, branches and catch blocks ran",
    )
    parser.add_argument("--junit", type=file_name, metavar="FILE", help="write the outcomes as JUnit XML; - for stdout")
    parser.add_argument(
        "-j", "--jobs", type=count, metavar="N", help="how many cases run at the same time (default: 4)"
    )
    flag(parser, "--watch", help="run again whenever a file changes")
    flag(parser, "-v", "--verbose", help="name the cases that pass, too")
    flag(parser, "-q", "--quiet", help="print what fails, and nothing else")
    return parser


def _percent(text: str) -> float:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not (text.isascii() and 0 <= value <= 100):
        raise argparse.ArgumentTypeError(f"`{text}` is not a share in per cent, such as 90")
    return value


def _given(options: Namespace, name: str) -> str | None:
    found: str | None = getattr(options, name.removeprefix("--").replace("-", "_"))
    return found


def _write(name: str, text: str) -> None:
    """Writes a document to a file, or to stdout for `-`."""
    if name == STDOUT:
        sys.stdout.write(text)
        return
    from pathlib import Path

    from flowdsl.cli.generated import write_atomically

    write_atomically(Path(name), text)


def _once(options: Namespace, paths: Sequence[str]) -> int:
    from flowdsl.flowtest.session import chosen_work

    found, wrong = test_paths(paths)
    for _, said in wrong:
        _complain(said)
    files, unreadable = _files(found)
    if not files:
        return 2 if wrong or unreadable or not found else 1
    work = chosen_work(files, options.k)
    broken = sum(file.tests is None for file in files)
    if not work and not broken:
        named = f" whose path or name holds `{options.k}`" if options.k is not None else ""
        _complain(f"there is no test{named}")
        return 2
    run = _Run(options, files)
    try:
        run.all(work)
    except KeyboardInterrupt:
        sys.stdout.flush()
        _complain(f"interrupted: {len(run.outcomes)} of {len(work)} tests ran, {run.failed} failed")
        raise
    code = run.report(paths)
    return 2 if wrong or unreadable else code


def _files(paths: Sequence[str]) -> tuple[list[CaseFile], int]:
    """The files of tests, and how many cannot be read."""
    from flowdsl.cli import simulated
    from flowdsl.flowtest.session import CaseFile, case_file

    files: list[CaseFile] = []
    unreadable = 0
    for path in paths:
        try:
            source, found = read_source(path)
            files.append(CaseFile(path, None, tuple(found), {}) if found else case_file(source, simulated))
        except (OSError, UsageError) as error:
            sys.stderr.write(said_of_error(path, error))
            unreadable += 1
    return files, unreadable


class _Run:
    """One go over all cases, and what is said of it."""

    def __init__(self, options: Namespace, files: Sequence[CaseFile]) -> None:
        self._options = options
        self._files = files
        self._told = sys.stderr if STDOUT in (options.junit, options.coverage_json) else sys.stdout
        """Where people read along: not where a document goes."""
        self._color = colors(self._told)
        self._began = time.perf_counter()
        self.outcomes: list[Outcome] = []
        self._first: dict[str, str] = {}
        """What kept a case from running, and the first of those: most often it is mistakes in the flow of all."""

    @property
    def failed(self) -> int:
        """How many cases failed so far."""
        return sum(not outcome.passed for outcome in self.outcomes)

    def all(self, work: Sequence[Work]) -> None:
        """Runs the cases, and says what fails as it comes."""
        from flowdsl.cli import simulated
        from flowdsl.flowtest.report import failure_text
        from flowdsl.flowtest.session import JOBS, Session

        self._say_findings()
        with Session(simulated, self._options.jobs or JOBS) as session:
            for outcome in session.outcomes(work):
                outcome = self._with_snapshot(outcome)
                self.outcomes.append(outcome)
                if not outcome.passed:
                    self._tell(shown(failure_text(self._once_told(outcome), self._paint), "\n"))
                elif self._options.verbose:
                    place = f" {outcome.file}:{outcome.line}  {outcome.shown_name}"
                    self._tell(shown(self._paint("good", "✓"), visible_line(place)))

    def _once_told(self, outcome: Outcome) -> Outcome:
        """The outcome with the place where its mistakes stand already, in place of them."""
        if outcome.error is None or "\n" not in outcome.error:
            return outcome
        place = f"{outcome.shown_name}, {outcome.file}:{outcome.line}"
        first = self._first.setdefault(outcome.error, place)
        return outcome if first == place else outcome._replace(error=f"the same as for {first}")

    def _say_findings(self) -> None:
        from flowdsl.diagnostics import render

        for file in self._files:
            if file.findings:
                self._tell(render(file.findings, color=self._color) + "\n")

    def _tell(self, text: str) -> None:
        print(text, file=self._told, flush=True)

    def _with_snapshot(self, outcome: Outcome) -> Outcome:
        """The outcome without what a new snapshot settles."""
        if not self._options.update_snapshots or outcome.prompts is None:
            return outcome
        kept = tuple(each for each in outcome.differences if not each.is_snapshot)
        return outcome._replace(differences=kept)

    def report(self, paths: Sequence[str]) -> int:
        """Writes what is asked for, prints the summary, and gives the exit code."""
        from flowdsl.flowtest.report import junit, summary

        options = self._options
        if options.update_snapshots:
            self._write_snapshots()
        if options.junit is not None:
            _write(options.junit, junit(self._files, self.outcomes))
        is_low = self._covered(paths)
        broken = sum(file.tests is None for file in self._files)
        if not options.quiet:
            self._tell(summary(self.outcomes, broken, time.perf_counter() - self._began))
        if is_low is not None:
            _complain(is_low)
        return int(self.failed > 0 or broken > 0 or is_low is not None)

    def _covered(self, paths: Sequence[str]) -> str | None:
        """Says what ran as far as somebody asks for it; gives what is to be said when it is too little."""
        options = self._options
        if not options.coverage and options.coverage_json is None and options.fail_under is None:
            return None
        from flowdsl.flowtest.coverage import Coverage
        from flowdsl.flowtest.report import coverage_text

        coverage = Coverage()
        for outcome in self.outcomes:
            coverage.add(outcome.could_hit, outcome.hit)
        untested = self._whole(paths, coverage) if options.k is None else []
        if options.coverage:
            self._tell(coverage_text(coverage, untested) + "\n")
        if options.coverage_json is not None:
            import json

            text = json.dumps({**coverage.to_dict(), "untested": untested}, indent=1, ensure_ascii=False)
            _write(options.coverage_json, f"{text}\n")
        if options.fail_under is not None and coverage.percent < options.fail_under:
            return f"{coverage.percent:.1f} % ran, and --fail-under asks for {options.fail_under:g} %"
        return None

    def _whole(self, paths: Sequence[str], coverage: Coverage) -> list[str]:
        from flowdsl.flowtest.session import whole_flows

        folders = [path for path in paths if os.path.isdir(path)]  # noqa: PTH112  pathlib is slow to import
        found = [path for folder in folders for path in search(folder)]
        flows = [os.path.relpath(path) for path in found if not path.endswith(TEST_ENDINGS)]
        return whole_flows(self._files, flows, coverage)

    def _write_snapshots(self) -> None:
        from pathlib import Path

        from flowdsl.cli.generated import write_atomically
        from flowdsl.flowtest.snapshots import snapshot_path, snapshot_text, wants_snapshot

        for file in self._files:
            if file.tests is None:
                continue
            wanting = {case.name for case in file.tests.cases if wants_snapshot(case)}
            came = {
                each.name: each.prompts
                for each in self.outcomes
                if each.file == file.path and each.prompts is not None and each.name in wanting
            }
            text, path = snapshot_text(file.tests, file.known, came), Path(snapshot_path(file.tests))
            before = path.read_text(encoding="utf-8") if path.is_file() else None
            if text is not None and text != before:
                write_atomically(path, text)
                self._tell(f"{path} written")

    def _paint(self, style: str, text: str) -> str:
        return styled(_STYLES[style], text) if self._color else text


def _complain(text: str) -> None:
    sys.stderr.write(f"flowdsl: {cut(text)}\n")
