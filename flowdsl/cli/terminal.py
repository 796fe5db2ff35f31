"""What a stream can show."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from typing import TextIO

_WIDEST = 100
"""Longer lines are hard to read; also the width where there is no terminal."""


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody reads along, on a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colors(stream: TextIO, wish: str = "auto") -> bool:
    """Whether to write colours: as wished, else on a terminal unless NO_COLOR is set. Source: no-color.org."""
    if wish == "auto":
        return is_terminal(stream) and not os.environ.get("NO_COLOR")
    return wish == "always"


def width(stream: TextIO, otherwise: int = 80) -> int:
    """The number of columns of a terminal; `otherwise` when it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or otherwise
    except (OSError, ValueError):
        return otherwise


def height(stream: TextIO) -> int:
    """The number of lines of a terminal, at least 4; 24 when it does not say."""
    try:
        return max(4, os.get_terminal_size(stream.fileno()).lines or 24)
    except (OSError, ValueError):
        return 24


def text_width(stream: TextIO | None) -> int:
    """The number of columns for a text that is read: those of the terminal, at most 100; as `COLUMNS` says where it is
    set, as everywhere."""
    wish = os.environ.get("COLUMNS", "")
    found = int(wish) if wish.isascii() and wish.isdigit() else 0
    return max(40, min(found or (_WIDEST if stream is None else width(stream, _WIDEST)), _WIDEST))
