"""`flowdsl run --from STEP`: what is before the step is used again, what follows is bought; and what is said before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from flowdsl.cli import main

STEP = "step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, size: 816x816, quality: low"
FLOW = f"""\
inputs:
  who: {{type: string, default: Ada}}
flow:
  - {{{STEP}, id: sketch, instruction: "A sketch of {{{{ inputs.who }}}}"}}
  - step: FOR
    id: three
    var: n
    start: 1
    end: 3
    do:
      - {{{STEP}, id: painted, instruction: "Painting {{{{ n }}}}"}}
  - {{{STEP}, id: framed, instruction: "A frame"}}
  - {{{STEP}, id: hung, instruction: "A wall"}}
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(FLOW, encoding="utf-8")

    def called(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return called


def simulated(run: Run, *more: str) -> tuple[int, str, str]:
    return run("run", "a.flow.yaml", "--simulate", "--out", "out", *more)


def paid(run: Run) -> list[int]:
    """How many requests each run has paid for, the last one first."""
    found: list[int] = [each["paid"] for each in json.loads(run("runs", "list", "--json")[1])]
    return found


def change(old: str, new: str) -> None:
    path = Path("a.flow.yaml")
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize(("step", "number"), [("sketch", 6), ("three", 5), ("flow[2]", 2), ("hung", 1)])
def test_what_is_before_the_step_is_used_and_what_follows_is_bought(run: Run, step: str, number: int) -> None:
    assert simulated(run)[0] == 0
    code, out, err = simulated(run, "--from", step)
    assert (code, paid(run)) == (0, [number, 6])
    assert out.count(".png") == 6
    assert f"from {step} (" in err or "from framed (flow[2])" in err
    before = 6 - number
    requests = "1 request is" if before == 1 else f"{before} requests are"
    assert f"before it {requests} paid for, $0.0" in err
    assert f"from there on all is bought anew: {number} paid request" in err
    used = f"{before} paid requests were not sent again"
    assert (used in out) == (before > 1)


@pytest.mark.long
def test_a_picture_of_before_keeps_its_file_and_stands_in_the_manifest_once(run: Run) -> None:
    simulated(run)
    simulated(run, "--from", "hung")
    lines = json.loads(Path("out/manifest.json").read_text())["images"]
    assert len(lines) == len({line["file"] for line in lines}) == 7
    assert len(list(Path("out").glob("*.png"))) == 7


@pytest.mark.long
def test_a_run_that_began_at_a_step_is_one_to_begin_at_a_step_of(run: Run) -> None:
    simulated(run)
    simulated(run, "--from", "three")
    code, _, err = simulated(run, "--from", "hung")
    assert (code, paid(run)) == (0, [1, 5, 6])
    assert "before it 5 requests are paid for" in err


@pytest.mark.long
def test_what_follows_takes_nothing_of_the_runs_before_the_last(run: Run) -> None:
    simulated(run)
    simulated(run, "--from", "three")
    last = json.loads(run("runs", "list", "--json")[1])[0]["id"]
    files = [each["files"] for each in json.loads(run("runs", "show", last, "--json")[1])["requests"]]
    code, out, _ = simulated(run, "--from", "hung", "--json")
    made = {image["path"] for image in json.loads(out)["imageList"]}
    assert code == 0
    assert len(files) == 5
    assert not made & {path for each in files for path in each}  # imageList is of the last step
    shown = simulated(run, "--from", "hung")[1]
    assert sum(str(Path(path).name) in shown for each in files[:4] for path in each) == 4


@pytest.mark.long
def test_a_changed_step_before_is_bought_anew_and_that_is_said(run: Run) -> None:
    simulated(run)
    change("A sketch of", "A drawing of")
    code, _, err = simulated(run, "--from", "hung")
    assert (code, paid(run)) == (0, [2, 6])
    assert "not as they were then, and bought anew: OPENAI_IMAGE_GENERATION flow[0]" in err
    assert "before it 4 requests are paid for" in err


@pytest.mark.long
def test_inputs_are_those_of_then_and_others_are_bought_for(run: Run) -> None:
    simulated(run, "-i", "who=Bo")
    code, _, err = simulated(run, "--from", "hung")
    assert (code, paid(run)) == (0, [1, 6])
    assert "inputs as they were then: who" in err
    simulated(run, "--from", "hung", "-i", "who=Cy")
    assert paid(run) == [2, 1, 6]


@pytest.mark.long
def test_a_secret_input_of_then_is_given_again(run: Run) -> None:
    simulated(run, "-i", "who=sk-4f9a8b7c6d5e4f3a")
    code, _, err = simulated(run, "--from", "hung")
    assert (code, "add -i who=…" in err) == (2, True)
    assert simulated(run, "--from", "hung", "-i", "who=sk-4f9a8b7c6d5e4f3a")[0] == 0
    assert paid(run) == [1, 6]


@pytest.mark.long
def test_a_run_from_a_step_that_is_broken_off_is_resumed(run: Run) -> None:
    simulated(run)
    code, _, _ = simulated(run, "--from", "framed", "--max-requests", "1")
    assert (code, paid(run)) == (4, [1, 6])
    code, out, _ = run("resume", "--max-requests", "9")
    assert (code, paid(run)) == (0, [2, 6])
    assert "4 paid requests were not sent again" in out


@pytest.mark.long
def test_a_picture_of_before_that_is_gone_is_bought_anew_when_that_is_allowed(run: Run) -> None:
    simulated(run)
    id, first = paid_by_the_last(run)
    for path in Path("out/.originals").iterdir():
        path.unlink()
    code, _, err = simulated(run, "--from", "three")
    assert (code, f"flowdsl runs release {id} {first[:8]}" in err) == (4, True)
    code, out, _ = run("runs", "release", id, first[:8])
    assert (code, "`flowdsl run --from`, buys it anew" in out) == (0, True)
    assert simulated(run, "--from", "three")[0] == 0
    assert paid(run)[0] == 6


def paid_by_the_last(run: Run) -> tuple[str, str]:
    """The id of the last run, and of the first request that it paid for."""
    id: str = json.loads(run("runs", "list", "--json")[1])[0]["id"]
    return id, json.loads(run("runs", "show", id, "--json")[1])["requests"][0]["id"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--from", "hang"), "there is no such step; did you mean `hung`?"),
        (("--from", "painted"), "painted (flow[1].do[0]) runs inside three (flow[1]): write `--from three`"),
        (("--from", "OPENAI_IMAGE_GENERATION"), "there are several: name one by its place, flow[0], flow[1].do[0]"),
        (("--from", "hung", "--no-journal"), "leave --no-journal out"),
        (("--from", "hung", "--cache", "project"), "leave one of them out"),
        (("--from", "hung", "--dry-run"), "leave --from out"),
    ],
    ids=["unknown", "inside a loop", "several", "no journal", "cache", "dry run"],
)
def test_what_cannot_be_is_told_before_anything_is_paid_for(run: Run, more: tuple[str, ...], said: str) -> None:
    simulated(run)
    code, _, err = simulated(run, *more)
    assert (code, paid(run)) == (2, [6])
    assert said in err


@pytest.mark.long
def test_a_step_of_a_called_flow_is_named_by_its_call(run: Run) -> None:
    Path("a.flow.yaml").write_text(
        "blocks:\n  flows:\n    paint:\n"
        f"      - {{{STEP}, id: inner, instruction: a kite}}\n"
        "flow:\n  - {step: CALL_FLOW, id: all, ref: local.flows.paint}\n"
    )
    assert simulated(run)[0] == 0
    code, _, err = simulated(run, "--from", "inner")
    assert (code, "write `--from all`" in err) == (2, True)


@pytest.mark.long
def test_without_an_earlier_run_there_is_nothing_to_take(run: Run) -> None:
    code, _, err = simulated(run, "--from", "hung")
    assert (code, "no simulated run of a.flow.yaml stands in the journal" in err) == (2, True)


def test_a_simulated_run_is_none_that_a_real_one_can_begin_from_and_the_message_says_so(run: Run) -> None:
    assert simulated(run)[0] == 0
    code, _, err = run("run", "a.flow.yaml", "--from", "hung")
    assert (code, "no real run of a.flow.yaml stands in the journal" in err) == (2, True)
