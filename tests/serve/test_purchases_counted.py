"""What was bought is counted once in /metrics, and said once in the log, whoever asked for it and in which way."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateways import SMALL, Running, running_gateway

from flowdsl.serve.metrics import Metrics
from flowdsl.serve.routes import Catalogued
from flowdsl.serve.tokens import Tokens

BODY = {**SMALL, "prompt": "A kite"}
SKYLINE = """\
inputs: {city: {type: string}, count: {default: 1}}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    quality: low
    n: "{{ inputs.count }}"
    instruction: "The skyline of {{ inputs.city }}"
outputs: {pictures: "{{ flowContext.imageList }}"}
"""
SETTINGS = '[serve]\nflows = ["skyline.flow.yaml"]\n'


def counted(gateway: Running, **options: Any) -> tuple[int, float]:
    """How many pictures /metrics says were bought, and what it says they cost."""
    text = httpx.get(f"{gateway.url}/metrics", **options).text
    images = re.findall(r'images_total\{model="gpt-image-2"\} (\d+)', text)
    usd = re.findall(r'cost_usd_total\{model="gpt-image-2"\} ([\d.]+)', text)
    return sum(map(int, images)), sum(map(float, usd))


def paid(gateway: Running) -> tuple[int, float]:
    """The same by the journal."""
    runs = gateway.journal.runs.all()
    requests = [each for run in runs for each in gateway.journal.runs.requests(run.id)]
    return sum(len(each.pictures) for each in requests), round(sum(run.cost_usd or 0 for run in runs), 6)


@pytest.mark.long
def test_what_a_key_has_bought_is_counted_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    key = {"Idempotency-Key": "once"}
    with running_gateway(tmp_path, latency_s=0.1) as gateway, ThreadPoolExecutor(4) as pool:
        found = [*pool.map(lambda _: gateway.post(BODY, headers=key), range(4)), gateway.post(BODY, headers=key)]
        assert counted(gateway) == paid(gateway) and paid(gateway)[0] == 1
        lines = [gateway.line_of(each.headers["x-request-id"]) for each in found]
    assert [line["images"] for line in lines] == [1] * 5
    assert sorted(line["cost_usd"] for line in lines)[:4] == [0.0] * 4 and max(line["cost_usd"] for line in lines) > 0
    with running_gateway(tmp_path) as gateway:
        assert gateway.post(BODY, headers=key).status_code == 200 and counted(gateway) == (0, 0.0)


def test_what_flows_buy_is_counted_and_said_in_the_log_with_whose_token_it_was(tmp_path: Path) -> None:
    (tmp_path / "skyline.flow.yaml").write_text(SKYLINE, encoding="utf-8")
    token = Tokens(tmp_path / "state").create("shop")
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "lisbon"}
    body = {"inputs": {"city": "Lisbon", "count": 2}}
    with running_gateway(tmp_path, SETTINGS) as gateway:
        first, again = (gateway.post(body, "/flows/skyline/runs", headers=headers) for _ in range(2))
        lines = [gateway.line_of(each.headers["x-request-id"]) for each in (first, again)]
        assert counted(gateway, headers=headers) == paid(gateway) and paid(gateway)[0] == 2
    assert [line["token"] for line in lines] == ["shop"] * 2
    assert lines[0]["images"] == 2 and lines[0]["cost_usd"] == first.json()["cost_usd"] > 0
    assert "cost_usd" not in lines[1]


@pytest.mark.long
def test_what_failed_after_a_purchase_is_counted_too(tmp_path: Path) -> None:
    failing = SKYLINE.replace("outputs:", '  - {step: RAISE, message: "no"}\noutputs:')
    (tmp_path / "skyline.flow.yaml").write_text(failing, encoding="utf-8")
    with running_gateway(tmp_path, SETTINGS) as gateway:
        assert gateway.post({"inputs": {"city": "Lisbon"}}, "/flows/skyline/runs").status_code == 500
        assert counted(gateway) == paid(gateway) and paid(gateway)[0] == 1


@pytest.mark.parametrize("stream", [False, True])
def test_what_one_request_buys_is_counted(tmp_path: Path, stream: bool) -> None:
    with running_gateway(tmp_path) as gateway:
        found = gateway.post({**BODY, "n": 2, "stream": stream})
        assert counted(gateway) == paid(gateway) and paid(gateway)[0] == 2
        line = gateway.line_of(found.headers["x-request-id"])
    assert (line["images"], line["cost_usd"]) == (2, pytest.approx(paid(gateway)[1]))


def test_models_that_nobody_has_named_are_counted_as_one_for_each_service() -> None:
    routing = Catalogued(["gpt-image-2"], ["main"])
    asked = ("gpt-image-2", "main/gpt-image-2", "main/made-up-1", "main/made-up-2", "main/a/b")
    said = [routing.label(model) for model in asked if routing.route(model) is not None]
    assert said == ["gpt-image-2", "main/gpt-image-2", "main/other", "main/other", "main/other"]


def test_models_that_flows_take_from_their_inputs_are_counted_by_a_bounded_number_of_names() -> None:
    metrics = Metrics(lambda: 0)
    for number in range(2000):
        metrics.bought(f"model-{number}", 1, 0.5)
    metrics.bought("\u00e9" * 100, 1, 0.5)
    metrics.bought("model-1", 1, None)
    text = metrics.text()
    assert text.count("images_total{") == 501 and 'images_total{model="other"} 1501' in text
    assert 'images_total{model="model-1"} 2' in text and len(text) < 100_000
