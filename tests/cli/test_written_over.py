"""What a command is told to write takes the place of what it has written before, and of no other file."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl.cli import main
from flowdsl.cli.reporting import FORMS

pytestmark = pytest.mark.long

FLOW = "flow:\n  - {step: OPENAI_IMAGE_GENERATION, model: gpt-imige-2, instruction: A fox}\n"
TESTS = "flow: b.flow.yaml\ntests:\n  - {name: one}\n"
WRITING = {
    "graph": (["graph", "b.flow.yaml", "--output", "OUT"], "drawing"),
    "findings": (["validate", "a.flow.yaml", "--output-file", "OUT"], "report"),
    "baseline": (["validate", "a.flow.yaml", "--write-baseline", "OUT"], "baseline"),
    "JUnit": (["test", "a.test.yaml", "--junit", "OUT"], "report of tests"),
    "log of a run": (["run", "b.flow.yaml", "--simulate", "--log-json", "OUT"], "log"),
    "log of a picture": (["image", "A fox", "--model", "gpt-image-2", "--simulate", "--log-json", "OUT"], "log"),
    "log of a batch": (
        ["batch", "b.flow.yaml", "--over", "people.csv", "--simulate", "--quiet", "--log-json", "OUT"],
        "log",
    ),
    "coverage": (["test", "a.test.yaml", "--coverage-json", "OUT"], "report of coverage"),
}
OTHERS = {
    "precious.flow.yaml": FLOW,
    "people.csv": "name\nAda\n",
    "task.json": '{"tasktype": "generate_image", "params": {"prompt": "A fox"}}\n',
    "rows.json": '[{"name": "apple pie"}]\n',
    "page.html": "<!doctype html>\n<title>Our house</title>\n",
    "logo.svg": '<svg xmlns="http://www.w3.org/2000/svg"></svg>\n',
    "README.md": "# error\n",
    "other.xml": '<?xml version="1.0"?>\n<testsuites name="pytest"></testsuites>\n',
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "a.flow.yaml").write_text(FLOW)
    (folder / "b.flow.yaml").write_text(FLOW.replace("imige", "image"))
    (folder / "a.test.yaml").write_text(TESTS)
    for name, text in OTHERS.items():
        (folder / name).write_text(text)
    return folder


def said(what: str, name: str) -> list[str]:
    return [name if argument == "OUT" else argument for argument in (WRITING | GATEWAY)[what][0]]


GATEWAY = {"log of a gateway": (["serve", "--simulate", "--port", "0", "--log-json", "OUT"], "log")}


@pytest.mark.parametrize("what", [*WRITING, *GATEWAY])
def test_no_file_of_somebody_is_written_over(what: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in OTHERS.items():
        assert main(said(what, name)) == 2, name
        printed = capsys.readouterr()
        assert printed.out == ""
        kind = (WRITING | GATEWAY)[what][1]
        assert printed.err == f"flowdsl: {name} is there and is no {kind}: it stays as it is; name another file\n"
        assert (folder / name).read_text() == text


@pytest.mark.parametrize("what", WRITING)
def test_what_was_written_before_is_written_over_and_so_is_an_empty_file(
    what: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "out").write_text("\n")
    first = main(said(what, "out"))
    text = (folder / "out").read_text()
    assert (first, text) != (2, "\n")
    assert main(said(what, "out")) == first
    assert "name another file" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["out.mmd", "out.svg", "out.html"])
def test_a_drawing_takes_the_place_of_one_in_any_form(name: str) -> None:
    for form in ("mermaid", "svg", "html", "mermaid"):
        assert main(["graph", "b.flow.yaml", "--format", form, "--output", name]) == 0


@pytest.mark.parametrize("flow", ["a.flow.yaml", "b.flow.yaml"], ids=["findings", "no findings"])
def test_a_report_takes_the_place_of_one_in_any_form(flow: str, capsys: pytest.CaptureFixture[str]) -> None:
    for form in (*FORMS, *reversed(FORMS)):
        code = main(["validate", flow, "--format", form, "--output-file", "out"])
        assert (code, capsys.readouterr().err) == (0, ""), form  # a warning


def test_a_converted_flow_is_written_whole_and_over_a_file_only_by_force(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    converting = ["convert", "task.json", "--out", "people.csv"]
    assert main(converting) == 2
    assert capsys.readouterr().err == "flowdsl: people.csv is there already; --force writes over it\n"
    assert (folder / "people.csv").read_text() == OTHERS["people.csv"]
    inode = (folder / "people.csv").stat().st_ino
    assert main([*converting, "--force"]) == 0
    assert (folder / "people.csv").stat().st_ino != inode  # another file took its place: no reader sees a half
    assert main(["validate", "people.csv", "--fail-on", "error"]) in (0, 1)
