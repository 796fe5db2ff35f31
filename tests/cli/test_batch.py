"""`flowdsl batch`: what becomes of each record, what can be run again, and what is wrong with how it is asked."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from flowdsl.cli import main
from flowdsl.journal.batches import Batches
from flowdsl.journal.doubt import IN_DOUBT
from flowdsl.journal.journal import Journal

CARD = """\
inputs:
  name: {type: string}
  size: {type: string, default: 1024x1024}
  count: {type: integer, default: 1}
flow:
  - step: OPENAI_IMAGE_GENERATION
    id: card
    model: gpt-image-2
    instruction: "A card for {{ inputs.name }}"
    size: "{{ inputs.size }}"
    quality: low
    n: "{{ inputs.count }}"
outputs: {card: "{{ flowContext.imageList }}"}
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("card.flow.yaml").write_text(CARD, encoding="utf-8")

    def called(*arguments: str, over: str = "") -> tuple[int, str, str]:
        if over:
            name = next(each for each in arguments if each.endswith((".csv", ".jsonl", ".tsv")))
            Path(name).write_text(over, encoding="utf-8")
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return called


def batch(*more: str) -> tuple[str, ...]:
    return ("batch", "card.flow.yaml", "--simulate", "--quiet", "--out", "cards", *more)


def lines(name: str) -> list[dict[str, Any]]:
    path = Path("cards") / name
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def test_each_record_of_a_table_is_a_run_with_its_pictures_in_the_results(run: Run) -> None:
    code, out, _ = run(*batch("--over", "a.csv"), over="name,count,note\nAda,1,x\nBo,2,y\n")
    assert code == 0
    assert out.splitlines()[0] == "2 records done, simulated, would cost about $0.02"
    found = {line["record"]: line for line in lines("results.jsonl")}
    assert [len(found[number]["images"]) for number in (0, 1)] == [1, 2]
    assert all(Path(image["path"]).is_file() for line in found.values() for image in line["images"])
    assert not Path("cards/failed.jsonl").exists()


def test_one_record_that_fails_stops_no_other_and_can_be_run_again_as_it_is(run: Run) -> None:
    records = '{"name": "Ada"}\n{"name": "Bo", "size": "7x7"}\n{"nme": "Cy"}\n{"name": \n{"name": "Di"}\n'
    code, out, _ = run(*batch("--over", "a.jsonl"), over=records)
    assert code == 4
    assert out.splitlines()[0] == "2 records done, 3 failed, simulated, would cost about $0.01"
    assert sorted(line["record"] for line in lines("results.jsonl")) == [0, 4]
    failed = {line["_failed"]["record"]: line for line in lines("failed.jsonl")}
    assert {number: line["_failed"]["line"] for number, line in failed.items()} == {1: 2, 2: 3, 3: 4}
    assert failed[1]["name"] == "Bo"
    assert failed[2]["_failed"]["error"]["code"] == "missing-input"
    assert "line 4 is no JSON" in failed[3]["_failed"]["error"]["message"]
    mended = Path("cards/failed.jsonl").read_text(encoding="utf-8").replace("7x7", "1024x1024")
    (again,) = (line for line in mended.splitlines() if '"Bo"' in line)
    Path("again.jsonl").write_text(f"{again}\n", encoding="utf-8")
    code, out, _ = run("batch", "card.flow.yaml", "--simulate", "--quiet", "--out", "more", "--over", "again.jsonl")
    assert (code, out.splitlines()[0]) == (0, "1 record done, simulated, would cost about $0.0059")


def test_fields_of_other_names_are_mapped_and_inputs_are_shared(run: Run) -> None:
    code, _, _ = run(*batch("--over", "a.tsv", "--map", "name=full", "-i", "count=2"), over="full\tname\nAda L\tx\n")
    assert code == 0
    (line,) = lines("results.jsonl")
    assert len(line["images"]) == 2
    manifest = json.loads(Path("cards/manifest.json").read_text(encoding="utf-8"))
    assert {image["prompt"] for image in manifest["images"]} == {"A card for Ada L"}


