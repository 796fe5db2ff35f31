"""`flowdsl fmt`: flows in the one style."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowdsl.cli.arguments import Parser, add_exclude, add_stdin_filename, check_stdin_filename, flag
from flowdsl.cli.flow_files import STANDARD_INPUT, chosen_paths, flow_source
from flowdsl.cli.rewritten import said_of_error, write_file, write_text
from flowdsl.errors import FlowSyntaxError, UsageError

if TYPE_CHECKING:
    from flowdsl.source import Source

EXAMPLES = (
    "flowdsl fmt",
    "flowdsl fmt flows --check",
    "flowdsl fmt skyline.flow.yaml --diff",
    "cat skyline.flow.yaml | flowdsl fmt - > tidy.flow.yaml",
)
_ABOUT = """\
Indentation, white space and blank lines are written anew; every character of a value or comment stays, and the flow \
means what it meant. There are no options for the style. A file with a mistake of syntax, or of another system, stays \
as it is, and the mistake is told."""


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when a file is refused, or with `--check` or `--diff` when one would change; 2 when one cannot
    be read or written, and the others are formatted all the same."""
    options = parser().parse(arguments)
    check_stdin_filename(options.stdin_filename, options.paths)
    if STANDARD_INPUT in options.paths and len(options.paths) > 1:
        raise UsageError("- stands alone: its text goes to stdout, and those of files back to their files")
    paths, wrong = chosen_paths(options.paths, options.exclude, settings_are_checked=False)
    changed, refused, failed = 0, 0, len(wrong)
    for path in paths:
        try:
            source = flow_source(path, options.stdin_filename)
            changed += _format(source, path, check=options.check, diff=options.diff, quiet=options.quiet)
        except FlowSyntaxError as error:
            _refuse(error, anew=not refused)
            refused += 1
        except OSError as error:
            sys.stderr.write(said_of_error(path, error))
            failed += 1
    would = options.check or options.diff
    if paths and not (options.quiet or options.paths == [STANDARD_INPUT]):
        _sum_up(len(paths), changed, refused + failed - len(wrong), would=would)
    return 2 if failed else int(refused > 0 or (would and changed > 0))


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("fmt", f"{COMMANDS['fmt']} {_ABOUT}", EXAMPLES)
    parser.add_argument(
        "paths",
        nargs="*",
        default=["."],
        metavar="PATH",
        help="a file, a folder (its *.flow.yaml, *.module.yaml, *.ai-kit.yaml, *.test.yaml; default: this one), or - "
        "for stdin",
    )
    add_exclude(parser)
    flag(parser, "--check", help="write nothing, name the files that would change, and fail when there are any")
    flag(parser, "--diff", help="write nothing, print what would change, and fail when anything would")
    add_stdin_filename(parser)
    flag(parser, "-q", "--quiet", help="print no summary, and no names of files")
    return parser


def _format(source: Source, path: str, *, check: bool, diff: bool, quiet: bool) -> bool:
    """Formats a file; says whether that changes it.

    Raises:
        FlowSyntaxError: it is refused.
        OSError: it cannot be written.
    """
    from flowdsl.rewriting.style import formatted_flow

    text = formatted_flow(source)
    changes = text != source.text or source.marks > 0
    if diff and changes:
        from flowdsl.rewriting.differences import difference

        sys.stdout.write(difference(source, text))
    elif path == STANDARD_INPUT and not check and not diff:
        write_text(text)
    elif changes:
        if not check:
            write_file(source, text, marks=0)
        if not quiet:
            print(f"{'would be formatted' if check else 'formatted'}: {source.path}")
    return changes


def _refuse(error: FlowSyntaxError, *, anew: bool) -> None:
    from flowdsl.cli.terminal import colors
    from flowdsl.diagnostics import render

    sys.stderr.write("\n" * (not anew) + render(error.diagnostics, color=colors(sys.stderr)) + "\n")


def _sum_up(files: int, changed: int, left: int, *, would: bool) -> None:
    """Says in one line what was done."""
    verb = "would be formatted" if would else "formatted"
    right = files - changed - left
    parts = [f"{count} {what}" for count, what in ((changed, verb), (right, "unchanged"), (left, "refused")) if count]
    sys.stderr.write(f"{files} file{'' if files == 1 else 's'}: {', '.join(parts)}\n")
