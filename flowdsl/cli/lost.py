"""What the iterations of a run came to that failed and were caught: how many, why, and whether anything is left."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from flowdsl.display.visible import visible_line
from flowdsl.errors import ConfigError, ServiceRefused, TemplateError
from flowdsl.events import Progress, StepFailed, StepFinished

if TYPE_CHECKING:
    from flowdsl.engine.result import Result
    from flowdsl.environment.flow import Flow
    from flowdsl.errors import RunError
    from flowdsl.events import Event, Invocation

_MOST = 10
"""So many reasons are told."""
_LONG = 120
"""So many characters of a message are shown."""
_MISTAKES = (TemplateError, ConfigError)
"""What an author has to mend: no data and no service makes it go away."""
_LASTING = (*_MISTAKES, ServiceRefused)
"""What fails in one iteration as in all: with the key of the service, or the model, for example."""
_Reason = tuple[str, str, str, str]


class _Failed(NamedTuple):
    """The last failure in one iteration: why, and whether a step after it has set something."""

    reason: _Reason
    went_on: bool


class Lost:
    """Follows the events of a run, and keeps the failures in iterations of its loops. A run that is done has caught
    every one of them. A run without a failure only counts its iterations."""

    def __init__(self) -> None:
        self._iterations: Counter[str] = Counter()
        self._failed: dict[tuple[str, int, int], _Failed] = {}
        self._errors: dict[_Reason, RunError] = {}
        self._alone: dict[_Reason, int] = {}

    def take(self, event: Event) -> None:
        """Follows an event."""
        if isinstance(event, Progress):
            if event.item is not None:
                self._iterations[event.invocation.path] += 1
        elif isinstance(event, StepFailed):
            if event.error.path == event.path:  # else it is a step around the one that failed
                self._fail(event.invocation, event.error)
        elif self._failed and isinstance(event, StepFinished):
            self._finish(event)

    def _fail(self, invocation: Invocation, error: RunError) -> None:
        place, loop = self._place(invocation)
        reason = loop, invocation.path, error.code, error.message
        self._errors.setdefault(reason, error)
        if place is not None:
            self._failed[place] = _Failed(reason, went_on=False)
        elif isinstance(error, _MISTAKES):
            self._alone[reason] = self._alone.get(reason, 0) + 1

    def _finish(self, event: StepFinished) -> None:
        place, _ = self._place(event.invocation)
        failed = self._failed.get(place) if place is not None else None
        if place is None or failed is None:
            return
        path = failed.reason[1]
        if path == event.path:
            del self._failed[place]  # it was done again, and well
        elif event.wrote and not path.startswith(f"{event.path}."):
            self._failed[place] = failed._replace(went_on=True)

    def _place(self, invocation: Invocation) -> tuple[tuple[str, int, int] | None, str]:
        """The iteration of the innermost loop that a step stands in, and the name of the loop."""
        at = invocation
        while at.parent is not None:
            around = at.parent
            if at.iteration is not None and around.path in self._iterations:
                return (around.path, around.id, at.iteration), around.step
            at = around
        return None, ""

    def lines(self, error: RunError | None = None) -> list[str]:
        """Warnings, one for each reason for which iterations came to nothing, or for which the author is to blame;
        `error` is what nothing has caught."""
        found: Counter[tuple[_Reason, str, bool]] = Counter()
        for (loop, _, _), failed in self._failed.items():
            cause = self._errors[failed.reason]
            if cause is not error and (not failed.went_on or isinstance(cause, _MISTAKES)):
                found[failed.reason, loop, failed.went_on] += 1
        lines = []
        for (reason, loop, went_on), number in found.items():
            total = self._iterations[loop]
            of = f"{number} of {total} iteration{'' if total == 1 else 's'} of {reason[0]}"
            lines.append(f"{of} {'went on after a mistake' if went_on else 'came to nothing'}: {self._shown(reason)}")
        lines += [
            f"a mistake was caught: {self._shown(reason)}"
            for reason in self._alone
            if self._errors[reason] is not error
        ]
        more = len(lines) - _MOST
        return [*lines[:_MOST], *([f"and {more} more like these"] if more > 0 else [])]

    def _shown(self, reason: _Reason) -> str:
        error = self._errors[reason]
        place = f" ({error.span})" if error.span is not None else ""
        message = " ".join(error.message.split())
        return visible_line(f"{message if len(message) <= _LONG else f'{message[: _LONG - 1]}…'}{place}")

    def fruitless(self, result: Result, flow: Flow) -> str | None:
        """Why a run that is done made nothing: every iteration of a loop failed for the same reason, which is none that
        passes. None for any other run, and for one whose iterations set other values in place of what failed, unless
        that was a step of a service."""
        if not self._failed or result.made or result.files:
            return None
        from flowdsl.cli.failure import failed_run
        from flowdsl.cli.terminal import colors

        for loop, total in self._iterations.items():
            failed = [failed for (path, _, _), failed in self._failed.items() if path == loop]
            reasons = {each.reason for each in failed}
            if len(failed) != total or len(reasons) != 1:
                continue
            (reason,) = reasons
            error = self._errors[reason]
            went_on = any(each.went_on for each in failed)
            if isinstance(error, _LASTING) and (not went_on or _is_paid(error.step or "", flow)):
                every = f"each of the {total} iterations" if total > 1 else "the only iteration"
                report = failed_run(error, color=colors(sys.stderr))
                return f"{report}\n  in {every} of {reason[0]} ({loop}), which went on: nothing was made\n"
        return None


def _is_paid(step: str, flow: Flow) -> bool:
    spec = flow.environment.registry.spec(step)
    return spec is not None and spec.service is not None
