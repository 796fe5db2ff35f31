"""What `flowdsl validate` writes: findings in the form that is asked for, to stdout or a file, and what is counted."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from flowdsl.cli.arguments import STDOUT
from flowdsl.cli.terminal import colors

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic

FORMS = ("text", "json", "sarif", "github", "gitlab", "junit", "rdjson", "concise")
"""The forms of findings: each but `text` is a module of the package `forms`."""
DOCUMENTS = ("json", "sarif", "gitlab", "junit", "rdjson")
"""Forms that are one document on stdout, where nothing else may be printed."""


class Reporting:
    """The findings of one command: those in the form `text` are printed as they come, others at the end."""

    def __init__(self, options: Namespace) -> None:
        self.findings: list[Diagnostic] = []
        self.failing: list[bool] = []
        """Which of them fail the check."""
        self._baseline = None
        if options.baseline is not None:
            from flowdsl.cli.baseline import Baseline

            self._baseline = Baseline(options.baseline)
        self._new_baseline: str | None = options.write_baseline
        self._file: str | None = options.output_file
        if self._file is not None or self._new_baseline is not None:
            from flowdsl.cli.overwriting import check_written_over

            check_written_over(self._file, "report")
            check_written_over(None if self._new_baseline == STDOUT else self._new_baseline, "baseline")
        self._form: str = options.format or self._usual_form()
        self._quiet: bool = options.quiet
        self._statistics: bool = options.statistics
        self._color = colors(sys.stdout, options.color)
        self.is_document = self._new_baseline == STDOUT or (self._form in DOCUMENTS and self._file is None)
        """Whether stdout holds a document for programs, and nothing else."""

    def _usual_form(self) -> str:
        """Inside GitHub Actions what it shows beside the lines of a pull request, as nobody reads a terminal there."""
        in_actions = os.environ.get("GITHUB_ACTIONS") == "true" and not sys.stdout.isatty()
        return "github" if in_actions and self._file is None else "text"

    def add(self, found: Sequence[Diagnostic], failing: frozenset[str]) -> None:
        """Takes the findings of one more file, and the severities that fail the check there."""
        if self._baseline is not None:
            found = self._baseline.new(found)
        if found and self._form == "text" and self._file is None and self._new_baseline is None:
            from flowdsl.diagnostics import render

            print("\n" * bool(self.findings) + render(found, color=self._color))
        self.findings += found
        self.failing += [finding.severity in failing for finding in found]

    def end(self, checked: Sequence[str], unreadable: Sequence[tuple[str, str]]) -> None:
        """Writes what is left to write.

        Raises:
            UsageError: the file of `--output-file` or `--write-baseline` cannot be written.
        """
        for entry in self._baseline.stale(checked) if self._baseline is not None else ():
            sys.stderr.write(f"flowdsl: the baseline knows what is no longer found: {entry}\n")
        if self._new_baseline is not None:
            self._write_baseline(self._new_baseline, len(checked))
            return
        if self._form != "text" or self._file is not None:
            from flowdsl.forms import Report, written

            findings = [finding.hidden() for finding in self.findings]
            text = written(self._form, Report(findings, checked, unreadable, self.failing))
            if self._file is not None:
                write_report(self._file, f"{text}\n" if text else "")
            elif text:
                print(text)
        if self._statistics:
            self._print_statistics()
        if checked and not self._quiet and not self.is_document:
            shown = self.findings and self._form == "text" and self._file is None
            print("\n" * bool(shown) + self._summary(len(checked)))

    def _write_baseline(self, path: str, files: int) -> None:
        """Writes all that is found to a file; what is known fails nothing."""
        from flowdsl.cli.baseline import baseline_text

        text = baseline_text(path, self.findings)
        self.failing = []
        if path == STDOUT:
            from flowdsl.display.visible import visible

            sys.stdout.write(visible(text))
            return
        write_report(path, text)
        if not self._quiet:
            print(f"{self._summary(files)}, written to {path}")

    def _print_statistics(self) -> None:
        """How often each code is there, the most frequent first; on stderr where stdout holds a document."""
        from collections import Counter

        counted = Counter((finding.code, finding.severity) for finding in self.findings)
        rows = sorted(counted.items(), key=lambda row: (-row[1], row[0]))
        widest = max((len(code) for code, _ in counted), default=0)
        lines = [f"{number:6}  {code:{widest}}  {severity}" for (code, severity), number in rows]
        if lines:
            (sys.stderr if self.is_document else sys.stdout).write("\n".join(["", *lines, ""]))

    def _summary(self, files: int) -> str:
        total = f"{files} file{'' if files == 1 else 's'}"
        where = "" if self._file is None else f", in {self._file}"
        if not self.findings:
            return f"{total}, no findings{where}"
        from flowdsl.diagnostics import counts

        return f"{total}: {counts(self.findings)}{where}"


def write_report(path: str, text: str) -> None:
    """Writes a report to a file, at once: readers see the old one or the new one.

    Raises:
        UsageError: it cannot be written.
    """
    from pathlib import Path

    from flowdsl.cli.generated import write_atomically
    from flowdsl.display.visible import visible
    from flowdsl.errors import UsageError

    try:
        write_atomically(Path(path), visible(text))
    except OSError as error:
        raise UsageError(f"{path}: the report cannot be written: {error.strerror or error}") from error


def failing_from(least: str | None) -> frozenset[str]:
    """The severities that fail a check from a least one on, by default errors."""
    if least in (None, "error"):
        return frozenset({"error"})
    from flowdsl.codes import SEVERITIES

    names: tuple[str, ...] = SEVERITIES
    return frozenset(names[: names.index(str(least)) + 1])
