"""What a run made and may have cost, told when it ends without a result: no paid picture stays without a name."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowdsl.cli.journaled import AGAIN, behind
from flowdsl.cli.lost import Lost
from flowdsl.cli.streams import UnwrittenOutput
from flowdsl.cli.summary import cost, picture, pictures, reused
from flowdsl.cli.vendor_batched import goes_on
from flowdsl.diagnostics import Diagnostic
from flowdsl.display.visible import visible
from flowdsl.document.dialects import failure, is_foreign, summary, told
from flowdsl.errors import ConfigError, PluginError
from flowdsl.events import FlowFinished, Note, PartialImage, RequestFinished
from flowdsl.source import Span
from flowdsl.template.json_values import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowdsl.errors import RunError
    from flowdsl.events import Event
    from flowdsl.journal.journal import Journal
    from flowdsl.source import Source


class Account:
    """Hands events on, and keeps the last one, which says what the run came to, and the unfinished pictures of requests
    that brought no better one."""

    def __init__(
        self,
        *,
        simulated: bool,
        source: Source | None = None,
        journal: Journal | None = None,
        watchers: Callable[[Event], None] | None = None,
    ) -> None:
        self._watchers = watchers
        self.source = source
        self.journal = journal
        self.simulated = simulated
        self.finished: FlowFinished | None = None
        self.batched: str | None = None
        """The id of a run whose requests go through a vendor's batch."""
        self.lost = Lost()
        self._unfinished: dict[tuple[int, int], Mapping[str, Any]] = {}
        self._unnamed: list[str] = []
        self._unwritten: OSError | None = None

    def hearing(self, show: Callable[[Event], None]) -> Callable[[Event], None]:
        """A listener that shows events until stdout takes no more. The run goes on then: it may have paid."""

        def listen(event: Event) -> None:
            self.lost.take(event)
            if self._watchers is not None:
                self._watchers(event)
            if isinstance(event, FlowFinished):
                self.finished = event
            elif isinstance(event, PartialImage):
                self._unfinished[event.request, event.index] = event.image
            elif isinstance(event, RequestFinished) and event.outcome == "done":
                for key in [key for key in self._unfinished if key[0] == event.request]:
                    del self._unfinished[key]
            elif isinstance(event, Note) and event.code == "picture-unnamed":
                self._unnamed.append(event.text)
            if self._unwritten is None:
                try:
                    show(event)
                except OSError as error:
                    self._unwritten = error

        return listen

    def check_output(self) -> None:
        """Raises what kept an event from being shown, if anything did.

        Raises:
            BrokenPipeError: the reader of stdout has left.
            UnwrittenOutput: stdout does not take it.
        """
        if isinstance(self._unwritten, BrokenPipeError):
            raise self._unwritten
        if self._unwritten is not None:
            raise UnwrittenOutput(f"stdout cannot be written to: {self._unwritten.strerror}") from self._unwritten

    def text(self, error: RunError | None = None) -> str:
        """The account in lines for people; empty when there is nothing to say beyond the error."""
        end = self._end()
        if end is None:
            return ""
        made = pictures(end.images)
        lines = [*iterations(end.failed, is_foreign=self.source is not None and is_foreign(self.source)), *made]
        lines += self._of_dialect(error)
        if made:
            number = f"{len(made)} image{'' if len(made) == 1 else 's'}"
            lines.append(f"{number} made, {cost(end.cost_usd, self.simulated)}")
        lines += [f"{picture(image)}, unfinished" for image in self._unfinished.values()]
        lines += [f"warning: {text}" for text in (*self._unnamed, *self.lost.lines(error))]
        lines += reused(end.reused)
        at_vendor = self._at_vendor()
        if at_vendor:
            lines.append(goes_on(at_vendor, batched=self.batched is not None))
        elif end.in_doubt > (error is not None and error.charge_possible):  # of one request the error has said it
            requests = "1 request" if end.in_doubt == 1 else f"{end.in_doubt} requests"
            lines.append(f"the service may have done, and billed, the work of {requests}")
        if self.journal is not None:
            lines += behind(self.journal).splitlines()
        if end.status != "done" and self._may_be_resumed(error):
            lines.append(AGAIN)
        return "".join(f"{line}\n" for line in lines)

    def _end(self) -> FlowFinished | None:
        """The last event, with what the journal knows better: the run may have been broken off while that took what
        had come, and costs what it costs."""
        end = self.finished
        if end is None or not end.in_doubt or self.journal is None or not self.journal.wrote:
            return end
        with suppress(ConfigError):  # a journal that cannot be read any more
            if found := self.journal.runs.named(end.run):
                (run,) = found
                in_doubt = min(end.in_doubt, run.in_doubt + run.caught + run.at_vendor)
                is_known = not in_doubt and run.images == len(end.images)
                return replace(end, in_doubt=in_doubt, cost_usd=run.cost_usd if is_known else end.cost_usd)
        return end

    def _of_dialect(self, error: RunError | None) -> list[str]:
        """What the file's dialect says of the outputs that there are."""
        if self.source is None:
            return []
        try:
            printed = failure(self.source, self.to_dict(error))
            said = summary(self.source, printed) if isinstance(printed, dict) else {}
        except PluginError:  # it is told where it fails at the form of the failure
            return []
        return [visible(line) for lines in said.values() for line in lines]

    def _at_vendor(self) -> int:
        """How many requests the vendor goes on with; a simulator ends with the run."""
        if self.finished is None or self.journal is None or self.simulated or not self.journal.wrote:
            return 0
        found = self.journal.runs.named(self.finished.run)
        return found[0].at_vendor if found else 0

    def _may_be_resumed(self, error: RunError | None) -> bool:
        """Whether a further attempt has something to go on with; of messages that failed each has had its turn."""
        if self.finished is None or self.journal is None or not self.journal.wrote:
            return False
        if error is not None and error.code == "records-failed":
            return False
        found = self.journal.runs.named(self.finished.run)
        return not found or bool(found[0].paid + found[0].in_doubt + found[0].at_vendor + found[0].caught)

    def to_json(self, error: RunError | None) -> Any:
        """What `--json` prints of a run without a result: `to_dict`, or what the file's dialect makes of it."""
        found = self.to_dict(error)
        said = None if self.source is None else in_its_form(self.source, found)
        return found if said is None else said

    def to_dict(self, error: RunError | None) -> dict[str, Any]:
        """A run without a result, as JSON values; without an error it was interrupted."""
        end = self._end()
        images = () if end is None else end.images
        facts = {"cost_usd": None if end is None else end.cost_usd, "in_doubt": 0 if end is None else end.in_doubt}
        failed = None if end is None else end.failed
        return {
            "error": None if error is None else error.to_dict(),
            "failed": failed,
            "images": to_json(images),
            **({"unfinished": to_json([*self._unfinished.values()])} if self._unfinished else {}),
            **facts,
        }


