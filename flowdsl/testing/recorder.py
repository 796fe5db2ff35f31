"""The events of a run, kept."""

from __future__ import annotations

from flowdsl.events import Event


class Recorder:
    """An `on_event` callback that keeps the events: `flow.run(on_event=Recorder())`."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def names(self) -> list[str]:
        """The kinds of the events, in order."""
        return [type(event).__name__ for event in self.events]
