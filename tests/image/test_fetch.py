from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from image_pictures import PICTURES
from image_server import Response, plain, tiny

from flowdsl.errors import ServiceUnavailable
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl_steps.http.public_network import is_private_host, is_public, open_fetcher
from flowdsl_steps.image.fetch import fetch
from flowdsl_steps.image.received import LinkedImage

PNG = PICTURES["png"][0]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdsl_steps.image.fetch._PAUSE_S", 0.001)


async def fetched(url: str, folder: Path, allow_private: bool, limit: int = 10_000, timeout_s: float = 5.0) -> Image:
    async with open_fetcher(allow_private) as client:
        link = LinkedImage(url, "A boat", 4600)
        return await fetch(
            client,
            link,
            ImageStore(folder),
            service="PICTURES",
            limit=limit,
            allow_private=allow_private,
            timeout_s=timeout_s,
        )


def from_server(response: Response, folder: Path, **options: Any) -> tuple[Image | ServiceUnavailable, list[bytes]]:
    async def run() -> tuple[Image | ServiceUnavailable, list[bytes]]:
        async with tiny(response) as server:
            try:
                return await fetched(f"{server.url}/x.png", folder, True, **options), server.heads
            except ServiceUnavailable as error:
                return error, server.heads

    return asyncio.run(run())


def test_a_picture_is_fetched_without_credentials_and_stored(tmp_path: Path) -> None:
    image, heads = from_server(plain(PNG), tmp_path)
    assert isinstance(image, Image)
    assert (image.read(), image.revised_prompt, image.url_expires_at) == (PNG, "A boat", 4600)
    assert image.url is not None
    assert image.url.endswith("/x.png")
    assert b"authorization" not in heads[0].lower()


@pytest.mark.parametrize(
    ("response", "problem", "requests"),
    [
        (plain(b"<html>gone</html>"), "what came is not an image: 17 bytes that begin with `<html>gone</html>`", 1),
        (plain(PNG * 200), "the image is larger than the limit of 10000 bytes", 1),
        (
            plain(b"", "302 Found", "location: http://127.0.0.1/\r\n"),
            "it redirects (status 302), which is not followed",
            1,
        ),
        (plain(b"", "404 Not Found"), "status 404", 3),
        (plain(b"", "410 Gone"), "status 410", 1),
        (plain(b"", "503 Busy"), "status 503", 3),
    ],
)
def test_a_picture_that_cannot_be_had_says_why_and_leaves_nothing(
    response: Response, problem: str, requests: int, tmp_path: Path
) -> None:
    error, heads = from_server(response, tmp_path)
    assert isinstance(error, ServiceUnavailable)
    url = str(error.details["url"])
    assert str(error) == f"the picture that PICTURES made cannot be fetched from {url.split('/')[2]}: {problem}"
    assert len(heads) == requests
    assert error.charge_possible
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_server_that_dawdles_is_left(tmp_path: Path) -> None:
    async def hang(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    error, heads = from_server(hang, tmp_path, timeout_s=0.25)
    assert str(error).endswith("not complete within 0.25 s")
    assert len(heads) == 3


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("file:///etc/passwd", "it is not a web address"),
        ("ftp://example.com/x.png", "it is not a web address"),
        ("http://127.0.0.1/x", "127.0.0.1 is a private address"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is a private address"),
        ("http://10.0.0.1/x", "10.0.0.1 is a private address"),
        ("http://[::1]/x", "::1 is a private address"),
        ("http://[::ffff:127.0.0.1]/x", "::ffff:127.0.0.1 is a private address"),
        ("http://localhost/x", "localhost is a private address"),
        ("http://a.localhost/x", "a.localhost is a private address"),
    ],
)
def test_addresses_that_lead_inside_are_refused(url: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailable) as caught:
        asyncio.run(fetched(url, tmp_path, False))
    assert str(caught.value).endswith(f": {problem}")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("0.1.2.3", False),
        ("100.64.0.1", False),
        ("192.168.1.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
    ],
)
def test_an_address_is_checked_by_where_it_leads(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("spelling", ["2130706433", "127.1", "0x7f.1"])
def test_odd_spellings_of_this_machine_are_refused_after_resolving(spelling: str, tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailable, match=r"private address 127\.0\.0\.1|not a canonical"):
        asyncio.run(fetched(f"http://{spelling}/x", tmp_path, False))


def test_a_name_that_resolves_inside_is_refused_before_any_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("10.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    assert asyncio.run(is_private_host("inside.example"))
    with pytest.raises(ServiceUnavailable, match="private address"):
        asyncio.run(fetched("http://inside.example/x", tmp_path, False))


def test_a_private_endpoint_is_known_by_its_address() -> None:
    assert asyncio.run(is_private_host("127.0.0.1"))
    assert asyncio.run(is_private_host("localhost"))
    assert not asyncio.run(is_private_host("8.8.8.8"))


def test_the_proxy_of_the_environment_may_be_private_but_is_never_fetched_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> tuple[Image, bytes]:
        async with tiny(plain(PNG)) as proxy:
            port = proxy.url.rpartition(":")[2]
            monkeypatch.setenv("http_proxy", f"http://localhost:{port}")
            with pytest.raises(ServiceUnavailable, match="localhost is a private address"):
                await fetched(f"http://localhost:{port}/x", tmp_path, False)
            return await fetched("http://pictures.example/x.png", tmp_path, False), proxy.heads[0]

    image, head = asyncio.run(run())
    assert image.read() == PNG
    assert head.startswith(b"GET http://pictures.example/x.png HTTP/1.1")
