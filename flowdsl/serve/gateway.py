"""What buys the pictures of requests: a run for each, by one service after the other of its route.

A run goes on when its client goes away: what it buys is stored, and stands in the journal. With an idempotency key the
run has an id of that key, so that a repetition, also after the process was killed, finds what was bought.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from flowdsl.environment import Environment
from flowdsl.errors import FlowCheckError, RunError
from flowdsl.events import Event, FinishedImage, PartialImage
from flowdsl.image.own_addresses import OwnAddresses, knowing
from flowdsl.journal.errors import JournalError
from flowdsl.journal.tags import REQUEST_TAG, TARGET_TAG
from flowdsl.serve.bodies import ClientGone
from flowdsl.serve.fields import Asked, shown
from flowdsl.serve.keys import alone
from flowdsl.serve.metrics import Bought, counted
from flowdsl.serve.purchases import Purchases
from flowdsl.serve.refusal import Refusal, all_of, cut_off, of_run, other_request, outdated
from flowdsl.serve.request_flow import FACTS, PICTURES, RequestFlows, inputs_of
from flowdsl.serve.routes import Catalogued, Route, Routing, Target
from flowdsl.serve.warned import warn

if TYPE_CHECKING:
    from flowdsl.engine.result import Result
    from flowdsl.image.image import Image
    from flowdsl.journal.journal import Journal

T = TypeVar("T")
_OWNER_TAG = "token"
CameImage = PartialImage | FinishedImage
OnImage = Callable[[CameImage], Any]


class Asker(NamedTuple):
    """Who asks: to whom idempotency keys belong, what pays for the request, what hears of pictures before all are
    there, and what is told of those that are bought."""

    owner: str
    journal: Journal
    hear: OnImage
    bought: Bought


class Made(NamedTuple):
    """The pictures of a request, what is known of them, and when they were there, in Unix seconds."""

    images: Sequence[Image]
    facts: Mapping[str, Any]
    created: int
    cost_usd: float | None


class Making:
    """The pictures of a request that are being made, `digest` of what. What only waits for its turn is given up when
    the last client that waits for it goes away: nobody would get what it buys."""

    def __init__(self, task: asyncio.Task[Made], purchases: Purchases, digest: str = "") -> None:
        self.task = task
        self.purchases = purchases
        self.digest = digest
        self.waiting = 0
        self.is_given_up = False

    async def made(self) -> Made:
        """The pictures. They are made also where whoever waits here does so no more.

        Raises:
            Refusal: they are not, or the gateway ends at once.
            ClientGone: it was given up.
        """
        try:
            made: Made = await asyncio.shield(self.task)
        except asyncio.CancelledError:
            if not self.task.cancelled():  # whoever waits is
                raise
            found = ClientGone() if self.is_given_up else cut_off(charge_possible=self.purchases.is_charged)
            raise found from None
        return made

    def left(self) -> None:
        """One of the clients that wait went away."""
        self.waiting -= 1
        if not (self.waiting or self.purchases.is_begun or self.task.done()):
            self.is_given_up = True
            self.task.cancel()


class Gateway:
    """Buys what requests ask for. It belongs to the event loop in which it is used; `own` are the addresses of pictures
    that it gives out."""

    def __init__(
        self,
        environment: Environment,
        routing: Routing,
        clock: Callable[[], float] = time.time,
        tell: Callable[[str], None] = lambda text: None,
        own: OwnAddresses | None = None,
    ) -> None:
        self.routing = routing
        self.tell = tell
        """Tells whoever runs the gateway."""
        self.is_cut_off = False
        """Whether it ended before all that it worked on had."""
        self._own = own
        self._flows = RequestFlows(environment)
        self._clock = clock
        self._tasks: set[asyncio.Task[Any]] = set()
        self._keyed: dict[str, Making] = {}

    @property
    def in_flight(self) -> int:
        """How many requests are being worked on."""
        return len(self._tasks)

    def now(self) -> int:
        """The time, in Unix seconds."""
        return int(self._clock())

    def route(self, asked: Asked) -> Route:
        """The route of a request whose fields fit.

        Raises:
            Refusal: the model is not served, or its fields do not fit; it says everything.
        """
        route = self.routing.route(asked.model)
        wrong = self._flows.wrong(asked, Target(None, asked.model) if route is None else route.first)
        if route is not None and not wrong:
            return route
        if route is None:
            refusal = self.no_model(asked.model)
            if self._shut_down(asked.model):  # what else it would not take matters to nobody
                raise refusal
            wrong = [refusal, *(each for each in wrong if each.param != "model")]
        raise all_of(wrong)

    def start(self, asked: Asked, route: Route, asker: Asker, key: str | None) -> Making:
        """Begins to make the pictures of a request, or joins the request of the same `key`.

        Raises:
            Refusal: the key was used for another request.
        """
        tags = {_OWNER_TAG: asker.owner} if asker.owner else {}
        purchases = Purchases()
        if key is None:
            work = Making(self.begin(self._bought(asked, route, asker, purchases, tags)), purchases)
        else:
            run, digest = _run_of(asker.owner, key), _digest(asked)
            found = self._keyed.get(run)
            if found is None or found.is_given_up:
                task = self.begin(self._bought_once(asked, route, asker, purchases, tags, run, digest))
                found = self._keyed[run] = Making(task, purchases, digest)
                task.add_done_callback(lambda task: self._made(run, task))
            elif found.digest != digest:
                raise other_request()
            work = found
        work.waiting += 1
        return work

    async def cut_off(self) -> int:
        """Has what is still worked on ended, and not finished; gives how many requests that are.

        The end of the event loop would cancel every task at once, and a request would be told by whichever part of it
        was first: a run that is broken off would take its paid request for one that failed, and that it has passed.
        All are cancelled together, else what one gives back lets another one begin.
        """
        if left := [*self._tasks]:
            self.is_cut_off = True
            for task in left:
                task.cancel()
            await asyncio.wait(left)
        return len(left)

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Works on something that is finished before the gateway ends."""
        with knowing(self._own):
            task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _made(self, run: str, task: asyncio.Task[Made]) -> None:
        found = self._keyed.get(run)
        if found is not None and found.task is task:  # else it was given up, and asked for again
            del self._keyed[run]

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # also where nobody waits for it any more

    async def _bought_once(
        self,
        asked: Asked,
        route: Route,
        asker: Asker,
        purchases: Purchases,
        tags: dict[str, str],
        run: str,
        digest: str,
    ) -> Made:
        """What a request with a key brings: what one before it has bought, else what is bought now."""
        tags[REQUEST_TAG] = digest
        number, target = 0, None
        try:
            async with alone(asker.journal, run):
                while (before := asker.journal.kept(f"{run}-{number}")) is not None:
                    if before.tags.get(REQUEST_TAG) != digest:
                        raise other_request()
                    service, model = json.loads(before.tags[TARGET_TAG])
                    target = Target(service, model)
                    number += 1
                return await self._bought(asked, route, asker, purchases, tags, run, max(number - 1, 0), target)
        except JournalError as error:
            raise of_run(error) from error

    async def _bought(
        self,
        asked: Asked,
        route: Route,
        asker: Asker,
        purchases: Purchases,
        tags: dict[str, str],
        run: str | None = None,
        number: int = 0,
        begin: Target | None = None,
    ) -> Made:
        """The pictures, by the first service that makes them; `begin` is one that was asked before, in the attempt of
        this number."""
        target = begin or route.first
        tried: list[Target] = []
        while True:
            tried.append(target)
            try:
                id = None if run is None else f"{run}-{number}"
                return await self._run(asked, target, asker, purchases, tags, id)
            except RunError as error:
                following = self._following(asked, route, error, tried)
                if following is None:
                    if error.hint is not None:
                        error.hint = error.hint.replace("give the step ", "give the request ")
                    raise of_run(error, self._flows.of(asked, target).param(error)) from error
            target = following
            number += 1

    def _following(self, asked: Asked, route: Route, error: RunError, tried: list[Target]) -> Target | None:
        """The service to ask after a failure: the next one that has what the request asks for."""
        passed = list(tried)
        while (found := route.after(error, passed)) is not None:
            try:
                self._flows.of(asked, found)
            except FlowCheckError:
                passed.append(found)
                continue
            return found
        return None

    async def _run(
        self, asked: Asked, target: Target, asker: Asker, door: Purchases, tags: dict[str, str], id: str | None
    ) -> Made:
        flow = self._flows.of(asked, target).flow
        limits, before = None, None
        if id is not None:
            tags = {**tags, TARGET_TAG: json.dumps([target.service, target.model])}
            before = asker.journal.repeating(id)
            if before == "done":  # all of it is bought, whatever the settings say by now
                door.is_bought = True
                limits = flow.limits._replace(max_requests=0, fixed=frozenset(("max_requests",)))
        count = counted(lambda _, *figures: asker.bought(self.routing.label(asked.model), *figures))

        def listen(event: Event) -> None:
            count(event)
            if isinstance(event, CameImage):
                asker.hear(event)

        inputs, journal = inputs_of(asked, target), asker.journal
        heard = None if before is None and not asked.stream else listen  # of a new run all that it has is bought
        try:
            result = await flow.arun(
                inputs, on_event=heard, effects=door, journal=journal, limits=limits, run_id=id, tags=tags
            )
        except RunError as error:
            if heard is None:
                self._tell(asker, asked, error.result)
            await warn(error.result, journal, self.tell)
            if limits is not None and error.code == "too-many-requests":
                raise outdated() from error
            raise
        if heard is None:
            self._tell(asker, asked, result)
        await warn(result, journal, self.tell)
        pictures, facts = result.outputs[PICTURES], result.outputs[FACTS]
        return Made(pictures, facts, self.now(), result.cost_usd)

    def _tell(self, asker: Asker, asked: Asked, result: Result | None) -> None:
        """Tells what a run has bought."""
        if result is not None and result.made:
            asker.bought(self.routing.label(asked.model), len(result.made), result.cost_usd)

    def _shut_down(self, model: str) -> str | None:
        """Since when there is no such model, where routes give it no other meaning."""
        return self._flows.shut_down(model) if isinstance(self.routing, Catalogued) else None

    def no_model(self, model: str) -> Refusal:
        """The refusal for a model that is not served."""
        from flowdsl.nearest import nearest

        message = self._shut_down(model)
        if message is None:
            near = nearest(model, self.routing.names())
            hint = f"did you mean '{near}'?" if near else "GET /v1/models lists those that are served"
            message = f"The model {shown(model)} does not exist or you do not have access to it; {hint}"
        return Refusal(404, message, param="model", code="model_not_found")


def _run_of(owner: str, key: str) -> str:
    """The id of the run of a key, which belongs to whoever uses it."""
    return f"request-{hashlib.sha256(json.dumps([owner, key]).encode()).hexdigest()[:40]}"


def _digest(asked: Asked) -> str:
    """What is equal for equal purchases, whether their pictures are sent as bytes or as links."""
    pictures = [
        each if isinstance(each, str) else each["sha256"]
        for each in (*asked.images, *([asked.mask] if asked.mask else []))
    ]
    facts = [asked.model, asked.prompt, asked.is_edit, sorted(asked.options.items()), pictures, bool(asked.mask)]
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()[:32]
