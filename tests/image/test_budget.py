"""Spending has limits: what a request can cost is reserved before it is sent."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_pictures import PICTURES
from web_server import Web, response

import flowdsl
from flowdsl import Environment, Limits, Reservation, Storage
from flowdsl.engine.budget import RunBudget
from flowdsl.errors import ConfigError, LimitExceeded, RunError, UsageError
from flowdsl_steps.image.simulator import Simulator

ENDLESS = """\
- step: WHILE
  condition: "{{ true }}"
  do:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      instruction: A paper boat
      quality: low
"""
SIDE_BY_SIDE = """\
- step: FOR
  var: number
  items: "{{ range(0, 64) }}"
  concurrency: 64
  do:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      instruction: A paper boat
      size: 1024x1024
      quality: low
"""


def run(flow: str, simulator: Simulator, folder: Path, **limits: object) -> flowdsl.Result:
    services = {"OPENAI_IMAGE_GENERATION": {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}}
    found = Environment(
        services=services,
        storage=Storage(images=folder),
        limits=Limits(**limits),  # type: ignore[arg-type]  # of all kinds
    )
    return found.run(flow)


def test_a_loop_without_an_end_stops_at_its_last_paid_request(tmp_path: Path) -> None:
    with Simulator() as simulator, pytest.raises(LimitExceeded) as raised:
        run(ENDLESS, simulator, tmp_path, max_requests=3)
    assert (raised.value.code, simulator.request_count) == ("too-many-requests", 3)
    assert len(raised.value.result.made) == 3
    assert not raised.value.charge_possible


@pytest.mark.long
def test_no_more_money_is_spent_than_the_limit_with_64_calls_side_by_side(tmp_path: Path) -> None:
    with Simulator() as simulator, pytest.raises(LimitExceeded) as raised:
        run(SIDE_BY_SIDE, simulator, tmp_path, max_usd=0.1)
    assert raised.value.code == "budget-spent"
    assert 10 <= simulator.request_count <= 17
    spent = raised.value.result.cost_usd
    assert spent is None or spent <= 0.1


def test_a_picture_whose_price_is_not_known_is_not_bought_under_a_limit_of_money(tmp_path: Path) -> None:
    flow = "- step: OPENAI_IMAGE_GENERATION\n  model: some-new-model\n  instruction: A paper boat\n"
    with Simulator() as simulator, pytest.raises(ConfigError) as raised:
        run(flow, simulator, tmp_path, max_usd=1.0)
    assert (raised.value.code, simulator.request_count) == ("unknown-price", 0)


UNKNOWN = """\
services:
  OPENAI_IMAGE_GENERATION:
    prices: PRICES
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: some-new-model
    instruction: A paper boat
    n: 2
"""


@pytest.mark.parametrize(
    ("prices", "most", "cost"),
    [
        ("0.04", 0.08, 0.08),
        ("{some-new-model: 0.04}", 0.08, 0.08),
        ("{some-new-model: {1024x1024: 0.03, 1536x1024: 0.04}}", 0.08, 0.06),
        ("{some-new-model: {1024x1024: {low: 0.01, high: 0.05}}}", 0.1, None),
        ("{some-new-model: 0}", 0, 0),
    ],
    ids=["one price", "by model", "by size", "by quality", "nothing"],
)
def test_a_price_that_is_stated_is_reserved_settled_and_told(
    tmp_path: Path, prices: str, most: float, cost: float | None
) -> None:
    picture = base64.b64encode(PICTURES["png"][0]).decode()
    two = response(json.dumps({"size": "1024x1024", "data": [{"b64_json": picture}] * 2}).encode())
    with Web(two) as web:
        flow = UNKNOWN.replace("PRICES", f"{prices}\n    endpoint: {web.url}/v1\n    apiKey: k")
        result = Environment(storage=Storage(images=tmp_path), limits=Limits(max_usd=most + 1e-9)).run(flow)
        assert result.cost_usd == (None if cost is None else pytest.approx(cost))
        assert len(web.seen) == 1
        if most:
            with pytest.raises(LimitExceeded):
                Environment(storage=Storage(images=tmp_path), limits=Limits(max_usd=most - 0.001)).run(flow)
        assert len(web.seen) == 1


def test_a_price_that_is_stated_counts_before_the_catalogue(tmp_path: Path) -> None:
    flow = UNKNOWN.replace("PRICES", "{gpt-image-2: 1.5}").replace("some-new-model", "gpt-image-2")
    with Simulator() as simulator:
        assert run(flow, simulator, tmp_path).cost_usd == 3
        with pytest.raises(LimitExceeded, match=r"can cost up to \$3.0000"):
            run(flow, simulator, tmp_path, max_usd=2)


def test_a_model_that_no_price_is_stated_of_is_not_bought(tmp_path: Path) -> None:
    flow = UNKNOWN.replace("PRICES", "{another-model: 0.04}")
    with Simulator() as simulator, pytest.raises(ConfigError, match="nobody says what") as raised:
        run(flow, simulator, tmp_path, max_usd=9)
    assert raised.value.hint is not None
    assert "`prices: 0.05`" in raised.value.hint


@pytest.mark.parametrize("prices", ["-1", "true", "cheap", "[1]", "{m: {s: {q: {x: 1}}}}", ".inf"])
def test_what_is_no_price_is_found_before_anything_is_sent(tmp_path: Path, prices: str) -> None:
    found = Environment().check(UNKNOWN.replace("PRICES", prices))
    assert [each.code for each in found if each.severity == "error"] == ["wrong-type"]


def test_what_partial_pictures_cost_is_reserved_too(tmp_path: Path) -> None:
    flow = SIDE_BY_SIDE.replace("64", "1").replace("quality: low", "quality: low\n      stream: true\n")
    flow = flow.replace("A paper boat", "x")
    with Simulator() as simulator:
        whole = run(flow, simulator, tmp_path).cost_usd
        assert whole is not None
        run(flow, simulator, tmp_path, max_usd=whole * 1.03)
        with pytest.raises(LimitExceeded):
            run(flow + "      partial_images: 3\n", simulator, tmp_path, max_usd=whole * 1.03)


def test_what_is_refused_is_given_back_and_what_is_unknown_is_kept(tmp_path: Path) -> None:
    flow = """\
