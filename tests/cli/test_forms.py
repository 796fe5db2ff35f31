"""`flowdsl validate --format FORM`: what each form says, and where it goes."""

from __future__ import annotations

import json
import os
import pkgutil
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import flowdsl.forms
from flowdsl.cli import main
from flowdsl.cli.reporting import DOCUMENTS, FORMS

GOLDEN = Path(__file__).parents[1] / "golden" / "forms"
KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
WRONG = """\
# ü𐐀 stands before what is wrong, so that columns count
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  instruction: "ü𐐀 of {{ flowContext.city }}, 100%"
  size: 1000x1000
  style: vivid
  output_format: png
  user: a@example.com
- step: SET
  text: a

- step: SOT
  "a,b:c%\\u0007": 1
"""
RIGHT = "- step: SET\n  text: a\n"
NAME = "a, 100% right: b.flow.yaml"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    (tmp_path / NAME).write_text(WRONG, encoding="utf-8")
    (tmp_path / "right.flow.yaml").write_text(RIGHT, encoding="utf-8")
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(["validate", *arguments])
    return capsys.readouterr().out


def ends_with(code: int, *arguments: str) -> None:
    assert main(["validate", *arguments]) == code


@pytest.mark.parametrize("form", FORMS)
def test_each_form_says_exactly_this(
    form: str, project: Path, capsys: pytest.CaptureFixture[str], update_golden: bool
) -> None:
    found = said(capsys, ".", "nosuch", "--format", form)
    golden = GOLDEN / f"{form}.txt"
    if update_golden:
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", FORMS)
def test_each_form_names_every_finding_with_its_line(
    form: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, ".", "--format", form)
    for code, line in (("undefined-variable", 4), ("unsupported-value", 5), ("conflicting-keys", 7)):
        assert code in text
        assert re.search(rf":{line}:|line={line},|\"(begin|line|startLine)\": {line},", text), (code, line)


