"""`flowdsl config`: the settings that count for a folder or a file, and where each comes from."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.cli.arguments import Parser, flag
from flowdsl.display.visible import visible_line

if TYPE_CHECKING:
    from flowdsl.settings.origins import Setting

EXAMPLES = (
    "flowdsl config",
    "flowdsl config flows/skyline.flow.yaml",
    "flowdsl config --json",
)
_WIDEST = 60


def main(arguments: Sequence[str]) -> int:
    """The exit code: 2 when a settings file cannot be read, or says what cannot be."""
    from flowdsl.environment import Environment
    from flowdsl.errors import UsageError
    from flowdsl.settings.files import settings_file, user_file
    from flowdsl.settings.origins import Setting, settings_in_force, shown_path
    from flowdsl.source import Source

    options = parser().parse(arguments)
    path: str = options.path
    if not os.path.exists(path):  # noqa: PTH110  pathlib is slow to import
        raise UsageError(f"there is no file or folder `{path}`")
    is_file = not os.path.isdir(path)  # noqa: PTH112
    file = path if is_file else os.path.join(path, "any.flow.yaml")  # noqa: PTH118
    in_force = Environment().settings_for(Source("", file))  # finds what is wrong in the files
    project, user = settings_file(os.path.dirname(file)), user_file(os.environ)  # noqa: PTH120
    found = settings_in_force(project, user)
    if is_file and in_force.reported is not None:
        codes = sorted(in_force.reported.of_file(path))
        found += [Setting(("ignore", "of this file"), codes, None, None, True)] if codes else []
    files = [shown_path(each[0]) for each in (project, user) if each is not None]
    print(_json(files, found) if options.json else _text(files, found))
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("config", COMMANDS["config"], EXAMPLES)
    parser.add_argument(
        "path", nargs="?", default=".", metavar="PATH", help="a folder, or a file in it (default: the working folder)"
    )
    flag(parser, "--json", help="print them as JSON")
    return parser


def _text(files: Sequence[str], settings: Sequence[Setting]) -> str:
    head = "\n".join(f"settings of {visible_line(path)}" for path in files) or "no settings file: defaults"
    rows = [(row.name, _short(row.value), _origin(row)) for row in settings]
    names, values = (max(len(row[at]) for row in rows) for at in (0, 1))
    return "\n".join([head, *(f"  {name:{names}}  {value:{values}}  {origin}" for name, value, origin in rows)])


def _short(value: Any) -> str:
    text = visible_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _origin(row: Setting) -> str:
    if row.path is None:
        return "per-file-ignores" if row.keys[0] == "ignore" and row.value else "default"
    return f"{visible_line(row.path)}:{row.line}" + ("" if row.counts else ", does not count: another file comes first")


def _json(files: Sequence[str], settings: Sequence[Setting]) -> str:
    rows = [
        {"name": row.name, "value": row.value, "file": row.path, "line": row.line, "in_force": row.counts}
        for row in settings
    ]
    return json.dumps({"files": list(files), "settings": rows}, indent=2, ensure_ascii=False, default=str)
