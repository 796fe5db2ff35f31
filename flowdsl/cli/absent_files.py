"""Files that a command is to read and that are not there: of several all are told, not one after the other."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator

_OPTIONS = ("over", "inputs", "events", "baseline")


def check_not_several_absent(options: Namespace) -> None:
    """Refuses several files that are not there. A single one is told where it is read, with more of what it is for.

    Raises:
        UsageError: of what the options name several are not there.
    """
    absent = {said: path for said, path in _named(options) if not os.path.exists(path)}  # noqa: PTH110
    if len(absent) > 1:
        from flowdsl.errors import UsageError

        lines = [f"{said}{_meant(path)}" for said, path in absent.items()]
        raise UsageError("\n  ".join([f"{len(lines)} files are not there:", *lines]))


def _named(options: Namespace) -> Iterator[tuple[str, str]]:
    """The files that are read, each with how it was named."""
    given = (getattr(options, name, None) for name in ("image", "file", "flow"))
    paths = [path for path in (*given, *(getattr(options, "paths", None) or ())) if isinstance(path, str)]
    yield from ((path, path) for path in paths if path != "-")
    for name in _OPTIONS:
        path = getattr(options, name, None)
        if not isinstance(path, str) or path == "-":  # `--events` of `run` names no file
            continue
        if not (name == "inputs" and ("=" in path or path.lstrip().startswith("{"))):
            yield f"--{name} {path}", path
    for name, text in dict(getattr(options, "input", ())).items():
        if text.startswith("@") and not text.startswith("@@") and text != "@-":
            yield f"-i {name}={text}", text[1:]


def _meant(path: str) -> str:
    from flowdsl.cli.failure import meant_flow
    from flowdsl.nearest import nearest

    if said := meant_flow(path):
        return said
    folder, name = os.path.split(path)
    try:
        near = nearest(name, os.listdir(folder or "."))  # noqa: PTH208
    except OSError:
        near = None
    return f"; did you mean `{os.path.join(folder, near)}`?" if near else ""  # noqa: PTH118
