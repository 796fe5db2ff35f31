"""Of several files that are not there all are told at once."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from flowdsl.cli import main


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["batch", "kitte.flow.yaml", "--over", "recods.csv"], ["kitte.flow.yaml; did", "--over recods.csv; did"]),
        (["batch", "no.flow.yaml", "--over", "no.csv", "-i", "x=@no.txt"], ["no.flow.yaml", "no.csv", "-i x=@no.txt"]),
        (["batch", "kite.flow.yaml", "--over", "no.csv", "-i", "x=@no.txt"], ["--over no.csv", "-i x=@no.txt"]),
        (["plan", "no.flow.yaml", "--over", "no.csv"], ["no.flow.yaml", "--over no.csv"]),
        (["plan", "no.flow.yaml", "--inputs", "no.json"], ["no.flow.yaml", "--inputs no.json"]),
        (["run", "no.flow.yaml", "--inputs", "no.json"], ["no.flow.yaml", "--inputs no.json"]),
        (["run", "kite.flow.yaml", "-i", "a=@no.txt", "-i", "b=@non.txt"], ["-i a=@no.txt", "-i b=@non.txt"]),
        (["graph", "no.flow.yaml", "--events", "no.jsonl"], ["no.flow.yaml", "--events no.jsonl"]),
        (["provenance", "no.png", "no.flow.yaml"], ["no.png", "no.flow.yaml"]),
        (["validate", "no.flow.yaml", "--baseline", "no.json"], ["no.flow.yaml", "--baseline no.json"]),
        (["mcp", "no.flow.yaml", "non"], ["no.flow.yaml", "non"]),
    ],
)
def test_several_files_that_are_not_there_are_told_at_once(
    arguments: list[str],
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kite.flow.yaml").write_text("- {step: SET, a: 1}\n", encoding="utf-8")
    Path("records.csv").write_text("a\n1\n", encoding="utf-8")
    assert main(arguments) == 2
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == f"flowdsl: {len(told)} files are not there:"
    assert len(lines) == len(told)
    assert [line for line, each in zip(lines, told, strict=True) if each not in line] == []


def test_a_single_file_that_is_not_there_is_told_as_what_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kite.flow.yaml").write_text("- {step: SET, a: 1}\n", encoding="utf-8")
    assert main(["batch", "kite.flow.yaml", "--over", "no.csv"]) == 2
    assert capsys.readouterr().err == "flowdsl: --over no.csv: there is no such file\n"
    assert main(["run", "no.flow.yaml", "--inputs", "a=1"]) == 2
    assert capsys.readouterr().err.startswith("flowdsl: no.flow.yaml: No such file")


@pytest.mark.skipif(sys.platform == "win32", reason="it closes an input as a shell does")
def test_a_switch_is_no_file_that_is_not_there(tmp_path: Path) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m flowdsl.cli run nope.flow.yaml <&-"
    found = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "files are not there" not in found.stderr
    assert found.stderr == "flowdsl: nope.flow.yaml: No such file or directory\n"
