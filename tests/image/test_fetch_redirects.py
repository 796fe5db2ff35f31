from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
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
