"""`flowdsl plan --over`: what a batch pays for, the sum over its records, before it begins."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowdsl.cli import main, plan_over
from flowdsl_steps.image import catalogue
from flowdsl_steps.image.catalogue import SHIPPED, use_catalogue

CARD = """\
inputs:
  name: {type: string}
  n: {type: integer, default: 1, maximum: 4}
  size: {type: string, default: 1024x1024}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    size: "{{ inputs.size }}"
    quality: low
    n: "{{ inputs.n }}"
    instruction: "A card for {{ inputs.name }}"
"""
Said = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def shipped_catalogue() -> Iterator[None]:
    """The facts that come along: those that tests stand on elsewhere are older than discounts of batches."""
    before = catalogue._in_force
    use_catalogue(SHIPPED)
    yield
    use_catalogue(before)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    monkeypatch.chdir(tmp_path)
    Path("card.flow.yaml").write_text(CARD, encoding="utf-8")

    def called(*arguments: str, over: str, name: str = "a.csv") -> tuple[int, str, str]:
        Path(name).write_text(over, encoding="utf-8")
        code = main(["plan", "card.flow.yaml", "--over", name, *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return called


def planned(said: Said, *arguments: str, over: str, name: str = "a.csv") -> dict[str, Any]:
    code, out, err = said("--json", *arguments, over=over, name=name)
    assert code == 0, err
    return dict(json.loads(out))


def test_the_plan_is_the_sum_over_the_records_at_both_prices(said: Said) -> None:
    ada, bo = (planned(said, over=f"name,n\n{record}\n") for record in ("Ada,1", "Bo,3"))
    both = planned(said, over="name,n\nAda,1\nBo,3\n")
    for price in ("usd", "batch_usd"):
        for end in ("least", "most"):
            assert both[price][end] == pytest.approx(ada[price][end] + bo[price][end])
    assert (both["records"], both["requests"]) == (2, {"least": 2, "most": 2})
    _, out, _ = said(over="name,n,size\nAda,1,1024x1024\nBo,3,1024x1024\nCy,1,1024x1536\n")
    assert out.startswith("card.flow.yaml, 3 records: 3 paid requests, $0.0")
    assert [line.split()[1] for line in out.splitlines() if line.startswith("  card.")] == ["2", "1"]
    assert "through the vendor's batch: $0.0" in out


def test_fields_are_those_of_a_batch(said: Said) -> None:
    one = planned(said, "--map", "name=full", "-i", "n=2", over='{"full": "Ada"}\n', name="a.jsonl")
    assert one["usd"] == planned(said, over="name,n\nAda,2\n")["usd"]
    assert "`--map name=full` names one" in said(over="full\nAda\n")[2]
    code, _, err = said("--map", "name=ful", over="full\nAda\n")
    assert (code, "did you mean `full`?" in err) == (2, True)
    assert main(["plan", "card.flow.yaml", "--map", "name=full"]) == 2
    assert main(["plan", "card.flow.yaml", "--over", "none.csv"]) == 2


def test_the_most_of_all_records_together_is_what_a_limit_is_compared_with(said: Said) -> None:
    over = "name\nAda\nBo\n"
    assert said("--max-usd", "0.0122", over=over)[0] == 0
    code, _, err = said("--max-usd", "0.007", over=over)
    assert (code, "can cost $0.01" in err) == (1, True)


def test_records_that_do_not_fit_cost_nothing_and_are_told(said: Said) -> None:
    key = "sk-proj-" + "abcdefghij" * 4
    _, out, _ = said(over=f"name,n\nAda,1\nBo,9\nCy,{key}\nDi\n")
    assert out.startswith("card.flow.yaml, 1 record: 1 paid request, ")
    assert "a.csv: no run, and no cost: line 3: " in out
    assert out.rstrip().endswith(", and 2 more")
    assert key not in out


def test_the_line_of_a_record_that_cannot_be_read_is_told_once(said: Said) -> None:
    _, out, _ = said(over="name,n\nAda,1\nDi\n")
    assert "a.csv: no run, and no cost: line 3 has 1 cell, and the first line names 2\n" in f"{out}\n"


def test_of_very_many_records_the_last_ones_count_as_the_dearest_and_the_cheapest(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = "name,n\n" + "Ada,1\n" * 5
    each = planned(said, over=over)
    monkeypatch.setattr(plan_over, "EACH", 2)
    most = planned(said, over=over)
    assert most["records"] == 5
    assert most["usd"]["least"] == pytest.approx(each["usd"]["least"])
    assert most["usd"]["most"] > each["usd"]["most"]
    assert any("from the record 3 on" in each["why"] for each in most["open"])
