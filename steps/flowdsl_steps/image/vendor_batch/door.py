"""The door of runs whose pictures come through a vendor's batch: requests of many runs are gathered, sent together, and
each run waits until its own are there.

A request that cannot go that way is sent directly. One that a batch leaves undone, as it expired, goes into the next.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from flowdsl import Effect, Effects
from flowdsl.errors import RunError, ServiceUnavailable
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl_steps.image.carrier import CARRIER, Carried
from flowdsl_steps.image.catalogue import catalogue
from flowdsl_steps.image.received import LinkedImage, Received
from flowdsl_steps.image.vendor_batch.account import Account
from flowdsl_steps.image.vendor_batch.api import BatchApi
from flowdsl_steps.image.vendor_batch.files import USUAL as USUAL_LIMITS
from flowdsl_steps.image.vendor_batch.files import (
    BatchRequest,
    Limits,
    Part,
    base_of,
    why_not,
    write_batch_files,
)
from flowdsl_steps.image.vendor_batch.journal import BatchJournal
from flowdsl_steps.image.vendor_batch.results import without_words
from flowdsl_steps.image.vendor_batch.vendor_batch import USUAL, Outcome, Pauses, VendorBatch

T = TypeVar("T")
_GATHER_S = 1.0
_TRIES = 3


class VendorBatchDoor:
    """Performs paid requests for pictures through the vendor's batch; other effects go to `inner`, or are performed.

    What it must know after a crash is in `journal`; files of requests lie in `folder`, without
    a name, until they are uploaded. Requests
    are sent when none has come for `gather_s` seconds, or with `flush`. Runs that are to go on after a crash have the
    same ids again, and a door of the same journal. Use it as a context manager: its end does not end what the vendor
    works on, a later door goes on with that; `cancel` does. `tell` is told of each batch. What earlier doors left under
    way is asked for anew with `afresh`: a simulator that ended with its process knows nothing of it.
    """

    def __init__(
        self,
        journal: BatchJournal,
        folder: Path,
        *,
        inner: Effects | None = None,
        gather_s: float = _GATHER_S,
        limits: Limits = USUAL_LIMITS,
        pauses: Pauses = USUAL,
        tries: int = _TRIES,
        tell: Callable[[str], None] = lambda text: None,
        afresh: bool = False,
    ) -> None:
        self._journal = journal
        self._folder = folder / journal.id
        self._inner = inner
        self._gather_s = gather_s
        self._limits = limits
        self._pauses = pauses
        self._tries = tries
        self._tell = tell
        self._afresh = afresh
        self._accounts: dict[Any, asyncio.Task[Account]] = {}
        self._recovered: set[tuple[str, str]] = set()
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}
        self._effects: dict[str, Effect] = {}
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._open = AsyncExitStack()
        self._last_part = max((part.number for part in journal.parts()), default=0)

    async def __aenter__(self) -> Self:
        for part in self._journal.parts() if self._afresh else ():
            if part.state not in ("ended", "dropped"):
                await self._journal.dropped(part.number)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._accounts.values():
            task.cancel()
            [found] = await asyncio.gather(task, return_exceptions=True)
            if isinstance(found, Account):
                await found.close()
        for future in self._waiting.values():
            future.cancel()
        await self._open.aclose()

    async def perform(self, effect: Effect, act: Callable[[], Awaitable[T]]) -> T:
        """The result of an effect."""
        if effect.key != "image":
            return await (act() if self._inner is None else self._inner.perform(effect, act))
        token = CARRIER.set(_Way(self, effect, effect.id or self._id(effect)))
        try:
            return await (act() if self._inner is None else self._inner.perform(effect, act))
        finally:
            CARRIER.reset(token)

    def perform_now(self, effect: Effect, act: Callable[[], T]) -> T:
        """The result of an effect that needs no waiting."""
        return act() if self._inner is None else self._inner.perform_now(effect, act)

    def passes(self, effect: Effect) -> bool:
        """Whether a request does not go through a batch."""
        passes = getattr(self._inner, "passes", None)
        return not _goes(effect) and (self._inner is None or (passes is not None and passes(effect)))

    def order(self, effect: Effect) -> str | None:
        """Where it is known what becomes of a request, for the journal of a run: in this batch of ours, where it goes
        through one."""
        return f"batch {self._journal.id}" if self._journal.outlives and _goes(effect) else None

    def share(self, effect: Effect) -> float:
        """The share of its price that a request costs: without the discount of the batch that it goes through."""
        return 1 - discount(str(effect.request.get("model"))) if _goes(effect) else 1.0

    async def flush(self) -> None:
        """Sends what has been gathered, without waiting for more."""
        for task in [*self._accounts.values()]:
            await (await task).send()

    async def cancel(self) -> None:
        """Has the vendor end what it works on; what is done until then still comes."""
        for task in [*self._accounts.values()]:
            await (await task).batch.cancel()

    async def carry(self, carried: Carried, id: str, effect: Effect) -> Received:
        """What a request brings, when it is there.

        Raises:
            RunError: it failed, or the batch did.
        """
        self._effects[id] = effect
        try:
            return await self._carried(carried, id)
        except RunError as error:
            own, item = copy.copy(error), self._journal.find(id)  # each run adds to its own where it happened
            own.charge_possible = error.charge_possible or (item is not None and item.state == "waiting")
            raise own from error.__cause__
        finally:
            del self._effects[id]

    def _hidden(self, id: str, value: Any) -> Any:
        """What is kept of a request, without secrets of its run; where no run waits yet, without the vendor's words."""
        effect = self._effects.get(id)
        return without_words(value) if effect is None else effect.hide(value)

    def _told(self, part: int, text: str) -> None:
        """Tells of a batch: each run that waits for it, and who has asked for it."""
        for id in self._journal.waiting(part) & self._effects.keys():
            self._effects[id].emit(("progress", (text,)))
        self._tell(text)

    async def _carried(self, carried: Carried, id: str) -> Received:
        endpoint = carried.endpoint
        key = endpoint.service, base_of(endpoint), *sorted(endpoint.headers.items())
        task = self._accounts.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._accounts[key] = asyncio.get_running_loop().create_task(self._account(carried))
        account = await asyncio.shield(task)
        request = BatchRequest(id, carried.request, carried.vendor, endpoint)
        tried = 0
        while tried < self._tries:
            outcome = await account.outcome(request)
            if outcome.error is not None:
                raise outcome.error
            if outcome.received is not None:
                return _handed_over(outcome.received, carried.store)
            tried += not (outcome.is_busy and await account.room())
        raise ServiceUnavailable(
            f"{endpoint.service} did not come to this request in {self._tries} batches: {outcome.reason}",
            service=endpoint.service,
            code="batch-not-done",
            retryable=True,
            attempts=self._tries,
            hint="nothing was billed; run it again, or without a batch",
        )

    async def _account(self, carried: Carried) -> Account:
        """What sends the requests of one account, with what goes on there already."""
        client = await self._open.enter_async_context(carried.open_client())
        api = BatchApi(client, carried.vendor, carried.endpoint, base_of(carried.endpoint))
        batch = VendorBatch(
            api,
            carried.vendor,
            carried.endpoint,
            self._journal,
            ImageStore(carried.store.folder),
            image_bytes=carried.image_bytes,
            pauses=self._pauses,
            tell=self._told,
            hide=self._hidden,
        )
        account = Account(
            batch,
            self._journal,
            self._waiting,
            self._written,
            gather_s=self._gather_s,
            most=self._limits.requests,
            pause_s=self._pauses.longest,
        )
        at = carried.endpoint.service, base_of(carried.endpoint)
        if at not in self._recovered:
            self._recovered.add(at)
            try:
                for number in await batch.recover():
                    account.follow(number)
            except BaseException:
                self._recovered.discard(at)
                raise
        return account

    async def _written(self, requests: Sequence[BatchRequest]) -> list[Part]:
        """Files of requests.

        Raises:
            RunError: one of them fits into none.
            OSError: the folder cannot be written.
        """
        first = self._last_part + 1
        self._last_part += len(requests)
        return await asyncio.to_thread(write_batch_files, requests, self._folder, self._limits, first)

    def _id(self, effect: Effect) -> str:
        """What tells a request from all others, where no journal says it: its run, its place and how often before."""
        asked = json.dumps([effect.run, effect.invocation.key, effect.request], sort_keys=True, default=repr)
        digest = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()
        self._numbers[effect.run, digest] += 1
        return hashlib.sha256(f"{digest} {self._numbers[effect.run, digest]}".encode()).hexdigest()


