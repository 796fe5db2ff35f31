"""DashScope: orders of two forms, and responses at once, by the model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashscope_fake import AT_ONCE, KEY, NEW, OLD, DashScopeFake
from fake_vendor import SOON, Reply, running
from vendor_bench import bought, told

import flowdsl
from flowdsl.step.service import Service
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendors import vendor_named


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[DashScopeFake]:
    monkeypatch.setattr("flowdsl_steps.image.vendors.dashscope._PAUSE_S", 0.0)
    with running(DashScopeFake()) as found:
        yield found


def entry(fake: DashScopeFake | None = None, **settings: Any) -> dict[str, Any]:
    where = {} if fake is None else {"endpoint": fake.url}
    return {"provider": "dashscope", "apiKey": KEY, "model": "wan2.6-t2i", **where, **settings}


@pytest.mark.parametrize(
    ("model", "path", "asked"),
    [
        ("wan2.2-t2i-plus", OLD, {"prompt": "a lighthouse"}),
        ("wan2.6-t2i", NEW, {"messages": [{"role": "user", "content": [{"text": "a lighthouse"}]}]}),
        ("qwen-image-2.0", AT_ONCE, {"messages": [{"role": "user", "content": [{"text": "a lighthouse"}]}]}),
    ],
)
def test_a_model_is_asked_in_its_own_protocol(
    model: str, path: str, asked: Any, fake: DashScopeFake, tmp_path: Path
) -> None:
    settings = {"watermark": False, "promptExtend": True, "workspaceId": "llm-1"}
    found = bought(tmp_path, entry(fake, model=model, **settings), size="1280x1280", seed=7, n=2)
    assert len(found["imageList"]) == 2
    first = fake.asked[0]
    assert (first.path, first.headers["x-dashscope-workspace"]) == (path, "llm-1")
    parameters = {"n": 2, "watermark": False, "prompt_extend": True, "size": "1280*1280", "seed": 7}
    assert fake.bodies == [{"model": model, "input": asked, "parameters": parameters}]
    questions = [each.path for each in fake.asked if "/tasks/" in each.path]
    assert questions == ([] if path == AT_ONCE else ["/api/v1/tasks/task-1"] * (fake.polls + 1))
    assert found["object"]["requestId"] == ("r-4" if path == AT_ONCE else "task-1")


def test_five_pictures_are_two_orders_and_each_is_paid(fake: DashScopeFake, tmp_path: Path) -> None:
    found = bought(tmp_path, entry(fake), n=5)
    assert len(found["imageList"]) == 5
    assert sorted(body["parameters"]["n"] for body in fake.bodies) == [1, 4]
    assert found["object"]["cost"] == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("word", "kind", "charged", "retryable", "said"),
    [
        (
            "forbidden",
            flowdsl.ContentRefused,
            False,
            False,
            "moderation of PICTURES refused the prompt: Input data may",
        ),
        ("crowded", flowdsl.ServiceRateLimited, False, True, "PICTURES had too many requests (429): Requests rate"),
        ("penniless", flowdsl.ServiceRefused, False, False, "PICTURES has no quota left (400): Access denied"),
        ("malformed", flowdsl.ServiceRefused, False, False, "PICTURES refused the request (400): size is invalid"),
        ("broken", flowdsl.ServiceUnavailable, True, False, "PICTURES failed with status 500: An internal error"),
        ("hidden", flowdsl.ServiceRefused, False, False, "PICTURES made no picture: the model is not there"),
        ("shy", flowdsl.ServiceRefused, False, True, "PICTURES made no picture: Requests throttling triggered."),
    ],
)
@pytest.mark.parametrize("model", ["wan2.5-t2i-preview", "qwen-image-2.0"])
def test_its_errors_mean_what_their_codes_say(
    model: str,
    word: str,
    kind: type[flowdsl.ServiceError],
    charged: bool,
    retryable: bool,
    said: str,
    fake: DashScopeFake,
    tmp_path: Path,
) -> None:
    with pytest.raises(kind) as caught:
        bought(tmp_path, entry(fake, model=model), instruction=f"something {word}")
    assert str(caught.value).startswith(said)
    assert (caught.value.charge_possible, caught.value.retryable) == (charged, retryable)


@pytest.mark.parametrize(
    ("word", "kind", "charged", "said"),
    [
        ("indecent", flowdsl.ContentRefused, False, "moderation of PICTURES refused the picture: Output data may"),
        ("doomed", flowdsl.ServiceRefused, False, "PICTURES made no picture: The image generation timed out."),
        ("called off", flowdsl.ServiceRefused, False, "PICTURES made no picture: the order ended as CANCELED"),
        ("forgotten", flowdsl.ServiceUnavailable, True, "PICTURES sent an unusable response: the order failed"),
    ],
)
@pytest.mark.parametrize("model", ["wan2.5-t2i-preview", "wan2.6-t2i"])
def test_an_order_that_failed_is_not_billed_and_one_that_is_lost_may_be(
    model: str,
    word: str,
    kind: type[flowdsl.ServiceError],
    charged: bool,
    said: str,
    fake: DashScopeFake,
    tmp_path: Path,
) -> None:
    with pytest.raises(kind) as caught:
        bought(tmp_path, entry(fake, model=model), instruction=f"something {word}")
    assert str(caught.value).startswith(said)
    assert (caught.value.charge_possible, caught.value.request_id) == (charged, "task-1")


@pytest.mark.parametrize("busy", [200, 429])
def test_a_question_for_an_order_that_is_throttled_is_asked_again_and_no_second_order_is_placed(
    busy: int, fake: DashScopeFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, said = fake.result, {"code": "Throttling.RateQuota", "message": "Too many.", "request_id": "r-0"}
    replies = iter([Reply(said, busy, SOON)])
    monkeypatch.setattr(fake, "result", lambda name: next(replies, None) or result(name))
    found = bought(tmp_path, entry(fake), maxRetries=3)
    assert (len(found["imageList"]), len(fake.bodies), found["object"]["attemptCount"]) == (1, 1, 1)


def test_an_account_that_is_empty_when_an_order_is_asked_for_leaves_the_order_told_as_paid(
    fake: DashScopeFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"code": "Arrearage", "message": "Access denied.", "request_id": "r-0"}
    monkeypatch.setattr(fake, "result", lambda name: Reply(said, 400))
    with pytest.raises(flowdsl.ServiceError) as caught:
        bought(tmp_path, entry(fake), maxRetries=3)
    assert (caught.value.charge_possible, caught.value.request_id, len(fake.bodies)) == (True, "task-1", 1)
    assert "/tasks/task-1" in str(caught.value.hint)


def test_a_response_with_pictures_is_not_asked_for_again_because_one_of_them_was_throttled(
    fake: DashScopeFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = [{"url": f"{fake.url}/pictures/1.png"}, {"code": "Throttling", "message": "Too many."}]
    done = {"output": {"results": results}, "request_id": "r-0"}  # no order: all at once
    monkeypatch.setattr(fake, "result", lambda name: Reply(done))
    with pytest.raises(flowdsl.ServiceError) as caught:
        bought(tmp_path, entry(fake, model="wan2.5-t2i-preview"), n=2, maxRetries=3)
    assert (caught.value.charge_possible, len(caught.value.details["images"]), len(fake.bodies)) == (True, 1, 1)


def test_pictures_of_an_order_that_failed_in_part_are_kept(fake: DashScopeFake, tmp_path: Path) -> None:
    with pytest.raises(flowdsl.ServiceError) as caught:
        bought(tmp_path, entry(fake, model="wan2.5-t2i-preview"), instruction="half of it", n=3)
    assert len(caught.value.details["images"]) == 2
    assert caught.value.charge_possible
    assert "The image generation timed out." in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "root"),
    [
        (None, "https://dashscope-intl.aliyuncs.com/api/v1"),
        ("https://dashscope.aliyuncs.com/api/v1/", "https://dashscope.aliyuncs.com/api/v1"),
        ("https://ws1.ap-southeast-1.maas.aliyuncs.com", "https://ws1.ap-southeast-1.maas.aliyuncs.com/api/v1"),
        ("https://dashscope-us.aliyuncs.com/compatible-mode/v1", "https://dashscope-us.aliyuncs.com/api/v1"),
        (f"https://dashscope.aliyuncs.com{OLD}", "https://dashscope.aliyuncs.com/api/v1"),
    ],
)
def test_an_endpoint_is_taken_in_every_form_that_people_paste(endpoint: str | None, root: str) -> None:
    settings = {"apiKey": KEY, "model": "wan2.6-t2i", **({"endpoint": endpoint} if endpoint else {})}
    found = vendor_named("dashscope").endpoint(Service("PICTURES", settings), ImageRequest())
    assert found.url == f"{root}/services/aigc/image-generation/generation"
    assert bool(found.notes) is ("compatible-mode" in (endpoint or ""))


def test_what_it_cannot_take_is_told_at_check() -> None:
    assert told(entry(), size="1024x1024", quality="hd", seed=2**31) == [
        (
            "unsupported-value",
            "error",
            "`wan2.6-t2i` does not accept the size `1024x1024`: it has 1,048,576 pixels, fewer than 1,638,400",
            "use `1280x1280`; supported: WIDTHxHEIGHT with at most 4:1 and 1,638,400 to 2,073,600 pixels",
        ),
        ("unsupported-parameter", "error", "`wan2.6-t2i` has no `quality`", "remove it"),
        (
            "unsupported-value",
            "error",
            "DashScope takes no `seed` above 2,147,483,647: it is `2147483648`",
            "write a smaller one",
        ),
    ]
    assert told(entry(model="qwen-image-2.0", limits="api"), size="1024x1024", seed=1, n=6) == []
