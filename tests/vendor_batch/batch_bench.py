"""What the tests of batches share: a flow, an account at the simulator, and quick pauses."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx

from flowdsl import Environment, Flow, Storage
from flowdsl.image.store import ImageStore
from flowdsl.step.service import Service
from flowdsl_steps.http.transport import open_client
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.vendor_batch.api import BatchApi
from flowdsl_steps.image.vendor_batch.files import BatchRequest, base_of
from flowdsl_steps.image.vendor_batch.journal import BatchJournal
from flowdsl_steps.image.vendor_batch.vendor_batch import Pauses, VendorBatch
from flowdsl_steps.image.vendors.openai import VENDOR

QUICK = Pauses(0.02, 0.05, (0.01, 0.02))
CARD = """\
inputs: {name: {type: string}}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: "A card for {{ inputs.name }}"
    size: 1024x1024
    quality: low
outputs: {card: "{{ flowContext.imageList }}"}
"""


def flow_of(simulator: Simulator, folder: Path, text: str = CARD, key: str | None = None) -> Flow:
    """A flow whose pictures come from the simulator."""
    environ = {"OPENAI_BASE_URL": simulator.openai_base_url, "OPENAI_API_KEY": key or simulator.key}
    environment = Environment(environ=environ, storage=Storage(images=folder), settings=None)
    return environment.load(text)


def service_at(url: str, key: str = "sk-simulated") -> Service:
    """The service of the simulator."""
    return Service("openai", {"endpoint": url, "apiKey": key, "provider": "openai"})


def request_of(id: str, url: str, prompt: str | None = None, **options: Any) -> BatchRequest:
    """A request for a small picture."""
    given = {"size": "1024x1024", "quality": "low", "model": "gpt-image-2", **options}
    request = ImageRequest(prompt=prompt or f"Picture {id}", **given)
    return BatchRequest(id, request, VENDOR, VENDOR.endpoint(service_at(url), request))


@contextlib.asynccontextmanager
async def account(
    simulator: Simulator, journal: BatchJournal, folder: Path, pauses: Pauses = QUICK
) -> AsyncIterator[VendorBatch]:
    """What sends the batches of a journal to the simulator."""
    async with open_client() as client:
        yield batch_of(client, simulator, journal, folder, pauses)


def batch_of(
    client: httpx.AsyncClient, simulator: Simulator, journal: BatchJournal, folder: Path, pauses: Pauses = QUICK
) -> VendorBatch:
    """The same with a client that is open."""
    endpoint = request_of("a", simulator.openai_base_url).endpoint
    api = BatchApi(client, VENDOR, endpoint, base_of(endpoint))
    store = ImageStore(folder)
    return VendorBatch(api, VENDOR, endpoint, journal, store, image_bytes=50_000_000, pauses=pauses)


async def until(holds: Callable[[], object]) -> None:
    """Returns when something holds that happens elsewhere."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def bought(simulator: Simulator) -> Counter[str]:
    """How often the vendor drew, and bills, each prompt."""
    done = (each for each in simulator.requests if each.is_generation and each.status == 200)
    return Counter(str(dict(each.json)["prompt"]) for each in done)  # type: ignore[call-overload]
