"""A picture is served whole, in part, or not again to whoever has it, as HTTP has it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from gateways import SMALL, Running


@pytest.fixture(scope="module")
def address(gateway: Running) -> Iterator[str]:
    """That of a picture."""
    yield gateway.post({**SMALL, "prompt": "A kite", "response_format": "url"}).json()["data"][0]["url"]


@pytest.mark.parametrize("named, part", [("0-3", slice(0, 4)), ("-5", slice(-5, None)), ("7-", slice(7, None))])
def test_a_part_of_a_picture(address: str, named: str, part: slice) -> None:
    whole, found = httpx.get(address), httpx.get(address, headers={"Range": f"bytes={named}"})
    assert (found.status_code, found.content) == (206, whole.content[part])
    assert httpx.get(address, headers={"Range": "bytes=99999999-"}).status_code == 416


@pytest.mark.parametrize(
    "named", ["lines=1-2", "bytes=5-1", "bytes=abc", "bytes=", "bytes", "bytes=0-1,3-4", f"bytes={'9' * 5000}-"]
)
def test_what_names_no_part_counts_as_nothing(address: str, named: str) -> None:
    found = httpx.get(address, headers={"Range": named})
    assert (found.status_code, found.headers["content-type"]) == (200, "image/png") and found.content[:4] == b"\x89PNG"


def test_who_has_a_picture_is_not_sent_it_again(address: str) -> None:
    tag = httpx.get(address).headers["etag"]
    for named in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        found = httpx.get(address, headers={"If-None-Match": named})
        assert (found.status_code, found.content, found.headers["etag"]) == (304, b"", tag)
    assert httpx.get(address, headers={"If-None-Match": '"other"'}).status_code == 200
    assert httpx.get(address, headers={"If-Range": tag, "Range": "bytes=0-3"}).status_code == 206
