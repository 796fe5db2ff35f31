"""Black Forest Labs: an order, and questions for it where the response says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bfl_fake import KEY, BlackForestLabsFake
from fake_vendor import running
from vendor_bench import bought, told

import flowdsl
from flowdsl.step.service import Service
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendors import vendor_named


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[BlackForestLabsFake]:
    monkeypatch.setattr("flowdsl_steps.image.vendors.bfl._PAUSE_S", 0.0)
    with running(BlackForestLabsFake(polls=2)) as found:
        yield found


def entry(fake: BlackForestLabsFake | None = None, **settings: Any) -> dict[str, Any]:
    where = {} if fake is None else {"endpoint": fake.url}
    return {"provider": "bfl", "apiKey": KEY, "model": "flux-2-pro", **where, **settings}


def test_an_order_is_asked_for_where_its_response_says(fake: BlackForestLabsFake, tmp_path: Path) -> None:
    found = bought(tmp_path, entry(fake), size="1024x768", seed=7, output_format="png")
    assert [(image.width, image.height) for image in found["imageList"]] == [(61, 43)]
    assert fake.asked[0].path == "/v1/flux-2-pro"
    assert fake.bodies == [{"prompt": "a lighthouse", "output_format": "png", "seed": 7, "width": 1024, "height": 768}]
    assert [each.target for each in fake.asked[1:4]] == ["/v1/get_result?id=order-1"] * 3
    assert (found["object"]["requestId"], found["object"]["cost"]) == ("order-1", pytest.approx(0.03))


@pytest.mark.parametrize(
    ("word", "kind", "charged", "said"),
    [
        ("forbidden", flowdsl.ContentRefused, False, "moderation of PICTURES refused the prompt (Safety Filter): the"),
        ("indecent", flowdsl.ContentRefused, True, "moderation of PICTURES refused the picture (Safety Filter): the"),
        ("doomed", flowdsl.ServiceUnavailable, True, "PICTURES sent an unusable response: the order failed: the order"),
        ("lost", flowdsl.ServiceUnavailable, True, "PICTURES sent an unusable response: the order failed: the order"),
        ("crowded", flowdsl.ServiceRateLimited, False, "PICTURES had too many requests (429): Too many active tasks"),
        ("penniless", flowdsl.ServiceRefused, False, "PICTURES has no quota left (402): Insufficient credits"),
        ("malformed", flowdsl.ServiceRefused, False, "PICTURES refused the request (422): not a multiple of 32"),
    ],
)
def test_how_an_order_ends_is_told(
    word: str, kind: type[flowdsl.ServiceError], charged: bool, said: str, fake: BlackForestLabsFake, tmp_path: Path
) -> None:
    with pytest.raises(kind) as caught:
        bought(tmp_path, entry(fake), instruction=f"something {word}")
    assert str(caught.value).startswith(said)
    assert caught.value.charge_possible is charged


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (None, "https://api.bfl.ai/v1/flux-2-pro"),
        ("https://api.eu.bfl.ai/v1/", "https://api.eu.bfl.ai/v1/flux-2-pro"),
        ("https://api.us.bfl.ai", "https://api.us.bfl.ai/v1/flux-2-pro"),
    ],
)
def test_where_an_order_goes(endpoint: str | None, url: str) -> None:
    settings = {"apiKey": KEY, "model": "flux-2-pro", **({"endpoint": endpoint} if endpoint else {})}
    found = vendor_named("bfl").endpoint(Service("PICTURES", settings), ImageRequest())
    assert (found.url, found.headers) == (url, {"x-key": KEY})


def test_what_it_cannot_take_is_told_at_check() -> None:
    assert told(entry(model="flux-pro-1.1"), size="1000x1000", output_format="webp") == [
        (
            "unsupported-value",
            "error",
            "`flux-pro-1.1` does not accept the size `1000x1000`: 1000 is no multiple of 32",
            "use `992x992`; supported: WIDTHxHEIGHT with both a multiple of 32 and edges of 256 to 1440",
        ),
        (
            "unsupported-value",
            "error",
            "`flux-pro-1.1` does not accept `webp` as `output_format`",
            "supported: `jpeg` or `png`",
        ),
    ]
