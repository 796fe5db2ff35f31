"""Runs of flows that a gateway serves: each begins by a request, goes on without it, and can be asked for later."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.engine.state import new_run_id
from flowdsl.environment.flow import Flow
from flowdsl.errors import RunError
from flowdsl.events import Event, FinishedImage, FlowFinished, PartialImage
from flowdsl.journal.errors import JournalError
from flowdsl.journal.tags import FLOW_TAG, REQUEST_TAG
from flowdsl.serve.blamed import blamed
from flowdsl.serve.elsewhere import LOOK_S, place_of, to_end
from flowdsl.serve.gateway import Gateway
from flowdsl.serve.keys import alone
from flowdsl.serve.metrics import Bought, counted
from flowdsl.serve.purchases import Purchases
from flowdsl.serve.refusal import Refusal, cut_off, of_kept, of_run, other_request
from flowdsl.serve.warned import warn

if TYPE_CHECKING:
    from flowdsl.journal.journal import Journal
    from flowdsl.serve.pictures import Pictures

Given = Callable[[Flow], Mapping[str, Any]]
_MOST_KEPT = 1000
"""Runs that are over and can still be asked for, with their results."""
_MOST_EVENTS = 5000
_OWNER_TAG = "token"
_FORGOTTEN = ("elapsed_s", "images", "notes", "outputs")
"""What only the process knows that ran it."""
_STATUS = {"killed": "failed", "dropped": "cancelled"}
"""How a client is told that a run stands."""


class FlowRun:
    """A run: `running`, `done`, `failed` or `cancelled`. Events are counted from 0; the first are forgotten where there
    are very many. What it says of itself holds paths of this machine: see `published`."""

    def __init__(self, id: str, flow: str, owner: str, digest: str, bought: Bought) -> None:
        self.id = id
        self.flow = flow
        self.owner = owner
        self.digest = digest
        self.purchases = Purchases()
        self.count = counted(bought)
        self.place = place_of(id, owner)
        self.status = "running"
        self.result: dict[str, Any] | None = None
        self.refusal: Refusal | None = None
        self.task: asyncio.Task[None] | None = None
        self.pictures: set[str] = set()
        """The SHA-256 of those that are its own: what inputs say of a picture is not."""
        self._events: deque[dict[str, Any]] = deque(maxlen=_MOST_EVENTS)
        self._count = 0
        self._changed = asyncio.Event()

    def tell(self, event: dict[str, Any]) -> None:
        """Adds an event."""
        self._events.append(event)
        self._count += 1
        self._wake()

    def end(self, status: str) -> None:
        """The run is over."""
        self.status = status
        self._wake()

    async def follow(self, number: int = 0) -> AsyncIterator[tuple[int, dict[str, Any]]]:
        """The events from one of a number on, as they come, until the run is over."""
        while True:
            changed = self._changed
            while number < self._count:
                number = max(number, self._count - len(self._events))
                yield number, self._events[number - self._count]
                number += 1
            if self.status != "running":
                return
            await changed.wait()

    async def ended(self) -> None:
        """Returns when the run is over."""
        while self.status == "running":
            await self._changed.wait()

    def revised_prompts(self) -> list[str | None]:
        """What services made of the prompts of its pictures, None where they say nothing of it."""
        result = self.result or {}
        return [each.get("revised_prompt") for each in result.get("made", result.get("images", ()))]

    def to_dict(self) -> dict[str, Any]:
        """The run as JSON values."""
        found: dict[str, Any] = {"run": self.id, "flow": self.flow, "status": self.status}
        if self.result is not None:
            found |= self.result
        if self.refusal is not None:
            found |= self.refusal.body()
        return found

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class FlowRuns:
    """The flows that are served, by id, and their runs. `given` is what the journal keeps of a run of a flow."""

    def __init__(self, flows: Mapping[str, Flow], gateway: Gateway, given: Given = lambda flow: {}) -> None:
        self.flows = flows
        self._given = given
        self._gateway = gateway
        self._runs: OrderedDict[str, FlowRun] = OrderedDict()
        self._watching: asyncio.Task[None] | None = None

    @property
    def in_flight(self) -> int:
        """How much the gateway works on."""
        return self._gateway.in_flight

    def find(self, id: str, owner: str) -> FlowRun | None:
        """A run of this owner."""
        found = self._runs.get(id)
        return found if found is not None and found.owner == owner else None

    def kept(self, id: str, owner: str, journal: Journal, pictures: Pictures) -> dict[str, Any] | None:
        """What the journal knows of a run of this owner that another process has made, or one before this; None where
        this process has it, or nobody. `forgotten` names what it does not keep."""
        if id in self._runs:
            return None
        found = next((each for each in journal.runs.named(id) if each.tags.get(FLOW_TAG)), None)
        if found is None or found.tags.get(_OWNER_TAG, "") != owner:
            return None
        status = _STATUS.get(found.status, found.status)
        facts: dict[str, Any] = {"run": id, "flow": found.tags[FLOW_TAG], "status": status, "cost_usd": found.cost_usd}
        if status != "running":
            digests = dict.fromkeys(each for request in journal.runs.requests(id) for each in request.pictures)
            facts["made"] = [picture for each in digests if (picture := pictures.kept(each)) is not None]
            facts["forgotten"] = list(_FORGOTTEN if status == "done" else ())
        return facts if found.error is None else {**facts, **of_kept(found.error).body()}

    def start(
        self, flow: str, inputs: Mapping[str, Any], owner: str, journal: Journal, key: str | None, bought: Bought
    ) -> FlowRun:
        """Begins a run, or gives that of the same key; `bought` is told of what a new one buys.

        Raises:
            Refusal: the key was used for another request.
        """
        said = json.dumps([flow, inputs], ensure_ascii=False, sort_keys=True)
        digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        tags = {FLOW_TAG: flow, **({_OWNER_TAG: owner} if owner else {})}
        if key is None:
            id = new_run_id()
        else:
            id = f"run-{hashlib.sha256(json.dumps([owner, key]).encode()).hexdigest()[:40]}"
            tags[REQUEST_TAG] = digest
            before = self._runs.get(id)
            _check_same(digest, None if before is None else before.digest)
            _check_same(digest, _kept_digest(journal, id))
            if before is not None and before.status in ("running", "done"):
                return before
        run = self._runs[id] = FlowRun(id, flow, owner, digest, bought)
        found = self.flows[flow]
        run.task = self._gateway.begin(self._run_alone(run, found, inputs, journal.giving(self._given(found)), tags))
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(journal))
        run.task.add_done_callback(lambda _: self._ended(run))
        return run

    def is_elsewhere(self, id: str, owner: str, journal: Journal) -> bool:
        """Whether another process works on a run of this owner."""
        return id not in self._runs and journal.running.goes_on(place_of(id, owner))

    async def _watch(self, journal: Journal) -> None:
        """Ends those of the runs here that another process wants to end, as long as there are any."""
        while running := {run.place: run for run in self._runs.values() if run.status == "running"}:
            for place in to_end(journal):
                if place in running and (task := running[place].task) is not None:
                    task.cancel()
            await asyncio.sleep(LOOK_S)

    async def _run_alone(
        self, run: FlowRun, flow: Flow, inputs: Mapping[str, Any], journal: Journal, tags: dict[str, str]
    ) -> None:
        """A run on which nobody else works meanwhile; what one before it with its key has bought is used again."""
        try:
            async with alone(journal, run.place):
                _check_same(run.digest, _kept_digest(journal, run.id))
                journal.repeating(run.id)
                await self._run(run, flow, inputs, journal, tags)
        except (JournalError, Refusal) as error:
            run.refusal = of_run(error) if isinstance(error, JournalError) else error
            run.end("failed")
        except asyncio.CancelledError:
            self._cancelled(run)
            raise

    async def _run(
        self, run: FlowRun, flow: Flow, inputs: Mapping[str, Any], journal: Journal, tags: dict[str, str]
    ) -> None:
        def hear(event: Event) -> None:
            said = event.to_dict()
            run.count(event)
            run.purchases.hear(event)
            run.pictures.update(_pictures_of(event))
            run.tell(said)
            if isinstance(event, FlowFinished) and event.status != "done":
                run.result = {name: said[name] for name in ("images", "cost_usd", "in_doubt")}

        try:
            result = await flow.arun(inputs, on_event=hear, journal=journal, run_id=run.id, tags=tags)
        except RunError as error:
            await warn(error.result, journal, self._gateway.tell)
            run.refusal = of_run(error, about=blamed(flow.document, error))
            run.refusal.more["run"] = run.id
            run.end("failed")
        except asyncio.CancelledError:
            self._cancelled(run)
            raise
        else:
            await warn(result, journal, self._gateway.tell)
            said = result.to_dict()
            run.pictures.update(image.sha256 for image in (*result.images, *result.made))
            names = ("outputs", "images", "made", "cost_usd", "elapsed_s", "notes")
            run.result = {name: said[name] for name in names}
            run.end("done")

    def _cancelled(self, run: FlowRun) -> None:
        """A run is over that somebody cancelled, or the end of the gateway."""
        if self._gateway.is_cut_off:
            run.refusal = cut_off(charge_possible=run.purchases.is_charged)
            run.refusal.more["run"] = run.id
        run.end("cancelled")

    def _ended(self, run: FlowRun) -> None:
        """Forgets runs that are long over; one that a bug has ended is over as well."""
        if run.status == "running":
            run.refusal = Refusal(
                500, "The run ended by an error of the gateway.", kind="server_error", code="internal_error"
            )
            run.end("failed")
        over = [each for each in self._runs.values() if each.status != "running"]
        for each in over[: max(0, len(over) - _MOST_KEPT)]:
            del self._runs[each.id]


def _pictures_of(event: Event) -> Iterator[str]:
    """The SHA-256 of the pictures that the engine tells of by an event."""
    told = (event.image,) if isinstance(event, (PartialImage, FinishedImage)) else getattr(event, "images", ())
    for image in told if isinstance(told, tuple) else ():
        yield str(image.get("sha256"))


def _kept_digest(journal: Journal, id: str) -> str | None:
    """The digest of the request by which a run began that the journal has."""
    kept = journal.kept(id)
    return None if kept is None else kept.tags.get(REQUEST_TAG, "")


def _check_same(digest: str, other: str | None) -> None:
    """Raises a Refusal where the key of a request was used for another one."""
    if other is not None and other != digest:
        raise other_request()
