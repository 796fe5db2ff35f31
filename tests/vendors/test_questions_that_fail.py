"""Vendors that make pictures later, and whatever goes wrong when they are asked for one: what was ordered may be made
and billed nevertheless, and whoever reads the error finds the order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import bfl_fake
import dashscope_fake
import huggingface_fake
import mistral_fake
import pytest
import zhipu_fake
from fake_vendor import Asked, Fake, Reply, running
from vendor_bench import bought

import flowdsl

pytestmark = pytest.mark.long
_LATER = ("bfl", "dashscope", "huggingface", "zhipu")


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdsl_steps.http.pause._FIRST_DELAY_S", 0.001)
    for name in _LATER:
        monkeypatch.setattr(f"flowdsl_steps.image.vendors.{name}._PAUSE_S", 0.0)


class Ordered(NamedTuple):
    """A vendor that takes an order: its fake, its service entry, and what the order is called."""

    fake: Callable[[], Fake]
    entry: Mapping[str, Any]
    order: str


def _partner(name: str, order: str) -> Ordered:
    names = {"partner": name, "partnerModel": huggingface_fake.NAMES[name], "model": huggingface_fake.MODEL}
    entry = {"provider": "huggingface", "apiKey": huggingface_fake.KEY, **names}
    return Ordered(huggingface_fake.HuggingFaceFake, entry, order)


def _dashscope(model: str) -> Ordered:
    entry = {"provider": "dashscope", "apiKey": dashscope_fake.KEY, "model": model}
    return Ordered(dashscope_fake.DashScopeFake, entry, "task-1")


class _SlowReplicate(huggingface_fake.HuggingFaceFake):
    """Replicate, which is not done within the minute that it waits."""

    def begun(self, partner: str) -> Reply:
        self.prompt = "slow"
        return super().begun(partner)


ORDERED: dict[str, Ordered] = {
    "bfl": Ordered(
        bfl_fake.BlackForestLabsFake,
        {"provider": "bfl", "apiKey": bfl_fake.KEY, "model": "flux-pro-1.1"},
        "order-1",
    ),
    "dashscope old": _dashscope("wan2.5-t2i-preview"),
    "dashscope new": _dashscope("wan2.6-t2i"),
    "mistral": Ordered(
        mistral_fake.MistralFake,
        {"provider": "mistral", "apiKey": mistral_fake.KEY, "model": "mistral-medium-latest"},
        "conv_1",
    ),
    "zhipu": Ordered(
        zhipu_fake.ZhipuFake, {"provider": "zhipu", "apiKey": zhipu_fake.KEY, "model": "glm-image"}, "task-1"
    ),
    "replicate": _partner("replicate", "r-1")._replace(fake=_SlowReplicate),
    "wavespeed": _partner("wavespeed", "w-1"),
    "zai-org": _partner("zai-org", "z-1"),
}
FAULTS: dict[str, Reply] = {
    "the key is not accepted": Reply({"code": "InvalidApiKey", "message": "Invalid API-key provided."}, 401),
    "no such order": Reply({"error": {"code": "1004", "message": "no such task"}}, 404),
    "no such file": Reply({"object": "error", "message": "No file found", "type": "invalid_request"}, 404),
    "a detail": Reply({"detail": "Not found"}, 404),
    "a list of details": Reply({"detail": [{"loc": ["path", "id"], "msg": "no id", "type": "value_error"}]}, 422),
    "no money for questions": Reply({"detail": "Insufficient credits"}, 402),
    "arrears": Reply({"code": "Arrearage", "message": "Access denied."}, 400),
    "a used-up quota": Reply({"error": {"code": "1113", "message": "Your account is in arrears."}}, 400),
    "a question that moderation refuses": Reply({"code": "DataInspectionFailed", "message": "Input data"}, 400),
    "a number of moderation": Reply({"error": {"code": "1301", "message": "unsafe"}}, 400),
    "an invalid request": Reply({"error": {"type": "invalid_request_error", "message": "no"}}, 400),
    "an error in a success": Reply({"code": "InvalidParameter", "message": "no such task"}),
    "an error object in a success": Reply({"error": {"code": "x", "message": "it went away"}}),
    "an error text in a success": Reply({"error": "it went away"}),
    "half a JSON": Reply(b'{"id": "or', headers={"Content-Type": "application/json"}),
    "an empty object": Reply({}),
    "a page": Reply(b"<html>one moment</html>", headers={"Content-Type": "text/html"}),
    "nothing": Reply(b"", headers={"Content-Type": "application/json"}),
    "a redirect": Reply(b"", 302, {"Location": "/elsewhere"}),
}


def _answering(ordered: Ordered, fault: Reply) -> Fake:
    """The vendor's fake, which gives this to each question for an order."""
    fake = ordered.fake()
    respond = fake.respond

    def broken(asked: Asked) -> Reply:
        return fault if asked.method == "GET" else respond(asked)

    fake.respond = broken  # type: ignore[method-assign]
    return fake