- step: TRY
  try:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      instruction: "{{ flowContext.wanted }}"
      maxRetries: 0
  catch:
    - step: SET
      failed: true
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  instruction: A paper boat
"""
    for fault, sent in (("content_policy", 2), ("server_error", 1)):
        with Simulator(faults=[fault]) as simulator:
            try:
                text = f"- step: SET\n  wanted: A storm\n{flow}"
                run(text, simulator, tmp_path, max_requests=1)
            except LimitExceeded as error:
                assert error.code == "too-many-requests"
        assert simulator.request_count == sent


def test_a_step_sends_all_of_its_requests_or_none(tmp_path: Path) -> None:
    flow = "- step: OPENAI_IMAGE_GENERATION\n  model: dall-e-3\n  instruction: A paper boat\n  n: 3\n"
    with Simulator() as simulator, pytest.raises(RunError) as raised:
        run(flow, simulator, tmp_path, max_requests=2)
    assert (raised.value.code, simulator.request_count) == ("too-many-requests", 0)


def test_the_settings_file_of_a_project_lowers_the_limit_and_never_raises_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for in_file, in_host, sent in ((1, 3, 1), (5, 2, 2)):
        (tmp_path / "flowdsl.toml").write_text(f"max_requests = {in_file}\n", encoding="utf-8")
        with Simulator() as simulator, pytest.raises(LimitExceeded):
            run(ENDLESS, simulator, tmp_path / "out", max_requests=in_host)
        assert simulator.request_count == sent
    (tmp_path / "flowdsl.toml").write_text('max_requests = "many"\n', encoding="utf-8")
    with pytest.raises(flowdsl.UsageError, match="max_requests must be a whole number from 0 on"):
        flowdsl.run("- step: SET\n  a: 1\n")


OUTCOMES = st.lists(
    st.tuples(st.floats(0, 0.5), st.sampled_from(["settled", "released", "unknown"]), st.floats(0, 1)), max_size=64
)


def reserve(budget: RunBudget, usd: float | None) -> Reservation:
    return asyncio.run(budget.reserve(usd))


@pytest.mark.long
@given(OUTCOMES, st.floats(0.01, 5), st.integers(0, 40))
def test_whatever_comes_of_the_requests_the_limits_hold(
    outcomes: list[tuple[float, str, float]], max_usd: float, max_requests: int
) -> None:
    budget = RunBudget(max_requests, max_usd)
    spent, sent = 0.0, 0
    for most, outcome, share in outcomes:
        try:
            reserved = reserve(budget, most)
        except LimitExceeded:
            continue
        if outcome == "released":
            reserved.release()
            continue
        sent += 1
        if outcome == "settled":
            reserved.settle(most * share)
            spent += most * share
        else:
            spent += most  # it may have cost as much
    assert sent <= max_requests
    assert spent <= max_usd + 1e-9


def spent_before(flow: str, folder: Path, **limits: object) -> RunError:
    with Simulator() as simulator, pytest.raises(RunError) as raised:
        run(flow, simulator, folder, **limits)
    return raised.value


BOAT = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A boat, size: 1024x1024, quality: low}\n"


def test_a_limit_of_money_says_what_was_spent_and_what_the_next_request_can_cost(tmp_path: Path) -> None:
    assert str(spent_before(BOAT * 3, tmp_path, max_usd=0.0147)) == (
        "this request can cost up to $0.0061; $0.0029 of $0.0147 are left, "
        "as $0.0118 are spent or set aside for 2 requests"
    )
    assert str(spent_before(BOAT, tmp_path, max_usd=0.00002)) == (
        "this request can cost up to $0.0061; the limit is $0.00002, and nothing is spent yet"
    )


def test_a_limit_of_requests_says_what_was_spent_and_what_the_next_request_can_cost(tmp_path: Path) -> None:
    assert str(spent_before(BOAT * 3, tmp_path, max_requests=2)) == (
        "the run may send 2 paid requests, and this would be one more: "
        "$0.0118 are spent or set aside for 2 requests, and it can cost up to $0.0061"
    )
    assert str(spent_before(BOAT, tmp_path, max_requests=0)) == (
        "the run may send 0 paid requests, and this would be one more: nothing is spent, and it can cost up to $0.0061"
    )


NOBODY_KNOWS = "- {step: OPENAI_IMAGE_GENERATION, model: some-new-model, instruction: A boat}\n"


def test_a_price_that_is_not_known_is_said_not_to_be(tmp_path: Path) -> None:
    assert str(spent_before(BOAT + NOBODY_KNOWS, tmp_path, max_usd=0.5)) == (
        "the run may spend $0.5000, and nobody says what this picture costs at most: "
        "$0.0059 are spent or set aside for 1 request"
    )
    budget = RunBudget(max_requests=2)
    reserve(budget, None)
    reserve(budget, 0.5).settle(0.25)
    with pytest.raises(
        LimitExceeded, match=r"more: \$0.2500, and what is not known, are spent or set aside for 2 requ"
    ):
        reserve(budget, None)


@pytest.mark.long
@pytest.mark.parametrize("figure", [float("nan"), float("inf"), -1.0], ids=["no number", "no end", "less than nothing"])
def test_a_figure_that_is_no_sum_raises_no_limit(
    figure: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flowdsl_steps.image.vendors.openai import OpenAI

    monkeypatch.setattr(OpenAI, "cost", lambda *_: figure)
    with Simulator() as simulator, pytest.raises(LimitExceeded):
        run(BOAT * 9, simulator, tmp_path, max_usd=0.0123)
    assert simulator.request_count == 2
    monkeypatch.setattr(OpenAI, "most", lambda *_: figure)
    with Simulator() as simulator, pytest.raises(ConfigError) as raised:
        run(BOAT, simulator, tmp_path, max_usd=0.0123)
    assert (raised.value.code, simulator.request_count) == ("unknown-price", 0)


def test_a_limit_that_is_no_number_is_not_taken_for_no_limit(tmp_path: Path) -> None:
    with Simulator() as simulator, pytest.raises(UsageError, match=r"max_usd of flowdsl\.Limits takes a number"):
        run(BOAT, simulator, tmp_path, max_usd=float("nan"))
    assert simulator.request_count == 0


CALLED = """\
blocks:
  flows:
    one:
      - step: TRY
        retry: {max: 2, delayMs: 0, paid: again}
        try:
          - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A boat, size: 1024x1024, quality: low}
          - {step: RAISE, message: not good enough}
        catch: []
