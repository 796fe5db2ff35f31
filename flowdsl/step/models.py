"""What of pydantic is used here, imported in one piece: Ctrl-C in the middle of its Rust half would be no
KeyboardInterrupt but a panic, which nothing catches and which prints a traceback."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C comes when it is over."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


with _uninterrupted():
    from pydantic import BaseModel, ConfigDict, ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import PydanticUndefined

__all__ = ["BaseModel", "ConfigDict", "FieldInfo", "PydanticUndefined", "ValidationError"]
