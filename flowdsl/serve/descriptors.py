"""How many connections a process takes, so that files are left to open for its work: without any left nothing can be
bought, written down or accepted."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

_WANTED = 16_384
_ELSE = 1024
"""What a process may open where nothing says it."""


@cache
def most_connections() -> int:
    """A quarter of what the process may open, once it may open as much as the system lets it: connections that are
    refused are open for a moment as well."""
    try:
        import resource
    except ImportError:  # Windows
        return _ELSE // 4
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (wanted if soft == resource.RLIM_INFINITY else min(soft, _WANTED)) // 4
