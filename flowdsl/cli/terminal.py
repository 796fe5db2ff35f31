"""What a stream can show."""

from __future__ import annotations

import os
from typing import TextIO


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody reads along, on a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colors(stream: TextIO, wish: str = "auto") -> bool:
    """Whether to write colours: as wished, else on a terminal unless NO_COLOR is set. Source: no-color.org."""
    if wish == "auto":
        return is_terminal(stream) and not os.environ.get("NO_COLOR")
    return wish == "always"


def width(stream: TextIO) -> int:
    """The number of columns of a terminal; 80 when it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
