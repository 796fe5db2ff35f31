"""What every step sees of its run, in a flow or alone in a test."""

from __future__ import annotations

import asyncio
import marshal
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flowdsl.engine.context_size import SIZED, UNCOUNTED
from flowdsl.engine.effects import ASKED, EMISSIONS, Effect, Emission, passes
from flowdsl.engine.failures import EXITS, Ending
from flowdsl.engine.frame import Frame
from flowdsl.engine.item_text import item_text
from flowdsl.engine.paid import Paid
from flowdsl.engine.telling import Telling
from flowdsl.engine.unfinished import misused
from flowdsl.errors import ConfigError, RunError, ServiceError
from flowdsl.events import (
    Emitted,
    Invocation,
    Note,
    Progress,
    iteration_begun,
)
from flowdsl.source import Source, Span

if TYPE_CHECKING:
    from pathlib import Path

    from flowdsl.host import OpenTransport
    from flowdsl.image.image import Image
    from flowdsl.image.origin import Origin
    from flowdsl.image.store import ImageStore
    from flowdsl.limits import Limits, Pace, Reservation
    from flowdsl.step.sending import Sending

T = TypeVar("T")
PAID = "image"
"""The kind of effects that cost money whatever comes of them."""
WRITTEN = "file"
"""The kind of effects that give the paths of files."""
_NOTHING_HIDDEN = 0, object(), None
"""In place of what was looked through last, with how many secrets were known then, and what became of it."""


def _is_plain(request: Any) -> bool:
    """Whether a request has maps, lists and values of the plain kinds alone: what is hidden in it is a copy then, which
    says nothing else when the request has changed."""
    try:
        marshal.dumps(request, 2)
    except ValueError:  # also of one that is nested too deep, or holds itself
        return False
    return True


