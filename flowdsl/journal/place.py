"""The folder of a project's journal: `.flowdsl`, beside its flowdsl.toml, else in the working folder."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = ".flowdsl"
VARIABLE = "FLOWDSL_STATE"
"""An environment variable that names another folder."""


def state_folder(environ: dict[str, str] | os._Environ[str], beside: str | None) -> Path:
    """Where the journal is, absolute: in the folder that the variable names, else beside the settings file `beside`,
    else in the working folder."""
    named = environ.get(VARIABLE)
    if named:
        return Path(named).absolute()
    return (Path(beside).parent if beside else Path()).absolute() / FOLDER


def make(folder: Path) -> None:
    """Makes the folder, for its owner alone, and keeps it out of version control.

    Raises:
        OSError: it cannot be made.
    """
    if not folder.is_dir():
        folder.mkdir(0o700, parents=True, exist_ok=True)
        from flowdsl.journal.synced import sync_names

        sync_names(str(folder))  # else it may be gone with the power, and what is in it
    ignored = folder / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n", encoding="utf-8")
