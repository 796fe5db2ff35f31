"""Ctrl-C at each moment of some work."""

from __future__ import annotations

import sys
from collections.abc import Callable


def interrupted(work: Callable[[], object], moment: int) -> bool:
    """Whether Ctrl-C comes before the work is done: it is heard where a function begins and where one of C's has ended,
    at the moment of that number."""

    def look(frame: object, event: str, called: object) -> None:
        nonlocal moment
        if event in ("call", "c_return", "c_exception") and called is not sys.setprofile:
            moment -= 1
            if moment == 0:
                sys.setprofile(None)
                raise KeyboardInterrupt

    sys.setprofile(look)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False