flow:
  - step: FOR
    var: number
    items: "{{ range(0, 40) }}"
    concurrency: 8
    do:
      - step: PARALLEL
        steps:
          - - {step: CALL_FLOW, ref: local.flows.one}
          - - {step: CALL_FLOW, ref: local.flows.one}
"""


@pytest.mark.long
@pytest.mark.parametrize("limits", [{"max_requests": 7}, {"max_usd": 0.0425}], ids=["requests", "money"])
def test_called_flows_branches_loops_and_repetitions_share_one_limit(limits: dict[str, object], tmp_path: Path) -> None:
    with Simulator() as simulator, pytest.raises(LimitExceeded) as raised:
        run(CALLED, simulator, tmp_path, **limits)
    assert simulator.request_count == 7
    assert raised.value.result.cost_usd == pytest.approx(7 * 0.00589, abs=0.001)


@pytest.mark.parametrize(
    ("keys", "helps"),
    [
        ("", "give the step a `size` and a `quality`, which cost less than `auto` may"),
        (", size: 1024x1024, quality: auto", "give the step a `quality`, which costs less than `auto` may"),
        (", size: 1024x1024, quality: low", "ask for less: a smaller `size` or a cheaper model"),
        (
            ", size: 1024x1024, quality: high, n: 2",
            "ask for less: fewer pictures, a lower `quality`, a smaller `size` or a cheaper model",
        ),
    ],
    ids=["neither", "no quality", "both, the least", "both"],
)
def test_a_budget_that_is_spent_says_what_helps_the_step_that_asked(keys: str, helps: str, tmp_path: Path) -> None:
    flow = f"- {{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A boat{keys}}}\n"
    hint = spent_before(flow, tmp_path, max_usd=0.00002).hint
    assert hint is not None and hint.endswith(f"`Limits(max_usd=X)` in a host; or {helps}")
