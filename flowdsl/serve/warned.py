"""What whoever runs a server is told of a run: that a picture has no name, or stands in no manifest, or that the
journal did not take a purchase, a client sees in `notes` at most, and the disk is not theirs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from flowdsl.errors import FlowError
from flowdsl.journal.unlisted import unlisted

if TYPE_CHECKING:
    from flowdsl.engine.result import Result
    from flowdsl.journal.journal import Journal

Tell = Callable[[str], None]
_CODES = ("picture-unnamed", "journal-behind")


def in_both(tell: Tell, log: Tell | None) -> Tell:
    """What tells a warning on standard error, and in the log where there is one."""
    if log is None:
        return tell

    def both(text: str) -> None:
        tell(text)
        log(json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "warning": text}))

    return both


async def warn(result: Result | None, journal: Journal | None, tell: Tell) -> None:
    """Tells in one line what of a run has no place on the disk, with what lists its pictures later."""
    odd = [] if result is None else [*dict.fromkeys(text for code, text in result.notes if code in _CODES)]
    if result is None or not odd:
        return
    more = f" (and {len(odd) - 1} more like this)" if len(odd) > 1 else ""
    then = ""
    if journal is not None:
        try:
            left = await asyncio.to_thread(unlisted, journal.database, result.run, of="id")
        except FlowError:  # a journal that cannot be read
            left = []
        then = f"; `flowdsl resume {result.run}` lists what no manifest has, once it can" if left else ""
    tell(f"warning: run {result.run}: {odd[0]}{more}{then}")
