"""What Ctrl-C and its like do to a batch."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowdsl.batches.running import Stop
    from flowdsl.cli.batch_progress import BatchProgress


class signals_to:
    """Ctrl-C, SIGTERM and SIGHUP let the batch drain; the second one ends what it works on, and the first one where it
    `drains` not, as that takes hours."""

    def __init__(self, stop: Stop, came: list[int], progress: BatchProgress, *, drains: bool) -> None:
        self._drains = drains
        self._stop = stop
        self._came = came
        self._progress = progress
        self._numbers: list[int] = []

    def __enter__(self) -> None:
        import asyncio

        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def end(number: int) -> None:
            self._came.append(number)
            self._progress.clear()
            self._stop()
            if len(self._came) == 1 and self._drains:
                sys.stderr.write("takes no further records; waits for those it works on (once more ends them)\n")
            elif task is not None:
                task.cancel()

        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                with suppress(NotImplementedError, RuntimeError, ValueError):
                    loop.add_signal_handler(number, end, number)
                    self._numbers.append(number)

    def __exit__(self, *_: object) -> None:
        import asyncio

        for number in self._numbers:
            asyncio.get_running_loop().remove_signal_handler(number)
