"""`--vendor-batch` on the command line: what it says, what it costs, and how a run that is broken off goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest
from batch_bench import bought

from flowdsl.cli import main, vendor_batched
from flowdsl.cli.journaled import state_of
from flowdsl.journal.journal import Journal
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.vendor_batch import vendor_batch

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("noon")]

CARD = """\
inputs: {name: {type: string, default: Ada}}
flow:
  - step: OPENAI_IMAGE_GENERATION
    id: paint
    model: gpt-image-2
    instruction: "A card for {{ inputs.name }}"
    size: 1024x1024
    quality: low
outputs: {card: "{{ flowContext.imageList }}"}
"""
MIXED = """\
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: A kite
    size: 1024x1024
    quality: low
  - step: AZURE_OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: A barn
    size: 1024x1024
    quality: low
"""
MANY = """\
flow:
  - step: PARALLEL
    steps:
      - - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A kite, size: 1024x1024, quality: low}
      - - step: TRY
          retry: {max: 2, delayMs: 0}
          try:
            - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A door, size: 1024x1024, quality: low}
  - step: TRY
    try:
      - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A barn, size: 1024x1024, quality: low}
    catch:
      - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A mill, size: 1024x1024, quality: low}
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A vendor that is not the simulator of a command: it outlives it."""
    with Simulator(plain=True) as simulator:
        monkeypatch.setenv("OPENAI_BASE_URL", simulator.openai_base_url)
        monkeypatch.setenv("OPENAI_API_KEY", simulator.key)
        monkeypatch.setattr(vendor_batched, "GATHER_S", 0.2)
        monkeypatch.setattr(vendor_batch, "USUAL", vendor_batch.Pauses(0.05, 0.2, (0.05, 0.1)))
        yield simulator


@contextmanager
def key_withdrawn(vendor: Simulator) -> Iterator[None]:
    """As soon as a batch is made the vendor takes the key no more: who waits is broken off. Later it does again."""
    key, vendor._state.batch_s = vendor._state.key, 0.5

    def withdraw() -> None:
        while not vendor._state.batches:
            sleep(0.001)
        vendor._state.key = "sk-another"

    thread = Thread(target=withdraw, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(10)
        vendor._state.key = key


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("card.flow.yaml").write_text(CARD, encoding="utf-8")
    Path("people.csv").write_text("name\nAda\nBo\nCy\n", encoding="utf-8")

    def called(*arguments: str, code: int = 0) -> tuple[str, str]:  # type: ignore[return]
        found = main([*arguments])
        printed = capsys.readouterr()
        assert found == code, printed.err
        return printed.out, printed.err

    return called  # type: ignore[return-value]


def test_a_simulated_run_through_a_batch_costs_half(run: Any) -> None:
    out, err = run("run", "card.flow.yaml", "--simulate", "--vendor-batch")
    assert "1 image in " in out
    assert "simulated, would cost about $0.0029" in out
    assert "the vendor's batch batch_" in err
    shown, _ = run("runs", "list")
    assert "$0.0029 simulated" in shown


def test_a_service_without_a_batch_is_told_before_anything_is_sent(run: Any, vendor: Simulator) -> None:
    Path("azure.flow.yaml").write_text(CARD.replace("OPENAI_IMAGE", "AZURE_OPENAI_IMAGE"), encoding="utf-8")
    _, err = run("run", "azure.flow.yaml", "--simulate", "--vendor-batch", code=2)
    assert "nothing was sent: AZURE_OPENAI_IMAGE_GENERATION (flow[0]): `azure` has no batch for pictures" in err
    _, err = run("batch", "azure.flow.yaml", "--over", "people.csv", "--simulate", "--vendor-batch", code=2)
    assert "nothing was sent" in err
    Path("mixed.flow.yaml").write_text(MIXED, encoding="utf-8")
    out, err = run("run", "mixed.flow.yaml", "--simulate", "--vendor-batch")
    assert "not through the batch, at its full price: AZURE_OPENAI_IMAGE_GENERATION (flow[1])" in err
    assert "would cost about $0.0088" in out
    _, err = run("run", "card.flow.yaml", "--simulate", "--vendor-batch", "--no-journal", code=2)
    assert "--vendor-batch needs the journal" in err


def test_a_batch_that_is_broken_off_says_what_the_vendor_goes_on_with_and_is_fetched(
    run: Any, vendor: Simulator
) -> None:
    whole = ("batch", "card.flow.yaml", "--over", "people.csv", "--vendor-batch", "--out", "cards")
    with key_withdrawn(vendor):
        out, err = run(*whole, "--json", code=4)
    assert "the vendor's batch goes on with 3 requests, and is billed: `flowdsl resume" in err
    assert "does not accept the key (401)" in err
    assert len(err.splitlines()) < 8
    named = json.loads(out)["batch"][:13]
    out, _ = run("runs", "show", named)
    assert "at the vendor: 3. `flowdsl resume" in out
    assert "in doubt" not in out
    out, _ = run("runs", "release", named)
    assert out == "0 released: no request of it is in doubt\n"
    assert json.loads(run("runs", "show", named, "--json")[0])["at_vendor"] == 3
    out, _ = run("resume")
    assert out.startswith("3 records done, cost $0.0089\n")
    assert bought(vendor) == {f"A card for {name}": 1 for name in ("Ada", "Bo", "Cy")}
    assert not Path("cards/failed.jsonl").exists()


@pytest.mark.parametrize("limit", [pytest.param("--max-usd", id="of the batch"), pytest.param("day", id="of a day")])
def test_what_the_vendor_has_is_set_aside_once_when_a_batch_goes_on(run: Any, vendor: Simulator, limit: str) -> None:
    if limit == "day":  # enough for the three, and not for six
        Path("flowdsl.toml").write_text("max_usd_per_day = 0.0095\n", encoding="utf-8")
    most = () if limit == "day" else (limit, "0.0095")
    with key_withdrawn(vendor):
        run("batch", "card.flow.yaml", "--over", "people.csv", "--vendor-batch", "--out", "cards", *most, code=4)
    out, _ = run("resume")
    assert out.startswith("3 records done, cost $0.0089\n")
    assert set(bought(vendor).values()) == {1}


def test_a_run_that_is_broken_off_says_so_and_its_picture_is_fetched(run: Any, vendor: Simulator) -> None:
    with key_withdrawn(vendor):
        _, err = run("run", "card.flow.yaml", "--vendor-batch", code=4)
    assert "the vendor's batch goes on with 1 request, and is billed" in err
    assert "at a vendor: " in run("runs", "list")[0]
    named = json.loads(run("runs", "list", "--json")[0])[0]["id"]
    assert "in the vendor's batch: 1." in run("runs", "show", named)[0]
    out, _ = run("costs")  # it is not in doubt
    assert ("1, up to $0.0030" in out, "at the vendor" in out, "in doubt" in out) == (True, True, False)
    assert "0 requests are released" in run("runs", "release", named)[0]
    with Journal(state_of("<test>")) as journal:
        assert [each.is_at_vendor for each in journal.runs.requests(named)] == [True]
    out, err = run("resume", "--yes")
    assert "1 at the vendor" in err
    assert "cost $0.0029" in out
    assert bought(vendor) == {"A card for Ada": 1}
    assert "$0.0029" in run("costs")[0]
    run("runs", "gc", "--older-than", "0")
    with Journal(state_of("<test>")) as journal:
        assert not journal.vendor_batch(named).parts()
    assert "$0.0029" in run("costs")[0]


@pytest.mark.parametrize("is_batch", [pytest.param(False, id="a run"), pytest.param(True, id="a batch")])
def test_what_is_given_up_is_ended_at_the_vendor(run: Any, vendor: Simulator, is_batch: bool) -> None:
    command = ("batch", "card.flow.yaml", "--over", "people.csv") if is_batch else ("run", "card.flow.yaml")
    with key_withdrawn(vendor):
        vendor._state.batch_s = 60
        run(*command, "--vendor-batch", code=4)
    with Journal(state_of("<test>")) as journal:
        [named] = [each.id for each in journal.batches.all()] if is_batch else [each.id for each in journal.runs.all()]
    key, vendor._state.key = vendor._state.key, "sk-another"
    _, err = run("runs", "cancel", named)
    assert "the vendor goes on with the batch batch_" in err
    assert "does not accept the key" in err
    assert "end it in your account there" in err
    vendor._state.key = key
    _, err = run("runs", "cancel", named)
    assert "the vendor was told to end the batch batch_" in err
    assert [each["status"] for each in vendor._state.batches.values()] == ["cancelling"]
    assert not bought(vendor)


def forgotten(run: Any, vendor: Simulator, *command: str) -> str:
    """The id of a run or a batch whose requests are in a batch that the vendor does not know any more."""
    with key_withdrawn(vendor):
        vendor._state.batch_s = 60  # nothing of it is done
        run(*command, "--vendor-batch", code=4)
    vendor._state.batches.clear()
    vendor._state.batch_s = 0.1
    _, err = run("resume", "--yes", code=4)
    assert "knows no batch batch_" in err
    assert "`flowdsl runs release` lets its requests be sent again" in err
    assert "goes on with" not in err
    with Journal(state_of("<test>")) as journal:
        return [*journal.batches.all(), *journal.runs.all()][0].id


def test_a_run_whose_batch_the_vendor_does_not_know_is_in_doubt_and_not_at_the_vendor_for_ever(
    run: Any, vendor: Simulator
) -> None:
    named = forgotten(run, vendor, "run", "card.flow.yaml")
    out, _ = run("runs", "show", named)
    assert "in doubt: 1. Look at" in out
    assert "in the vendor's batch" not in out
    run("resume", "--yes", code=4)  # asks once more: the key may have been another one
    assert run("runs", "release", named)[0].startswith("1 request is released")
    out, _ = run("resume", "--yes")
    assert "1 image in" in out
    assert bought(vendor) == {"A card for Ada": 1}


def test_a_batch_of_records_that_the_vendor_does_not_know_is_held_and_released(run: Any, vendor: Simulator) -> None:
    named = forgotten(run, vendor, "batch", "card.flow.yaml", "--over", "people.csv", "--out", "cards")
    out, _ = run("runs", "show", named)
    assert "  in doubt: records 0, 1, 2\n" in out
    assert json.loads(run("runs", "show", named, "--json")[0])["at_vendor"] == 0
    assert run("runs", "release", named)[0].startswith("3 released: ")
    out, _ = run("resume")
    assert out.startswith("3 records done, cost $0.0089\n")
    assert set(bought(vendor).values()) == {1}


def test_a_batch_that_the_vendor_knows_again_is_fetched(run: Any, vendor: Simulator) -> None:
    with key_withdrawn(vendor):
        run("batch", "card.flow.yaml", "--over", "people.csv", "--vendor-batch", "--out", "cards", code=4)
    batches = {**vendor._state.batches}
    vendor._state.batches.clear()  # as for a key of another project
    run("resume", code=4)
    vendor._state.batches.update(batches)
    out, _ = run("resume")
    assert out.startswith("3 records done, cost $0.0089\n")
    assert set(bought(vendor).values()) == {1}


def test_what_the_vendor_does_not_know_is_given_up_with_words(run: Any, vendor: Simulator) -> None:
    named = forgotten(run, vendor, "run", "card.flow.yaml")
    out, err = run("runs", "cancel", named)
    assert f"{named} is given up" in out
    assert "the vendor knows no batch batch_" in err


def test_an_address_without_a_batch_api_says_so_and_nothing_is_bought(
    run: Any, vendor: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{vendor.url}/gateway/v1")
    _, err = run("run", "card.flow.yaml", "--vendor-batch", "--quiet", code=4)
    assert f"has no Batch API: it responds to {vendor.url}/gateway/v1/files with 404 [batch-refused]" in err
    assert "hint: ask it without a batch" in err
    assert not bought(vendor)


def test_what_may_be_spent_counts_the_price_of_the_batch(run: Any, vendor: Simulator) -> None:
    over = ("batch", "card.flow.yaml", "--over", "people.csv", "--vendor-batch")
    run(*over, "--max-usd", "0.0095", "--out", "whole")  # three at the full price are 0.018
    assert sum(bought(vendor).values()) == 3
    _, err = run(*over, "--max-usd", "0.0065", "--out", "part", code=4)
    assert "stopped: " in err
    assert sum(bought(vendor).values()) == 5
    Path("flowdsl.toml").write_text("max_usd_per_day = 0.0065\n", encoding="utf-8")
    _, err = run(*over, "--out", "day", code=4)
    assert "stopped: " in err
    Path("flowdsl.toml").write_text("ask_above_usd = 0.0085\n", encoding="utf-8")
    _, err = run(*over, "--out", "asked", code=2)
    assert "this batch of 3 records can cost up to $0.0240, and" in err


@pytest.mark.long
def test_steps_that_branch_and_try_again_go_through_a_batch_and_buy_nothing_twice(run: Any, vendor: Simulator) -> None:
    Path("many.flow.yaml").write_text(MANY, encoding="utf-8")
    vendor.faults.add("rate_limit:3,when=A door", "moderation,when=A barn")
    out, err = run("run", "many.flow.yaml", "--vendor-batch")
    assert "retry" in err
    assert "3 images" in out
    assert bought(vendor) == {"A kite": 1, "A door": 1, "A mill": 1}
    assert [each for each in vendor.requests if each.path == "/v1/images/generations" and not each.headers] == []
