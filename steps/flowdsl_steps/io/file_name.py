"""Names of files and folders that every file system takes."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

from flowdsl import StepError

MAX_BYTES = 255
"""The longest name of one file in bytes of UTF-8. Source: POSIX NAME_MAX on the usual file systems."""

# Source: Microsoft, Naming Files, Paths, and Namespaces.
_ILLEGAL = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]')
_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE | re.DOTALL)
_SAME_EXTENSION = {"jpeg": "jpg", "htm": "html"}


def file_name(text: str, extension: str | None = None) -> str:
    """A text as the name of one file: what no name can hold becomes `_`, and it ends with the extension.

    An empty text gives an empty name.
    """
    name = _ILLEGAL.sub("_", unicodedata.normalize("NFC", text)).strip().lstrip(".").rstrip(". ")
    if not name:
        return ""
    if extension and _extension(name) != _SAME_EXTENSION.get(extension, extension):
        name = f"{name}.{extension}"
    if _RESERVED.fullmatch(name):
        name = f"_{name}"
    return _shortened(name)


def same_file(name: str) -> str:
    """What two names have in common that some file system takes for one."""
    return unicodedata.normalize("NFC", name).casefold()


def directory_parts(directory: str) -> list[str]:
    """The names of the folders that a `directory` goes through.

    Raises:
        StepError: it is absolute, or goes up.
    """
    path = directory.replace("\\", "/")
    parts = [part for part in PurePosixPath(path).parts if part != "."]
    if PurePosixPath(path).is_absolute() or PureWindowsPath(directory).drive or ".." in parts:
        raise StepError(
            f"`directory` leaves the output folder: {directory}",
            code="outside-output",
            hint="name a folder inside it, for example `directory: posters`",
        )
    return [name for part in parts if (name := file_name(part))]


def _extension(name: str) -> str:
    found = PurePosixPath(name).suffix.removeprefix(".").lower()
    return _SAME_EXTENSION.get(found, found)


def _shortened(name: str) -> str:
    """The name cut in front of its extension until it is short enough."""
    if len(name.encode()) <= MAX_BYTES:
        return name
    suffix = PurePosixPath(name).suffix
    suffix = suffix if len(suffix.encode()) <= 16 else ""
    stem = name.removesuffix(suffix).encode()[: MAX_BYTES - len(suffix.encode())]
    return stem.decode("utf-8", "ignore").rstrip(". ") + suffix
