"""BatchJournal: what must be known of batches to go on with them after a crash. Here in memory; on disk it is
`flowdsl.journal.vendor_batches`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class PartFacts(Protocol):
    """A file of requests as it is kept. `state` is `prepared`, `uploaded`, `submitting`, `submitted`, `lost`, `ended`
    or `dropped`: from `submitting` on the vendor may have it; it is `lost` where the vendor knew no such batch when it
    was last asked. `began` is a Unix time in seconds."""

    @property
    def number(self) -> int: ...
    @property
    def digest(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def file_id(self) -> str | None: ...
    @property
    def batch_id(self) -> str | None: ...
    @property
    def began(self) -> float: ...


class ItemFacts(Protocol):
    """A request as it is kept. `state` is `waiting`, `done`, `failed` or `not_done`; `result` holds JSON values."""

    @property
    def state(self) -> str: ...
    @property
    def part(self) -> int: ...
    @property
    def result(self) -> Any: ...


class KeptPart(NamedTuple):
    """See `PartFacts`."""

    number: int
    digest: str
    service: str
    url: str
    operation: str
    model: str
    state: str
    file_id: str | None
    batch_id: str | None
    began: float


class KeptItem(NamedTuple):
    """See `ItemFacts`."""

    state: str
    part: int
    result: Any


class BatchJournal(Protocol):
    """Keeps the parts and the requests of one batch of ours, `id`. What a method says is on the disk when it returns,
    but for results: of those a part has all when it is `ended`."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def outlives(self) -> bool:
        """Whether what it knows is known to a later process."""
        ...

    async def prepared(self, part: PartFacts, ids: Sequence[str]) -> None:
        """A part is about to be uploaded, with these requests."""
        ...

    async def uploaded(self, number: int, file_id: str) -> None:
        """Its file is uploaded."""
        ...

    async def submitting(self, number: int) -> None:
        """The vendor is about to be asked for a batch."""
        ...

    async def submitted(self, number: int, batch_id: str) -> None:
        """It has made one."""
        ...

    async def lost(self, number: int) -> None:
        """It knows no such batch: nobody knows what became of the requests that it had. It is asked again by whoever
        goes on, and `submitted` where it knows one then."""
        ...

    async def dropped(self, number: int) -> None:
        """It has made none, and is not asked again: nothing waits for this part any more."""
        ...

    async def ended(self, number: int, status: str) -> None:
        """The batch has ended, and what came of each request is kept."""
        ...

    async def item(self, id: str, state: str, result: Any, files: Sequence[str] = ()) -> None:
        """What came of a request: `done`, `failed`, `not_done`. `files` are on the disk before that is kept."""
        ...

    def parts(self) -> Sequence[PartFacts]:
        """All parts."""
        ...

    def waiting(self, number: int) -> set[str]:
        """The requests of a part that nothing has come of yet."""
        ...

    def find(self, id: str) -> ItemFacts | None:
        """What is known of a request."""
        ...


class MemoryBatchJournal:
    """A journal that ends with the process."""

    outlives = False

    def __init__(self, id: str) -> None:
        self.id = id
        self._parts: dict[int, KeptPart] = {}
        self._items: dict[str, KeptItem] = {}

    async def prepared(self, part: PartFacts, ids: Sequence[str]) -> None:
        """See `BatchJournal`, as with the others."""
        self._parts[part.number] = KeptPart(*(getattr(part, name) for name in KeptPart._fields))
        self._items.update(dict.fromkeys(ids, KeptItem("waiting", part.number, None)))

    async def uploaded(self, number: int, file_id: str) -> None:
        """Its file is uploaded."""
        self._change(number, state="uploaded", file_id=file_id)

    async def submitting(self, number: int) -> None:
        """The vendor is about to be asked."""
        self._change(number, state="submitting")

    async def submitted(self, number: int, batch_id: str) -> None:
        """It has made a batch."""
        self._change(number, state="submitted", batch_id=batch_id)

    async def lost(self, number: int) -> None:
        """It knows no such batch."""
        self._change(number, state="lost")

    async def dropped(self, number: int) -> None:
        """It has made none."""
        self._change(number, state="dropped")
        for id in self.waiting(number):
            del self._items[id]

    async def ended(self, number: int, status: str) -> None:
        """The batch has ended."""
        self._change(number, state="ended")

    async def item(self, id: str, state: str, result: Any, files: Sequence[str] = ()) -> None:
        """What came of a request."""
        self._items[id] = self._items[id]._replace(state=state, result=result)

    def parts(self) -> list[KeptPart]:
        """All parts."""
        return [*self._parts.values()]

    def waiting(self, number: int) -> set[str]:
        """The requests of a part that nothing has come of yet."""
        return {id for id, item in self._items.items() if item.part == number and item.state == "waiting"}

    def find(self, id: str) -> KeptItem | None:
        """What is known of a request."""
        return self._items.get(id)

    def _change(self, number: int, **values: Any) -> None:
        changes: Mapping[str, Any] = values
        self._parts[number] = self._parts[number]._replace(**changes)
