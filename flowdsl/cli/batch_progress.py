"""How far a batch is: one line on a terminal that moves, a line now and then elsewhere."""

from __future__ import annotations

from time import monotonic
from typing import TextIO

from flowdsl.cli.journaled import sum_of
from flowdsl.cli.terminal import is_terminal, width
from flowdsl.display.visible import in_place

_REDRAW_S = 0.2
_SILENCE_S = 10.0
_WINDOW_S = 30.0


class BatchProgress:
    """Counts records as they end. `total` is how many there are, as far as that is known; `before` ended in earlier
    attempts of the batch, `failed` of them failed, and what the batch has cost by then is `usd`."""

    def __init__(
        self, stream: TextIO | None, total: int | None, before: int, failed: int = 0, usd: float = 0.0
    ) -> None:
        self._stream = stream
        self._moves = stream is not None and is_terminal(stream)
        self._total = total
        self._ended = before
        self._marks = [(monotonic(), before)]
        self._shown = monotonic() - (0 if not self._moves else _REDRAW_S)
        self.failed = failed
        self.held = 0
        self.waiting = 0
        self.usd = usd

    def take(self, status: str, usd: float | None) -> None:
        """A record has ended."""
        self._ended += status not in ("stopped", "waiting")
        self.waiting += status == "waiting"
        self.failed += status == "failed"
        self.held += status == "held"
        self.usd += usd or 0.0
        now = monotonic()
        if self._stream is not None and now - self._shown >= (_REDRAW_S if self._moves else _SILENCE_S):
            self._shown = now
            self._show(now)

    def clear(self) -> None:
        """Takes the moving line away."""
        if self._stream is not None and self._moves:
            self._stream.write(in_place(""))
            self._stream.flush()

    def _show(self, now: float) -> None:
        if self._stream is None:
            return
        self._marks.append((now, self._ended))
        while len(self._marks) > 2 and now - self._marks[0][0] > _WINDOW_S:
            self._marks.pop(0)
        since, before = self._marks[0]
        rate = (self._ended - before) / max(now - since, 1e-9)
        parts = [f"{self._ended:,}" + (f" of {self._total:,}" if self._total is not None else ""), f"{rate:.1f}/s"]
        if self._total is not None and rate > 0:
            parts.append(f"{_time(max(0, self._total - self._ended) / rate)} left")
        parts.append(sum_of(self.usd))
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts += [f"{self.held:,} in doubt"] if self.held else []
        line = "  ".join(parts)
        if self._moves:
            self._stream.write(in_place(line[: max(10, width(self._stream) - 1)]))
        else:
            self._stream.write(f"  … {line}\n")
        self._stream.flush()


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
