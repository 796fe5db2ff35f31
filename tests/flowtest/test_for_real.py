"""Flow tests in processes of their own: the examples, pytest, Ctrl-C, and a step that never ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flowdsl.cli import main
from flowdsl.cli.watching import changes

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.long


def test_the_tests_of_the_examples_run_every_branch(capsys: pytest.CaptureFixture[str]) -> None:
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        code = main(["test", "examples", "--coverage", "--fail-under", "100"])
    finally:
        os.chdir(before)
    out = capsys.readouterr().out
    assert code == 0, out
    assert "100.0 % of steps, branches and catch blocks" in out
    assert "no test runs" not in out


def test_pytest_collects_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "flowdsl.toml").touch()
    for name in ("postcard", "gentle-prompt"):
        shutil.copy(ROOT / "examples" / f"{name}.flow.yaml", tmp_path)
        (tmp_path / "tests").mkdir(exist_ok=True)
        text = (ROOT / "examples" / "tests" / f"{name}.test.yaml").read_text(encoding="utf-8")
        (tmp_path / "tests" / f"{name}.test.yaml").write_text(
            text.replace("outcome: reworded", "outcome: other"), "utf-8"
        )
    (tmp_path / "tests" / "bad.test.yaml").write_text("tests: [{nome: x}]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stdout
    assert "error: `nome` is not a key of a test [unknown-key]" in done.stdout
    (tmp_path / "tests" / "bad.test.yaml").unlink()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "2 failed, 8 passed" in done.stdout
    assert '      expected  "other"\n      found     "reworded"' in done.stdout
    assert "FAILED tests/gentle-prompt.test.yaml::a prompt that is refused once is reworded" in done.stdout


def test_the_plugin_of_pytest_imports_nothing_of_us_where_there_is_no_such_file(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(
        "import sys\n\ndef test_a():\n"
        "    of_us = [name for name in sys.modules if name.startswith(('flowdsl', 'pydantic', 'httpx'))]\n"
        "    light = ('flowdsl', 'flowdsl.cli', 'flowdsl.display')\n"
        "    assert not [name for name in of_us if not (name in light or name.rpartition('.')[0] in light)], of_us\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "flowdsl.cli.pytest_plugin"]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # others that are installed here import much
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False, env=alone)
    assert done.returncode == 0, done.stdout


def waiting_project(folder: Path) -> None:
    (folder / "flowdsl.toml").touch()
    (folder / "a.flow.yaml").write_text(
        "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A kite}\n", encoding="utf-8"
    )
    tests = "tests:\n  - {name: ends}\n  - {name: hangs, faults: {OPENAI_IMAGE_GENERATION: hang}}\n"
    (folder / "a.test.yaml").write_text(tests, encoding="utf-8")


@pytest.mark.parametrize("leaves", ["Ctrl-C", "a reader that leaves"])
def test_a_command_that_is_ended_early_cleans_up_and_says_nothing_else(tmp_path: Path, leaves: str) -> None:
    waiting_project(tmp_path)
    (tmp_path / "temporary").mkdir()
    if leaves != "Ctrl-C":
        text = "tests:\n" + "".join(f"  - {{name: number {number}}}\n" for number in range(30))
        (tmp_path / "a.test.yaml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "flowdsl.cli", "test", "-v"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    ) as running:
        assert running.stdout is not None and running.stderr is not None
        assert running.stdout.readline().startswith("✓ a.test.yaml:2")
        if leaves == "Ctrl-C":
            running.send_signal(signal.SIGINT)
        else:
            running.stdout.close()
        err = running.stderr.read()
        running.wait(timeout=20)
    assert "Traceback" not in err and "Exception" not in err
    assert list((tmp_path / "temporary").iterdir()) == []


def test_ctrl_c_says_how_far_the_tests_came(tmp_path: Path) -> None:
    waiting_project(tmp_path)
    command = [sys.executable, "-m", "flowdsl.cli", "test", "-v"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "✓ a.test.yaml:2  ends\n"
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=20)
    assert running.returncode == 130
    assert err == "flowdsl: interrupted: 1 of 2 tests ran, 0 failed\ninterrupted\n"


def test_watching_runs_again_when_the_flow_changes(tmp_path: Path) -> None:
    (tmp_path / "flowdsl.toml").touch()
    (tmp_path / "a.flow.yaml").write_text("- {step: SET, a: 1}\n", encoding="utf-8")
    (tmp_path / "a.test.yaml").write_text("tests: [{name: one, expect: {context: {a: 1}}}]\n", encoding="utf-8")
    command = [sys.executable, "-m", "flowdsl.cli", "test", "--watch"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("1 test, all passed in")
        assert running.stdout.readline() == "waiting for a change; Ctrl-C ends it\n"
        (tmp_path / "changed").write_text("- {step: SET, a: 12}\n", encoding="utf-8")
        (tmp_path / "changed").replace(tmp_path / "a.flow.yaml")  # nobody sees half of it
        assert running.stdout.readline() == "✗ a.test.yaml:1  one\n"
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=20)
    assert running.returncode == 130


def test_a_case_that_holds_its_thread_is_given_up_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from flowdsl.flowtest import session

    waiting_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "_GRACE_S", 0.2)
    real = session.run_case

    is_over = threading.Event()

    def held(tests: object, case: object, *more: object) -> object:
        if getattr(case, "name", "") == "hangs":
            is_over.wait(30)
            raise asyncio.CancelledError
        return real(tests, case, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(session, "run_case", held)
    text = Path("a.test.yaml").read_text(encoding="utf-8").replace("name: hangs", "name: hangs, timeout: 0.2")
    Path("a.test.yaml").write_text(f"{text}  - {{name: last}}\n", encoding="utf-8")
    try:
        assert main(["test", "-v", "-j", "1"]) == 1
    finally:
        is_over.set()
        for thread in threading.enumerate():
            if thread.name == "flowdsl-test":
                thread.join()
    out = capsys.readouterr().out
    assert "it did not end within its 0.2 s, and was given up: a step holds its thread" in out
    assert "✓ a.test.yaml:4  last" in out


def test_watching_tells_of_a_file_that_changes_and_of_no_snapshot(tmp_path: Path) -> None:
    waiting_project(tmp_path)
    seen = changes([str(tmp_path)], pause_s=0.01)
    first = next(seen)
    (tmp_path / "a.snapshots.yaml").write_text("a: []\n", encoding="utf-8")
    (tmp_path / "a.flow.yaml").write_text("- {step: SET, a: 12}\n", encoding="utf-8")
    second = next(seen)
    assert {Path(path).name for path in second} == {"flowdsl.toml", "a.flow.yaml", "a.test.yaml"}
    assert {Path(path).name for path in second if second[path] != first[path]} == {"a.flow.yaml"}
