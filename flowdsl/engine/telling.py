"""What a step tells of its paid requests, while it has not ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.engine.frame import Frame
from flowdsl.engine.unfinished import misused
from flowdsl.errors import StepError
from flowdsl.events import Event, FinishedImage, Invocation, PartialImage, RequestFinished, RequestStarted

if TYPE_CHECKING:
    from flowdsl.image.image import Image


class Telling:
    """A step that emits events of its paid requests."""

    __slots__ = ()

    step: str
    is_ended: bool
    _frame: Frame
    _invocation: Invocation

    @property
    def is_over(self) -> bool:
        """Whether the step has ended, with all that it began."""
        return self.is_ended

    def check_not_over(self, does: str) -> None:
        """Looks whether the step may do that.

        Raises:
            StepError: it has ended: what it would do stands in no account.
        """
        if self.is_over:
            raise self.over(does)

    def over(self, does: str) -> StepError:
        """The error of a step that has ended and does something."""
        return misused(self.step, f"{does}, but has ended", "await all that uses `ctx` before `run` returns")

    def partial_image(self, request: int, index: int, image: Image) -> None:
        """Emits that an unfinished picture of a paid request came."""
        image.hide(self._frame.run.secrets.hide_in)
        if self._frame.run.emit is not None:
            self._tell(PartialImage(**self._now(), request=request, index=index, image=image))

    def finished_image(
        self,
        request: int,
        image: Image,
        *,
        usage: Mapping[str, Any] | None = None,
        quality: str | None = None,
    ) -> None:
        """Emits that one of several pictures is there."""
        run = self._frame.run
        hide = run.secrets.hide_in
        image.hide(hide)
        if run.emit is not None:
            said = {"usage": hide(usage), "quality": hide(quality)}
            self._tell(FinishedImage(**self._now(), request=request, image=image, **said))

    def request_started(
        self, *, service: str, vendor: str, model: str | None, images: int, most_usd: float | None
    ) -> int:
        """Emits that a paid request is about to be sent; gives its number in the run."""
        run = self._frame.run
        run.totals.requests = number = run.totals.requests + 1
        if run.emit is not None:
            hide = run.secrets.hide_in
            named = {"service": hide(service), "vendor": hide(vendor), "model": hide(model)}
            self._tell(RequestStarted(**self._now(), **named, request=number, images=images, most_usd=most_usd))
        return number

    def request_finished(
        self,
        request: int,
        outcome: str,
        elapsed_s: float,
        *,
        attempts: int = 1,
        request_id: str | None = None,
        usage: Mapping[str, Any] | None = None,
        cost_usd: float | None = None,
        images: Sequence[Image] = (),
        code: str | None = None,
    ) -> None:
        """Emits that a paid request has ended."""
        run = self._frame.run
        if run.emit is not None:
            hide = run.secrets.hide_in
            for image in images:  # which have no name yet, and with it what the vendor said of them
                image.hide(hide)
            said = {"request_id": hide(request_id), "usage": hide(usage), "code": code, "images": tuple(images)}
            figures: dict[str, Any] = {"elapsed_s": elapsed_s, "attempts": attempts, "cost_usd": cost_usd}
            self._tell(RequestFinished(**self._now(), request=request, outcome=outcome, **figures, **said))

    def _tell(self, event: Event) -> None:
        """Emits an event."""
        self.check_not_over("emits")
        emit = self._frame.run.emit
        if emit is not None:
            emit(event)

    def _now(self) -> dict[str, Any]:
        """What all events of this step say."""
        run = self._frame.run
        return {"run": run.id, "invocation": self._invocation, "at_s": run.now()}
