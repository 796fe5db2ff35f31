"""Where settings files are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

PROJECT_FILE = "flowdsl.toml"
"""The settings file of a project, in the folder of a flow or in the nearest folder above that has one."""
TABLES = ((PROJECT_FILE, ""), ("pyproject.toml", "[tool.flowdsl"))
"""The files that may hold a project's settings, the first before the second, each with the mark of its table."""


def project_places(folder: str) -> Iterator[tuple[str, str]]:
    """The paths of settings files that count for a folder, whether or not they are there, the nearest first; each with
    the mark of its table."""
    folder = os.path.abspath(folder)  # noqa: PTH100  pathlib is slow to import
    while True:
        for name, mark in TABLES:
            yield os.path.join(folder, name), mark  # noqa: PTH118
        parent = os.path.dirname(folder)  # noqa: PTH120
        if parent == folder:
            return
        folder = parent


def user_place(environ: Mapping[str, str]) -> str | None:
    """The path of the user's own settings, whether or not they are there.

    A relative XDG_CONFIG_HOME or HOME does not count: it would lead into the folder where flowdsl happens to run.
    """
    home = environ.get("HOME", "")
    folder = environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(folder):  # noqa: PTH117
        folder = f"{home}/.config" if os.path.isabs(home) else ""  # noqa: PTH117
    return f"{folder}/flowdsl/config.toml" if folder else None
