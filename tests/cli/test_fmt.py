"""`flowdsl fmt`: what it prints, writes and refuses."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowdsl.cli import main

UGLY = "flow:\n-   step: SET\n    a:   1  # one\n"
TIDY = "flow:\n  - step: SET\n    a: 1  # one\n"
BROKEN = "flow:\n\t- step: SET\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fmt(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["fmt", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_files_of_the_folder_are_formatted_and_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.flow.yaml").write_text(UGLY)
    (folder / "b.module.yaml").write_text("blocks:\n  constants: { x: 1 }\n")
    (folder / "c.ai-kit.yaml").write_text("AI_KIT:\n  SECTIONS: []\n")
    (folder / "notes.yaml").write_text("a:   1\n")
    said = "formatted: a.flow.yaml\nformatted: b.module.yaml\n"
    assert fmt(capsys) == (0, said, "3 files: 2 formatted, 1 unchanged\n")
    assert (folder / "a.flow.yaml").read_text() == TIDY
    assert (folder / "b.module.yaml").read_text() == "blocks:\n  constants: {x: 1}\n"
    assert (folder / "notes.yaml").read_text() == "a:   1\n"
    assert fmt(capsys, ".") == (0, "", "3 files: 3 unchanged\n")
    assert fmt(capsys, "-q", ".") == (0, "", "")


def test_files_of_flow_tests_are_formatted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.test.yaml").write_text("tests:\n- name:   one # it\n")
    (folder / "b.test.yaml").write_text("flow: a.flow.yaml\n\ntests: [ {name: a} ]\n")
    (folder / "c.test.yaml").write_text("expects: 1\n")
    (folder / "odd.yaml").write_text("tests: [ {name: a} ]\n")
    said = "formatted: a.test.yaml\nformatted: b.test.yaml\nformatted: odd.yaml\n"
    assert fmt(capsys, ".", "odd.yaml") == (0, said, "4 files: 3 formatted, 1 unchanged\n")
    assert (folder / "a.test.yaml").read_text() == "tests:\n  - name: one  # it\n"


def test_check_names_files_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.flow.yaml").write_text(UGLY)
    said = (1, "would be formatted: a.flow.yaml\n", "1 file: 1 would be formatted\n")
    assert fmt(capsys, "--check", "a.flow.yaml") == said
    assert (folder / "a.flow.yaml").read_text() == UGLY


def test_diff_shows_lines_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.flow.yaml").write_text(UGLY)
    difference = (
        "--- a.flow.yaml\n+++ a.flow.yaml\n@@ -1,3 +1,3 @@\n flow:\n"
        "--   step: SET\n-    a:   1  # one\n+  - step: SET\n+    a: 1  # one\n"
    )
    assert fmt(capsys, "--diff", "a.flow.yaml") == (1, difference, "1 file: 1 would be formatted\n")
    assert (folder / "a.flow.yaml").read_text() == UGLY


def test_a_difference_far_down_has_its_line_and_one_of_line_ends_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.flow.yaml").write_text(
        "flow:\n" + "  - {step: SET, a: 1}\n" * 50 + "  - {step: SET, a:   1}\n" + "# x\n" * 9
    )
    assert "@@ -49,7 +49,7 @@" in fmt(capsys, "--diff", "a.flow.yaml")[1]
    (folder / "a.flow.yaml").write_bytes(b"flow:\r\n  - step: SET\n    a: 1\n")
    assert fmt(capsys, "--diff", "a.flow.yaml")[1].endswith("@@ other line ends, or a byte order mark, or none @@\n")


def test_a_difference_shows_no_key_of_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = "sk-proj-abcdefghijklmnopqrstuvwx0123456789"
    text = f"services:\n  OPENAI_IMAGE_GENERATION:\n     apiKey: {key}\nflow:\n  - {{step: SET, a: 1}}\n"
    (folder / "a.flow.yaml").write_text(text)
    code, printed, _ = fmt(capsys, "--diff", "a.flow.yaml")
    assert code == 1
    assert "apiKey" in printed
    assert key not in printed
    assert fmt(capsys, "a.flow.yaml")[0] == 0
    assert key in (folder / "a.flow.yaml").read_text()


def test_standard_input_comes_out_formatted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(monkeypatch, UGLY.encode())
    assert fmt(capsys, "-") == (0, TIDY, "")
    stdin(monkeypatch, UGLY.encode())
    assert fmt(capsys, "-", "--check") == (1, "would be formatted: <stdin>\n", "")
    stdin(monkeypatch, TIDY.encode())
    assert fmt(capsys, "-", "--check", "--stdin-filename", "x.flow.yaml") == (0, "", "")
    stdin(monkeypatch, UGLY.encode())
    assert fmt(capsys, "-", "--diff", "--stdin-filename", "x.flow.yaml")[1].startswith("--- x.flow.yaml\n")


def test_what_cannot_be_formatted_stays_and_the_others_are_formatted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.flow.yaml").write_text(BROKEN)
    (folder / "b.flow.yaml").write_text(UGLY)
    (folder / "c.flow.yaml").write_bytes(UGLY.encode("utf-16"))
    os.mkfifo(folder / "d.flow.yaml")
    code, printed, errors = fmt(capsys, "a.flow.yaml", "b.flow.yaml", "c.flow.yaml", "d.flow.yaml", "none.flow.yaml")
    assert (code, printed) == (2, "formatted: b.flow.yaml\n")
    assert "flowdsl: there is no file or folder `none.flow.yaml`\n" in errors
    assert "a.flow.yaml:2:1: error: a tab cannot indent YAML [tab]" in errors
    assert "c.flow.yaml:1:1: error: the file is not UTF-8" in errors
    assert "flowdsl: d.flow.yaml: it is no regular file\n" in errors
    assert errors.endswith("4 files: 1 formatted, 3 refused\n")
    assert (folder / "a.flow.yaml").read_text() == BROKEN


def test_a_mistake_of_syntax_alone_fails_with_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.flow.yaml").write_text(BROKEN)
    assert fmt(capsys, "a.flow.yaml")[0] == 1
    assert fmt(capsys, "a.flow.yaml", "--check")[0] == 1


def test_a_read_only_file_is_refused_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.flow.yaml").write_text(UGLY)
    (folder / "a.flow.yaml").chmod(0o444)
    code, _, errors = fmt(capsys, "a.flow.yaml")
    assert code == 2
    assert "flowdsl: a.flow.yaml: it is read-only, and stays as it is\n" in errors
    assert fmt(capsys, "a.flow.yaml", "--check")[0] == 1


def test_a_folder_without_flows_and_mixed_paths_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed, errors = fmt(capsys)
    assert (code, printed) == (2, "")
    assert "the folder `.` holds no flow" in errors
    (folder / "a.flow.yaml").write_text(UGLY)
    code, _, errors = fmt(capsys, "-", "a.flow.yaml")
    assert code == 2
    assert "- stands alone" in errors


def test_a_byte_order_mark_goes_and_windows_line_ends_stay(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.flow.yaml").write_bytes(b"\xef\xbb\xbf" + TIDY.replace("\n", "\r\n").encode())
    assert fmt(capsys, "a.flow.yaml")[:2] == (0, "formatted: a.flow.yaml\n")
    assert (folder / "a.flow.yaml").read_bytes() == TIDY.replace("\n", "\r\n").encode()


@pytest.mark.long
def test_bytes_on_standard_output_are_those_of_the_file() -> None:
    text = "- step: SET\n  a: 'right \u200f to \u2028 left'\r\n"
    command = [sys.executable, "-m", "flowdsl.cli", "fmt", "-"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=60, check=True)
    assert done.stdout == text.replace("\r\n", "\n").encode()


def test_what_a_project_or_the_command_line_excludes_stays_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.flow.yaml", "drafts/b.flow.yaml", "old/c.flow.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(UGLY)
    (folder / "flowdsl.toml").write_text('exclude = ["drafts"]\n')
    said = "flowdsl: --exclude nosuch: nothing in the given folders has this name\n"
    found = fmt(capsys, "--exclude", "old", "--exclude", "nosuch", ".")
    assert found == (0, "formatted: a.flow.yaml\n", f"{said}1 file: 1 formatted\n")
    assert (folder / "drafts/b.flow.yaml").read_text() == (folder / "old/c.flow.yaml").read_text() == UGLY
    assert fmt(capsys, "-q", "drafts/b.flow.yaml") == (0, "", "")  # a file that is named
    assert (folder / "drafts/b.flow.yaml").read_text() == TIDY


def test_nothing_is_formatted_where_the_settings_cannot_say_what_is_excluded(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.flow.yaml").write_text(UGLY)
    (folder / "flowdsl.toml").write_text('exclude = "drafts"\n')
    code, out, said = fmt(capsys)
    assert (code, out) == (2, "")
    assert "flowdsl.toml:1:11" in said
    assert (folder / "a.flow.yaml").read_text() == UGLY


@pytest.mark.parametrize("command", ["validate", "fmt", "explain", "graph", "plan", "run", "inputs", "convert"])
def test_a_settings_file_is_no_flow_and_the_command_for_it_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (folder / "flowdsl.toml").write_text('ignore = ["fan-out"]\n')
    assert main([command, "flowdsl.toml"]) == 2
    said = capsys.readouterr().err
    assert "`flowdsl.toml` holds settings, and no flow: `flowdsl config flowdsl.toml` shows" in said
    assert main(["config", "flowdsl.toml"]) == 0
    assert "flowdsl.toml:1" in capsys.readouterr().out
