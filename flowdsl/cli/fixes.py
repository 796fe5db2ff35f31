"""`flowdsl validate --fix`: applies the fixes of findings to their files."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from flowdsl.cli.flow_files import STANDARD_INPUT, read_source
from flowdsl.cli.reporting import failing_from
from flowdsl.cli.rewritten import said_of_error, write_file, write_text
from flowdsl.errors import FlowSyntaxError, UsageError

if TYPE_CHECKING:
    from flowdsl.cli.variables import Environments
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.rewriting.fixing import Repaired
    from flowdsl.source import Source


def fix(
    paths: Sequence[str], options: Namespace, failing: frozenset[str] | None
) -> tuple[int | None, list[tuple[str, str]]]:
    """Corrects the files of `flowdsl validate`, and says on stderr what was done. Gives the exit code, or None where
    the findings that are left are still to be reported, by checking the files again; and the files that could not be
    written, each with the reason. `failing` are the severities that fail the check, None for those of the settings.

    A file that cannot be read is left to the report. Files are corrected in their order, each beside the others as they
    are by then.

    Raises:
        UsageError: options that do not go together.
    """
    from flowdsl.cli.variables import Environments

    _check_options(paths, options)
    environments = Environments(options.as_of)
    changed = 0
    failed: list[tuple[str, str]] = []
    left: list[Diagnostic] = []
    for path in paths:
        try:
            source, undecodable = read_source(path, options.stdin_filename)
            if undecodable and path == STANDARD_INPUT:
                raise FlowSyntaxError(undecodable)
            if undecodable and not options.diff:
                continue
            done = _repaired(source, undecodable, environments, unsafe=options.unsafe_fixes)
        except (OSError, UsageError) as error:
            if options.diff or path == STANDARD_INPUT:
                sys.stderr.write(said_of_error(path, error))
                failed.append((path, str(error)))
            continue
        changes = done.source.text != source.text
        left += done.left
        changed += changes
        if options.diff:
            _print_difference(source, done)
        elif path == STANDARD_INPUT:
            return _print_text(done, options, failing or failing_from(environments.fail_on(source))), []
        elif changes:
            try:
                write_file(source, done.source.text, marks=source.marks)
            except OSError as error:
                sys.stderr.write(said_of_error(path, error))
                failed.append((path, str(error)))
                continue
        if changes and not options.quiet:
            sys.stderr.write(_told(source, done, would=options.diff))
    if options.diff and not options.quiet and not options.unsafe_fixes:
        sys.stderr.write(said_of_unsafe(left))
    ended = options.diff or STANDARD_INPUT in paths
    return (2 if failed else int(changed > 0)) if ended else None, failed


def _check_options(paths: Sequence[str], options: Namespace) -> None:
    if options.unsafe_fixes and not (options.fix or options.diff):
        raise UsageError("--unsafe-fixes goes with --fix, or with --diff, which writes nothing")
    if STANDARD_INPUT in paths and len(paths) > 1:
        raise UsageError("with --fix, - stands alone: its text goes to stdout, and those of files back to their files")
    if options.format not in (None, "text") and (options.diff or STANDARD_INPUT in paths):
        what = "the difference" if options.diff else "the corrected text"
        raise UsageError(f"{what} goes to stdout, where --format {options.format} prints: leave out one of the two")


def _repaired(source: Source, undecodable: list[Diagnostic], environments: Environments, *, unsafe: bool) -> Repaired:
    from flowdsl.rewriting.fixing import Repaired, repaired

    if undecodable:
        return Repaired(source, (), undecodable, 1)
    return repaired(source, environments.check, unsafe=unsafe)


def _print_difference(source: Source, done: Repaired) -> None:
    from flowdsl.rewriting.differences import difference

    if done.source.text != source.text:
        sys.stdout.write(difference(source, done.source.text))


def _print_text(done: Repaired, options: Namespace, failing: frozenset[str]) -> int:
    """Prints the corrected text of standard input, and what is left on stderr; gives the exit code."""
    from flowdsl.cli.terminal import colors
    from flowdsl.diagnostics import counts, render

    write_text(done.source.text, done.source.marks)
    if not options.quiet and done.applied:
        sys.stderr.write(_told(done.source, done, would=False))
    if done.left:
        sys.stderr.write(render(done.left, color=colors(sys.stderr, options.color)) + f"\n\n{counts(done.left)}\n")
    if not options.quiet and not options.unsafe_fixes:
        sys.stderr.write(said_of_unsafe(done.left))
    return int(any(finding.severity in failing for finding in done.left))


def said_of_unsafe(left: Iterable[Diagnostic]) -> str:
    """How many findings that are left have a fix that is not safe, and what applies it; empty where none has."""
    count = 0
    for finding in left:
        fixes = [fix for fix in finding.fixes if not fix.safe and not fix.by_hand]
        count += any(edit.span.path == finding.span.path for fix in fixes for edit in fix.edits)
    if not count:
        return ""
    have, each = ("has", "it is a guess, or takes") if count == 1 else ("have", "each is a guess, or takes")
    return f"flowdsl: {count} of what is left {have} a fix that `--unsafe-fixes` applies: {each} something away\n"


def _told(source: Source, done: Repaired, *, would: bool) -> str:
    """What was done to a file: a line for it, and one for each fix with the place that its finding had then."""
    count = len(done.applied)
    verb = "would be corrected" if would else "corrected"
    lines = [f"{source.path}: {count} mistake{'' if count == 1 else 's'} {verb}"]
    for finding, applied in done.applied:
        place, hide = finding.span.first, finding.span.source.hide
        lines.append(f"  {place.line}:{place.col} {finding.code}: {hide(applied.title)}")
    return "\n".join(lines) + "\n"