@pytest.mark.parametrize(("more", "numbers"), [(("--limit", "2"), [0, 1]), (("--sample", "2"), None)])
def test_only_some_records_are_run(run: Run, more: tuple[str, ...], numbers: list[int] | None) -> None:
    code, _, _ = run(*batch("--over", "a.csv", *more), over="name\n" + "".join(f"P{n}\n" for n in range(6)))
    found = sorted(line["record"] for line in lines("results.jsonl"))
    assert (code, len(found)) == (0, 2)
    assert numbers is None or found == numbers


@pytest.mark.long
def test_a_batch_stops_where_its_money_ends_and_goes_on_with_more(run: Run) -> None:
    records = "name\n" + "".join(f"P{n}\n" for n in range(5))
    code, _, err = run(*batch("--over", "a.csv", "--max-usd", "0.02", "--concurrency", "1"), over=records)
    assert code == 4
    assert "stopped: " in err
    assert "--max-usd" in err
    done = len(lines("results.jsonl"))
    assert 0 < done < 5
    code, out, _ = run("resume", "--quiet", "--max-usd", "1")
    assert (code, len(lines("results.jsonl"))) == (0, 5)
    assert out.startswith("5 records done, simulated, would cost about $0.03")


@pytest.mark.long
def test_ctrl_c_while_the_end_of_a_batch_waits_for_the_disk_leaves_out_no_account(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = Batches.end

    def interrupted(own: Batches, id: str, status: str) -> None:
        end(own, id, status)
        raise KeyboardInterrupt

    monkeypatch.setattr(Batches, "end", interrupted)
    code, out, err = run(*batch("--over", "a.csv", "--max-requests", "1"), over="name\nA\nB\n")
    assert (code, out.splitlines()[0]) == (130, "1 record done, simulated, would cost about $0.0059")
    assert "goes on" in err


def test_a_batch_that_is_done_is_not_resumed_and_another_takes_another_folder(run: Run) -> None:
    run(*batch("--over", "a.csv"), over="name\nAda\n")
    code, _, err = run("resume")
    assert code == 2
    assert "is unfinished" in err
    code, _, err = run(*batch("--over", "a.csv"))
    assert code == 2
    assert err == "flowdsl: cards holds the results of another batch: name another --out\n"


def test_a_folder_of_a_batch_that_was_broken_off_is_told_with_the_command_that_goes_on(run: Run) -> None:
    records = "name\n" + "".join(f"P{n}\n" for n in range(3))
    assert run(*batch("--over", "a.csv", "--max-usd", "0.007", "--concurrency", "1"), over=records)[0] == 4
    code, _, err = run(*batch("--over", "a.csv"))
    assert code == 2
    told = re.fullmatch(r".*: name another --out, or go on with that: `flowdsl (resume \S+)`\n", err)
    assert told is not None, err
    assert run(*told[1].split(), "--quiet", "--max-usd", "1")[0] == 0
    assert len(lines("results.jsonl")) == 3


@pytest.mark.parametrize("command", ["run", "batch", "mcp", "serve"])
def test_a_file_in_place_of_the_folder_for_pictures_is_told_before_anything_runs(run: Run, command: str) -> None:
    Path("taken").write_text("mine", encoding="utf-8")
    Path("a.csv").write_text("name\nAda\n", encoding="utf-8")
    arguments = {"run": ("card.flow.yaml", "-i", "name=Ada"), "batch": ("card.flow.yaml", "--over", "a.csv")}
    more = arguments.get(command, ())
    code, out, err = run(command, *more, "--simulate", "--out", "taken")
    assert (code, out) == (2, "")
    assert err.startswith("flowdsl: --out ") and err.endswith(
        "taken: that is no folder, and pictures go into one: name another\n"
    )
    assert not Path(".flowdsl").exists()


def test_what_was_written_half_is_taken_away_and_done_again(run: Run) -> None:
    records = "name\n" + "".join(f"P{n}\n" for n in range(4))
    run(*batch("--over", "a.csv", "--max-usd", "0.02", "--concurrency", "1"), over=records)
    path = Path("cards/results.jsonl")
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[:-20], encoding="utf-8")
    code, out, _ = run("resume", "--quiet", "--max-usd", "1")
    assert (code, sorted(line["record"] for line in lines("results.jsonl"))) == (0, [0, 1, 2, 3])
    assert out.startswith("4 records done, simulated, would cost about $0.02")


