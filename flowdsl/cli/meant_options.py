"""What is most likely meant by an argument that a command does not know: an option that works when it is typed."""

from __future__ import annotations

import os
from collections.abc import Container, Sequence
from typing import Any

from flowdsl.errors import FlowError
from flowdsl.nearest import nearest

_INPUT, _OUT, _VALUE = "-i", "--out", "…"
_FOLDER_NAMES = ("-o", "--output", "--output-dir", "--outdir", "--dir", "--folder")


def meant_option(word: str, arguments: Sequence[str], known: Container[str], file: str | None) -> str | None:
    """What is said behind a word that looks like an option; None where nobody can know. `file` is the flow."""
    name, equals, value = word.partition("=")
    if not equals:
        at = arguments.index(word) + 1 if word in arguments else len(arguments)
        value = arguments[at] if at < len(arguments) and not arguments[at].startswith("-") else ""
    if name in _FOLDER_NAMES and _OUT in known:
        return _folder(value)
    if _INPUT in known and name.startswith("--"):
        return _input(name[2:], value, file)
    return None


def _folder(value: str) -> str:
    stem, ending = os.path.splitext(value)  # noqa: PTH122  pathlib is slow to import
    folder = (os.path.dirname(stem) or ".") if ending else value or "pictures"  # noqa: PTH120
    return f"`{_OUT} {_quoted(folder)}` names the folder of the pictures, which get names of their own there"


def _input(name: str, value: str, file: str | None) -> str | None:
    declared = None if file is None else _declared(file)
    if declared is None:  # any name is one
        return _given(name, value)
    own = name if name in declared else nearest(name, declared)
    if own is not None:
        return _given(own, value)
    return f"the flow declares no input `{name}`; it has {', '.join(declared)}" if declared else None


def _given(name: str, value: str) -> str:
    return f"an input of the flow is given as `{_INPUT} {_quoted(f'{name}={value or _VALUE}')}`"


def _declared(file: str) -> list[str] | None:
    """The inputs that a flow declares; None for one that takes any, or cannot be read."""
    from flowdsl.cli.flow_files import STANDARD_INPUT, flow_source
    from flowdsl.syntax.yaml_reader import read

    try:
        root = None if file == STANDARD_INPUT else read(flow_source(file))[0]
    except (FlowError, OSError):
        return None
    plain: Any = None if root is None else root.plain()
    inputs = plain.get("inputs") if isinstance(plain, dict) else None
    return [*map(str, inputs)] if isinstance(inputs, dict) else None


def _quoted(text: str) -> str:
    from shlex import quote

    return text if text.endswith(_VALUE) else quote(text)
