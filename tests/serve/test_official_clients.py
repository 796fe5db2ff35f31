"""OpenAI's client for Python: what it asks for in all its ways, and the class of error that each refusal is to it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from contextlib import suppress

import openai
import pytest
from gateways import Running, running_gateway
from PIL import Image
from refused_calls import CALLS, RIGHT, Refused, keys, patched


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, dict[str, str]]]:
    """A gateway, and the keys for it."""
    folder = tmp_path_factory.mktemp("clients")
    known = keys(folder)
    with running_gateway(folder) as found:
        yield found, known


@pytest.mark.parametrize("refused", CALLS, ids=[f"{each.status} {each.code}" for each in CALLS])
def test_a_refusal_is_the_error_of_its_class(
    guarded: tuple[Running, dict[str, str]], refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, known = guarded
    client = gateway.client(api_key=known[refused.token])
    headers = {} if refused.idempotency_key is None else {"Idempotency-Key": refused.idempotency_key}
    if refused.first is not None:
        with suppress(openai.BadRequestError):
            client.images.generate(**refused.first, extra_headers=headers)
    patched(refused, monkeypatch)
    before = gateway.bought
    with pytest.raises(openai.APIStatusError) as caught:
        client.images.generate(**refused.body, extra_headers=headers)
    error = caught.value
    assert (type(error).__name__, error.status_code) == (refused.error, refused.status)
    assert (error.param, error.code) == (refused.param, refused.code)
    assert error.type and error.request_id and gateway.bought == before


def test_the_async_client_makes_streams_and_edits(guarded: tuple[Running, dict[str, str]]) -> None:
    gateway, known = guarded
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")

    async def asked() -> list[int]:
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=known["open"], max_retries=0) as client:
            made = await client.images.generate(**RIGHT, n=2)
            stream = await client.images.generate(**RIGHT, stream=True, partial_images=1)
            events = [event async for event in stream]
            edited = await client.images.edit(image=[("a.png", file.getvalue(), "image/png")], **RIGHT)
            return [len(made.data or ()), len(events), len(edited.data or ())]

    assert asyncio.run(asked()) == [2, 2, 1]