class RunningStep(Telling):
    """What every step sees of its run, in a flow or alone in a test: its frame, and ways to emit events and to act.

    `given` and `templated` hold keys as they stand in the file.
    """

    __slots__ = (
        "_acted",
        "_frame",
        "_hidden",
        "_invocation",
        "_read_secret",
        "acting",
        "given",
        "id",
        "inputs",
        "is_ended",
        "outputs",
        "path",
        "step",
        "templated",
    )

    step: str
    path: str
    id: str | None
    given: frozenset[str]
    templated: frozenset[str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._invocation = frame.invocation
        self._acted = self._read_secret = self.is_ended = False
        self._hidden: tuple[int, Any, Any] = _NOTHING_HIDDEN
        self.acting: Sequence[asyncio.Task[Any]] = ()  # the tasks in which an effect is performed

    @property
    def flow_context(self) -> Mapping[str, Any]:
        """The FlowContext, to read."""
        frame = self._frame
        if frame.run.secrets.seen:
            frame.run.secrets.notice(frame.context)
        return frame.context

    @property
    def limits(self) -> Limits:
        """The limits of the environment."""
        return self._frame.run.limits

    @property
    def store(self) -> ImageStore:
        """Where image bytes go."""
        return self._frame.run.store

    @property
    def output_folder(self) -> Path:
        """The folder that the run's files are written to."""
        from pathlib import Path

        return Path(self._frame.run.output).absolute()

    @property
    def transport(self) -> OpenTransport | None:
        """What opens a transport of the host."""
        return self._frame.run.transport

    def check_file_name(self, name: str) -> None:
        """Looks whether the name of a file may come from where it does."""
        self._frame.run.check_file_name(name)

    def project_file(self, name: str) -> str:
        """The path of a file of the project; a step alone, without a flow, is in the working folder's."""
        return self._frame.run.project_file(name, Span(Source(""), 0, 0))

    @property
    def pace(self) -> Pace | None:
        """How fast services may be asked, by all who share the journal of the run; None without one."""
        journal = self._frame.run.journal
        return None if journal is None else journal.pace

    def hide(self, text: str) -> str:
        """The text with `***` in place of every secret of the run."""
        return str(self._frame.run.secrets.hide_in(text))

    def progress(self, text: str, done: int | None = None, total: int | None = None) -> None:
        """Emits progress."""
        self._keep("progress", text, done, total)
        run = self._frame.run
        if run.emit is not None:
            self._tell(Progress(**self._now(), text=run.secrets.hide_in(text), done=done, total=total))

    def begin(self, index: int, value: Any, done: int, total: int) -> None:
        """Emits that an iteration over a value begins, while `done` of `total` have ended."""
        run = self._frame.run
        if run.emit is not None:
            text = item_text(value)
            if run.secrets.seen:
                run.secrets.notice(value)
                text = run.secrets.hide(text)
            self._tell(iteration_begun(run.id, self._invocation, run.now(), text, done, total, index))

    def note(self, code: str, text: str, details: dict[str, Any] | None = None) -> None:
        """Emits a note: something the author should know."""
        self._keep("note", code, text, details)
        run = self._frame.run
        hide = run.secrets.hide_in
        run.keep_note(code, hide(text))
        if run.emit is not None:
            self._tell(Note(**self._now(), code=code, text=hide(text), details=hide(details)))

    async def name_images(self, images: Sequence[Image], origin: Origin) -> None:
        """Gives images their files with names for people; alone, without a flow, they keep those they have."""

    def spend(self, usd: float | None) -> None:
        """Adds to the cost of the run."""
        self.check_not_over("spends")
        if usd is not None and not (isinstance(usd, (int, float)) and 0 <= usd < float("inf")):
            raise misused(self.step, f"spends {usd!r}", "give USD from 0, or None when it is not known")
        self._keep("spend", usd)
        self._frame.run.spend(usd)

    async def reserve(self, most_usd: float | None, service: str | None = None) -> Reservation:
        """Sets a paid request aside from what the run may spend."""
        self.check_not_over("reserves")
        return await self._frame.run.budget.reserve(most_usd, service)

    def share(self, request: Any) -> float:
        """The share of its price that a paid request costs by the way it goes."""
        asked = getattr(self._frame.run.effects, "share", None)
        return 1.0 if asked is None else asked(self._effect(PAID, request))

    def allow(self, **facts: Any) -> None:
        """Refuses what the rules of the house do not allow."""
        from flowdsl.errors import ConfigError

        run = self._frame.run
        facts["step"] = self.step
        for rule in run.policy:
            if rule.is_kept(facts):
                continue
            text = run.secrets.hide(rule.broken(facts))
            if rule.severity == "error":
                raise ConfigError(text, code="house-rule", hint="nothing was sent")
            self.note("house-rule", text)

    def keeping_paid(self) -> Paid:
        """What the blocks of this step pay for while it is entered."""
        return Paid(self._frame)

    def paid_before(self, purchase: Any, request: Any = None) -> Any:
        """The result of an equal purchase that was paid for in an earlier attempt: of a block around this step, or of
        the run."""
        run, paid = self._frame.run, self._frame.paid
        purchase = self._told_apart(purchase)
        result = None if paid is None else paid.take(purchase)
        if result is not None:
            run.totals.reused += 1
            self.note("paid-before", "an equal request was paid for before the repetition: its result is used again")
            return result
        recovered = None if run.journal is None or request is None else run.journal.before(self._effect(PAID, request))
        if recovered is None or recovered is ASKED:
            return recovered
        run.recover(recovered)
        if recovered.is_shared:
            self.note("paid-before", "an equal request was paid for elsewhere, and is shared: its result is used again")
        else:
            self.note("recovered", "this was paid for before the run was resumed: its result is used again")
        if paid is not None:
            paid.add(purchase, recovered.result)
        return recovered.result

    def _told_apart(self, purchase: Any) -> Any:
        """What tells a purchase from others, made where a block around the step may be repeated. That it fails at, as a
        picture to edit has changed, is to be found before it is paid for."""
        return purchase() if callable(purchase) and self._frame.paid is not None else purchase

    def write(self, key: str, value: Any) -> None:
        """Sets a FlowContext key while the step runs."""
        frame = self._frame
        if self.is_ended:
            raise self.over("writes")
        frame.context[key] = value
        if value.__class__ in SIZED and len(value) > UNCOUNTED:  # as `Frame.put`: loops write twice an iteration
            frame.run.size.grow(value)

    def holding(self, values: Any) -> AbstractContextManager[None]:
        """Counts a list or map that the step fills among the values of the run, until it has written it."""
        return self._frame.run.size.holding(values)

    def emit(self, name: str, payload: Any) -> None:
        """Emits something to the host's sink."""
        run = self._frame.run
        self.check_not_over("emits")
        name, payload = run.secrets.hide_in(name), run.secrets.hide_in(payload)
        if run.effects is None:
            run.emit_to_host(name, payload)
        else:
            effect = self._effect("emit", {"name": name, "payload": payload})
            run.effects.perform_now(effect, lambda: run.emit_to_host(name, payload))
        if run.emit is not None:
            self._tell(Emitted(**self._now(), name=name, payload=payload))

    async def effect(
        self,
        key: str,
        request: Any,
        perform: Callable[[], Awaitable[T]],
        *,
        purchase: Any = None,
        may_be_done: Callable[[], bool] | None = None,
        most_usd: float | None = None,
        sending: Sending | None = None,
    ) -> T:
        """Does something that is paid, or written to the outside, by the one door for it.

        What fails or is cancelled while a picture is bought leaves the purchase in doubt, unless the vendor refused it,
        or its `sending` knows that it is not on its way; so does whatever else a service may have done, and billed, as
        its error or `may_be_done` says.
        """
        self.check_not_over("performs an effect")
        purchase = self._told_apart(purchase)
        effects = self._frame.run.effects
        self._acted = True
        if not isinstance(self.acting, list):
            self.acting = []
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self.acting.append(task)
        try:
            if effects is None:
                result = await perform()
            else:
                effect = self._effect(key, request, most_usd, sending)
                if sending is not None and not passes(effects, effect):  # who knows what the door does with it
                    sending.keep_out()
                result = await effects.perform(effect, perform)
        except (ConfigError, ServiceError) as error:
            if error.charge_possible:
                self._frame.run.doubt(self._placed())
            raise
        except BaseException as error:
            is_out = key == PAID if sending is None else sending.is_out
            if is_out or (may_be_done is not None and may_be_done()):
                self._frame.run.doubt(self._placed())
                if isinstance(error, RunError):
                    error.charge_possible = True
            if isinstance(error, EXITS):  # a step may do this in a task of its own
                raise Ending(error) from error
            raise
        finally:
            self.acting.remove(task)
        if key == PAID and self._frame.paid is not None:
            self._frame.paid.add(request if purchase is None else purchase, result)
        if key == WRITTEN:
            self._frame.run.keep_files(result)
        return result

    async def resource(self, key: Hashable, open: Callable[[], AbstractAsyncContextManager[T]]) -> T:
        """A shared thing, opened once."""
        return await self._frame.run.resources.get(key, open)

    def _placed(self) -> Invocation:
        """The invocation of the step; one that only names the step in a run that nobody observes, which has none."""
        own = self._invocation
        return own if own.step else Invocation(id=own.id, step=self.step, path=self.path)

    def _effect(self, key: str, request: Any, most_usd: float | None = None, sending: Sending | None = None) -> Effect:
        run = self._frame.run
        hide = run.secrets.hide_in
        # A paid request is asked about before it is performed: it is looked through once, unless it has changed since,
        # or a secret has come to be known.
        known, before, hidden = self._hidden
        if before is not request or hidden != request or known != run.secrets.known:
            known = run.secrets.known  # another thread may add one while it is looked through
            hidden = hide(request)
            self._hidden = (known, request, hidden) if _is_plain(request) else _NOTHING_HIDDEN
        return Effect(
            key=key,
            request=hidden,
            run=run.id,
            invocation=self._invocation,
            store=run.store,
            emit=self._repeat,
            hide=hide,
            most_usd=most_usd,
            sending=sending,
        )

    def _keep(self, method: str, *arguments: Any) -> None:
        """Keeps what is emitted while an effect is performed, for whoever records it."""
        emissions = EMISSIONS.get()
        if emissions is not None:
            emissions.append((method, arguments))

    def _repeat(self, emission: Emission) -> None:
        """Repeats what was emitted while an effect was performed."""
        method, arguments = emission
        getattr(self, method)(*arguments)
