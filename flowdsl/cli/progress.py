"""The progress of a run on stderr: moving lines on a terminal, plain lines elsewhere, and never a long silence."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, TextIO

from flowdsl.cli import emitted_text
from flowdsl.cli.rows import Rows, one_line, progress_text
from flowdsl.cli.terminal import colors, height, is_terminal, width
from flowdsl.display.visible import Shown, shown, styled, visible_line
from flowdsl.display.width import clipped
from flowdsl.events import Emitted, Event, Note, Progress, StepFailed, StepFinished, StepStarted

if TYPE_CHECKING:
    from types import TracebackType

REDRAW_S = 0.1
SILENCE_S = 5.0
"""After so long without a line, plain progress says what runs."""
_NAMED = 3
"""How many steps it names then."""
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_GREEN, _RED, _YELLOW, _BLUE = "32", "31", "33", "34"
_COLOURS = {"success": _GREEN, "error": _RED, "warning": _YELLOW}


class PlainProgress:
    """A line for each step that ends, for what it emits meanwhile, and now and then for what runs.

    Notes among `known` are left out. The responses of the flow (SHOW_RESPONSE) go to `responses`.
    """

    def __init__(self, stream: TextIO, known: Collection[str] = (), responses: TextIO | None = None) -> None:
        self.stream = stream
        self.known = known
        self.responses = responses or stream
        self.color = colors(stream)
        self.bar: emitted_text.Bar | None = None
        self.rows = Rows()
        self.spoke = perf_counter()
        self.going_on: asyncio.Task[None] | None = None

    async def __aenter__(self) -> PlainProgress:
        self.going_on = asyncio.create_task(self._go_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.going_on is not None:
            self.going_on.cancel()
            with suppress(asyncio.CancelledError):
                await self.going_on

    async def _go_on(self) -> None:
        """Says what runs whenever nothing was said for a while."""
        while True:
            await asyncio.sleep(max(0.0, self.spoke + SILENCE_S - perf_counter()))
            if perf_counter() - self.spoke >= SILENCE_S:
                lines = self.rows.lines(innermost=True)
                more = [f"and {len(lines) - _NAMED} more"] if len(lines) > _NAMED else []
                self.say("\n".join(visible_line(f"  … {line}") for line in [*lines[-_NAMED:], *more]))

    def say(self, text: str) -> None:
        """Writes lines, if there are any."""
        self.spoke = perf_counter()
        if text:
            self.stream.write(shown(text, "\n"))
            self.stream.flush()

    def __call__(self, event: Event) -> None:
        """Shows one event."""
        self.rows.take(event)
        if isinstance(event, Emitted) and emitted_text.kind_of(event) == emitted_text.RESPONSE:
            self.response(event)
            return
        line = self.line(event)
        if line is not None:
            self.say(line)

    def response(self, event: Emitted) -> None:
        """Prints a response of the flow."""
        self.responses.write(shown(emitted_text.response(event.payload), "\n"))
        self.responses.flush()

    def line(self, event: Event) -> str | None:
        """The line that stays of an event; None when nothing does."""
        if isinstance(event, StepFinished):
            return (
                self.paint(_GREEN, "✓") + f" {visible_line(self.rows.name(event.invocation))} {event.elapsed_s:.1f} s"
            )
        if isinstance(event, StepFailed):
            return self.paint(_RED, "✗") + f" {visible_line(self.rows.name(event.invocation))} {event.elapsed_s:.1f} s"
        if isinstance(event, Note) and event.text not in self.known:
            return "  " + self.paint(_YELLOW, "note") + f": {event.text} [{event.code}]"
        if isinstance(event, Progress):
            if event.item is not None:
                return None
            return f"  {visible_line(self.rows.name(event.invocation))}: {progress_text(event)}"
        if isinstance(event, StepStarted) and event.label:
            return f"  {visible_line(self.rows.name(event))}: {one_line(event.label)}"
        return self.emitted(event) if isinstance(event, Emitted) else None

    def emitted(self, event: Emitted) -> str | None:
        """The lines that stay of what a flow emits for people."""
        kind = emitted_text.kind_of(event)
        if kind in emitted_text.PROGRESS:
            text = self.moved_bar(event).text()
            return f"  {text}" if text and kind != "HIDE_PROGRESS" else None
        if kind == "SHOW_NOTIFICATION":
            meant, text = emitted_text.notification(event.payload)
            return "  " + self.paint(_COLOURS.get(meant, _BLUE), meant) + f": {text}"
        if kind == "DEBUG":
            return "\n".join(f"  {line}" for line in emitted_text.debug(event))
        return f"  {emitted_text.own_event(event)}"

    def moved_bar(self, event: Emitted) -> emitted_text.Bar:
        """The progress bar after an event of it."""
        self.bar = self.bar or emitted_text.Bar()
        self.bar.take(event.name, event.payload)
        return self.bar

    def paint(self, code: str, text: str) -> str:
        """The text in a colour, where colours are shown."""
        return styled(code, text) if self.color else text


class LiveProgress(PlainProgress):
    """A moving line for each step that runs, in whose place the lines that stay are written."""

    def __init__(self, stream: TextIO, known: Collection[str] = (), responses: TextIO | None = None) -> None:
        super().__init__(stream, known, responses)
        self.drawn = 0
        self.frame = 0

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        self.rows.clear()
        self.bar = None
        self._draw()

    def __call__(self, event: Event) -> None:
        """Shows one event."""
        line = None
        self.rows.take(event)
        if isinstance(event, (StepStarted, Progress)):
            pass  # its row says it
        elif isinstance(event, Emitted) and emitted_text.kind_of(event) in emitted_text.PROGRESS:
            self.moved_bar(event)
        elif isinstance(event, Emitted) and emitted_text.kind_of(event) == emitted_text.RESPONSE:
            self._erase()
            self.response(event)
        else:
            line = self.line(event)
        self._draw(line + "\n" if line is not None else "")

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(REDRAW_S)
            self.frame += 1
            self._draw()

    def _draw(self, above: str = "") -> None:
        """Replaces the moving lines, with lines that stay written above them."""
        columns, most = width(self.stream) - 1, height(self.stream) - 2
        mark = _FRAMES[self.frame % len(_FRAMES)]
        moving = [f"{mark} {row}" for row in self.rows.lines()]
        if len(moving) > most:  # what has left the screen above cannot be taken away any more
            moving = [*moving[: most - 1], f"  … and {len(moving) - most + 1} more"]
        if self.bar is not None and self.bar.shown:
            moving.append(self.bar.line())
        lines = [clipped(visible_line(line), columns) + "\n" for line in moving]
        self._erase(flush=False)
        self.stream.write(shown(above, *lines))
        self.stream.flush()
        self.drawn = len(lines)

    def _erase(self, *, flush: bool = True) -> None:
        """Takes the moving lines away."""
        if self.drawn:
            self.stream.write(Shown(f"\x1b[{self.drawn}F\x1b[J"))
            self.drawn = 0
            if flush:
                self.stream.flush()


def progress_on(stream: TextIO, known: Collection[str] = (), responses: TextIO | None = None) -> PlainProgress:
    """The progress that suits a stream; notes whose text is `known` are left out, responses go to `responses`."""
    return (LiveProgress if is_terminal(stream) else PlainProgress)(stream, known, responses)
