"""`flowdsl init`: the files of a new project. It asks nothing, and no file that is there is touched."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from flowdsl.cli.arguments import Parser, folder_name
from flowdsl.errors import UsageError
from flowdsl.rewriting.files import put_new

EXAMPLES = ("flowdsl init", "flowdsl init postcards")
_NEXT = """\
next:
  flowdsl run flows/postcard.flow.yaml --simulate
  flowdsl test
  flowdsl create REST,SAVE_IMAGES > flows/mine.flow.yaml
"""


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0, also where all files are there already."""
    options = parser().parse(arguments)
    folder = Path(options.folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, and a project needs a folder")
    files = _files()
    made = [name for name, text in files.items() if _make(folder, name, text)]
    for name in files:
        print(f"{'made' if name in made else 'kept'}  {folder / name}")
    if len(made) < len(files):
        print("what is kept was there already, and is as it was")
    if folder != Path():
        print(f"next, in {folder}:\n{_NEXT.partition(chr(10))[2]}", end="")
    else:
        print(_NEXT, end="")
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("init", COMMANDS["init"], EXAMPLES)
    here = "the folder of the project, which is made where it is not there (default: this one)"
    parser.add_argument("folder", nargs="?", default=".", type=folder_name, metavar="DIR", help=here)
    return parser


def _files() -> dict[str, str]:
    from flowdsl.cli.new_project import project_files
    from flowdsl.document.dialects import schemas
    from flowdsl.reference.docstrings import documented
    from flowdsl.reference.schema import schema_files
    from flowdsl.step.registry import installed

    registry = installed()
    return project_files(schema_files((documented(registry.step_class(name)) for name in registry), schemas()))


def _make(folder: Path, name: str, text: str) -> bool:
    """Writes a file that is not there; whether it did.

    Raises:
        UsageError: a folder of its path is a file.
        OSError: it cannot be written.
    """
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        at = next(parent for parent in path.parents if parent.exists())
        raise UsageError(f"{at} is a file, and {path} needs a folder there; what is made so far stays") from None
    if os.path.lexists(path):
        return False
    try:
        put_new(str(path), text.encode())  # another process may be as quick
    except FileExistsError:
        return False
    sys.stdout.flush()
    return True
