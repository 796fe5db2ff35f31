"""What is most likely meant by an argument that a command does not know: an option that works when it is typed."""

from __future__ import annotations

import os
from collections.abc import Container, Sequence
from typing import Any

from flowdsl.cli.record_files import LINES, TABLES
from flowdsl.errors import UsageError
from flowdsl.nearest import nearest

_INPUT, _OUT, _VALUE = "-i", "--out", "…"
_INPUT_NAMES = ("--input", "--inputs", "--param", "--set", "--var", "--arg")
_INPUT_FILES = (".json", ".yaml", ".yml")
_OTHERS = {"run": ("batch",), "batch": ("run",), "resume": ("run", "batch")}
"""The commands whose options may be tried at another."""
_MAKE_PICTURES = ("run", "image", "batch", "serve", "mcp")
_FILE_OPTIONS = (_OUT, "--output", "--output-file", "--junit")
"""What says where a command writes: the first that it has."""
_FOLDER_NAMES = ("-o", "--output", "--output-dir", "--outdir", "--dir", "--folder")


def meant_option(
    command: str, word: str, arguments: Sequence[str], known: Container[str], file: str | None
) -> str | None:
    """What is said behind a word that looks like an option of a command; None where nobody can know. `file` is the
    flow."""
    name, equals, value = word.partition("=")
    if not equals:
        at = arguments.index(word) + 1 if word in arguments else len(arguments)
        value = arguments[at] if at < len(arguments) and not arguments[at].startswith("-") else ""
    if name in _FOLDER_NAMES:
        own = next((each for each in _FILE_OPTIONS if each in known), None)
        if own is not None:
            return (
                _folder(value)
                if command in _MAKE_PICTURES
                else f"`{own} {_quoted(value or 'FILE')}` says where to write"
            )
    if _INPUT not in known or not name.startswith("--"):
        return None
    if name in _INPUT_NAMES:
        return f"an input of the flow is given as `{_INPUT} {_quoted(value) if '=' in value else 'NAME=VALUE'}`"
    declared = None if file is None else _declared(file)
    if name[2:] not in (declared or ()) and (said := _of_others(command, name)) is not None:
        return said
    return _input(name[2:], value, declared) if file is not None or value else None


def means_one_input(word: str, arguments: Sequence[str]) -> bool:
    """Whether an argument that looks like `--inputs` gives an input, and not a file with inputs."""
    name, equals, value = word.partition("=")
    at = arguments.index(word) + 1 if word in arguments else len(arguments)
    value = value if equals else "".join(arguments[at : at + 1])
    return name in _INPUT_NAMES and not value.lower().endswith(_INPUT_FILES)


def meant_word(command: str, word: str, file: str | None) -> str | None:
    """The same of a word that is none: records are of a batch, and a number is the port of a gateway."""
    if command == "serve" and word.isascii() and word.isdigit():
        return f"; did you mean `--port {word}`?"
    if command not in ("run", "plan") or file is None or not word.lower().endswith((*LINES, *TABLES)):
        return None
    if command == "plan":
        return f"; did you mean `--over {_quoted(word)}`?"
    return f"; did you mean `flowdsl batch {_quoted(file)} --over {_quoted(word)}`?"


def check_is_flow(file: str, over: str | None = None) -> None:
    """Looks whether the file of a flow is one of records.

    Raises:
        UsageError: it is.
    """
    if file.lower().endswith((*LINES, *TABLES)):
        records = over is not None and not over.lower().endswith((*LINES, *TABLES))
        flow = _quoted(over) if records and over is not None else "FLOW"
        raise UsageError(
            f"{file} holds records, and no flow; did you mean `flowdsl batch {flow} --over {_quoted(file)}`?"
        )


def _of_others(command: str, name: str) -> str | None:
    """Which other command takes an option."""
    from importlib import import_module

    for other in _OTHERS.get(command, ()):
        if name in import_module(f"flowdsl.cli.{other}").parser()._option_string_actions:
            if command == "resume":
                return "it goes on with the options that it began with"
            return f"`flowdsl {other}` takes it"
    return None


def _folder(value: str) -> str:
    stem, ending = os.path.splitext(value)  # noqa: PTH122  pathlib is slow to import
    folder = (os.path.dirname(stem) or ".") if ending else value or "pictures"  # noqa: PTH120
    return f"`{_OUT} {_quoted(folder)}` names the folder of the pictures, which get names of their own there"


def _input(name: str, value: str, declared: Sequence[str] | None) -> str | None:
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
    from flowdsl.syntax.opened import read_file
    from flowdsl.syntax.yaml_reader import read, read_bytes

    try:
        root = None if file == "-" else read(read_bytes(read_file(file), file)[0])[0]
    except OSError:
        return None
    plain: Any = None if root is None else root.plain()
    inputs = plain.get("inputs") if isinstance(plain, dict) else None
    return [*map(str, inputs)] if isinstance(inputs, dict) else None


def _quoted(text: str) -> str:
    from shlex import quote

    return text if text.endswith(_VALUE) else quote(text)