@pytest.mark.long
def test_a_file_that_changed_is_no_batch_to_go_on_with_but_one_that_grew_is(run: Run) -> None:
    records = "name\n" + "".join(f"P{n}\n" for n in range(4))
    run(*batch("--over", "a.csv", "--max-usd", "0.02", "--concurrency", "1"), over=records)
    path = Path("a.csv")
    path.write_text(records.replace("P0", "Q0"), encoding="utf-8")
    code, _, err = run("resume", "--quiet", "--max-usd", "1")
    assert code == 2
    assert "a.csv has changed since the batch began" in err
    path.write_text(records + "P4\n", encoding="utf-8")
    code, out, _ = run("resume", "--quiet", "--max-usd", "1")
    assert (code, out.splitlines()[0]) == (0, "5 records done, simulated, would cost about $0.03")


@pytest.mark.parametrize(
    ("arguments", "over", "said"),
    [
        (("--over", "a.csv"), "full_name\nAda\n", "`--map name=full_name` names one"),
        (("--over", "a.csv", "--map", "nme=x"), "x\nAda\n", "did you mean `name`?"),
        (("--over", "a.csv", "--map", "name=ful"), "full\nAda\n", "did you mean `full`?"),
        (("--over", "a.csv"), "name,name\nAda,x\n", "does not name each column once"),
        (("--over", "a.csv"), "name\n", "holds no records"),
        (("--over", "none.csv"), "", "there is no such file"),
        (("--over", "a.csv"), "person,note\nAda,x\n", "has no field for the input `name`: `--map name=FIELD` names"),
        (("--over", "a.csv"), "person\nAda\n", "`--map name=person` names one"),
        (("--over", "a.csv"), "note,Name_of_all\nx,Ada\n", "`--map name=Name_of_all` names one"),
        (("--over", "a.csv", "--no-journal"), "name\nAda\n", "a batch always has a journal"),
        (("--over", "a.csv", "--concurrency", "0"), "name\nAda\n", "from 1 on"),
        (("--over", "a.csv", "--concurrency", "9" * 18), "name\nAda\n", "from 1 on, and up to 100,000"),
        (("--over", "a.csv", "--limit", "0"), "name\nAda\n", "--limit 0 leaves no record: write a number from 1 on"),
        (("--over", "a.csv", "--sample", "0"), "name\nAda\n", "--sample 0 leaves no record: write a number from 1 on"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(run: Run, arguments: tuple[str, ...], over: str, said: str) -> None:
    code, _, err = run(*batch(*arguments), over=over)
    assert code == 2
    assert said in err
    assert not Path("cards").exists()


def test_all_options_that_a_batch_does_not_take_are_told_at_once(run: Run) -> None:
    code, _, said = run(*batch("--over", "a.csv", "--limit", "0", "--no-journal", "--concurrency", "0"))
    assert (code, said.splitlines()[0]) == (2, "flowdsl: 3 options are wrong:")
    assert [line.split()[0] for line in said.splitlines()[1:]] == ["--limit", "--concurrency", "a"]


@pytest.mark.long
@pytest.mark.parametrize("vendor", [(), ("--vendor-batch",)])
def test_faults_strike_the_records_of_a_batch_too(run: Run, vendor: tuple[str, ...]) -> None:
    faults = ("--fault", "card=moderation:1")
    code, out, _ = run(*batch("--over", "a.csv", *faults, *vendor), over="name\nAda\nBo\n")
    assert (code, "1 record done, 1 failed" in out) == (4, True)


def test_a_record_that_may_be_billed_is_held_and_not_among_those_to_run_again(run: Run) -> None:
    loud = [each for each in batch("--over", "a.csv", "--fault", "card=reset:1") if each != "--quiet"]
    code, out, said = run(*loud, over="name\nAda\nBo\n")
    assert (code, out.splitlines()[0].startswith("1 record done, 1 in doubt, simulated")) == (4, True)
    assert "the work may have been done and billed" in said
    assert not (Path("cards") / "failed.jsonl").exists()
    code, out, _ = run("resume", "--quiet")
    assert (code, "1 record done, 1 in doubt" in out) == (4, True)
    code, out, _ = run("resume", "--quiet", "--resend")  # as the message says
    assert (code, "2 records done" in out) == (0, True)


@pytest.mark.long
def test_what_may_be_billed_and_is_sent_again_counts_twice_for_the_limit_of_a_batch(run: Run) -> None:
    limited = ("--over", "a.csv", "--max-usd", "0.013", "--concurrency", "1", "--fault", "card=reset:1")
    code, out, _ = run(*batch(*limited), over="name\nAda\nBo\n")
    assert (code, "1 record done, 1 in doubt" in out) == (4, True)  # $0.0060 each at most
    code, out, err = run("resume", "--quiet", "--resend")
    assert (code, "1 record done" in out, "stopped: " in err) == (4, True, True)
    code, out, _ = run("resume", "--quiet", "--max-usd", "0.019")
    assert (code, "2 records done" in out) == (0, True)


def test_what_came_and_is_bought_anew_stays_in_the_cost_of_a_batch(run: Run) -> None:
    run(*batch("--over", "a.csv"), over="name\nAda\nBo\n")
    id = run("runs")[1].split()[0]
    _, before, _ = run("runs", "show", id, "--json")
    with Journal(os.environ["FLOWDSL_STATE"]) as journal:
        record = journal.runs.all(batch=json.loads(before)["id"])[0].id
        [request] = journal.runs.requests(record)
        assert journal.runs.release(record, [request.id]) == 1
    _, after, _ = run("runs", "show", id, "--json")
    assert (after, json.loads(after)["requests"]) == (before, 2)


def test_an_empty_table_is_called_empty(run: Run) -> None:
    Path("a.csv").touch()
    code, _, said = run(*batch("--over", "a.csv"))
    assert (code, "a.csv is empty: its first line names the columns" in said) == (2, True)


def test_records_of_which_no_field_is_an_input_are_refused_as_they_all_ask_for_the_same(run: Run) -> None:
    loud = ("batch", "card.flow.yaml", "--simulate", "--over", "a.csv", "-i", "name=full_name", "--out")
    code, _, said = run(*loud, "cards", "--quiet", over="full_name,town\nAda,London\nBo,Faro\n")
    assert (code, Path("cards").exists()) == (2, False)
    assert (
        "flowdsl: no field of a.csv is an input of the flow, and all records ask for the same: its inputs are name, "
        "size, count; `--map name=full_name` takes one; the records have full_name, town\n"
    ) in said
    assert "warning" not in run(*loud[:5], "--map", "name=full_name", "--out", "cards")[2]  # the remedy works
    assert [line["outputs"]["card"][0]["width"] for line in lines("results.jsonl")] == [1024, 1024]


_FREE = CARD.replace("name: {type: string}", "name: {type: string, default: Nobody}")


@pytest.mark.parametrize("command", [pytest.param("batch", marks=pytest.mark.long), "plan"])
def test_columns_in_other_letters_than_the_inputs_are_refused_with_all_that_takes_them(run: Run, command: str) -> None:
    Path("card.flow.yaml").write_text(_FREE, encoding="utf-8")
    rest = ("card.flow.yaml", "--over", "a.csv", *(("--simulate", "--quiet") if command == "batch" else ()))
    code, _, said = run(command, *rest, over="Name,Size of it\nAda,1024x1024\n")
    assert (code, "; `--map name=Name --map 'size=Size of it'` takes them; " in said) == (2, True)
    assert not Path("flowdsl-batch").exists()
    code, _, said = run(command, *rest, over="Nam,x\nAda,1\n")
    assert (code, "`--map name=Nam` takes one; the records have Nam, x" in said) == (2, True)
    assert run(command, *rest, "--map", "name=Nam", over="Nam,x\nAda,1\n")[0] == 0


@pytest.mark.long
def test_a_field_that_is_nearly_an_input_and_not_used_is_told(run: Run) -> None:
    loud = [each for each in batch("--over", "a.csv") if each != "--quiet"]
    code, _, said = run(*loud, over="name,Size,note\nAda,1024x1024,x\n")
    warned = "the field `Size` of a.csv is no input of the flow, and not used: `--map size=Size` takes it"
    assert (code, f"flowdsl: warning: {warned}\n" in said) == (0, True)
    code, _, said = run(*loud, "--out", "more", over="Name,Size\nAda,1024x1024\n")
    assert (code, "`--map name=Name --map size=Size` names them, `-i name=VALUE`" in said) == (2, True)


def test_lines_of_json_that_say_an_input_later_or_nothing_at_all_are_not_refused(run: Run) -> None:
    Path("card.flow.yaml").write_text(_FREE, encoding="utf-8")
    for text in ('{"note": 1}\n{"name": "Ada"}\n', "{}\n{}\n"):
        Path("a.jsonl").write_text(text, encoding="utf-8")
        assert run("plan", "card.flow.yaml", "--over", "a.jsonl")[0] == 0
    Path("a.jsonl").write_text('no JSON\n{"note": 1}\n{"note": 2}\n', encoding="utf-8")
    code, _, said = run(*batch("--over", "a.jsonl"))
    assert (code, "no field of a.jsonl is an input of the flow" in said) == (2, True)


def test_records_of_a_misspelt_name_are_those_of_the_near_one(run: Run) -> None:
    Path("people.csv").write_text("name\nAda\n", encoding="utf-8")
    Path("lists").mkdir()
    Path("lists/people.jsonl").write_text("{}\n", encoding="utf-8")
    assert "did you mean `people.csv`?" in run(*batch("--over", "peple.csv"))[2]
    assert "did you mean `lists/people.jsonl`?" in run(*batch("--over", "lists/poeple.jsonl"))[2]


def test_a_file_of_another_kind_is_refused(run: Run) -> None:
    Path("a.txt").write_text("Ada\n", encoding="utf-8")
    code, _, err = run("batch", "card.flow.yaml", "--simulate", "--over", "a.txt")
    assert code == 2
    assert "--over takes a .jsonl or a .csv file" in err


def test_no_secret_is_written_and_one_that_is_needed_is_given_again(run: Run) -> None:
    secret = CARD.replace(
        "inputs:\n",
        "inputs:\n  pin: {type: string, writeOnly: true, default: x}\n  code: {type: string, writeOnly: true}\n",
    )
    Path("card.flow.yaml").write_text(secret, encoding="utf-8")
    records = "name,pin,size\nAda,1234-pin-of-ada,7x7\nBo,5678-pin-of-bo,1024x1024\n"
    code, _, _ = run(*batch("--over", "a.csv", "-i", "code=code-of-all-99", "--max-usd", "0.001"), over=records)
    assert code == 4
    folder = Path(os.environ["FLOWDSL_STATE"])
    kept = b"".join(
        path.read_bytes() for place in (Path("cards"), folder) for path in place.rglob("*") if path.is_file()
    )
    for word in (b"1234-pin", b"5678-pin", b"code-of-all"):
        assert word not in kept
    (line,) = lines("failed.jsonl")
    assert (line["pin"], line["_failed"]["hidden"]) == ("***", ["pin"])
    code, _, err = run("resume", "--quiet", "--max-usd", "1")
    assert (code, "code held a secret" in err) == (2, True)
    code, _, _ = run("resume", "--quiet", "--max-usd", "1", "-i", "code=code-of-all-99")
    assert [line["record"] for line in lines("results.jsonl")] == [1]


def test_runs_shows_batches_and_lets_one_be_given_up(run: Run) -> None:
    run(*batch("--over", "a.csv", "--max-usd", "0.001"), over="name\nAda\n")
    code, out, _ = run("runs")
    id = out.split()[0]
    assert (code, out.split()[1]) == (0, "stopped")
    assert run("runs", "show", id)[0] == 0
    code, out, _ = run("runs", "cancel", id)
    assert (code, "is given up" in out) == (0, True)
    code, _, err = run("resume", id)
    assert (code, "was given up" in err) == (2, True)


def test_of_a_batch_that_goes_on_nothing_is_released_nor_cut_off(run: Run) -> None:
    run(*batch("--over", "a.csv", "--max-usd", "0.007"), over="name\nAda\nBo\n")
    with Journal(os.environ["FLOWDSL_STATE"]) as journal:
        (found,) = journal.batches.all()
        half = '{"record": 1, "sta'
        with Path("cards/results.jsonl").open("a") as file:
            file.write(half)
        with journal.holding(found.id):
            for command in (("resume", found.id, "--resend"), ("runs", "release", found.id)):
                code, _, err = run(*command)
                assert (code, "goes on" in err) == (2, True)
            assert Path("cards/results.jsonl").read_text().endswith(half)
    assert run("resume", found.id, "--quiet", "--max-usd", "1")[0] == 0
    assert sorted(line["record"] for line in lines("results.jsonl")) == [0, 1]


def test_a_batch_that_cannot_go_on_sends_nothing_again(run: Run) -> None:
    run(*batch("--over", "a.csv", "--max-usd", "0.007"), over="name\nAda\nBo\n")
    doubts = f"SELECT id FROM ledger WHERE {IN_DOUBT}"
    with Journal(os.environ["FLOWDSL_STATE"]) as journal:
        forget = "UPDATE ledger SET state = 'unknown', images = 0, is_final = 1"
        journal.database.submit(lambda db: db.execute(forget)).result()
        (found,) = journal.batches.all()
        assert len(journal.database.read(doubts, ())) == 1
    Path("a.csv").rename("b.csv")
    code, _, err = run("resume", found.id, "--resend")
    assert (code, "there is no such file" in err) == (2, True)
    Path("b.csv").rename("a.csv")
    with Journal(os.environ["FLOWDSL_STATE"]) as journal:
        assert len(journal.database.read(doubts, ())) == 1
    assert run("resume", found.id, "--resend", "--quiet", "--max-usd", "1")[0] == 0
    with Journal(os.environ["FLOWDSL_STATE"]) as journal:
        assert not journal.database.read(doubts, ())


def test_the_folder_of_a_batch_that_is_gone_is_told_with_what_to_do(run: Run, tmp_path: Path) -> None:
    run(*batch("--over", "a.csv", "--max-usd", "0.007"), over="name\nAda\nBo\n")
    here = Path.cwd()
    gone = here.with_name("gone")
    with chdir(tmp_path.parent):
        here.rename(gone)
        try:
            code, _, err = run("resume")
        finally:
            gone.rename(here)
    assert code == 2
    assert err.startswith(
        f"flowdsl: the folder in which it began cannot be entered: {here}: No such file or directory; "
    )
