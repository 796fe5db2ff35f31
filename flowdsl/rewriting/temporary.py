"""A folder for a moment, of which Ctrl-C leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def temporary_folder(prefix: str = "flowdsl-") -> Iterator[str]:
    """The path of a new folder for its owner alone, which is gone at the end, whatever ends it: its path is known
    before it is there, and what removes it is begun again where Ctrl-C hits that.

    Raises:
        OSError: none can be made.
    """
    from tempfile import gettempdir

    path = os.path.join(gettempdir(), f"{prefix}{os.urandom(6).hex()}")  # noqa: PTH118  pathlib is slow to import
    try:
        try:
            os.mkdir(path, 0o700)  # noqa: PTH102
        except OSError:
            path = ""  # it is somebody else's, if it is there
            raise
        yield path
    finally:
        try:  # nothing is called before it: where a call begins, Ctrl-C may be heard
            _remove(path)
        except KeyboardInterrupt:
            _remove(path)
            raise


def _remove(path: str) -> None:
    """Removes a folder with all that is in it, as far as the system lets us. `shutil.rmtree` makes an OSError of Ctrl-C
    where that comes while it closes a folder; this opens none."""
    with contextlib.suppress(OSError):
        for name in os.listdir(path):  # noqa: PTH208
            inner = os.path.join(path, name)  # noqa: PTH118
            if os.path.isdir(inner) and not os.path.islink(inner):  # noqa: PTH112, PTH114
                _remove(inner)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(inner)  # noqa: PTH108
        os.rmdir(path)  # noqa: PTH106
