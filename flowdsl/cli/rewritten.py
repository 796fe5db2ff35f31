"""What the commands that change files share: how a text gets to a file or to stdout, and what is said of one that does
not."""

from __future__ import annotations

import sys

from flowdsl.cli.arguments import cut
from flowdsl.source import Source


def write_file(source: Source, text: str, *, marks: int) -> None:
    """Writes a text in place of a source, with `marks` byte order marks before it.

    Raises:
        OSError: the file stays as it is.
    """
    from flowdsl.rewriting.files import rewrite

    rewrite(source.path, encoded(source.text, source.marks), encoded(text, marks))


def encoded(text: str, marks: int) -> bytes:
    """The bytes of a text with byte order marks before it."""
    return ("\ufeff" * marks + text).encode()


def write_text(text: str, marks: int = 0) -> None:
    """Writes a text to stdout: byte by byte, unless that is a terminal, which nothing in it steers."""
    buffer = None if sys.stdout.isatty() else getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(text)
    else:
        sys.stdout.flush()
        buffer.write(encoded(text, marks))


def said_of_error(path: str, error: Exception) -> str:
    """What stderr is told of a file that cannot be read or written, or of the settings beside it."""
    from flowdsl.settings.mistakes import Mistaken

    why = error.parts if isinstance(error, Mistaken) else [getattr(error, "strerror", None) or error]
    return f"flowdsl: {path}: " + "\n".join(f"{cut(str(part))}\n" for part in why)
