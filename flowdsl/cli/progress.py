"""The progress of a run on stderr: living lines on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, TextIO

from flowdsl.cli import emitted_text
from flowdsl.cli.terminal import colors, is_terminal, width
from flowdsl.display.visible import Shown, shown, styled, visible_line
from flowdsl.display.width import clipped
from flowdsl.events import Emitted, Event, Note, Progress, StepFailed, StepFinished, StepStarted

if TYPE_CHECKING:
    from types import TracebackType

REDRAW_S = 0.1
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_GREEN, _RED, _YELLOW, _BLUE = "32", "31", "33", "34"
_COLOURS = {"success": _GREEN, "error": _RED, "warning": _YELLOW}


class PlainProgress:
    """A line for each step that ends, and for what it emits meanwhile; notes among `known` are left out.

    The responses of the flow (SHOW_RESPONSE) go to `responses`.
    """

    def __init__(self, stream: TextIO, known: Collection[str] = (), responses: TextIO | None = None) -> None:
        self.stream = stream
        self.known = known
        self.responses = responses or stream
        self.color = colors(stream)
        self.bar: emitted_text.Bar | None = None

    async def __aenter__(self) -> PlainProgress:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, event: Event) -> None:
        """Shows one event."""
        if isinstance(event, Emitted) and emitted_text.kind_of(event) == emitted_text.RESPONSE:
            self.response(event)
            return
        line = self.line(event)
        if line is not None:
            self.stream.write(shown(line, "\n"))
            self.stream.flush()

    def response(self, event: Emitted) -> None:
        """Prints a response of the flow."""
        self.responses.write(shown(emitted_text.response(event.payload), "\n"))
        self.responses.flush()

    def line(self, event: Event) -> str | None:
        """The line that stays of an event; None when nothing does."""
        if isinstance(event, StepFinished):
            return self.paint(_GREEN, "✓") + f" {visible_line(event.step)} {event.elapsed_s:.1f} s"
        if isinstance(event, StepFailed):
            return self.paint(_RED, "✗") + f" {visible_line(event.step)} {event.elapsed_s:.1f} s"
        if isinstance(event, Note) and event.text not in self.known:
            return "  " + self.paint(_YELLOW, "note") + f": {event.text} [{event.code}]"
        if isinstance(event, Progress):
            return f"  {visible_line(event.step)}: {visible_line(_progress(event))}"
        if isinstance(event, StepStarted) and event.label:
            return f"  {visible_line(event.step)}: {visible_line(event.label)}"
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
        self.running: dict[int, tuple[str, float, str]] = {}
        self.drawn = 0
        self.frame = 0
        self.redrawing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> PlainProgress:
        self.redrawing = asyncio.create_task(self._redraw())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.redrawing is not None:
            self.redrawing.cancel()
            with suppress(asyncio.CancelledError):
                await self.redrawing
        self.running.clear()
        self.bar = None
        self._draw()

    def __call__(self, event: Event) -> None:
        """Shows one event."""
        line = None
        if isinstance(event, StepStarted):
            self.running[event.invocation.id] = (event.step, perf_counter(), event.label or "")
        elif isinstance(event, Progress):
            step, began, _ = self.running.get(event.invocation.id, (event.step, perf_counter(), ""))
            self.running[event.invocation.id] = (step, began, _progress(event))
        elif isinstance(event, Emitted) and emitted_text.kind_of(event) in emitted_text.PROGRESS:
            self.moved_bar(event)
        elif isinstance(event, Emitted) and emitted_text.kind_of(event) == emitted_text.RESPONSE:
            self._erase()
            self.response(event)
        else:
            if isinstance(event, (StepFinished, StepFailed)):
                self.running.pop(event.invocation.id, None)
            line = self.line(event)
        self._draw(line + "\n" if line is not None else "")

    async def _redraw(self) -> None:
        while True:
            await asyncio.sleep(REDRAW_S)
            self.frame += 1
            self._draw()

    def _draw(self, above: str = "") -> None:
        """Replaces the moving lines, with lines that stay written above them."""
        columns = width(self.stream) - 1
        mark, now = _FRAMES[self.frame % len(_FRAMES)], perf_counter()
        lines = [
            clipped(visible_line(f"{mark} {step} {now - began:.1f} s {text}".rstrip()), columns) + "\n"
            for step, began, text in self.running.values()
        ]
        if self.bar is not None and self.bar.shown:
            lines.append(clipped(visible_line(self.bar.line()), columns) + "\n")
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


def _progress(event: Progress) -> str:
    if event.total is not None and event.done is not None:
        return f"{event.text} ({event.done}/{event.total})"
    return event.text
