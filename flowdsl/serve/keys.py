"""Idempotency keys over all processes of a gateway: one at a time works on a key, and the others wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from flowdsl.journal.errors import JournalError

if TYPE_CHECKING:
    from flowdsl.journal.journal import Journal

PATIENCE_S = 600.0
"""So long a key is waited for that another process works on: as long as clients wait."""
_FIRST_S, _LONGEST_S = 0.01, 0.2


@asynccontextmanager
async def alone(journal: Journal, key: str) -> AsyncIterator[None]:
    """Nobody else works on a key as long as the block, neither here nor in another process: what it buys may take
    several runs, one for each service that is asked.

    Raises:
        JournalError: somebody works on it for longer than anybody waits; or the folder cannot be written.
    """
    end, pause_s = time.monotonic() + PATIENCE_S, _FIRST_S
    while True:
        if not journal.running.goes_on(key) or time.monotonic() > end:
            try:
                journal.take(key)
                break
            except JournalError as error:  # another one was quicker
                if error.code != "run-goes-on" or time.monotonic() > end:
                    raise
        await asyncio.sleep(pause_s)
        pause_s = min(1.5 * pause_s, _LONGEST_S)
    try:
        yield
    finally:
        journal.let_go(key)