class _Way:
    """The way of one request."""

    def __init__(self, door: VendorBatchDoor, effect: Effect, id: str) -> None:
        self._door = door
        self._effect = effect
        self._id = id

    async def carry(self, carried: Carried) -> Received | None:
        """What a request brings; None where it cannot go through a batch."""
        reason = why_not(carried.vendor.name, carried.endpoint.shown_url)
        if reason is not None:
            self._effect.note("not-in-batch", f"sent directly, at its full price: {reason}")
            return None
        if self._effect.sending is not None:
            await self._effect.sending.begins()
        return await self._door.carry(carried, self._id, self._effect)


def _goes(effect: Effect) -> bool:
    """Whether a request goes through a batch."""
    asks = effect.request
    return effect.key == "image" and why_not(str(asks.get("vendor")), str(asks.get("url"))) is None


def discount(model: str) -> float:
    """What a batch takes off the price of a model; 0 where no source says it."""
    found = catalogue().find(model)
    return 0.0 if found is None or found.batch_discount is None else found.batch_discount.share


def _handed_over(received: Received, store: ImageStore) -> Received:
    """With its pictures in the store of the run that asked for them."""
    images: list[Image | LinkedImage] = []
    for image in received.images:
        if isinstance(image, Image) and Path(image.original).parent == store.folder:
            store.adopt(image)
        elif isinstance(image, Image):
            image = store.add(image.read())
        images.append(image)
    return received._replace(images=tuple(images))
