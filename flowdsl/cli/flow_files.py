"""Which files a command means, and their text."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from flowdsl.settings.places import project_places
from flowdsl.syntax.opened import lies_in, read_file

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.settings.globs import Globs
    from flowdsl.source import Source

STANDARD_INPUT = "-"
ENDINGS = tuple(f".{kind}.{ending}" for kind in ("flow", "module", "ai-kit", "test") for ending in ("yaml", "yml"))
TEST_ENDINGS = (".test.yaml", ".test.yml")
_READ: list[object] = []
"""The standard input that has been read."""
Excluded = Callable[[str], bool]
"""Whether a file that is found in a folder is left out."""
_SKIPPED = frozenset({"node_modules", "__pycache__"})


def nothing(_path: str) -> bool:
    """Leaves nothing out."""
    return False


def chosen_paths(
    paths: Sequence[str], given: Sequence[str], *, settings_are_checked: bool
) -> tuple[list[str], list[tuple[str, str]]]:
    """As `flow_paths`, without what the globs that are `given` and the settings of projects leave out of folders; what
    is wrong with paths and globs is told. `settings_are_checked` with the files: what is wrong in them is told there.

    Raises:
        UsageError: of a settings file.
    """
    from flowdsl.cli.arguments import cut

    globs = _excluded(paths, given, settings_are_checked=settings_are_checked)
    if not globs:
        found, wrong = flow_paths(paths)
    else:
        found, wrong = flow_paths(paths, lambda path: any(each.match(path) for each in globs))
        for glob in globs[0].idle if given else ():
            sys.stderr.write(f"flowdsl: {cut(f'--exclude {glob}: nothing in the given folders has this name')}\n")
    for _, said in wrong:
        sys.stderr.write(f"flowdsl: {cut(said)}\n")
    return found, wrong


def _excluded(paths: Iterable[str], given: Sequence[str], *, settings_are_checked: bool) -> list[Globs]:
    """What is left out of the folders among some paths: by the globs that are given, which come first, and by the
    settings of the project of each folder."""
    folders = [path for path in paths if os.path.isdir(path) and _may_exclude(path)]  # noqa: PTH112
    if not folders and not given:
        return []
    from flowdsl.errors import UsageError
    from flowdsl.settings.files import settings_file
    from flowdsl.settings.globs import Globs

    found = [Globs(given)] if given else []
    seen = set()
    for folder in folders:
        with suppress(*[UsageError] if settings_are_checked else []):
            settings = settings_file(folder)
            if settings is not None and settings[1].get("exclude") and settings[0] not in seen:
                from flowdsl.settings.reported import reported

                seen.add(settings[0])
                said = reported(settings)
                found.append(Globs(said.exclude, said.root))
    return found


def _may_exclude(folder: str) -> bool:
    """Whether a settings file of a folder has the word for it: few have, and for others nothing is loaded."""
    for path, mark in project_places(folder):
        if os.path.isfile(path):  # noqa: PTH113
            with suppress(OSError):
                content = read_file(path)
                if b"exclude" in content and mark.encode() in content:
                    return True
    return False


def flow_paths(paths: Iterable[str], excluded: Excluded = nothing) -> tuple[list[str], list[tuple[str, str]]]:
    """The flows, modules, kits and tests that paths stand for, each once, and the paths that stand for none, with the
    reason.

    Files are taken as they are, folders searched to the bottom, but for what is `excluded` in them.
    """
    return _meant(paths, ENDINGS, "holds no flow", ".flow.yaml, .module.yaml or .ai-kit.yaml", excluded)


def test_paths(paths: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The files of tests that paths stand for, as `flow_paths`."""
    return _meant(paths, TEST_ENDINGS, "holds no tests", ".test.yaml", nothing)


def _meant(
    paths: Iterable[str], endings: tuple[str, ...], lacking: str, shown: str, excluded: Excluded
) -> tuple[list[str], list[tuple[str, str]]]:
    found: dict[str, None] = {}
    wrong: list[tuple[str, str]] = []
    for path in paths:
        if path == STANDARD_INPUT or not os.path.isdir(path):  # noqa: PTH112  pathlib is slow to import
            if path != STANDARD_INPUT and not os.path.exists(path):  # noqa: PTH110
                from flowdsl.cli.failure import meant_flow

                wrong.append((path, f"there is no file or folder `{path}`{meant_flow(path)}"))
            elif path.endswith(".toml"):
                wrong.append((path, _of_settings(path)))
            else:
                found[path] = None
            continue
        inside = dict.fromkeys(search(path, endings, excluded))
        if not inside:
            but = " and is not excluded" if excluded is not nothing else ""
            wrong.append((path, f"the folder `{path}` {lacking}: no file in it ends in {shown}{but}"))
        found.update(inside)
    return list(found), wrong


def search(folder: str, endings: tuple[str, ...] = ENDINGS, excluded: Excluded = nothing) -> Iterator[str]:
    """Files with some endings below a folder; hidden folders, virtual environments and node_modules are left out."""
    root = os.path.realpath(folder)
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not (name.startswith(".") or name in _SKIPPED))
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        for name in sorted(files):
            if name.endswith(endings) and not name.startswith("."):
                path = os.path.join(place, name)  # noqa: PTH118  pathlib is slow to import
                if os.path.islink(path) and not lies_in(os.path.realpath(path), root):  # noqa: PTH114
                    sys.stderr.write(f"flowdsl: {path}: left out, it is a link that leads out of the folder\n")
                    continue
                if not excluded(path):
                    yield path.removeprefix(f".{os.sep}") if folder == "." else path


def read_source(path: str, stdin_filename: str | None = None) -> tuple[Source, list[Diagnostic]]:
    """The text of a file, `-` for standard input, which goes by the name that is given for it; a diagnostic when it is
    no UTF-8.

    Raises:
        OSError: it cannot be read.
    """
    from flowdsl.syntax.yaml_reader import read_bytes  # not loaded for a file that is known to be clean

    return read_bytes(read_content(path), stdin_filename or "<stdin>" if path == STANDARD_INPUT else path)


def read_content(path: str) -> bytes:
    """The bytes of a file, `-` for standard input.

    Raises:
        OSError: it cannot be read.
        UsageError: standard input has been read.
    """
    return _standard_input() if path == STANDARD_INPUT else read_file(path)


def _standard_input() -> bytes:
    """What standard input holds; it can be read once.

    Raises:
        UsageError: it has been read.
    """
    if _READ[-1:] == [sys.stdin]:
        from flowdsl.errors import UsageError

        raise UsageError("standard input is asked for twice; put one of the two into a file")
    _READ[:] = [sys.stdin]
    return sys.stdin.buffer.read()


def _of_settings(path: str) -> str:
    return f"`{path}` holds settings, and no flow: `flowdsl config {path}` shows which count and finds mistakes"


def flow_source(path: str, stdin_filename: str | None = None) -> Source:
    """The text of a file, `-` for standard input, which goes by the name that is given for it.

    Raises:
        FlowSyntaxError: it is no UTF-8.
        OSError: it cannot be read.
        UsageError: it is a settings file.
    """
    if path.endswith(".toml") and os.path.isfile(path):  # noqa: PTH113
        from flowdsl.errors import UsageError

        raise UsageError(_of_settings(path))
    source, diagnostics = read_source(path, stdin_filename)
    if diagnostics:
        from flowdsl.errors import FlowSyntaxError

        raise FlowSyntaxError(diagnostics)
    return source
