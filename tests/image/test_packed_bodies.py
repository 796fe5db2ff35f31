"""Bodies that are packed, and unpack to more than anybody wants."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import tracemalloc
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from image_bench import Bench
from image_pictures import PICTURES
from image_server import plain, tiny

from flowdsl.errors import ServiceError
from flowdsl.image.store import ImageStore
from flowdsl_steps.http.public_network import open_fetcher
from flowdsl_steps.image.fetch import fetch
from flowdsl_steps.image.received import LinkedImage

PNG = PICTURES["png"][0]
MOST = 40_000_000
"""Bytes of memory that reading a bomb may take."""

PACKED = {
    "a bomb": ("gzip", 1),
    "packed twice": ("gzip, gzip", 2),
    "packed twice in two ways": ("deflate, gzip", 2),
    "brotli": ("br", 1),
    "zstd": ("zstd", 1),
    "gzip and brotli": ("gzip, br", 1),
}


@cache
def bomb(times: int) -> bytes:
    """What unpacks to 200 MB, packed so many times."""
    return gzip.compress(b"a" * 200_000_000 if times == 1 else bomb(times - 1), mtime=0)


def packed(kind: str, status: str = "200 OK") -> Any:
    encoding, times = PACKED[kind]
    return plain(bomb(times), status, f"content-encoding: {encoding}\r\ncontent-type: application/json\r\n")


@pytest.mark.long
@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
def test_a_response_that_unpacks_to_too_much_takes_no_memory(kind: str, status: str, tmp_path: Path) -> None:
    response = packed(kind, status)

    async def run() -> ServiceError:
        async with tiny(response) as server:
            with pytest.raises(ServiceError) as caught:
                await Bench(tmp_path, {"provider": "openai", "endpoint": server.url}).arun(maxRetries=0)
            return caught.value

    tracemalloc.start()
    try:
        error = asyncio.run(run())
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    assert error.charge_possible is (status == "200 OK")
    if status == "200 OK" and kind != "a bomb":
        assert f"it is packed as '{PACKED[kind][0]}', which was not asked for" in error.message


@pytest.mark.long
@pytest.mark.parametrize("kind", PACKED)
def test_a_linked_picture_that_unpacks_to_too_much_takes_no_memory(kind: str, tmp_path: Path) -> None:
    response = packed(kind)

    async def run() -> ServiceError:
        async with tiny(response) as server, open_fetcher(True) as client:
            with pytest.raises(ServiceError) as caught:
                link = LinkedImage(server.url, None, None)
                store = ImageStore(tmp_path)
                await fetch(client, link, store, service="PICTURES", limit=1_000_000, allow_private=True)
            return caught.value

    tracemalloc.start()
    try:
        error = asyncio.run(run())
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    assert error.charge_possible
    assert list(tmp_path.iterdir()) == []


def test_a_response_that_is_packed_once_is_read(tmp_path: Path) -> None:
    body = gzip.compress(json.dumps({"data": [{"b64_json": base64.b64encode(PNG).decode()}]}).encode())

    async def run() -> bytes:
        async with tiny(plain(body, headers="content-encoding: gzip\r\n")) as server:
            found = await Bench(tmp_path, {"provider": "openai", "endpoint": server.url}).arun()
            content: bytes = found["imageList"][0].read()
            return content

    assert asyncio.run(run()) == PNG


def test_a_reason_that_is_packed_is_read(tmp_path: Path) -> None:
    body = gzip.compress(b'{"error": {"message": "size is odd"}}')

    async def run() -> str:
        async with tiny(plain(body, "400 Bad Request", "content-encoding: gzip\r\n")) as server:
            with pytest.raises(ServiceError) as caught:
                await Bench(tmp_path, {"provider": "openai", "endpoint": server.url}).arun()
            return caught.value.message

    assert asyncio.run(run()) == "PICTURES refused the request (400): size is odd"
