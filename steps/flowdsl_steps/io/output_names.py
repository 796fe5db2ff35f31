"""Checks of `filename` and `directory` before the run."""

from __future__ import annotations

from collections.abc import Iterator

from flowdsl import Options, Problem, StepError
from flowdsl_steps.io.file_name import directory_parts, file_name


def check_output_names(options: Options) -> Iterator[Problem]:
    """What is wrong with a `filename` or a `directory` that is known before the run."""
    name, directory = options.given.get("filename"), options.given.get("directory")
    if isinstance(name, str) and ("/" in name or "\\" in name):
        yield Problem(
            "not-a-file-name",
            "`filename` is the name of a file: the separator of folders in it becomes `_`",
            key="filename",
            hint="put folders in `directory`",
            severity="warning",
        )
    elif isinstance(name, str) and not file_name(name):
        yield Problem("not-a-file-name", f"`filename` is {name!r}, which names no file", key="filename")
    if isinstance(directory, str):
        try:
            directory_parts(directory)
        except StepError as error:
            yield Problem(error.code, error.message, key="directory", hint=error.hint)
