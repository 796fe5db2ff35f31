from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from image_pictures import PICTURES
from image_told import order, told
from web_server import Web, response

from flowdsl.errors import ServiceUnavailable
from flowdsl.image.store import ImageStore
from flowdsl_steps.http.public_network import open_fetcher
from flowdsl_steps.image.fetch import fetch
from flowdsl_steps.image.received import LinkedImage


def test_a_picture_that_redirects_to_no_web_address_is_left(tmp_path: Path) -> None:
    async def run(url: str) -> None:
        async with open_fetcher(allow_private=True) as client:
            link = LinkedImage(url, None, None)
            await fetch(client, link, ImageStore(tmp_path), service="S", limit=100, allow_private=True)

    with Web(response(b"", "302 Found", "location: javascript:alert(1)\r\n")) as web:
        with pytest.raises(ServiceUnavailable) as caught:
            asyncio.run(run(web.url))
        assert len(web.seen) == 1
    assert str(caught.value).endswith(": it redirects to something that is not a web address, which is not followed")


@pytest.mark.parametrize(
    "location",
    ["http://10.0.0.1:80/b", "//10.0.0.1:80/b", "http://10.0.0.1/b#c"],
    ids=["the port that http has", "without a scheme", "no port"],
)
def test_the_port_that_is_meant_anyway_is_no_other_host(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> bytes:
        async with open_fetcher(allow_private=True) as client:
            link = LinkedImage("http://10.0.0.1/a", None, None)
            found = await fetch(client, link, ImageStore(tmp_path), service="S", limit=1000, allow_private=True)
            return found.read()

    png = PICTURES["png"][0]
    with Web(response(b"", "302 Found", f"location: {location}\r\n"), response(png)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert asyncio.run(run()) == png
        assert [seen.target.rpartition("/")[2] for seen in proxy.seen] == ["a", "b"]


@pytest.mark.parametrize(
    ("expires_at", "text"),
    [
        (None, "its address: http://"),
        (1795705200, "its address lives until 2026-11-26 15:00 UTC: http://"),
        (10**30, "its address: http://"),
    ],
    ids=["not known", "known", "no time"],
)
def test_how_long_an_address_lives_is_said_where_it_is_known(expires_at: int | None, text: str, tmp_path: Path) -> None:
    async def run(url: str) -> None:
        async with open_fetcher(allow_private=True) as client:
            link = LinkedImage(url, None, expires_at)
            await fetch(client, link, ImageStore(tmp_path), service="S", limit=100, allow_private=True)

    with Web(response(b"", "410 Gone")) as web, pytest.raises(ServiceUnavailable) as caught:
        asyncio.run(run(web.url))
    assert text in str(caught.value.hint)


@pytest.mark.parametrize("link", ["#a", "?", "?#", "?b=1", "i.png", "/i.png"])
def test_a_link_that_is_relative_to_the_endpoint_has_no_key_of_its_query(link: str, tmp_path: Path) -> None:
    with Web(order({"url": link}), response(b"", "410 Gone")) as web:
        found = told(tmp_path, web, endpoint=f"{web.url}/v1?code=the-key-0123456789")
    assert [seen.target for seen in web.seen if "the-key" in seen.target] == [
        "/v1/images/generations?code=the-key-0123456789"
    ]
    assert found.error is not None and "the-key" not in f"{found.error} {found.error.hint} {found.error.to_dict()}"
