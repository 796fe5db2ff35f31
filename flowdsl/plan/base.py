"""The files of a project as another revision of git has them."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from flowdsl.errors import UsageError
from flowdsl.rewriting.temporary import temporary_folder
from flowdsl.syntax.opened import project_root

_TIMEOUT_S = 60


@contextmanager
def at_revision(path: str, revision: str) -> Iterator[Path | None]:
    """The path of a file in a copy of its project as a revision has it; None where that has no such file. The copy is
    gone afterwards, and nothing in the working tree changes.

    Raises:
        UsageError: there is no such revision, the file is in no repository, or git is not there.
    """
    file = Path(path).resolve()
    top = Path(_git(file.parent, "rev-parse", "--show-toplevel").decode().strip())
    if revision.startswith("-") or not _is_there(file.parent, f"{revision}^{{commit}}"):
        raise UsageError(f"`{revision}` is no revision of the repository {top}")
    root = Path(project_root(str(file.parent))).resolve()
    root = root if root.is_relative_to(top) else top
    inside = root.relative_to(top).as_posix()
    if not _is_there(top, f"{revision}:{file.relative_to(top).as_posix()}"):
        yield None
        return
    packed = _git(top, "archive", "--format=tar", revision, *([] if inside == "." else ["--", inside]))
    with temporary_folder() as folder:
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        copy = Path(folder, inside)
        if not any((copy / mark).exists() for mark in ("flowdsl.toml", "pyproject.toml", ".git")):
            (copy / ".git").mkdir()  # the root of the project is here, as it is there
        yield Path(folder, file.relative_to(top))


def _is_there(folder: Path, thing: str) -> bool:
    try:
        _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", thing)
    except UsageError:
        return False
    return True


def _git(folder: Path, *arguments: str) -> bytes:
    """What git says.

    Raises:
        UsageError: it fails, or is not there.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            timeout=_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError("--base needs git, which is not installed") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"git did not respond within {_TIMEOUT_S} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        if said and "not a git repository" in said[-1]:
            raise UsageError(f"--base: {folder} is in no git repository")
        raise UsageError(f"git {arguments[0]}: {said[-1] if said else 'failed'}")
    return done.stdout
