"""A run over messages that is killed, stopped by Ctrl-C, or shares its folders with another one: what was written is
whole and found, and nothing is written over.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest
from PIL import Image

PIPELINE = """\
pipeline:
  processors:
    - label: paint
      openai_image_generation:
        api_key: ${OPENAI_API_KEY}
        model: gpt-image-2
        quality: low
        size: 1024x1024
output:
  file:
    path: made/picture.png
    codec: all-bytes
"""
_PATIENCE_S = 90


class Run:
    """`flowdsl run` in a folder, whose messages are written when it is their turn."""

    def __init__(self, folder: Path, *more: str) -> None:
        (folder / "pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
        command = [sys.executable, "-m", "flowdsl.cli", "run", "pipeline.yaml", "--simulate", *more]
        self.folder = folder
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def say(self, line: str) -> None:
        """Gives it a message."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def wait_for(self, number: int) -> None:
        """Waits until so many files are there."""
        end = monotonic() + _PATIENCE_S
        while len(self.files()) < number:
            assert monotonic() < end, f"{self.files()} after {_PATIENCE_S} s"
            assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
            sleep(0.1)

    def files(self) -> list[Path]:
        """The files that it wrote for others."""
        return sorted((self.folder / "flowdsl-output" / "made").glob("*.png"))

    def end(self) -> tuple[int, str, str]:
        """Its exit code and what it printed, after the last message."""
        out, err = self.process.communicate(timeout=_PATIENCE_S)
        return self.process.returncode, out.decode(), err.decode()


def whole(folder: Path) -> dict[str, bytes]:
    """Every picture below a folder, each of which can be read to its end."""
    found = {}
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as picture:
            picture.load()
        found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def test_what_was_written_before_a_kill_is_whole_and_a_second_run_writes_nothing_over(tmp_path: Path) -> None:
    first = Run(tmp_path)
    for line in ("a red cat", "a blue dog"):
        first.say(line)
    first.wait_for(2)
    first.say("a white bird")
    sleep(0.05)  # in the middle of the third one
    first.process.kill()
    first.end()
    before = whole(tmp_path)
    assert {"flowdsl-output/made/picture.png", "flowdsl-output/made/picture-2.png"} <= before.keys()
    named = {path for path in before if Path(path).parent == Path("flowdsl-images")}
    assert {"flowdsl-images/paint-1.png", "flowdsl-images/paint-2.png"} <= named
    assert all(b"RECORD_IMAGE" in before[path] or b"paint" in before[path] for path in named)  # in its metadata

    second = Run(tmp_path)
    second.say("a green horse")
    code, _, err = second.end()
    assert code == 0, err
    after = whole(tmp_path)
    assert {path: after.get(path) for path in before} == before
    assert len(after.keys() - before.keys()) >= 2


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_stops_with_an_account_of_what_was_made(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for line in ("a red cat", "a blue dog"):
        run.say(line)
    run.wait_for(2)
    run.process.send_signal(signal.SIGINT)
    code, _, err = run.end()
    assert code == 130, err
    assert "flowdsl-images/paint-1.png  1024x1024  PNG\nflowdsl-images/paint-2.png  1024x1024  PNG\n" in err
    again = "`flowdsl resume` goes on from here: what is paid for is not bought again\n"
    assert f"2 images made, simulated, would cost about $0.01\n{again}interrupted\n" in err
    assert len(run.files()) == 2
    manifest = json.loads((tmp_path / "flowdsl-images" / "manifest.json").read_text(encoding="utf-8"))
    assert [each["file"] for each in manifest["images"]] == ["paint-1.png", "paint-2.png"]


def test_two_runs_on_one_folder_write_nothing_over_each_other(tmp_path: Path) -> None:
    runs = [Run(tmp_path), Run(tmp_path)]
    for number in range(4):
        for run in runs:
            run.say(f"picture {number}")
    for run in runs:
        code, _, err = run.end()
        assert code == 0, err
    found = whole(tmp_path)
    assert len([path for path in found if path.startswith("flowdsl-output/")]) == 8
    assert len([path for path in found if Path(path).parent == Path("flowdsl-images")]) == 8
