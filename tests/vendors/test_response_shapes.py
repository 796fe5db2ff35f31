"""A response has been paid for, whatever stands in it: it is read or refused, and never ends a run with a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_vendor import PICTURE_B64
from response_shapes import SHAPES, mangled
from vendor_cases import CASES

from flowdsl.image.store import ImageStore
from flowdsl_steps.image.received import BrokenResponse
from flowdsl_steps.image.stated_prices import sum_in_usd
from flowdsl_steps.image.vendor import Endpoint, Head
from flowdsl_steps.image.vendors import vendor_named

_URLS = {
    "dashscope": "https://a.example/api/v1/services/aigc/text2image/image-synthesis",
    "huggingface": "https://a.example/replicate/v1/models/m/predictions",
}
_JSON = {"content-type": "application/json"}


def _read(name: str, document: Any, store: ImageStore) -> str:
    """What a vendor makes of a response: the exception that nobody expects, or nothing."""
    vendor, body = vendor_named(name), json.dumps(document).encode()
    endpoint = Endpoint("S", _URLS.get(name, "https://a.example/v1/images/generations"), {}, "m", "m")
    reader = vendor.decode(Head(status=200, headers=_JSON), store, 10**6)
    try:
        try:
            reader.feed(body)
            received = reader.finish()
            vendor.next(received, endpoint)
            usd = sum_in_usd(received.cost_usd)
            assert usd is None or float(usd) >= 0
        except BrokenResponse as broken:
            if broken.payload is not None:
                vendor.failure(Head(status=200, headers=_JSON), broken.payload)
            reader.salvage()
        vendor.failure(Head(status=429, headers=_JSON), body)
    except Exception as error:  # noqa: BLE001  that there is none is what is tested
        return f"{type(error).__name__}: {error} for {document!r}"
    finally:
        reader.abort()
    return ""


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_response_with_anything_in_place_of_its_parts_is_read_or_refused(name: str, tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    store.prepare()
    odd = [document for whole in SHAPES[name] for document in mangled(whole)]
    assert [said for document in odd if (said := _read(name, document, store))] == []


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("bedrock", {"images": [PICTURE_B64, None]}),
        (
            "gemini",
            {
                "candidates": [
                    {"content": {"parts": [{"inlineData": {"data": data}} for data in (PICTURE_B64, "A*AA")]}}
                ]
            },
        ),
    ],
)
def test_a_good_picture_before_a_broken_one_is_kept(name: str, payload: Any, tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    store.prepare()
    reader = vendor_named(name).decode(Head(status=200, headers=_JSON), store, 10**6)
    reader.feed(json.dumps(payload).encode())
    with pytest.raises(BrokenResponse) as caught:
        reader.finish()
    assert [(image.width, image.height) for image in caught.value.images] == [(61, 43)]
