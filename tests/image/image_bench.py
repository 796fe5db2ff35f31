"""An image step run on its own, against a server on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from flowdsl.engine.budget import RunBudget
from flowdsl.host import OpenTransport
from flowdsl.image.image import Image
from flowdsl.image.origin import Origin
from flowdsl.image.store import ImageStore
from flowdsl.limits import Limits, Pace, Reservation
from flowdsl.step.service import Service
from flowdsl.step.step import Step, Written
from flowdsl_steps.image.generate import split
from flowdsl_steps.image.openai_image_generation import OpenAIImageGeneration
from flowdsl_steps.image.options import ImageOptions, request_of
from flowdsl_steps.image.vendor import Endpoint
from flowdsl_steps.image.vendors import protocol_of, vendor_of

T = TypeVar("T")


class Ground:
    """A StepContext outside of a run, which keeps what the step emitted."""

    def __init__(self, cls: type[Step], folder: Path, service: Service, given: Mapping[str, Any]) -> None:
        self.step = str(cls.declared["name"])
        self.path = "flow[0]"
        self.flow_context: dict[str, Any] = {}
        self.given = frozenset(given)
        self.outputs: tuple[str, ...] = ()
        self.limits = Limits()
        self.service = service
        self.transport: OpenTransport | None = None
        self.pace: Pace | None = None
        self.store = ImageStore(folder)
        self.emitted: list[str] = []
        self.notes: list[tuple[str, str]] = []
        self.spent: list[float | None] = []
        self.outcomes: list[str] = []
        self.partials: list[tuple[int, Image]] = []
        self.opened: dict[Hashable, Any] = {}
        self.stack = AsyncExitStack()

    def input(self, type: str) -> Any:
        return self.flow_context.get(type)

    def progress(self, text: str, done: int | None = None, total: int | None = None) -> None:
        self.emitted.append(text if done is None else f"{text} {done}/{total}")

    def note(self, code: str, text: str, details: dict[str, Any] | None = None) -> None:
        self.notes.append((code, text))

    async def name_images(self, images: Sequence[Image], origin: Origin) -> None:
        pass

    def spend(self, usd: float | None) -> None:
        self.spent.append(usd)

    async def reserve(self, most_usd: float | None, service: str | None = None) -> Reservation:
        return await RunBudget().reserve(most_usd)

    def share(self, request: Any) -> float:
        return 1.0

    def partial_image(self, request: int, index: int, image: Image) -> None:
        self.partials.append((index, image))

    def finished_image(self, request: int, image: Image, **said: Any) -> None:
        """Tells nobody."""

    def allow(self, **facts: Any) -> None:
        """Everything is allowed."""

    def request_started(self, **said: Any) -> int:
        return len(self.outcomes) + 1

    def request_finished(self, request: int, outcome: str, elapsed_s: float, **said: Any) -> None:
        self.outcomes.append(outcome)

    def paid_before(self, purchase: Any, request: Any = None) -> Any:
        return None

    async def effect(self, key: str, request: Any, perform: Callable[[], Awaitable[T]], **said: Any) -> T:
        return await perform()

    async def resource(self, key: Hashable, open: Callable[[], AbstractAsyncContextManager[T]]) -> T:
        if key not in self.opened:
            self.opened[key] = await self.stack.enter_async_context(open())
        return self.opened[key]  # type: ignore[no-any-return]  # what was opened under this key


class Built(NamedTuple):
    """What would be sent for a step: where to, and the body of each request."""

    endpoint: Endpoint
    bodies: list[dict[str, Any]]

    @property
    def body(self) -> dict[str, Any]:
        """The first body, without how many pictures it asks for."""
        return {key: value for key, value in self.bodies[0].items() if key != "n"}

    @property
    def counts(self) -> tuple[int, ...]:
        """How many pictures each request asks for."""
        return tuple(body.get("n", 1) for body in self.bodies)


def built_for(step: ImageOptions, ground: Ground) -> Built:
    """What the step would send, made and not sent."""
    request, protocol = request_of(step, ground), protocol_of(ground.service)
    endpoint = protocol.endpoint(ground.service, request)
    parts = split(request, vendor_of(ground.service), endpoint)
    contents = [protocol.encode(part, endpoint).content for part in parts]
    return Built(endpoint, [json.loads(content) for content in contents if isinstance(content, bytes)])


class Bench:
    """Runs image steps; `ground` is the context of the last one."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], name: str = "PICTURES") -> None:
        self.folder = folder
        self.service = Service(name, settings)
        self.ground: Ground

    async def arun(self, cls: type[ImageOptions] = OpenAIImageGeneration, **options: Any) -> dict[str, Any]:
        given = {"model": "gpt-image-2", "instruction": "a lighthouse", **options}
        given = {key: value for key, value in given.items() if value is not None}
        self.ground = ground = Ground(cls, self.folder, self.service, given)
        async with ground.stack:
            written: Written = await cls.model_validate(given).run(ground)
        assert written is not None
        return dict(written)

    def run(self, cls: type[ImageOptions] = OpenAIImageGeneration, **options: Any) -> dict[str, Any]:
        return asyncio.run(self.arun(cls, **options))

    def leftovers(self) -> list[str]:
        """Files of the store that are not finished pictures."""
        return [path.name for path in self.folder.rglob("*") if path.is_file() and path.name.startswith(".")]