def in_its_words(source: Source | None, show: Callable[[Event], None]) -> Callable[[Event], None]:
    """A listener that is told the notes of a run in the words of the file's dialect."""

    def listen(event: Event) -> None:
        if source is not None and isinstance(event, Note):
            said = told(source, Diagnostic(event.code, event.text, Span(source, 0, 0), "note"))
            event = event if said is None else replace(event, text=said[0].message)
        show(event)

    return listen


def alone(text: str) -> str:
    """An account that no error stands before: where the run was begins a line of its own."""
    return "".join(
        line.replace("  in iteration ", "broken off in iteration ", 1) if line.startswith("  in iteration ") else line
        for line in text.splitlines(keepends=True)
    )


def in_its_form(source: Source, failed: Mapping[str, Any]) -> Any:
    """What the dialect of a file makes of a run that failed; None where it has no form for that, or fails at it: then
    stderr says so, and what was paid for is told all the same."""
    try:
        return failure(source, failed)
    except PluginError as error:
        sys.stderr.write(visible(f"flowdsl: {error}\n"))
        return None


def iterations(failed: dict[str, Any] | None, *, is_foreign: bool = False) -> list[str]:
    """In which iterations of which loops it was, a line for each loop, the innermost first. A document of another
    system, which `is_foreign`, knows the names neither of the steps nor of their variables."""
    if failed is None or "loop" not in failed:
        return []
    inner = {**failed["loop"], "iteration": failed["iteration"], "values": failed["values"]}
    lines = []
    for loop in (inner, *failed["around"]):
        if is_foreign:
            values = ", ".join(_shown(value) for value in loop["values"].values() if value != loop["iteration"] + 1)
            place = f"  in iteration {loop['iteration'] + 1}"
        else:
            values = ", ".join(f"{name}: {_shown(value)}" for name, value in loop["values"].items())
            place = f"  in iteration {loop['iteration'] + 1} of {loop['step']} ({loop['path']})"
        lines.append(f"{place}, {values}" if values else place)
    return lines


def _shown(value: Any) -> str:
    if not isinstance(value, str):
        import json

        value = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else "\ufffd" for char in " ".join(value.split()))