@pytest.fixture(params=ORDERED)
def ordered(request: pytest.FixtureRequest) -> Iterator[Ordered]:
    yield ORDERED[request.param]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_question_that_fails_is_no_word_about_the_bill(fault: str, ordered: Ordered, tmp_path: Path) -> None:
    with running(_answering(ordered, FAULTS[fault])) as fake:
        with pytest.raises(flowdsl.ServiceError) as caught:
            bought(tmp_path, {**ordered.entry, "endpoint": fake.url}, maxRetries=3)
        asked = [each.method for each in fake.asked]
    error = caught.value
    assert (error.charge_possible, error.retryable, error.request_id) == (True, False, ordered.order)
    assert asked.count("POST") == 1
    assert asked.count("GET") <= 5
    assert re.search(rf"the order {ordered.order} was taken: its picture is asked for at {fake.url}/", str(error.hint))


@pytest.mark.parametrize("fault", ["busy", "down"])
def test_an_order_that_is_not_told_of_in_time_may_be_billed(fault: str, ordered: Ordered, tmp_path: Path) -> None:
    reply = Reply({"code": "Throttling", "message": "slowly"}, 429 if fault == "busy" else 503)
    with running(_answering(ordered, reply)) as fake, pytest.raises(flowdsl.ServiceTimeout) as caught:
        bought(tmp_path, {**ordered.entry, "endpoint": fake.url}, timeoutMs=1000)
    assert (caught.value.charge_possible, caught.value.request_id) == (True, ordered.order)
    assert f"the order {ordered.order} was taken" in str(caught.value.hint)


def test_a_file_that_is_told_of_again_and_not_given_is_asked_for_once(tmp_path: Path) -> None:
    turn = mistral_fake.MistralFake().said("a boat")
    with running(_answering(ORDERED["mistral"], turn)) as fake, pytest.raises(flowdsl.ServiceUnavailable) as caught:
        bought(tmp_path, {**ORDERED["mistral"].entry, "endpoint": fake.url})
    assert [each.method for each in fake.asked] == ["POST", "GET"]
    assert (caught.value.charge_possible, caught.value.code) == (True, "empty-response")


def test_a_vendor_that_says_when_to_ask_again_is_not_asked_before(tmp_path: Path) -> None:
    ordered = ORDERED["dashscope new"]
    waiting = Reply(
        {"request_id": "r", "output": {"task_id": "task-1", "task_status": "RUNNING"}}, headers={"Retry-After": "0.3"}
    )
    with running(_answering(ordered, waiting)) as fake, pytest.raises(flowdsl.ServiceTimeout):
        bought(tmp_path, {**ordered.entry, "endpoint": fake.url}, timeoutMs=1000)
    assert 2 <= [each.method for each in fake.asked].count("GET") <= 4
