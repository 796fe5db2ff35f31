"""`flowdsl validate`: every mistake of flows, with its place."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowdsl.cli.arguments import Parser, add_as_of, flag, one_of
from flowdsl.cli.flow_files import flow_paths, read_source
from flowdsl.cli.terminal import colors
from flowdsl.diagnostics import Diagnostic, counts, render
from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.environment import Environment

EXAMPLES = (
    "flowdsl validate skyline.flow.yaml",
    "flowdsl validate flows --strict --format json",
    "cat skyline.flow.yaml | flowdsl validate -",
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when there are errors, or warnings under `--strict`; 2 when a file cannot be read, and the
    others are checked all the same."""
    options = parser().parse(arguments)
    color = colors(sys.stdout, options.color)
    findings: list[Diagnostic] = []
    seen: set[tuple[str, ...]] = set()
    paths, wrong = flow_paths(options.paths)
    for said in wrong:
        _complain(said)
    if not paths:
        return 2
    unreadable = len(wrong)
    environments: dict[frozenset[str], Environment] = {}
    for path in paths:
        found = _check(path, environments, options.as_of)
        if found is None:
            unreadable += 1
            continue
        found = [finding for finding in found if _place(finding) not in seen]
        seen.update(map(_place, found))
        if found and options.format == "text":
            print("\n" * bool(findings) + render(found, color=color))
        findings += found
        if options.env and options.format == "text":
            _print_destinations(path, environments, options.as_of)
    if options.format == "json":
        _print_json(findings)
    elif not options.quiet:
        print("\n" * bool(findings) + _summary(len(paths), findings))
    failing = ("error", "warning") if options.strict else ("error",)
    return 2 if unreadable else int(any(finding.severity in failing for finding in findings))


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
    add_as_of(parser)
    flag(parser, "--env", help="list which secret and which key of the environment goes to which host")
    flag(parser, "--strict", help="warnings fail too")
    flag(parser, "-q", "--quiet", help="print findings only, no summary")
    words = "auto", "always", "never"
    parser.add_argument(
        "--color", type=one_of(*words), default="auto", metavar="WHEN", help=f"ANSI colours: {', '.join(words)}"
    )
    return parser


def _check(path: str, environments: dict[frozenset[str], Environment], as_of: date | None) -> list[Diagnostic] | None:
    """The findings of one file; None, after a line on stderr, when it cannot be read."""
    try:
        source, findings = read_source(path)
    except OSError as error:
        _complain(f"{path}: {error.strerror or error}")
        return None
    if findings:
        return findings
    from flowdsl.cli.variables import environment_for

    try:
        return environment_for(source, as_of=as_of, among=environments).check(source)
    except UsageError as error:  # of the settings file beside it
        _complain(f"{path}: {error}")
        return None


def _complain(text: str) -> None:
    sys.stderr.write(f"flowdsl: {text}\n")


def _print_destinations(path: str, environments: dict[frozenset[str], Environment], as_of: date | None) -> None:
    """Prints which secret of a file goes to which host."""
    from flowdsl.cli.variables import environment_for
    from flowdsl.environment.destinations import destinations

    source, _ = read_source(path)
    file, _, settings, _ = environment_for(source, as_of=as_of, among=environments)._check(source, ())
    for secret, host, place in destinations(file.documents if file is not None else (), settings.services):
        print(f"{place}: {secret} → {host}")


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
