"""How a run or a batch is named where a command takes one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flowdsl.cli import main
from flowdsl.journal.journal import Journal

CARD = """\
inputs: {name: {type: string, default: Ada}}
flow:
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, size: 1024x1024, instruction: "{{ inputs.name }}"}
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path / "state"))
    Path("card.flow.yaml").write_text(CARD, encoding="utf-8")
    Path("people.csv").write_text("name\nAda\n", encoding="utf-8")

    def called(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return called


def one_run(run: Run) -> str:
    assert run("run", "card.flow.yaml", "--simulate", "-q", "--out", "pictures")[0] == 0
    with Journal("state") as journal:
        return journal.runs.all(most=1)[0].id


def one_batch(run: Run) -> str:
    _, out, _ = run("batch", "card.flow.yaml", "--over", "people.csv", "--simulate", "-q", "--out", "cards", "--json")
    return str(json.loads(out)["batch"])


@pytest.mark.parametrize("made", [(one_batch, one_run), (one_run, one_batch)], ids=["a run", "a batch"])
def test_the_last_one_is_called_so_wherever_a_run_is_taken(
    made: tuple[Callable[[Run], str], ...], run: Run, tmp_path: Path
) -> None:
    last = [each(run) for each in made][-1]
    assert json.loads(run("runs", "show", "last", "--json")[1])["id"] == last
    assert last in run("resume", "last")[2]  # it is done
    assert last in run("runs", "export", "last")[1]
    assert run("report", "last", "--out", "page.html")[:2] == (0, "page.html\n")
    assert run("graph", "--run", "last")[0] == 0


def test_there_is_no_last_one_yet(run: Run) -> None:
    code, _, err = run("runs", "show", "last")
    assert (code, "there is no journal in" in err) == (2, True)


def test_a_folder_is_no_name_and_the_message_has_the_one_that_is_meant(run: Run) -> None:
    ids = {"cards": one_batch(run), "pictures": one_run(run)}
    for command in (("resume",), ("runs", "show"), ("graph", "--run")):
        for named in ("cards", "cards/", "cards/results.jsonl", "pictures", "pictures/run"):
            code, _, err = run(*command, named)
            assert code == 2
            assert f"write {ids[named.partition('/')[0]][:13]}, of which that folder has the pictures" in err
        assert "`flowdsl runs list` shows" in run(*command, "elsewhere/run")[2]


def test_batches_stand_in_the_list_as_json_too(run: Run) -> None:
    ids = [one_run(run), one_batch(run)]
    found = json.loads(run("runs", "list", "--json")[1])
    assert [(each["kind"], each["id"]) for each in found] == [("batch", ids[1]), ("run", ids[0])]
    assert [each["simulated"] for each in found] == [True, True]
    assert len(json.loads(run("runs", "list", "--json", "--limit", "1")[1])) == 1


def test_a_record_that_a_batch_does_not_have_is_told_as_that(run: Run) -> None:
    id = one_batch(run)[:13]
    said = f"record 7 of the batch {id} has paid for nothing: `flowdsl runs show {id}` shows the batch, whose records"
    assert said in run("runs", "show", "last.7")[2]
    assert run("runs", "show", f"{id}.0")[0] == 0


def test_a_beginning_of_several_lists_batches_and_not_their_records_and_takes_none_of_them(run: Run) -> None:
    Path("people.csv").write_text("name\nAda\nBo\n", encoding="utf-8")
    with Journal("state") as journal:
        begun = {"argv": [], "hidden": [], "cwd": ".", "over": {}}
        for id in ("01a2-one", "01a2-two", "01b3-one"):
            journal.batches.begin(id, "card.flow.yaml", begun, "cards", simulated=True)
    single = one_run(run)
    with closing(sqlite3.connect("state/journal.sqlite")) as database, database:
        database.execute("UPDATE runs SET id = '01b3-single' WHERE id = ?", (single,))
    assert run("runs", "show", "01a2")[2] == "flowdsl: several batches begin with 01a2: 01a2-two, 01a2-one\n"
    said = "flowdsl: several runs and batches begin with 01b3: 01b3-single, 01b3-one\n"
    assert (run("runs", "show", "01b3")[2], run("runs", "release", "01b3")[2]) == (said, said)
    assert "01b3-one" in run("runs", "show", "01b3-one")[1]


@pytest.mark.parametrize("what", ["run", "batch"])
def test_what_goes_on_with_a_run_of_another_project_works_as_it_is_told(
    run: Run, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLOWDSL_STATE")
    for name in ("here", "there"):
        Path(name).mkdir()
        Path(name, "flowdsl.toml").touch()
    Path("card.flow.yaml").rename("there/card.flow.yaml")
    monkeypatch.chdir("here")
    more = ["--over", "../people.csv"] if what == "batch" else []
    failing = ["--simulate", "--fault", "OPENAI_IMAGE_GENERATION=server_error"]
    told = run(what, "../there/card.flow.yaml", *more, *failing)[2]
    assert "`flowdsl resume" in told
    assert told.splitlines()[-1].endswith("find it from here with FLOWDSL_STATE=../there/.flowdsl")
    assert run("resume", "--resend")[0] == 2
    monkeypatch.setenv("FLOWDSL_STATE", "../there/.flowdsl")
    assert run("resume", "--resend")[0] == 0
    assert run(what, "../there/card.flow.yaml", *more, "--simulate")[2].count("FLOWDSL_STATE") == 0
