"""Outcomes for people and for other programs: as text, and as JUnit XML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from flowdsl.display.visible import shown, visible, visible_line
from flowdsl.flowtest.coverage import KINDS, Coverage

if TYPE_CHECKING:
    from flowdsl.flowtest.run import Outcome
    from flowdsl.flowtest.session import CaseFile

Paint = Callable[[str, str], str]
"""Gives a text in a style."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MOST = 12


def failure_text(outcome: Outcome, paint: Paint) -> str:
    """A case that failed: where it stands, and each difference."""
    place = visible_line(f" {outcome.file}:{outcome.line}  {outcome.shown_name}")
    parts = [difference.text() for difference in outcome.differences]
    if outcome.error is not None:
        parts.append(visible(outcome.error))
    return shown(paint("bad", "✗"), place, *(f"\n{_indented(part)}" for part in parts))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def summary(outcomes: Sequence[Outcome], broken: int, seconds: float) -> str:
    """How many cases passed and failed."""
    failed = sum(not outcome.passed for outcome in outcomes)
    total = f"{len(outcomes)} test{'' if len(outcomes) == 1 else 's'}"
    said = f"{total}, {f'{failed} failed' if failed else 'all passed' if outcomes else 'none ran'}"
    files = f"; {broken} file{'' if broken == 1 else 's'} with mistakes" if broken else ""
    return f"{said}{files} in {seconds:.1f} s"


def coverage_text(coverage: Coverage, untested: Sequence[str]) -> str:
    """The coverage as a table: a line for each file, and what of it did not run."""
    paths = coverage.paths
    width = max([len(path) for path in (*paths, "total")], default=5)
    lines = [f"{'coverage'.ljust(width)}  {'steps':>9}  {'branches':>9}  {'catches':>9}  {'iterations':>10}"]
    for path in paths:
        lines.append(f"{visible_line(path).ljust(width)}  {_figures(coverage, path)}")
        missing = coverage.missing(path) if path not in untested else []
        lines += [f"  not run: {visible_line(point.text())}" for point in missing[:_MOST]]
        lines += [f"  and {len(missing) - _MOST} more"] if len(missing) > _MOST else []
    lines.append(f"{'total'.ljust(width)}  {_figures(coverage, None)}")
    lines += [f"no test runs {visible_line(path)}" for path in untested]
    ran, total = coverage.share()
    lines.append(f"{coverage.percent:.1f} % of steps, branches and catch blocks ({ran} of {total})")
    return "\n".join(lines)


def _figures(coverage: Coverage, path: str | None) -> str:
    shares = [coverage.share((kind,), path) for kind in KINDS]
    texts = [f"{ran}/{total}" if total else "-" for ran, total in shares]
    return "  ".join(text.rjust(size) for text, size in zip(texts, (9, 9, 9, 10), strict=True))


def junit(files: Iterable[CaseFile], outcomes: Sequence[Outcome]) -> str:
    """The outcomes as JUnit XML: a suite for each file, and for a file with mistakes one case with an error."""
    suites, all_cases, all_failures, all_errors, all_seconds = [], 0, 0, 0, 0.0
    for file in files:
        of_file = [outcome for outcome in outcomes if outcome.file == file.path]
        cases = [_case(outcome) for outcome in of_file]
        failures = sum(bool(each.differences) and each.error is None for each in of_file)
        errors = sum(each.error is not None for each in of_file)
        seconds = sum(each.seconds for each in of_file)
        if file.tests is None:
            from flowdsl.diagnostics import render

            said = render([finding for finding in file.findings if finding.severity == "error"])
            body = f'<error message="the file has mistakes">{_text(said)}</error>'
            cases.append(f'<testcase name="the file" classname="{_attribute(file.path)}" time="0">{body}</testcase>')
            errors += 1
        if not cases:
            continue
        counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="0" time="{seconds:.3f}"'
        inside = "".join(f"\n    {case}" for case in cases)
        suites.append(f'\n  <testsuite name="{_attribute(file.path)}" {counts}>{inside}\n  </testsuite>')
        all_cases, all_failures, all_errors = all_cases + len(cases), all_failures + failures, all_errors + errors
        all_seconds += seconds
    totals = f'tests="{all_cases}" failures="{all_failures}" errors="{all_errors}" time="{all_seconds:.3f}"'
    head = '<?xml version="1.0" encoding="utf-8"?>\n'
    return f'{head}<testsuites name="flowdsl" {totals}>{"".join(suites)}\n</testsuites>\n'


def _case(outcome: Outcome) -> str:
    head = (
        f'name="{_attribute(outcome.shown_name)}" classname="{_attribute(outcome.file)}" '
        f'file="{_attribute(outcome.file)}" line="{outcome.line}" time="{outcome.seconds:.3f}"'
    )
    if outcome.passed:
        return f"<testcase {head}/>"
    if outcome.error is not None:
        return f'<testcase {head}><error message="the case could not run">{_text(outcome.error)}</error></testcase>'
    first = outcome.differences[0]
    said = f"{first.at}: expected {first.expected}, found {first.found}"
    text = "\n".join(difference.text() for difference in outcome.differences)
    return f'<testcase {head}><failure message="{_attribute(said)}">{_text(text)}</failure></testcase>'


def _text(text: str) -> str:
    safe = _NOT_XML.sub("�", text)
    return safe.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _attribute(text: str) -> str:
    return _text(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;").replace("\r", "&#13;")
