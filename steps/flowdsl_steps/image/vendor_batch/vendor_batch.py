"""A batch from its file to its pictures, in steps of which each can be the last before a crash.

Before a batch is asked for, that is written down; an answer that is lost is looked for among the batches that the
vendor lists. A part that was never asked for is dropped by a later process: whoever wants its requests asks again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flowdsl.errors import ServiceError, ServiceRefused, ServiceUnavailable, StepError
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl_steps.http.excerpt import harmless
from flowdsl_steps.image.received import Received
from flowdsl_steps.image.retry import FailedAttempt, classify
from flowdsl_steps.image.vendor import Endpoint, Head, Vendor
from flowdsl_steps.image.vendor_batch.api import UNKNOWN, BatchApi
from flowdsl_steps.image.vendor_batch.files import Part
from flowdsl_steps.image.vendor_batch.journal import BatchJournal, KeptPart, PartFacts
from flowdsl_steps.image.vendor_batch.results import Answer, answers, kept, received_again

ENDS = frozenset({"completed", "failed", "expired", "cancelled"})
NOT_DONE = frozenset({"batch_expired", "batch_cancelled"})
"""What the vendor says of a request that it has not begun, and does not bill."""
_BUSY = frozenset({"token_limit_exceeded", "batch_limit_exceeded", "rate_limit_exceeded"})
"""Why a batch is refused that may be taken later."""
_TOO_MANY = 429
_SLACK_S = 60
_MOST_SENT = 3


class Pauses(NamedTuple):
    """Seconds between two questions for a batch, which grow from `first` to `longest`, and before each look for one
    whose answer was lost: the vendor's list may be late."""

    first: float = 2.0
    longest: float = 60.0
    looks: tuple[float, ...] = (0.5, 3.0, 10.0)


USUAL = Pauses()


class Outcome(NamedTuple):
    """What came of a request: `received`, or an `error`, or neither where it is `not_done` and may be asked for again,
    for `reason`; the vendor `is_busy` where its queue is full."""

    id: str
    received: Received | None = None
    error: ServiceError | None = None
    reason: str | None = None
    is_busy: bool = False


