"""`flowdsl graph --run`: what a journal has of a run, drawn over its flow."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from flowdsl.cli import main
from flowdsl.cli.journaled import state_of
from flowdsl.journal.errors import NAME

FLOW = """\
- step: SET
  a: 1
- step: FOR
  var: style
  items: [watercolour, ink]
  do:
    - step: SET
      b: 1
    - step: TRY
      try:
        - step: OPENAI_IMAGE_GENERATION
          id: card
          model: gpt-image-2
          instruction: "A card, {{ flowContext.style }}"
          size: 1024x1024
          quality: low
      catch:
        - step: SET
          c: 1
- step: RAISE
  message: not yet
"""
CARD = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: 'A {{ inputs.what }}', quality: low}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def drawn(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """What the boxes of the drawing say of the run, in their order; empty for one of which nothing is known."""
    capsys.readouterr()
    assert main(["graph", *arguments]) == 0
    boxes = re.findall(r'^  n\d+[\[({]+"(.*)"', capsys.readouterr().out, re.MULTILINE)
    found = [re.search(r"<br/>((?:done|reused|failed|in doubt|running)(?::.*)?)$", box) for box in boxes]
    return ["" if each is None else re.sub(r"\d+\.\d s", "S", each[1]) for each in found]


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["graph", *arguments]) == 2
    return capsys.readouterr().err


def test_a_run_shows_what_it_paid_for_what_failed_and_what_must_have_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("cards.flow.yaml").write_text(FLOW)
    assert main(["run", "cards.flow.yaml", "--simulate", "--quiet", "--fault", "card=moderation:1"]) == 4
    states = drawn(capsys, "--run", "last")
    assert states[:4] == ["done", "done", "done", "done: 2×"]
    assert re.fullmatch(r"failed: 2×, 1 failed, (S, )?\$0.005[89]\d*", states[4])
    assert states[5:] == ["", "failed"]
    assert main(["graph", "cards.flow.yaml", "--run", "last", "--output", "run.html"]) == 0
    assert "nothing kept" in Path("run.html").read_text(encoding="utf-8")


def test_a_request_that_nobody_saw_answered_is_in_doubt(capsys: pytest.CaptureFixture[str]) -> None:
    Path("cards.flow.yaml").write_text(FLOW)
    main(["run", "cards.flow.yaml", "--simulate", "--quiet"])
    with sqlite3.connect(state_of("<test>") / NAME) as journal:
        journal.execute("UPDATE ledger SET state = 'started', ended = NULL, cost_usd = NULL WHERE place LIKE '%#1%'")
    journal.close()
    assert drawn(capsys, "--run", "last")[4].startswith("in doubt: 2×, 1 in doubt")


def test_a_batch_is_drawn_as_all_of_its_runs(capsys: pytest.CaptureFixture[str]) -> None:
    Path("card.flow.yaml").write_text(f"inputs: {{what: {{type: string}}}}\nflow:\n  {CARD}")
    Path("a.jsonl").write_text("".join(json.dumps({"what": each}) + "\n" for each in ("kite", "fox", "tram")))
    assert main(["batch", "card.flow.yaml", "--over", "a.jsonl", "--simulate", "--quiet", "--out", "cards"]) == 0
    with sqlite3.connect(state_of("<test>") / NAME) as journal:
        ((batch,),) = journal.execute("SELECT id FROM batches")
    journal.close()
    (state,) = drawn(capsys, "--run", batch[:8])
    assert state.startswith("done: 3×")


def test_last_is_a_batch_where_that_began_after_every_single_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("card.flow.yaml").write_text(f"inputs: {{what: {{type: string}}}}\nflow:\n  {CARD}")
    Path("a.jsonl").write_text('{"what": "kite"}\n{"what": "fox"}\n')
    assert main(["run", "card.flow.yaml", "-i", "what=tram", "--simulate", "--quiet"]) == 0
    assert main(["batch", "card.flow.yaml", "--over", "a.jsonl", "--simulate", "--quiet", "--out", "cards"]) == 0
    assert drawn(capsys, "--run", "last")[0].startswith("done: 2×")
    assert main(["run", "card.flow.yaml", "-i", "what=tram", "--simulate", "--quiet"]) == 0
    assert not drawn(capsys, "--run", "last")[0].startswith("done: 2×")


STEP = "step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, size: 816x816, quality: low, instruction"
STUDIO = f"""\
- {{{STEP}: A sketch}}
- {{step: FOR, var: n, items: [1, 2], do: [{{{STEP}: 'Painting {{{{ flowContext.n }}}}'}}]}}
- {{{STEP}: A frame, id: framed}}
"""


@pytest.mark.long
def test_what_a_run_from_a_step_took_of_the_run_before_is_drawn_as_reused(capsys: pytest.CaptureFixture[str]) -> None:
    file = Path("studio.flow.yaml")
    file.write_text(STUDIO)
    again = ["run", "studio.flow.yaml", "--simulate", "--quiet", "--from", "framed"]
    assert main(again[:-2]) == main(again) == main(again) == 0
    assert drawn(capsys, "--run", "last")[:3] == ["reused", "done", "reused: 2×"]
    assert main(["graph", "--run", "last", "--output", "run.svg"]) == 0
    assert Path("run.svg").read_text(encoding="utf-8").count('class="box reused"') == 2
    file.write_text("- {step: SET, a: 1}\n" + STUDIO.replace("A sketch", "A draft").replace("[1, 2]", "[1, 2, 3]"))
    assert main(again) == 0
    _, sketch, loop, painted, framed = drawn(capsys, "--run", "last")
    assert (sketch.startswith("done"), loop, framed.startswith("done")) == (True, "done", True)
    assert painted.startswith("done: 3×, 2 reused, ")


@pytest.mark.long
def test_what_a_run_from_a_step_did_not_come_to_is_not_drawn_as_reused(capsys: pytest.CaptureFixture[str]) -> None:
    file = Path("studio.flow.yaml")
    file.write_text(STUDIO)
    again = ["run", "studio.flow.yaml", "--simulate", "--quiet", "--from", "framed"]
    assert main(again[:-2]) == 0
    file.write_text(STUDIO.replace("A sketch}", "A draft}\n- {step: RAISE, message: not yet}"))
    assert main(again) == 4
    assert [each.partition(":")[0] for each in drawn(capsys, "--run", "last")] == ["done", "failed", "", "", ""]


def test_a_step_that_shared_a_purchase_is_not_drawn_as_never_run(capsys: pytest.CaptureFixture[str]) -> None:
    card = CARD.replace("{{ inputs.what }}", "kite")
    Path("kites.flow.yaml").write_text(card + card.replace("kite", "fox") + card)
    assert main(["run", "kites.flow.yaml", "--simulate", "--quiet", "--cache", "run"]) == 0
    assert [each.partition(":")[0] for each in drawn(capsys, "--run", "last")] == ["done", "done", "done"]
    Path("kites.flow.yaml").write_text(f"{card}- {{step: END, condition: true}}\n{card}")
    assert main(["run", "kites.flow.yaml", "--simulate", "--quiet"]) == 0
    assert [each.partition(":")[0] for each in drawn(capsys, "--run", "last")] == ["done", "", ""]


def test_wrong_uses_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("card.flow.yaml").write_text(CARD.replace("{{ inputs.what }}", "kite"))
    Path("other.flow.yaml").write_text("- {step: SET, a: 1}\n")
    assert "name the file of a flow" in told(capsys)
    assert "there is no journal in" in told(capsys, "--run", "01a")
    assert "has paid for nothing" in told(capsys, "--run", "last")
    assert main(["run", "card.flow.yaml", "--simulate", "--quiet"]) == 0
    assert "has no run nope" in told(capsys, "--run", "nope")
    assert "give one of them" in told(capsys, "--run", "last", "--events", "a.jsonl")
    Path("card.flow.yaml").write_text("- {step: SET, a: 1}\n- {step: SET, b: 1}\n" + Path("card.flow.yaml").read_text())
    capsys.readouterr()
    assert main(["graph", "--run", "last"]) == 0
    assert "the flow has changed since the run" in capsys.readouterr().err
    Path("card.flow.yaml").unlink()
    assert "card.flow.yaml: No such file" in told(capsys, "--run", "last")


def test_a_flow_that_came_on_standard_input_is_to_be_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(CARD.replace("{{ inputs.what }}", "kite").encode())))
    assert main(["run", "-", "--simulate", "--quiet"]) == 0
    assert "of a flow that had no file: name the file" in told(capsys, "--run", "last")
