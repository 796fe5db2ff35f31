"""Zhipu AI: CogView at once, GLM-Image as an order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_vendor import running
from image_bench import Bench
from vendor_bench import STEPS, bought, flow_of, printed, told
from zhipu_fake import KEY, LATER, NOW, ZhipuFake

import flowdsl
from flowdsl.step.service import Service
from flowdsl_steps.image.options import ImageOptions
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendors import vendor_named


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[ZhipuFake]:
    monkeypatch.setattr("flowdsl_steps.image.vendors.zhipu._PAUSE_S", 0.0)
    with running(ZhipuFake()) as found:
        yield found


def entry(fake: ZhipuFake | None = None, **settings: Any) -> dict[str, Any]:
    where = {} if fake is None else {"endpoint": fake.url}
    return {"provider": "zhipu", "apiKey": KEY, "model": "cogview-4-250304", **where, **settings}


@pytest.mark.parametrize("step", STEPS)
def test_a_picture_comes_at_once_from_every_image_step(
    step: type[ImageOptions], fake: ZhipuFake, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, entry(fake, watermark=False))
    found = bench.run(step, model=None, size="1024x1024", quality="hd", user="user-0123")
    assert [(image.width, image.height) for image in found["imageList"]] == [(61, 43)]
    assert fake.asked[0].path == NOW
    assert fake.bodies == [
        {
            "model": "cogview-4-250304",
            "prompt": "a lighthouse",
            "size": "1024x1024",
            "quality": "hd",
            "user_id": "user-0123",
            "watermark_enabled": False,
        }
    ]
    assert (found["object"]["finishReason"], found["object"]["cost"]) == ("stop", 0.01)
    assert "usage" not in found["object"]


def test_an_order_is_asked_for_until_it_is_done(fake: ZhipuFake, tmp_path: Path) -> None:
    found = bought(tmp_path, entry(fake, model="glm-image"), n=2)
    assert len(found["imageList"]) == 2
    assert [(each.method, each.path) for each in fake.asked if each.method == "POST"] == [("POST", LATER)] * 2
    assert len(fake.asked) == 2 + 2 * (fake.polls + 1) + 2
    assert found["object"]["requestId"] in ("task-1", "task-2")
    assert found["object"]["cost"] == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("word", "kind", "charged", "said"),
    [
        ("forbidden", flowdsl.ContentRefused, False, "moderation of PICTURES refused the prompt: The system detected"),
        ("crowded", flowdsl.ServiceRateLimited, False, "PICTURES had too many requests (429): High concurrency"),
        ("penniless", flowdsl.ServiceRefused, False, "PICTURES has no quota left (429): Your account is in arrears"),
        ("malformed", flowdsl.ServiceRefused, False, "PICTURES refused the request (400): The parameter is invalid."),
        ("broken", flowdsl.ServiceUnavailable, True, "PICTURES failed with status 500: Internal Error"),
    ],
)
def test_its_errors_mean_what_their_codes_say(
    word: str, kind: type[flowdsl.ServiceError], charged: bool, said: str, fake: ZhipuFake, tmp_path: Path
) -> None:
    with pytest.raises(kind) as caught:
        bought(tmp_path, entry(fake), instruction=f"something {word}")
    assert str(caught.value).startswith(said)
    assert (caught.value.charge_possible, caught.value.attempts) == (charged, 1)


@pytest.mark.parametrize(
    ("word", "kind", "said"),
    [
        ("indecent", flowdsl.ContentRefused, "moderation of PICTURES refused the picture: The generated content"),
        ("doomed", flowdsl.ServiceUnavailable, "PICTURES sent an unusable response: the order failed"),
    ],
)
def test_an_order_that_was_taken_and_failed_may_be_charged(
    word: str, kind: type[flowdsl.ServiceError], said: str, fake: ZhipuFake, tmp_path: Path
) -> None:
    with pytest.raises(kind) as caught:
        bought(tmp_path, entry(fake, model="glm-image"), instruction=f"something {word}")
    assert str(caught.value).startswith(said)
    assert (caught.value.charge_possible, caught.value.request_id) == (True, "task-1")


def test_a_wrong_key_is_told_and_not_shown(fake: ZhipuFake, tmp_path: Path) -> None:
    with pytest.raises(flowdsl.ServiceRefused) as caught:
        bought(tmp_path, entry(fake, apiKey="wrong-key-0123456789"))
    assert str(caught.value) == "PICTURES does not accept the key (401): Authentication Failed [1000]"
    assert "wrong-key" not in f"{caught.value} {caught.value.hint}"


def test_no_output_of_a_run_holds_the_key(fake: ZhipuFake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = printed(tmp_path, capsys, flow_of(entry(fake)), "run", "--json")
    assert KEY not in out + err
    assert json.loads(out)["imageList"][0]["width"] == 61


@pytest.mark.parametrize(
    ("endpoint", "model", "url"),
    [
        (None, "cogview-4", f"https://open.bigmodel.cn{NOW}"),
        ("https://api.z.ai", "glm-image", f"https://api.z.ai{LATER}"),
        ("https://open.bigmodel.cn/", "cogview-4", f"https://open.bigmodel.cn{NOW}"),
        ("https://api.z.ai/api/paas/v4/", "cogview-4", f"https://api.z.ai{NOW}"),
        (f"https://api.z.ai{NOW}", "glm-image", f"https://api.z.ai{LATER}"),
        ("https://proxy.example/zhipu/v4", "cogview-4", "https://proxy.example/zhipu/v4/images/generations"),
    ],
)
def test_an_endpoint_is_taken_in_every_form_that_people_paste(endpoint: str | None, model: str, url: str) -> None:
    settings = {"apiKey": KEY, "model": model, **({"endpoint": endpoint} if endpoint else {})}
    found = vendor_named("zhipu").endpoint(Service("PICTURES", settings), ImageRequest(prompt="a boat"))
    assert (found.url, found.headers) == (url, {"Authorization": f"Bearer {KEY}"})


def test_a_key_of_the_platform_abroad_goes_there() -> None:
    service = Service("PICTURES", {"apiKey": KEY, "model": "glm-image"}, {"apiKey": "environment ZAI_API_KEY"})
    assert vendor_named("zhipu").endpoint(service, ImageRequest()).host == "api.z.ai"


def test_what_it_cannot_take_is_told_at_check() -> None:
    assert told(entry(model="glm-image", options={}), size="1000x1000", background="opaque", user="u1") == [
        (
            "unsupported-value",
            "error",
            "`glm-image` does not accept the size `1000x1000`: 1000 is no multiple of 32",
            "use `1024x1024`; supported: WIDTHxHEIGHT with both a multiple of 32, edges of 1024 to 2048, at most 2:1, "
            "and at most 4,194,304 pixels",
        ),
        ("unsupported-parameter", "error", "`glm-image` has no `background`", "remove it"),
        (
            "unsupported-value",
            "error",
            "`user` has 2 characters, and Zhipu AI takes 6 to 128",
            "send a longer hash or number of the user",
        ),
    ]
    assert told(entry(), quality="high") == [
        (
            "unsupported-value",
            "error",
            "`cogview-4-250304` does not accept `high` as `quality`",
            "supported: `standard` or `hd`",
        )
    ]
    assert told(entry(), size="1024x1024", quality="hd") == []
