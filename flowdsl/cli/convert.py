"""`flowdsl convert`: the flow of this language that a document of another system becomes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowdsl.cli.arguments import Parser, add_stdin_filename, check_stdin_filename, flag, written_file
from flowdsl.cli.flow_files import flow_source
from flowdsl.diagnostics import has_errors, render
from flowdsl.errors import FlowCheckError, UsageError

if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.document.converted import Converted
    from flowdsl.source import Source

EXAMPLES = (
    "flowdsl convert comic_page.yml",
    "flowdsl convert task.json --out task.flow.yaml",
    "cat pipeline.yaml | flowdsl convert - > pipeline.flow.yaml",
)
_OF_A_REAL_RUN = "retired-model"
"""What is an error of the document stays one of the flow: simulated, both run."""
_ABOUT = """\
Knows the document by its content: a flow of Kestra, a task `generate_image`, a pipeline of Redpanda Connect. The \
flow that it prints sends the same requests. A key in the file becomes an environment variable, which stderr names. \
What has no exact counterpart is an error at its place, and nothing is printed. A flow of this language stays as it \
is, with the present names for old ones."""


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when the file has mistakes, or something in it cannot be said here."""
    from flowdsl.document.converted import converted
    from flowdsl.environment.environment import Environment

    options = parser().parse(arguments)
    check_stdin_filename(options.stdin_filename, [options.file])
    if options.out is not None and not options.force and os.path.lexists(options.out):
        raise UsageError(_there(options.out))
    source = flow_source(options.file, options.stdin_filename)
    found = Environment().examined(source).diagnostics
    if has_errors(finding for finding in found if finding.code != _OF_A_REAL_RUN):
        raise FlowCheckError([finding.hidden() for finding in found])
    made = converted(source, found)
    if made.text is None:
        raise FlowCheckError([finding.hidden() for finding in made.findings])
    if options.out is None:
        sys.stdout.write(made.text)
        sys.stdout.flush()
    else:
        _write(options.out, made.text, over=options.force)
    _say(made, source, found)
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("convert", f"{COMMANDS['convert']} {_ABOUT}", EXAMPLES)
    parser.add_argument("file", metavar="FILE", help="the document, or - for stdin")
    parser.add_argument(
        "--out", type=written_file, metavar="FILE", help="write the flow to this file, which must not be there yet"
    )
    flag(parser, "--force", help="write over the file of --out")
    add_stdin_filename(parser)
    return parser


def _write(path: str, text: str, *, over: bool) -> None:
    """Writes the flow as a whole.

    Raises:
        UsageError: somebody else has made the file meanwhile.
        OSError: it cannot be written; what was there is as it was.
    """
    from flowdsl.rewriting.files import put, put_new

    try:
        (put if over else put_new)(path, text.encode())
    except FileExistsError:
        raise UsageError(_there(path)) from None


def _there(path: str) -> str:
    return f"{path} is there already; --force writes over it"


def _say(made: Converted, source: Source, found: list[Diagnostic]) -> None:
    """Tells what there is to do for the flow, on stderr."""
    if retired := [finding.hidden() for finding in found if finding.code == _OF_A_REAL_RUN]:
        sys.stderr.write(render(retired, color=False) + "\n")
    for name, line in made.variables.items():
        sys.stderr.write(f"flowdsl: the flow reads the environment variable {name} for the key in line {line}\n")
    for note, line in made.notes.items():
        sys.stderr.write(f"flowdsl: line {line}: {note}\n")
    if made.was_native:
        renamed = "as it is" if made.text == source.text else "with present names, and no keys in it"
        sys.stderr.write(f"flowdsl: {source.path} is a flow of this language already, printed {renamed}\n")