def test_every_form_is_a_module_and_every_module_a_form() -> None:
    modules = {module.name for module in pkgutil.iter_modules(flowdsl.forms.__path__)}
    assert modules - {"report"} == set(FORMS) - {"text"}
    assert set(DOCUMENTS) < set(FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_no_form_shows_a_key_that_stands_in_the_file(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"- step: REST\n  url: https://example.com\n  headers: {{Authorization: Bearer {KEY}}}\n  {KEY}: 1\n"
    Path("key.flow.yaml").write_text(text, encoding="utf-8")
    found = said(capsys, "key.flow.yaml", "--format", form)
    assert found
    assert KEY[:16] not in found


def test_a_document_without_findings_is_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "right.flow.yaml"
    path.write_text(RIGHT, encoding="utf-8")
    assert json.loads(said(capsys, str(path), "--format", "json")) == []
    assert json.loads(said(capsys, str(path), "--format", "gitlab")) == []
    assert json.loads(said(capsys, str(path), "--format", "rdjson"))["diagnostics"] == []
    assert json.loads(said(capsys, str(path), "--format", "sarif"))["runs"][0]["results"] == []
    assert ElementTree.fromstring(said(capsys, str(path), "--format", "junit")).get("failures") == "0"
    assert said(capsys, str(path), "--format", "github", "-q") == ""


def test_a_path_that_is_not_there_stands_in_the_document_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = json.loads(said(capsys, ".", "nosuch", "--format", "sarif"))["runs"][0]
    assert run["results"]
    assert run["invocations"][0]["executionSuccessful"] is False
    notification = run["invocations"][0]["toolExecutionNotifications"][0]
    assert notification["message"]["text"] == "there is no file or folder `nosuch`"
    tree = ElementTree.fromstring(said(capsys, ".", "nosuch", "--format", "junit"))
    assert tree.get("errors") == "1"
    ends_with(2, "nosuch", "--format", "sarif")
    assert json.loads(capsys.readouterr().out)["runs"][0]["results"] == []


def prints(capsys: pytest.CaptureFixture[str], text: str) -> list[tuple[str, str]]:
    Path("moved.flow.yaml").write_text(text, encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(said(capsys, "moved.flow.yaml", "--format", "gitlab"))
    return [(row["check_name"], row["fingerprint"]) for row in found]


def test_a_fingerprint_stays_when_lines_move(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = prints(capsys, WRONG)
    after = prints(capsys, f"# one\n\n# two\n{WRONG}- step: SET\n  other: b\n")
    assert len(before) > 3
    assert before == after


def test_findings_that_are_alike_have_fingerprints_of_their_own(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = prints(capsys, "- step: SOT\n- step: SOT\n- step: SOT\n")
    assert len(found) == len(set(found)) == 3


def test_github_actions_get_their_commands_unasked(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert said(capsys, ".").startswith("::error file=a%2C 100%25 right%3A b.flow.yaml,line=4,col=")
    assert said(capsys, ".", "--format", "text").startswith(f"{NAME}:4:")
    said(capsys, ".", "--output-file", "report.txt")
    assert Path("report.txt").read_text(encoding="utf-8").startswith(f"{NAME}:4:")


def test_github_is_told_paths_of_the_repository(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.parent))
    assert f"file={project.name}/a%2C 100" in said(capsys, ".", "--format", "github")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project / "elsewhere"))
    assert f"file={project}/a%2C 100".replace(":", "%3A") in said(capsys, ".", "--format", "github")


def test_a_line_end_in_a_message_begins_no_command_of_its_own(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.flow.yaml").write_text('- step: "SET\\n::set-output name=a::b"\n', encoding="utf-8")
    lines = said(capsys, "a.flow.yaml", "--format", "github").splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["::error", "1"]


def test_columns_are_counted_as_each_form_counts_them(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sarif = json.loads(said(capsys, ".", "--format", "sarif"))["runs"][0]
    region = sarif["results"][0]["locations"][0]["physicalLocation"]["region"]
    rdjson = json.loads(said(capsys, ".", "--format", "rdjson"))["diagnostics"][0]["location"]["range"]
    line = WRONG.splitlines()[3]
    at = line.index("flowContext")
    assert (sarif["columnKind"], region["startColumn"]) == ("unicodeCodePoints", at + 1)
    assert rdjson["start"]["column"] == len(line[:at].encode()) + 1


def test_a_report_goes_to_a_file_and_stdout_says_where(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = said(capsys, ".", "--format", "sarif", "--output-file", "new/flows.sarif")
    assert printed == "2 files: 4 errors, 1 note, in new/flows.sarif\n"
    assert json.loads((project / "new" / "flows.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert [path.name for path in (project / "new").iterdir()] == ["flows.sarif"]


def test_a_report_that_cannot_be_written_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ends_with(2, ".", "--output-file", f"{NAME}/report.txt")
    assert "the report cannot be written: " in capsys.readouterr().err
    (project / "folder").mkdir()
    ends_with(2, ".", "--output-file", "folder")
    assert (project / NAME).read_text(encoding="utf-8") == WRONG
    assert sorted(path.name for path in project.iterdir()) == [NAME, "folder", "right.flow.yaml"]


def test_a_report_takes_the_place_of_no_device_and_no_link(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    said(capsys, ".", "--format", "concise", "--output-file", "pipe")
    assert os.read(reader, 9) == NAME[:9].encode()
    os.close(reader)
    (project / "link.txt").symlink_to("target.txt")
    said(capsys, ".", "--format", "concise", "--output-file", "link.txt")
    assert (project / "link.txt").is_symlink()
    assert (project / "target.txt").read_text(encoding="utf-8").startswith(NAME)


def test_statistics_count_each_code(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("twice.flow.yaml").write_text("- step: SOT\n- step: SOT\n", encoding="utf-8")
    text = said(capsys, ".", "--statistics", "--format", "concise")
    assert "\n     3  unknown-step         error\n     1  conflicting-keys     error\n" in text
    main(["validate", ".", "--statistics", "--format", "json"])
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)) == 7
    assert "     3  unknown-step         error\n" in printed.err


@pytest.mark.parametrize(
    ("given", "code"), [("error", 0), ("warning", 0), ("note", 1)], ids=["error", "warning", "note"]
)
def test_the_least_severity_that_fails_is_an_option(given: str, code: int, project: Path) -> None:
    text = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A kite\n  user: a@example.com\n"
    Path("note.flow.yaml").write_text(text, encoding="utf-8")
    ends_with(code, "note.flow.yaml", "--fail-on", given)


def test_two_options_that_say_another_severity_are_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ends_with(2, ".", "--strict", "--fail-on", "note")
    assert "keep one of the two" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("glob", "left"),
    [
        ("old", ["a.flow.yaml", "flows/b.flow.yaml"]),
        ("flows/**/c.*", ["a.flow.yaml", "flows/b.flow.yaml"]),
        ("flows", ["a.flow.yaml"]),
        ("flows/*", ["a.flow.yaml"]),
        ("*.flow.yaml", []),
        ("b.flow.yaml", ["a.flow.yaml", "flows/old/c.flow.yaml"]),
        ("flows/?.flow.yaml", ["a.flow.yaml", "flows/old/c.flow.yaml"]),
    ],
)
def test_what_a_glob_names_is_left_out_of_folders(
    glob: str, left: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.flow.yaml", "flows/b.flow.yaml", "flows/old/c.flow.yaml"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("- step: SOT\n", encoding="utf-8")
    main(["validate", ".", "--exclude", glob, "--format", "json"])
    assert [row["path"] for row in json.loads(capsys.readouterr().out)] == left
    ends_with(1, "a.flow.yaml", "--exclude", "a.flow.yaml")  # a file that is named is checked


def test_a_glob_that_leaves_nothing_out_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["validate", ".", "--exclude", "nosuch", "--exclude", "a*"])
    printed = capsys.readouterr()
    assert printed.err == "flowdsl: --exclude nosuch: nothing in the given folders has this name\n"
    assert printed.out == "1 file, no findings\n"
