"""What commands write is there whole or not at all, and a link to where it goes stays one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flowdsl.cli import main

resource = pytest.importorskip("resource")

FLOW = "title: A fox\nflow:\n  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A fox}\n"
TESTS = "tests:\n  - {name: one, expect: {prompts: snapshot}}\n"
WRITING = {
    "graph": (["graph", "a.flow.yaml", "--output", "OUT"], "a.svg"),
    "findings": (["validate", "a.flow.yaml", "--format", "json", "--output-file", "OUT"], "a.json"),
    "baseline": (["validate", "a.flow.yaml", "--write-baseline", "OUT"], "base.json"),
    "JUnit": (["test", "a.test.yaml", "--junit", "OUT"], "a.xml"),
    "coverage": (["test", "a.test.yaml", "--coverage-json", "OUT"], "cover.json"),
    "snapshots": (["test", "a.test.yaml", "--update-snapshots"], "a.snapshots.yaml"),
}
OLD = {
    "graph": "flowchart TD\n",
    "findings": '[\n{"path": "b.flow.yaml"}\n]\n',
    "baseline": '{"flowdsl_baseline": 1, "findings": {}}\n',
    "JUnit": '<?xml version="1.0"?>\n<testsuites name="flowdsl"></testsuites>\n',
    "coverage": '{"v": 1, "percent": 0}\n',
    "snapshots": "{}\n",
}
"""What such a command may have written before: nothing else is written over."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    Path("a.flow.yaml").write_text(FLOW)
    Path("a.test.yaml").write_text(TESTS)
    return tmp_path / "work"


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """While no file can grow beyond some bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def said(arguments: list[str], name: str) -> list[str]:
    return [name if argument == "OUT" else argument for argument in arguments]


@pytest.mark.parametrize("what", WRITING)
def test_what_a_link_leads_to_is_written(what: str, folder: Path) -> None:
    arguments, name = WRITING[what]
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / name).write_text(OLD[what])
    (folder / "elsewhere" / name).chmod(0o640)
    (folder / name).symlink_to(f"elsewhere/{name}")
    main(said(arguments, name))
    assert (folder / name).is_symlink()
    assert (folder / "elsewhere" / name).read_text() != OLD[what]
    assert stat.S_IMODE((folder / "elsewhere" / name).stat().st_mode) == 0o640
    assert [path.name for path in (folder / "elsewhere").iterdir()] == [name]


def test_a_link_to_a_file_that_is_not_there_yet_makes_it(folder: Path) -> None:
    (folder / "a.svg").symlink_to("new/b.svg")
    assert main(["graph", "a.flow.yaml", "--output", "a.svg"]) == 0
    assert (folder / "a.svg").is_symlink()
    assert (folder / "new" / "b.svg").read_text().startswith("<svg")


@pytest.mark.parametrize("what", sorted(set(WRITING) - {"baseline", "findings", "snapshots", "coverage"}))
def test_a_full_disk_leaves_the_old_file(what: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, name = WRITING[what]
    (folder / name).write_text(OLD[what])
    with files_of_at_most(40):
        code = main(said(arguments, name))
    assert code == 2
    assert name in capsys.readouterr().err
    assert (folder / name).read_text() == OLD[what]
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_full_disk_leaves_no_half_file_of_a_new_project(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with files_of_at_most(20_000):
        assert main(["init", "mine"]) == 2
    assert ".schema.json" in capsys.readouterr().err
    made = [path for path in (folder / "mine").rglob("*") if path.is_file()]
    assert (folder / "mine" / "flowdsl.toml") in made
    assert not [path for path in made if path.name.endswith((".tmp", ".schema.json"))]
    assert main(["init", "mine"]) == 0
    assert main(["validate", "mine", "--strict"]) == 0


def test_a_full_disk_leaves_no_half_flow_that_is_created(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with files_of_at_most(40):
        assert main(["create", "SET", "--output", "new.flow.yaml"]) == 2
    assert "new.flow.yaml" in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["a.flow.yaml", "a.test.yaml"]
    (folder / "new.flow.yaml").symlink_to("nowhere")
    assert main(["create", "SET", "--output", "new.flow.yaml"]) == 2
    assert "is there already" in capsys.readouterr().err


def test_what_is_no_file_takes_a_drawing_as_it_is(folder: Path) -> None:
    assert main(["graph", "a.flow.yaml", "--output", os.devnull]) == 0
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)  # noqa: PTH116
    (folder / "loop.svg").symlink_to("loop.svg")
    assert main(["graph", "a.flow.yaml", "--output", "loop.svg"]) == 2
    assert (folder / "loop.svg").is_symlink()
