"""A request in doubt that the flow caught is told where its run or batch ends, with what can be done about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from flowdsl.cli import main

TRIED = """\
inputs: {name: {type: string, default: Ada}}
flow:
  - step: TRY
    try:
      - {step: OPENAI_IMAGE_GENERATION, id: card, model: gpt-image-2, quality: low, size: 1024x1024,
         instruction: "A card for {{ inputs.name }}"}
    catch:
      - {step: SET, note: without a card}
outputs: {note: "{{ flowContext.note | default('with a card') }}"}
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("card.flow.yaml").write_text(TRIED, encoding="utf-8")
    Path("people.csv").write_text("name\nAda\nBo\n", encoding="utf-8")

    def called(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return called


BATCH = ("batch", "card.flow.yaml", "--over", "people.csv", "--simulate", "--quiet", "--concurrency", "1", "--out", "c")
RESET = ("--fault", "card=reset:1")


def test_a_batch_tells_of_a_request_in_doubt_that_a_record_went_on_without(run: Run) -> None:
    code, out, err = run(*BATCH, *RESET)
    assert (code, out.splitlines()[0].startswith("2 records done, 1 caught request in doubt, ")) == (0, True)
    assert "caught by the flow, which went on: 1 request of record 0" in err
    batch = json.loads(run(*BATCH[:-1], "d", *RESET, "--json")[1])
    assert batch["caught"] == [{"record": 0, "requests": 1}]
    assert "what the flow caught is released one by one: `" in run("runs", "release", batch["batch"])[1]
    assert "  in doubt, and caught by the flow: record 0\n" in run("runs", "show", batch["batch"][:20])[1]


@pytest.mark.long
def test_what_the_account_says_sends_it_again_and_the_record_has_its_picture(run: Run) -> None:
    _, _, err = run(*BATCH, *RESET)
    (shown,) = (part for part in err.split("`") if part.startswith("flowdsl runs show "))
    _, out, _ = run(*shown.split()[1:])
    (released,) = (line.split("    ")[0] for line in out.splitlines() if line.startswith("  flowdsl runs release "))
    _, out, _ = run(*released.split()[1:])
    (resumed,) = (part for part in out.split("`") if part.startswith("flowdsl resume "))
    code, out, err = run(*resumed.split()[1:], "--quiet")
    assert (code, out.splitlines()[0], err) == (0, "2 records done, simulated, would cost about $0.01", "")
    lines = [json.loads(line) for line in Path("c/results.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["record"], line["outputs"]["note"]) for line in lines] == [(1, "with a card"), (0, "with a card")]
    assert run("resume")[0] == 2


@pytest.mark.long
def test_a_run_tells_of_a_request_in_doubt_that_it_went_on_without(run: Run) -> None:
    code, out, _ = run("run", "card.flow.yaml", "--simulate", "--quiet", *RESET)
    assert code == 0
    (line,) = (line for line in out.splitlines() if "in doubt" in line)
    (shown,) = (part for part in line.split("`") if part.startswith("flowdsl runs show "))
    assert "in doubt, and caught by the flow, which went on: 1. Look at" in run(*shown.split()[1:])[1]
    assert "in doubt: " in run("runs")[1]
    assert "0 requests are released: what the flow caught is released one by one" in run("runs", "release", "last")[1]


@pytest.mark.long
def test_without_a_journal_the_run_tells_of_it_too(run: Run) -> None:
    _, out, _ = run("run", "card.flow.yaml", "--simulate", "--quiet", "--no-journal", *RESET)
    assert "warning: 1 request is in doubt, and caught by the flow, which went on: " in out
    assert "flowdsl runs" not in out


TWO = """\
  - {step: OPENAI_IMAGE_GENERATION, id: boat, model: gpt-image-2, quality: low, size: 1024x1024, instruction: A boat}
"""


@pytest.mark.parametrize(("fault", "said"), [("reset:1", "in doubt: 1. Look at"), ("forbidden:1", "goes on with it")])
@pytest.mark.long
def test_what_was_caught_is_told_beside_how_a_run_that_failed_goes_on(fault: str, said: str, run: Run) -> None:
    Path("card.flow.yaml").write_text(TRIED.replace("outputs:", f"{TWO}outputs:"), encoding="utf-8")
    assert run("run", "card.flow.yaml", "--simulate", "--quiet", *RESET, "--fault", f"boat={fault}")[0] == 4
    out = run("runs", "show", "last")[1]
    assert said in out and "in doubt, and caught by the flow, which went on: 1. Look at" in out


@pytest.mark.long
def test_what_was_caught_and_is_released_is_as_before_when_that_is_taken_back(run: Run) -> None:
    run("run", "card.flow.yaml", "--simulate", "--quiet", *RESET)
    before = run("runs", "show", "last")[1]
    request = json.loads(run("runs", "show", "last", "--json")[1])["requests"][0]["id"][:8]
    assert "1 request is released" in run("runs", "release", "last", request)[1]
    assert "1 request is held" in run("runs", "hold", "last")[1]
    assert run("runs", "show", "last")[1] == before


@pytest.mark.long
def test_the_report_shows_as_in_doubt_what_was_caught(run: Run) -> None:
    run("run", "card.flow.yaml", "--simulate", "--quiet", *RESET)
    assert run("report", "last", "--out", "r.html")[0] == 0
    assert '"status":"in doubt"' in Path("r.html").read_text(encoding="utf-8")


@pytest.mark.long
def test_what_was_caught_is_not_offered_to_be_sent_again_where_the_batch_was_given_up(run: Run) -> None:
    run(*BATCH, *RESET, "--max-requests", "1")
    named = json.loads(run("runs", "list", "--json")[1])[0]["id"]
    assert run("runs", "cancel", named)[0] == 0
    for shown in (named, f"{named}.0"):
        out = run("runs", "show", shown)[1]
        assert "which only the vendor's own account says" in out and "flowdsl runs" not in out and "resume" not in out
    for released in ([named], [f"{named}.0"]):
        code, _, err = run("runs", "release", *released)
        assert (code, "was given up: nothing of it is sent again; `flowdsl batch` begins anew" in err) == (2, True)


@pytest.mark.long
def test_what_is_in_doubt_of_a_run_is_not_offered_to_be_sent_again_where_it_was_given_up(run: Run) -> None:
    Path("card.flow.yaml").write_text(f"flow:\n{TWO}", encoding="utf-8")
    assert run("run", "card.flow.yaml", "--simulate", "--quiet", "--fault", "boat=reset:1")[0] == 4
    assert run("runs", "cancel", "last")[0] == 0
    out = run("runs", "show", "last")[1]
    assert "which only the vendor's own account says: 1. It was given up" in out and "runs release" not in out
    assert "in doubt" not in run("runs")[1]
    assert "`flowdsl run` begins anew" in run("runs", "release", "last")[2]