class VendorBatch:
    """The batches of one account that are one batch of ours, `journal.id`. `hide` takes the secrets of a request out of
    what the vendor says of it, before that is kept."""

    def __init__(
        self,
        api: BatchApi,
        vendor: Vendor,
        endpoint: Endpoint,
        journal: BatchJournal,
        store: ImageStore,
        *,
        image_bytes: int,
        pauses: Pauses = USUAL,
        tell: Callable[[int, str], None] = lambda part, text: None,
        hide: Callable[[str, Any], Any] = lambda id, value: value,
    ) -> None:
        self._api = api
        self._vendor = vendor
        self._endpoint = endpoint
        self._journal = journal
        self._store = store
        self._image_bytes = image_bytes
        self._pauses = pauses
        self._tell = tell
        self._hide = hide

    async def submit(self, part: Part) -> str:
        """Uploads the file of a part and has a batch made of it, once; gives the vendor's name for the batch.

        Raises:
            ServiceError: it is not made, or nobody knows; then `charge_possible` is true, and `recover` looks again.
        """
        kept_part = KeptPart(
            part.number,
            part.digest,
            part.service,
            part.url,
            part.operation,
            part.model,
            "prepared",
            None,
            None,
            time.time(),
        )
        await self._journal.prepared(kept_part, part.ids)
        try:
            file = await self._api.upload(part.file, f"{self._journal.id}-{part.number}-{part.digest[:12]}.jsonl")
            await self._journal.uploaded(part.number, file)
            batch = await self._made(kept_part._replace(file_id=file))
        except ServiceError as error:
            if not error.charge_possible:
                await self._journal.dropped(part.number)
            raise
        finally:
            part.file.close()
        await self._journal.submitted(part.number, batch)
        self._tell(part.number, f"{_of(batch)}: {counted(len(part.ids))}")
        return batch

    async def recover(self) -> list[int]:
        """Sees what became of the parts of an earlier process; gives those that go on.

        Raises:
            ServiceError: the vendor does not say.
        """
        going_on = []
        for part in self._journal.parts():
            if (part.service, part.url) != (self._endpoint.service, self.url) or part.state in ("ended", "dropped"):
                continue
            if part.state == "submitting":
                found = await self._sought(part)
                if found is None:
                    await self._drop(part)
                    continue
                await self._journal.submitted(part.number, found)
                part = KeptPart(*(getattr(part, name) for name in KeptPart._fields))._replace(batch_id=found)
            elif part.state not in ("submitted", "lost"):
                await self._drop(part)
                continue
            if part.state != "lost":
                self._tell(part.number, f"{_of(part.batch_id)} is under way")
            going_on.append(part.number)
        return going_on

    async def results(self, number: int) -> AsyncGenerator[Outcome]:
        """Waits for the end of a batch, and gives what came of each of its requests that is not known yet, one after
        the other in any order.

        Raises:
            ServiceError: the vendor does not say.
        """
        part = next(part for part in self._journal.parts() if part.number == number)
        batch = await self._ended(part)
        left = self._journal.waiting(number)
        if batch["status"] == "failed":
            outcome = self._refused(batch)
            for id in left:
                yield await self._keep(outcome._replace(id=id))
            left = set()
        for file in (batch.get("output_file_id"), batch.get("error_file_id")):
            if not file:
                continue
            found = answers(
                self._api, str(file), self._store, self._image_bytes, left.__contains__, self._endpoint.service
            )
            async with contextlib.aclosing(found):
                async for answer in found:
                    left.discard(answer.id)
                    yield await self._keep(self._outcome(answer))
        for id in left:
            yield await self._keep(Outcome(id, error=self._silent(batch)))
        await self._journal.ended(number, str(batch["status"]))
        for name in ("input_file_id", "output_file_id", "error_file_id"):
            if batch.get(name):
                await self._api.delete(str(batch[name]))

    async def _ended(self, part: PartFacts) -> dict[str, Any]:
        """The batch of a part when it has ended."""
        pause_s, is_lost = self._pauses.first, part.state == "lost"
        while True:
            try:
                batch = await self._api.batch(part.batch_id or "")
            except ServiceError as error:
                if error.code == UNKNOWN:
                    await self._journal.lost(part.number)
                raise
            if is_lost:
                await self._journal.submitted(part.number, part.batch_id or "")
                is_lost = False
            if batch.get("status") in ENDS:
                counts = batch.get("request_counts")
                done = counts.get("completed") if isinstance(counts, dict) else None
                said = f": {counted(done)} done" if isinstance(done, int) else ""
                self._tell(part.number, f"{_of(part.batch_id)} is {batch['status']}{said}")
                return batch
            await asyncio.sleep(pause_s)
            pause_s = min(self._pauses.longest, pause_s * 1.5)

    async def cancel(self) -> None:
        """Has all batches end that go on. What is done until then comes with their results."""
        for part in self._journal.parts():
            if part.state == "submitted" and part.batch_id and part.url == self.url:
                await self._api.cancel(part.batch_id)

    def known(self, value: Any, state: str, id: str) -> Outcome:
        """What came of a request, as the journal has it."""
        if state == "done":
            return Outcome(id, received_again(value))
        if state == "not_done":
            return Outcome(id, reason=str(value))
        return Outcome(id, error=self._error(value))

    @property
    def url(self) -> str:
        """The vendor's address before the operation."""
        return self._endpoint.url.rpartition("/images/")[0]

    async def _made(self, part: PartFacts) -> str:
        """Has a batch made, and gives its name. Where the answer is lost, it is looked for before it is asked again."""
        await self._journal.submitting(part.number)
        for sent in range(1, _MOST_SENT + 1):
            try:
                return str((await self._api.create(part.file_id or "", part.operation, self._metadata(part)))["id"])
            except ServiceError as error:
                if error.charge_possible:
                    found = await self._sought_or_in_doubt(part, error)
                    if found is not None:
                        return found
                elif not error.retryable:
                    raise
                if sent == _MOST_SENT:
                    error.charge_possible = False  # it was looked for, and is not there
                    raise
            await asyncio.sleep(self._pauses.first * sent)
        raise AssertionError

    async def _sought_or_in_doubt(self, part: PartFacts, lost: ServiceError) -> str | None:
        try:
            return await self._sought(part)
        except ServiceError as error:
            raise ServiceUnavailable(
                f"{self._endpoint.service} was asked for a batch, and nobody knows whether it is made: {error.message}",
                service=self._endpoint.service,
                code="batch-in-doubt",
                charge_possible=True,
                hint="run it again: the batch is looked for before anything is sent",
            ) from lost

    async def _sought(self, part: PartFacts) -> str | None:
        """The batch of a part among those that the vendor lists; None where it is not, however often looked for."""
        wanted, since = self._metadata(part), await self._api.file_made_at(part.file_id or "")
        for pause_s in self._pauses.looks:
            await asyncio.sleep(pause_s)
            listed = self._api.batches()
            async with contextlib.aclosing(listed):
                async for batch in listed:
                    said = batch.get("metadata")
                    if isinstance(said, dict) and all(said.get(name) == value for name, value in wanted.items()):
                        return str(batch["id"])
                    if since is not None and _time(batch.get("created_at"), since) < since - _SLACK_S:
                        break  # the vendor's clock for both: ours may say anything
        return None

    def _metadata(self, part: PartFacts) -> dict[str, str]:
        return {"flowdsl": self._journal.id, "part": str(part.number), "digest": part.digest}

    async def _drop(self, part: PartFacts) -> None:
        await self._journal.dropped(part.number)
        if part.file_id:
            await self._api.delete(part.file_id)

    async def _keep(self, outcome: Outcome) -> Outcome:
        """Writes down what came of a request, with its pictures on the disk.

        Raises:
            StepError: the disk does not take them. The vendor still has them.
        """
        if outcome.received is not None:
            value = kept(outcome.received, outcome.received.request_id)
            images = [image for image in outcome.received.images if isinstance(image, Image)]
            self._refuse_spare(images)
            files = [image.original for image in images]
            await self._journal.item(outcome.id, "done", self._hide(outcome.id, value), files)
        elif outcome.error is not None:
            await self._journal.item(outcome.id, "failed", self._hide(outcome.id, _told(outcome.error)))
        else:
            await self._journal.item(outcome.id, "not_done", outcome.reason)
        return outcome

    def _refuse_spare(self, images: Sequence[Image]) -> None:
        """A picture that comes directly is kept anywhere; one of a batch can be fetched again."""
        spare = self._store.spare
        if not (misplaced := [*filter(spare.holds, images)]):
            return
        for image in misplaced:
            Path(image.original).unlink(missing_ok=True)
        spare.close()
        raise StepError(
            f"{self._store.folder} takes no more pictures: {spare.reason}",
            code="image-unwritable",
            hint="make room, and go on: the vendor still has what this batch made",
        )

    def _outcome(self, answer: Answer) -> Outcome:
        if answer.received is not None:
            return Outcome(answer.id, answer.received._replace(request_id=answer.request_id))
        if answer.code in NOT_DONE or answer.status == _TOO_MANY:
            return Outcome(answer.id, reason=answer.code or "too many requests")
        if answer.broken is not None:
            return Outcome(answer.id, error=self._classified("response", 200, {}, str(answer.broken)))
        if answer.status is None:
            return Outcome(answer.id, error=self._silent({"status": answer.code}))
        return Outcome(answer.id, error=self._classified("status", answer.status, answer.body or {}, ""))

    def _classified(self, kind: Any, status: int, body: dict[str, Any], message: str) -> ServiceError:
        """The error of an answer, as of one that came directly."""
        head = Head(status, {"content-type": "application/json"})
        failure = self._vendor.failure(head, body) if body else None
        failed = FailedAttempt(kind, True, message, status if kind == "status" else None, vendor=failure)
        error = classify(failed, self._endpoint).error
        error.attempts = 1
        return error

    def _silent(self, batch: dict[str, Any]) -> ServiceError:
        """The error of a request of which nobody says what became of it."""
        said = harmless(str(batch.get("status")), self._endpoint.secrets)
        return ServiceUnavailable(
            f"the batch of {self._endpoint.service} ended ({said}) and does not say what became of this request: it "
            "may be done, and billed",
            service=self._endpoint.service,
            code="not-in-batch-results",
            charge_possible=True,
            attempts=1,
        )

    def _refused(self, batch: dict[str, Any]) -> Outcome:
        """What a batch that was refused means for each of its requests: nothing of it is done."""
        errors = batch.get("errors")
        problems = errors.get("data") if isinstance(errors, dict) else None
        first = problems[0] if isinstance(problems, list) and problems and isinstance(problems[0], dict) else {}
        code, message = str(first.get("code")), str(first.get("message"))
        said = harmless(f"{message} [{code}]", self._endpoint.secrets)
        if code in _BUSY:
            return Outcome("", reason=said, is_busy=True)
        text = f"{self._endpoint.service} refused the file of a batch: {said}"
        return Outcome("", error=ServiceRefused(text, service=self._endpoint.service, code="batch-refused", attempts=1))

    def _error(self, value: dict[str, Any]) -> ServiceError:
        names = ("service", "status", "vendor_code", "code", "hint", "retryable", "charge_possible", "request_id")
        error = _KINDS.get(value["kind"], ServiceError)(value["message"], **{name: value[name] for name in names})
        error.attempts = 1
        return error


def _kinds(of: type[ServiceError]) -> dict[str, type[ServiceError]]:
    return {of.__name__: of, **{name: kind for each in of.__subclasses__() for name, kind in _kinds(each).items()}}


_KINDS = _kinds(ServiceError)


def _told(error: ServiceError) -> dict[str, Any]:
    return {"kind": type(error).__name__, **error.to_dict()}


def _of(batch: str | None) -> str:
    return f"the vendor's batch {batch}"


def counted(number: int) -> str:
    """So many requests, in words."""
    return f"{number:,} request{'' if number == 1 else 's'}"


def _time(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, (int, float)) else otherwise
