"""`flowdsl validate --fix`: what it corrects, prints and leaves."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from flowdsl.cli import main

WRONG = "# mine\nflow:\n- step: SERVICE_OPENAI_IMAGE_GENERATION\n  prompt: a tower   # tall\n  modl: gpt-image-2\n"
SAFE = WRONG.replace("SERVICE_OPENAI", "OPENAI").replace("prompt", "instruction")
RIGHT = SAFE.replace("modl", "model")
DONE = """\
a.flow.yaml: 2 mistakes corrected
  3:9 deprecated-alias: write `OPENAI_IMAGE_GENERATION`
  4:3 deprecated-key: write `instruction`
"""
LEFT = "flowdsl: 1 of what is left has a fix that `--unsafe-fixes` applies: it is a guess, or takes something away\n"


@pytest.fixture(autouse=True)
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.flow.yaml"
    path.write_text(WRONG)
    return path


def validate(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["validate", "--as-of", "2026-11-21", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_safe_fixes_are_written_and_the_rest_is_reported(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed, errors = validate(capsys, "--fix", ".")
    assert flow.read_text() == SAFE
    assert errors == DONE + LEFT
    assert code == 1
    assert printed.startswith("a.flow.yaml:5:3: error: `modl` is not a key of OPENAI_IMAGE_GENERATION [unknown-key]\n")
    assert printed.endswith("\n1 file: 1 error\n")


def test_unsafe_fixes_are_written_when_they_are_asked_for(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed, errors = validate(capsys, "--fix", "--unsafe-fixes", "a.flow.yaml")
    assert flow.read_text() == RIGHT
    assert (code, printed) == (0, "1 file, no findings\n")
    assert errors.startswith("a.flow.yaml: 3 mistakes corrected\n")
    assert validate(capsys, "--fix", "a.flow.yaml") == (0, "1 file, no findings\n", "")


def test_diff_shows_what_would_change_and_writes_nothing(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed, errors = validate(capsys, "--fix", "--diff", "a.flow.yaml")
    assert code == 1
    assert flow.read_text() == WRONG
    assert errors == DONE.replace("mistakes corrected", "mistakes would be corrected") + LEFT
    assert printed.splitlines()[:2] == ["--- a.flow.yaml", "+++ a.flow.yaml"]
    assert "-  prompt: a tower   # tall\n" in printed
    assert "+  instruction: a tower   # tall\n" in printed
    flow.write_text(SAFE)
    assert validate(capsys, "--diff", "a.flow.yaml") == (0, "", LEFT)
    assert validate(capsys, "--diff", "-q", "a.flow.yaml") == (0, "", "")


def test_standard_input_comes_out_corrected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(monkeypatch, WRONG.encode())
    code, printed, errors = validate(capsys, "--fix", "-")
    assert (code, printed) == (1, SAFE)
    assert errors.startswith(DONE.replace("a.flow.yaml", "<stdin>"))
    assert errors.endswith(f"1 error\n{LEFT}")
    stdin(monkeypatch, WRONG.encode())
    assert validate(capsys, "--fix", "--unsafe-fixes", "-q", "-") == (0, RIGHT, "")
    stdin(monkeypatch, WRONG.encode("utf-16"))
    code, printed, errors = validate(capsys, "--fix", "-")
    assert (code, printed) == (1, "")
    assert "[not-utf8]" in errors


def test_json_holds_what_is_left(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed, errors = validate(capsys, "--fix", "--format", "json", "a.flow.yaml")
    assert (code, errors) == (1, DONE + LEFT)
    assert [each["code"] for each in json.loads(printed)] == ["unknown-key"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--unsafe-fixes", "a.flow.yaml"), "--unsafe-fixes goes with --fix, or with --diff"),
        (("--fix", "-", "a.flow.yaml"), "with --fix, - stands alone"),
        (("--fix", "--format", "json", "-"), "the corrected text goes to stdout, where --format json prints"),
        (("--fix", "--diff", "--format", "json", "a.flow.yaml"), "the difference goes to stdout"),
    ],
    ids=["unsafe alone", "stdin and a file", "json of stdin", "json and a difference"],
)
def test_options_that_do_not_go_together(
    flow: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed, errors = validate(capsys, *arguments)
    assert (code, printed) == (2, "")
    assert said in errors
    assert flow.read_text() == WRONG


def test_a_file_that_cannot_be_written_fails_and_the_others_are_corrected(
    flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flow.chmod(0o444)
    other = flow.with_name("b.flow.yaml")
    other.write_text(WRONG)
    code, printed, errors = validate(capsys, "--fix", "--unsafe-fixes", "a.flow.yaml", "b.flow.yaml", "none.flow.yaml")
    assert code == 2
    assert (flow.read_text(), other.read_text()) == (WRONG, RIGHT)
    assert "flowdsl: a.flow.yaml: it is read-only, and stays as it is\n" in errors
    assert "b.flow.yaml: 3 mistakes corrected\n" in errors
    assert "there is no file or folder `none.flow.yaml`" in errors
    assert printed.endswith("2 files: 1 error, 1 warning, 1 note\n")


def test_a_module_is_corrected_in_its_own_file_and_its_importer_sees_that(
    flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = flow.with_name("m.module.yaml")
    module.write_text("blocks:\n  flows:\n    paint:\n      - step: STE\n        a: 1\n")
    flow.write_text("imports: {m: ./m.module.yaml}\nflow:\n  - {step: CALL_FLOW, ref: imports.m.flows.paint}\n")
    validate(capsys, "--fix", "--unsafe-fixes", "a.flow.yaml")
    assert "STE" in module.read_text()
    validate(capsys, "--fix", "--unsafe-fixes", ".")
    assert "STE" not in module.read_text()


def test_marks_line_ends_and_a_missing_line_end_stay(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flow.write_bytes(b"\xef\xbb\xbf" + WRONG.replace("\n", "\r\n").rstrip().encode())
    validate(capsys, "--fix", "--unsafe-fixes", "a.flow.yaml")
    assert flow.read_bytes() == b"\xef\xbb\xbf" + RIGHT.replace("\n", "\r\n").rstrip().encode()
