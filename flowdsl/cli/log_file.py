"""The file of `--log-json`: lines are added to a log, and to no other file."""

from __future__ import annotations

import os
from io import FileIO

from flowdsl.cli.overwriting import check_written_over
from flowdsl.errors import UsageError

_DEVICES = ("/dev/", "/proc/")
"""`/dev/stderr` and its like: where they lead is for whoever redirected them to say."""
_TAKEN = ("results.jsonl", "failed.jsonl", "manifest.json")
"""What batches and pictures write beside each other: lines of a log among theirs spoil them."""


def log_file(name: str) -> FileIO:
    """Opens a log to add lines to, without a buffer: lines are written at once, also where several processes write.

    Raises:
        UsageError: the file cannot be written, or holds something else, such as a flow or records.
    """
    if not name.startswith(_DEVICES):
        check_written_over(name, "log")
    if os.path.basename(name) in _TAKEN:  # noqa: PTH119
        raise UsageError(f"--log-json {name}: a batch or its pictures write a file of this name: name another")
    try:
        return FileIO(name, "ab")
    except OSError as error:
        raise UsageError(f"--log-json {name}: {error.strerror}") from error
