"""The folder of a run, or a page of it, shown by the desktop."""

from __future__ import annotations

import os
import shutil
import sys


def open_folder(path: str) -> str | None:
    """Opens a folder in the file manager; None, or a line for people that says where it is when there is no desktop."""
    return _opened(path, "the pictures are in")


def open_file(path: str) -> str | None:
    """The same for a page, in the browser."""
    return _opened(path, "the page is")


def _opened(path: str, where: str) -> str | None:
    if sys.platform == "win32":
        os.startfile(path)
        return None
    command = "open" if sys.platform == "darwin" else "xdg-open"
    has_desktop = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    program = shutil.which(command) if has_desktop else None
    if program is None:
        return f"no desktop to open it on: {where} {path}"
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        silent = [(os.POSIX_SPAWN_DUP2, nothing, number) for number in range(3)]
        os.posix_spawn(program, [program, path], os.environ, file_actions=silent)  # nobody waits for it
    except OSError as error:
        return f"{command} does not start ({error.strerror}): {where} {path}"
    finally:
        os.close(nothing)
    return None
