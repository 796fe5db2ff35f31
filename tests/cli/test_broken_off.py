"""Commands that are broken off, or whose output goes nowhere: one word of it, no traceback, nothing half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest

from flowdsl.cli import main
from flowdsl.cli.batch_inputs import RecordInputs
from flowdsl.cli.watching import state

UGLY = "flow:\n-   step: SET\n    a:   1\n"
TESTS = "flow: a.flow.yaml\ntests:\n  - {name: one}\n"
CARD = """\
inputs: {name: {type: string}}
flow:
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: "{{ inputs.name }}", size: 1024x1024, quality: low}
"""
COMMANDS = {
    "validate": ["validate", "a.flow.yaml"],
    "fixes": ["validate", "a.flow.yaml", "--fix"],
    "form": ["validate", "a.flow.yaml", "--format", "json"],
    "fmt": ["fmt", "a.flow.yaml"],
    "test": ["test", "a.test.yaml"],
    "graph": ["graph", "a.flow.yaml"],
    "plan": ["plan", "a.flow.yaml"],
    "init": ["init", "new"],
    "create": ["create", "SET"],
    "help": ["validate", "--help"],
    "config": ["config"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "a.flow.yaml").write_text(UGLY)
    (folder / "a.test.yaml").write_text(TESTS)
    return folder


@pytest.mark.parametrize("what", COMMANDS)
def test_stdout_that_is_closed_is_told(
    what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(COMMANDS[what]) == (0 if what == "help" else 4)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert what == "help" or said.endswith("flowdsl: stdout is closed\n")


INTERRUPTED = """
import os, signal, sys

class CtrlC:
    "Presses Ctrl-C while the Rust half of pydantic imports what it needs."
    def find_spec(self, name, path=None, target=None):
        if name == "datetime":
            os.kill(os.getpid(), signal.SIGINT)

assert "datetime" not in sys.modules
sys.meta_path.insert(0, CtrlC())
try:
    import flowdsl.step.models
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Ctrl-C cannot wait on this system")
def test_ctrl_c_in_the_midst_of_an_import_is_no_panic() -> None:
    command = [sys.executable, "-c", INTERRUPTED]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "interrupted\n", "")


EARLY = """
import os, signal, sys

class CtrlC:
    "Presses Ctrl-C while the command line imports its first module."
    def find_spec(self, name, path=None, target=None):
        if name == "flowdsl.cli.streams":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
from flowdsl.cli import main
sys.exit(main(["--version"]))
"""


def test_ctrl_c_before_the_command_has_begun_is_one_word() -> None:
    command = [sys.executable, "-c", EARLY]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (130, "", "interrupted\n")


def test_ctrl_c_pressed_again_while_the_first_is_told_is_one_word() -> None:
    again = EARLY.replace(
        'if name == "flowdsl.cli.streams"', 'if name in ("flowdsl.cli.streams", "typing", "threading")'
    )
    again = again.replace('main(["--version"])', "main()")  # as the command of a process
    found = subprocess.run([sys.executable, "-c", again], capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (130, "", "interrupted\n")


@pytest.mark.skipif(sys.platform == "win32", reason="loops take no signals there")
def test_ctrl_c_in_a_batch_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "b.flow.yaml").write_text(CARD)
    (folder / "b.csv").write_text("name\n" + "".join(f"P{number}\n" for number in range(60)))

    def press() -> None:
        while not (folder / "cards" / "results.jsonl").exists():
            sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    Thread(target=press, daemon=True).start()
    batch = ["batch", "b.flow.yaml", "--over", "b.csv", "--simulate", "--concurrency", "1", "--out", "cards"]
    assert main(batch) == 130
    assert capsys.readouterr().err.count("interrupted") == 1


def test_watching_sees_a_file_that_takes_the_place_of_one_of_the_same_size_and_time(folder: Path) -> None:
    file = folder / "a.flow.yaml"
    before, status = state(["."]), file.stat()
    (folder / ".a.flow.yaml.swp").write_text(UGLY.replace("1", "2"))
    (folder / ".a.flow.yaml.swp").replace(file)  # as editors save
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert state(["."]) != before


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="loops take no signals there")
def test_ctrl_c_when_the_last_record_has_begun_breaks_nothing_off(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "b.flow.yaml").write_text(CARD)
    (folder / "b.csv").write_text("name\nAda\nBo\n")
    of = RecordInputs.of

    def pressed(self: RecordInputs, fields: Mapping[str, Any]) -> dict[str, Any]:
        if fields["name"] == "Bo":
            os.kill(os.getpid(), signal.SIGINT)
        return of(self, fields)

    monkeypatch.setattr(RecordInputs, "of", pressed)
    batch = ["batch", "b.flow.yaml", "--over", "b.csv", "--simulate", "--json", "--concurrency", "1", "--out", "cards"]
    assert main(batch) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["done"], found["interrupted"]) == (2, False)
    assert "goes on" not in err
    assert main(["resume", found["batch"]]) == 2
    assert "is done: there is nothing to resume" in capsys.readouterr().err


def test_what_is_printed_stands_before_what_is_told_of_it(folder: Path) -> None:
    command = [sys.executable, "-m", "flowdsl.cli", "fmt", "a.flow.yaml"]
    found = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    assert found.stdout == "formatted: a.flow.yaml\n1 file: 1 formatted\n"
