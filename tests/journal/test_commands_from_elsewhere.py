"""A command that is printed finds the journal from the folder in which it is printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from journaled import BOAT

from flowdsl.cli import main
from flowdsl.journal.journal import Journal

CITIES = BOAT.replace("A paper boat", "'The skyline of {{ inputs.city }}'")
FLOW = f"inputs: {{city: {{type: string}}}}\nflow:\n{CITIES}"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose name a shell would read otherwise, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLOWDSL_STATE")
    project = Path("it's mine") / "a project"
    project.mkdir(parents=True)
    (project / "flowdsl.toml").write_text("", encoding="utf-8")
    (project / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    Path("cities.csv").write_text("city\nA\nB\nC\n", encoding="utf-8")
    return project


def batch(project: Path, *options: str) -> int:
    return main(
        ["batch", str(project / "a.flow.yaml"), "--over", "cities.csv", "--simulate", "--out", "it's", *options]
    )


def applied(said: str, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    """What comes of the command that a text names, with the variable that it names."""
    command = re.search(r"`flowdsl (resume [^`]*)`", said)
    state = re.search(r"FLOWDSL_STATE=(.*)", said)
    assert command is not None
    assert state is not None
    (folder,) = shlex.split(state[1])
    monkeypatch.setenv("FLOWDSL_STATE", folder)
    return main([*shlex.split(command[1]), *more])


@pytest.mark.long
def test_the_way_to_go_on_with_the_batch_of_a_folder_works_as_it_is_printed(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(project, "--max-requests", "1", "--quiet") == 4
    capsys.readouterr()
    assert batch(project) == 2
    err = capsys.readouterr().err
    assert "is the folder of a batch that is not finished: name another --out, or go on with that" in err
    assert applied(err, monkeypatch, "--max-requests", "9") == 0
    assert "3 records done" in capsys.readouterr().out


@pytest.mark.long
def test_a_journal_named_from_another_folder_is_the_one_that_a_resumed_batch_writes(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(project, "--max-requests", "1", "--quiet") == 4
    Path("deep", "er").mkdir(parents=True)
    monkeypatch.chdir("deep/er")
    monkeypatch.setenv("FLOWDSL_STATE", f"../../{project}/.flowdsl")
    assert main(["resume", "--max-requests", "9"]) == 0
    assert f"it began in {tmp_path}: the paths below are meant from there" in capsys.readouterr().err
    with Journal(tmp_path / project / ".flowdsl") as journal:
        (kept,) = journal.batches.all()
        assert (kept.status, journal.batches.spent(kept.id)[0]) == ("done", 3)


@pytest.mark.long
def test_a_run_goes_on_in_the_journal_in_which_it_was_found(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow, more = project / "a.flow.yaml", CITIES.replace("skyline", "harbour")
    flow.write_text(FLOW + more.replace("- step", "- id: last\n  step"), encoding="utf-8")
    monkeypatch.setenv("FLOWDSL_STATE", "named")
    options = ["-i", "city=A", "--simulate", "--quiet", "--fault", "last=moderation"]
    assert main(["run", str(flow), *options]) == 4
    Path("named").rename(".flowdsl")  # which is found from here without the variable, and not from the project
    monkeypatch.delenv("FLOWDSL_STATE")
    assert main(["resume", "--yes", "--quiet"]) == 0
    assert not (project / ".flowdsl").exists()
