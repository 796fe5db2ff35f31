"""What a request for pictures needs around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from flowdsl.image.origin import Origin
from flowdsl.image.store import Image, ImageStore
from flowdsl.step.service import Service

if TYPE_CHECKING:
    from flowdsl import Limits, Reservation

T = TypeVar("T")


class Ground(Protocol):
    """What a request needs around it. The context of a step is one."""

    @property
    def service(self) -> Service:
        """The service entry, merged and resolved."""
        ...

    @property
    def store(self) -> ImageStore:
        """Where image bytes go."""
        ...

    @property
    def limits(self) -> Limits:
        """How much may be taken."""
        ...

    def progress(self, text: str, done: int | None = None, total: int | None = None) -> None:
        """Hears that something happens."""
        ...

    def note(self, code: str, text: str, details: dict[str, Any] | None = None) -> None:
        """Hears what somebody should know."""
        ...

    async def name_images(self, images: Sequence[Image], origin: Origin) -> None:
        """Gives pictures their files, in this order; what is said without pictures is said of all that come."""
        ...

    def spend(self, usd: float | None) -> None:
        """Hears what was paid; None is an unknown sum."""
        ...

    def reserve(self, most_usd: float | None) -> Reservation:
        """Sets a paid request aside from what may be spent."""
        ...

    def partial_image(self, request: int, index: int, image: Image) -> None:
        """Hears of an unfinished picture of a request that came."""
        ...

    def request_started(
        self, *, service: str, vendor: str, model: str | None, images: int, most_usd: float | None
    ) -> int:
        """Hears, before anything is sent, of a paid request; gives its number."""
        ...

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
        """Hears what became of it."""
        ...

    def paid_before(self, request: Any) -> Any:
        """The result of an equal request that was paid for before a repetition; None when there is none."""
        ...

    async def effect(self, key: str, request: Any, perform: Callable[[], Awaitable[T]]) -> T:
        """Does what is paid, unless a recording has it."""
        ...

    async def resource(self, key: Hashable, open: Callable[[], AbstractAsyncContextManager[T]]) -> T:
        """A thing that all requests share, opened once."""
        ...
