"""`flowdsl validate`: every mistake of flows, with its place."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from flowdsl.cli.absent_files import check_not_several_absent
from flowdsl.cli.arguments import (
    Parser,
    add_as_of,
    add_exclude,
    add_stdin_filename,
    check_stdin_filename,
    cut,
    file_name,
    file_to_read,
    flag,
    one_of,
    written_file,
)
from flowdsl.cli.checks import Checks
from flowdsl.cli.flow_files import chosen_paths
from flowdsl.cli.reporting import FORMS, Reporting, failing_from
from flowdsl.errors import UsageError

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from argparse import Namespace

    from flowdsl.cli.variables import Environments
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.source import Source

EXAMPLES = (
    "flowdsl validate skyline.flow.yaml",
    "flowdsl validate flows --strict --format json",
    "flowdsl validate flows --format sarif --output-file flows.sarif",
    "flowdsl validate flows --write-baseline known.json && flowdsl validate flows --baseline known.json",
    "flowdsl validate flows --fix",
    "flowdsl validate flows --fix --unsafe-fixes --diff",
    "cat skyline.flow.yaml | flowdsl validate - --stdin-filename skyline.flow.yaml",
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when there are findings that fail the check, by default errors, or with `--env` when a real run
    lacks something; 2 when a file cannot be read, and the others are checked all the same."""
    options = parser().parse(arguments)
    check_stdin_filename(options.stdin_filename, options.paths)
    failing = _failing(options)
    if options.baseline and options.write_baseline:
        raise UsageError("--baseline and --write-baseline are given: a new baseline holds all that is found")
    if options.baseline:
        check_not_several_absent(options)
    reporting = Reporting(options)
    seen: set[tuple[str, ...]] = set()
    told: set[str] = set()
    paths, unreadable = chosen_paths(options.paths, options.exclude, settings_are_checked=True)
    if paths and (options.fix or options.diff or options.unsafe_fixes):
        from flowdsl.cli.fixes import fix

        ended, unwritten = fix(paths, options, failing)
        if ended is not None:
            return 2 if unreadable else ended
        unreadable += unwritten
    checked: list[str] = []
    lacking = 0
    with Checks(
        paths, options.as_of, lightly=not options.env, fresh=options.no_cache, stdin_filename=options.stdin_filename
    ) as checks:
        for path in paths:
            try:
                source, found = checks.of(path)
            except (OSError, UsageError) as error:  # of the file, or of the settings file beside it
                said = str(getattr(error, "strerror", None) or error)
                if isinstance(error, OSError) or said not in told:  # one of settings is told once for all its files
                    from flowdsl.cli.rewritten import said_of_error

                    sys.stderr.write(said_of_error(path, error))
                told.add(said)
                unreadable.append((path, said))
                continue
            checked.append(path if source is None else source.path)
            found = [finding for finding in found if _place(finding) not in seen]
            seen.update(map(_place, found))
            if found and source is not None:
                reporting.add(found, failing or failing_from(checks.environments.fail_on(source)))
            if options.env and source is not None:
                lacking += _print_environment(source, checks.environments, quiet=reporting.is_document)
    reporting.end(checked, unreadable)
    if options.fix and not options.unsafe_fixes and not options.quiet:
        from flowdsl.cli.fixes import said_of_unsafe

        sys.stdout.flush()  # it is said of what stands above it
        sys.stderr.write(said_of_unsafe(reporting.findings))
    return 2 if unreadable else int(lacking > 0 or any(reporting.failing))


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("validate", COMMANDS["validate"], EXAMPLES)
    parser.add_argument(
        "paths",
        nargs="*",
        default=["."],
        metavar="PATH",
        help="a file, a folder (its *.flow.yaml, *.module.yaml, *.ai-kit.yaml, *.test.yaml; default: this one), or - "
        "for stdin",
    )
    parser.add_argument(
        "--format",
        type=one_of(*FORMS),
        metavar="FORM",
        help=f"{', '.join(FORMS)}; text is usual, and github inside GitHub Actions",
    )
    parser.add_argument("--output-file", type=written_file, metavar="FILE", help="write the findings to this file")
    flag(parser, "--statistics", help="count the findings of each code")
    add_exclude(parser)
    flag(parser, "--fix", help="correct what can be corrected safely in the files, and report what is left")
    flag(parser, "--unsafe-fixes", help="with --fix: also where a fix is a guess, or takes something away")
    flag(parser, "--diff", help="with --fix: write nothing, print what would change, and fail when anything would")
    add_stdin_filename(parser)
    add_as_of(parser)
    flag(
        parser,
        "--env",
        help="list which secret and key goes to which host, and what a real run still lacks; fail when it lacks any",
    )
    parser.add_argument(
        "--baseline", type=file_to_read, metavar="FILE", help="report only what this file does not know yet"
    )
    parser.add_argument(
        "--write-baseline",
        type=file_name,
        metavar="FILE",
        help="write what is found to this file, for --baseline; - for stdout",
    )
    parser.add_argument(
        "--fail-on",
        type=one_of("note", "warning", "error"),
        metavar="SEVERITY",
        help="the least severity that fails the check: note, warning or error (default)",
    )
    flag(parser, "--strict", help="warnings fail too: --fail-on warning")
    flag(parser, "--no-cache", help="check every file anew, also those that were clean and have not changed since")
    flag(parser, "-q", "--quiet", help="print findings only, no summary")
    words = "auto", "always", "never"
    parser.add_argument(
        "--color", type=one_of(*words), default="auto", metavar="WHEN", help=f"ANSI colours: {', '.join(words)}"
    )
    return parser


def _complain(text: str) -> None:
    sys.stderr.write(f"flowdsl: {cut(text)}\n")


def _print_environment(source: Source, environments: Environments, *, quiet: bool) -> int:
    """Prints which secret of a file goes to which host, and what a real run lacks; gives how much that is. With `quiet`
    what it lacks goes to stderr, and the rest nowhere."""
    from flowdsl.cli.needs import needs
    from flowdsl.environment.destinations import destinations

    environment = environments.of(source)
    examined = environment.examined(source)
    settings = examined.settings
    documents = tuple(examined.file.documents) if examined.file is not None else ()
    for secret, host, place in () if quiet else destinations(documents, settings.services):
        print(f"{place}: {secret} → {host}")
    missing = needs(documents, settings.services, environment.registry.step_class)
    for line in missing:
        if quiet:
            _complain(line)
        else:
            print(line)
    return len(missing)


def _place(finding: Diagnostic) -> tuple[str, ...]:
    """What makes a finding the same as another: a module is checked alone and with each file that imports it."""
    import os

    return os.path.realpath(finding.span.path), str(finding.span), finding.code, finding.message


def _failing(options: Namespace) -> frozenset[str] | None:
    """The severities that fail the check; None where no option says it.

    Raises:
        UsageError: two options say it, and not the same.
    """
    if options.strict and options.fail_on not in (None, "warning"):
        said = f"--strict is `--fail-on warning`, and --fail-on {options.fail_on} is given too"
        raise UsageError(f"{said}: keep one of the two")
    least = "warning" if options.strict else options.fail_on
    return None if least is None else failing_from(least)
