"""`flowdsl init` and `flowdsl create`: what they make is right as it stands, and what is there stays."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import flowdsl
from flowdsl.cli import main
from flowdsl.reference.docstrings import documented
from flowdsl.reference.skeleton import skeleton
from flowdsl.step.registry import installed
from flowdsl.step.spec import StepSpec


def specs() -> list[StepSpec]:
    registry = installed()
    return [documented(registry.step_class(name)) for name in registry]


def test_a_new_project_checks_without_a_finding_and_keeps_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "flows").mkdir(parents=True)
    (tmp_path / "mine" / ".gitignore").write_text("mine\n", encoding="utf-8")
    (tmp_path / "mine" / "flows" / "postcard.test.yaml").symlink_to("nowhere")
    assert main(["init", "mine"]) == 0
    out = capsys.readouterr().out
    assert "made  mine/flowdsl.toml\n" in out and "kept  mine/.gitignore\n" in out
    assert "kept  mine/flows/postcard.test.yaml\n" in out
    assert (tmp_path / "mine" / ".gitignore").read_text(encoding="utf-8") == "mine\n"
    before = {path: path.read_bytes() for path in (tmp_path / "mine").rglob("*") if path.is_file()}
    assert main(["init", "mine"]) == 0
    out = capsys.readouterr().out
    assert "made" not in out.replace("was there", "") and "what is kept was there already, and is as it was\n" in out
    assert {path: path.read_bytes() for path in before} == before
    (tmp_path / "mine" / "flows" / "postcard.test.yaml").unlink()
    assert main(["init", "mine"]) == 0
    capsys.readouterr()
    assert main(["validate", "mine", "--strict"]) == 0
    assert capsys.readouterr().out == "3 files, no findings\n"


def test_a_new_project_passes_every_command_of_its_workflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    workflow = yaml.safe_load((tmp_path / ".github/workflows/flows.yml").read_text(encoding="utf-8"))
    lines = [line for step in workflow["jobs"]["flows"]["steps"] for line in step.get("run", "").splitlines()]
    commands = [line.split() for line in lines if line.startswith("flowdsl ")]
    assert [command[1] for command in commands] == ["fmt", "validate", "test"]
    for command in (*commands, ["flowdsl", "fmt", "--check", "."], ["flowdsl", "fmt", "--check"]):
        assert main(command[1:]) == 0, capsys.readouterr()
    written = {path.name for path in tmp_path.iterdir()} - {".github", ".vscode", ".gitignore", "flows", "flowdsl.toml"}
    assert written <= {name.strip("/") for name in (tmp_path / ".gitignore").read_text(encoding="utf-8").split()}


def test_what_editors_and_pipelines_read_is_what_they_can_read(tmp_path: Path) -> None:
    assert main(["init", str(tmp_path)]) == 0
    settings = json.loads((tmp_path / ".vscode/settings.json").read_text(encoding="utf-8"))
    for schema in settings["yaml.schemas"]:
        assert json.loads((tmp_path / schema).read_text(encoding="utf-8"))["$schema"].startswith(
            "https://json-schema.org/"
        )
    for path in (tmp_path / "flows").rglob("*.yaml"):
        head = path.read_text(encoding="utf-8").splitlines()[0]
        mark = "# yaml-language-server: $schema="
        assert head.startswith(mark)
        assert (path.parent / head.removeprefix(mark)).is_file(), "the line of the schema leads to it"
    workflow = yaml.safe_load((tmp_path / ".github/workflows/flows.yml").read_text(encoding="utf-8"))
    commands = [step["run"] for step in workflow["jobs"]["flows"]["steps"] if "run" in step]
    checked = ["flowdsl fmt . --check", "flowdsl validate . --strict"]
    assert commands[1:] == [*checked, "flowdsl test . --coverage --junit flows.xml"]


@pytest.mark.long
def test_a_new_project_runs_and_its_tests_run_every_branch(tmp_path: Path) -> None:
    def flowdsl_says(*arguments: str) -> str:
        command = [sys.executable, "-m", "flowdsl.cli", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    flowdsl_says("init")
    assert "simulated, would cost" in flowdsl_says("run", "flows/postcard.flow.yaml", "--simulate")
    assert "3 tests, all passed" in flowdsl_says(
        "test", ".", "--coverage", "--junit", "flows.xml", "--fail-under", "100"
    )


@pytest.mark.long
def test_a_skeleton_of_each_step_checks_and_says_what_its_keys_are() -> None:
    environment = flowdsl.Environment()
    for spec in specs():
        text = skeleton([spec])
        assert [str(found) for found in environment.check(text) if found.severity != "note"] == [], spec.name
        assert f"  # {spec.name}: " in text
        for key in spec.keys.values():
            assert key.deprecated or f"  #   {key.name} ({key.type}" in text


@pytest.mark.long
def test_a_skeleton_of_any_two_steps_checks() -> None:
    environment = flowdsl.Environment()
    all_of_them = specs()
    for one in all_of_them:
        for other in all_of_them:
            if one is not other:
                found = environment.check(skeleton([one, other]))
                assert [str(each) for each in found if each.severity == "error"] == [], (one.name, other.name)


def test_a_skeleton_is_printed_or_written_where_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["create", "SET,REST", "SET"]) == 0
    text = capsys.readouterr().out
    assert text.count("- step: SET\n") == 1 and "- step: REST\n" in text
    assert main(["create", "SET,REST", "--output", "new/mine.flow.yaml"]) == 0
    assert capsys.readouterr().out == "new/mine.flow.yaml written\n"
    assert Path("new/mine.flow.yaml").read_text(encoding="utf-8") == text
    assert main(["create", "SET", "--output", "new/mine.flow.yaml"]) == 2
    said = "flowdsl: new/mine.flow.yaml is there already, and stays as it is; name another file\n"
    assert capsys.readouterr().err == said
    assert Path("new/mine.flow.yaml").read_text(encoding="utf-8") == text


WRONG = [
    (["create", "SETT"], "flowdsl: there is no step `SETT`; did you mean `SET`?\n"),
    (["create", ","], "flowdsl: name a step: `flowdsl create SET`; `flowdsl steps` lists them\n"),
    (["init", "file"], "flowdsl: file is a file, and a project needs a folder\n"),
    (
        ["init", "half"],
        "flowdsl: half/flows is a file, and half/flows/postcard.flow.yaml needs a folder there; "
        "what is made so far stays\n",
    ),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=["no step", "no name", "a file", "a file in it"])
def test_wrong_use_is_one_message(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "flows").touch()
    assert main(arguments) == 2
    assert capsys.readouterr().err == said
