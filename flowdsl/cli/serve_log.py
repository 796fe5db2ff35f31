"""The log of a gateway: a line for each request, with what is asked for only where somebody wants that."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import ExitStack

from flowdsl.cli.arguments import Parser, file_name, flag
from flowdsl.cli.observed import check_content
from flowdsl.cli.overwriting import check_written_over

STDERR = "-"
"""What stands for stderr in place of a file."""


def add_log(parser: Parser) -> None:
    """Adds what says where the log goes, and what stands in it."""
    parser.add_argument(
        "--log-json",
        type=file_name,
        metavar="FILE",
        help="add a line of JSON for each request to a file, without prompts; - for stderr",
    )
    flag(parser, "--log-content", help="with --log-json: prompts, fields and inputs of requests included")


def check_log(options: Namespace) -> None:
    """Looks at what the options say of the log.

    Raises:
        UsageError: it would be written over another file, or there is none.
    """
    if options.log_json != STDERR:
        check_written_over(options.log_json, "log")
    check_content(options)


def log_of(options: Namespace, stack: ExitStack, tell: Callable[[str], None]) -> Callable[[str], None] | None:
    """What writes the log, whole lines at once. A log that takes no more ends no request: that is said once, until it
    takes lines again."""
    if options.log_json is None:
        return None
    from flowdsl.cli.log_file import log_file

    file = None if options.log_json == STDERR else stack.enter_context(log_file(options.log_json))
    is_missing = False

    def log(line: str) -> None:
        nonlocal is_missing
        try:
            if file is None:
                sys.stderr.write(f"{line}\n")
            else:
                file.write(f"{line}\n".encode("utf-8", "backslashreplace"))  # half a character of a revised prompt
            is_missing = False
        except OSError as error:
            if not is_missing:
                tell(f"warning: lines are missing in {options.log_json}: {error.strerror}")
            is_missing = True

    return log
