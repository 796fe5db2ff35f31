"""`flowdsl validate`: every mistake of flows, with its place."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowdsl.cli.arguments import Parser, add_as_of, add_stdin_filename, check_stdin_filename, cut, flag, one_of
from flowdsl.cli.flow_files import flow_paths, read_source
from flowdsl.cli.terminal import colors
from flowdsl.diagnostics import Diagnostic, counts, render
from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.cli.variables import Environments
    from flowdsl.source import Source

EXAMPLES = (
    "flowdsl validate skyline.flow.yaml",
    "flowdsl validate flows --strict --format json",
    "flowdsl validate flows --fix",
    "flowdsl validate flows --fix --unsafe-fixes --diff",
    "cat skyline.flow.yaml | flowdsl validate - --stdin-filename skyline.flow.yaml",
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when there are errors, or warnings under `--strict`, or with `--env` when a real run lacks
    something; 2 when a file cannot be read, and the others are checked all the same."""
    from flowdsl.cli.variables import Environments

    options = parser().parse(arguments)
    check_stdin_filename(options.stdin_filename, options.paths)
    color = colors(sys.stdout, options.color)
    findings: list[Diagnostic] = []
    seen: set[tuple[str, ...]] = set()
    paths, wrong = flow_paths(options.paths)
    for said in wrong:
        _complain(said)
    if not paths:
        return 2
    unwritten = 0
    if options.fix or options.diff or options.unsafe_fixes:
        from flowdsl.cli.fixes import fix

        ended, unwritten = fix(paths, options)
        if ended is not None:
            return 2 if wrong else ended
    unreadable, lacking, checked = len(wrong) + unwritten, 0, 0
    environments = Environments(options.as_of)
    for path in paths:
        try:
            source, found = read_source(path, options.stdin_filename)
            found = found or environments.check(source)
        except (OSError, UsageError) as error:  # of the file, or of the settings file beside it
            _complain(f"{path}: {getattr(error, 'strerror', None) or error}")
            unreadable += 1
            continue
        checked += 1
        found = [finding for finding in found if _place(finding) not in seen]
        seen.update(map(_place, found))
        if found and options.format == "text":
            print("\n" * bool(findings) + render(found, color=color))
        findings += found
        if options.env:
            lacking += _print_environment(source, environments, quiet=options.format == "json")
    if options.format == "json":
        _print_json(findings)
    elif checked and not options.quiet:
        print("\n" * bool(findings) + _summary(checked, findings))
    failing = ("error", "warning") if options.strict else ("error",)
    return 2 if unreadable else int(lacking > 0 or any(finding.severity in failing for finding in findings))


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("validate", COMMANDS["validate"], EXAMPLES)
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a file, a folder (its *.flow.yaml, *.module.yaml, *.ai-kit.yaml), or - for stdin",
    )
    parser.add_argument(
        "--format",
        type=one_of("text", "json"),
        default="text",
        metavar="FORM",
        help="text (default) or json, one array",
    )
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
    flag(parser, "--strict", help="warnings fail too")
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
    file, _, settings, _ = environment.examined(source)
    documents = tuple(file.documents) if file is not None else ()
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


def _summary(files: int, findings: Sequence[Diagnostic]) -> str:
    total = f"{files} file{'' if files == 1 else 's'}"
    return f"{total}: {counts(findings)}" if findings else f"{total}, no findings"


def _print_json(findings: Sequence[Diagnostic]) -> None:
    import json

    lines = ",\n".join(json.dumps(finding.to_dict(), ensure_ascii=False) for finding in findings)
    print(f"[\n{lines}\n]" if findings else "[]")
