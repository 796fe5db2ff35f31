"""However a run ends, with whatever streams: the exit code, the account, and nothing that is half written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image as Pillow

from flowdsl_steps.image.simulator import Simulator

if sys.platform != "linux":
    pytest.skip("it needs Linux for its small disks", allow_module_level=True)

PICTURE = """\
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  size: 1024x1024
  quality: low
  instruction: """
FLOW = f"{PICTURE}a tower\n{PICTURE}a storm\n"
STREAMS = {
    "both": "",
    "json": "--json",
    "stdout closed": ">&-",
    "stdout full": ">/dev/full",
    "stderr closed": "2>&-",
    "stderr full": "2>/dev/full",
    "stderr closed json": "--json 2>&-",
}
SIGNALS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
DISKS = {"4k": "size=4k", "64k": "size=64k", "no inodes": "size=1m,nr_inodes=1", "one inode": "size=1m,nr_inodes=2"}
BILLED = "may have done, and billed, the work"


def started(folder: Path, simulator: Simulator, line: str, disk: str = "", flow: str = FLOW) -> subprocess.Popen[str]:
    """A run in a shell, its pictures perhaps on a small disk that is there for it alone, and copied before it goes."""
    (folder / "a.flow.yaml").write_text(flow, encoding="utf-8")
    (folder / "out").mkdir()
    (folder / "kept").mkdir()
    (folder / "temporary").mkdir()
    run = f"{sys.executable} -m flowdsl.cli run a.flow.yaml --quiet --out out {line}"
    shell = ["sh", "-c", f"exec {run}"]
    if disk:
        mounted = f"mount -t tmpfs -o {disk} tmpfs out && cd . && {{ {run}; }}; code=$?"
        shell = ["unshare", "-Urm", "sh", "-c", f"{mounted}; cp -a out/. kept; exit $code"]
    names = {"OPENAI_BASE_URL": simulator.openai_base_url, "OPENAI_API_KEY": simulator.key}
    names["TMPDIR"] = str(folder / "temporary")
    return subprocess.Popen(
        shell, cwd=folder, env={**os.environ, **names}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def check(folder: Path, code: int, process: subprocess.Popen[str], simulator: Simulator, streams: str) -> str:
    """What the run said, after it was seen to be whole: pictures, their names, and what may be billed."""
    out, err = process.communicate(timeout=30)
    said = out + err
    assert process.returncode == code, said
    assert "Traceback" not in said
    files = [path for name in ("out", "kept", "temporary") for path in (folder / name).rglob("*")]
    files = [path for path in files if path.is_file() and path.name != ".lock"]
    assert not [path.name for path in files if path.name.endswith(".part")]
    kept = [path for path in files if len(path.stem) == 64]
    named = [path for path in files if path.suffix == ".png" and path not in kept]
    for path in (*kept, *named):
        with Pillow.open(path) as picture:
            picture.load()
    assert [path.name for path in named if path.name not in said] == []
    assert sum(path.name in said for path in kept) >= len(kept) - len(named)  # one without a name is told by its own
    for path in files:
        assert path in kept or path in named or json.loads(path.read_text(encoding="utf-8")), path
    if "json" in streams and (code == 4 or "stderr" in streams):
        told = json.loads(out)
        assert len(told["images"]) == len(kept)
        assert told["in_doubt"] == simulator.request_count - len(kept)
    elif simulator.request_count > len(kept):
        assert BILLED in said
    return said


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal(name: str, streams: str, tmp_path: Path) -> None:
    with Simulator(faults=["hang,when=storm"]) as simulator:
        process = started(tmp_path, simulator, STREAMS[streams])
        until = time.monotonic() + 20
        while simulator.request_count < 2 and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(getattr(signal, name))
        check(tmp_path, SIGNALS[name], process, simulator, streams)


@pytest.mark.parametrize("pause_s", [0, 0.005, 0.02, 0.1])
def test_ctrl_c_that_is_pressed_twice(pause_s: float, tmp_path: Path) -> None:
    with Simulator(faults=["hang,when=storm"]) as simulator:
        process = started(tmp_path, simulator, "")
        until = time.monotonic() + 20
        while simulator.request_count < 2 and time.monotonic() < until:
            time.sleep(0.02)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(pause_s)
        said = check(tmp_path, 130, process, simulator, "both")
    assert said.endswith("interrupted\n")


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("fault", ["server_error", "hang", "reset"])
def test_a_failure_and_a_deadline(fault: str, streams: str, tmp_path: Path) -> None:
    for limit_s in (3, 20) if fault == "hang" else (60,):  # as long as this machine needs to come to the second picture
        (folder := tmp_path / str(limit_s)).mkdir()
        with Simulator(faults=[f"{fault},when=storm"]) as simulator:
            process = started(folder, simulator, f"--timeout {limit_s} {STREAMS[streams]}")
            said = check(folder, 4, process, simulator, streams)
        assert ("the run took longer than" in said) is (fault == "hang")
        if simulator.request_count == 2:
            break
    assert simulator.request_count == 2


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("disk", DISKS)
def test_a_full_disk(disk: str, streams: str, tmp_path: Path) -> None:
    with Simulator() as simulator:
        process = started(tmp_path, simulator, STREAMS[streams], DISKS[disk])
        said = check(tmp_path, 4, process, simulator, streams)
        kept = [path for path in (tmp_path / "temporary").rglob("*.png") if len(path.stem) == 64]
        assert len(kept) == simulator.request_count  # all that was paid for is in the second place
    assert "No space left on device" in said


def test_a_disk_with_room_for_a_picture_and_not_for_its_name(tmp_path: Path) -> None:
    with Simulator() as simulator:
        process = started(tmp_path, simulator, "", "size=1m,nr_inodes=3", f"{PICTURE}a tower\n")
        said = check(tmp_path, 0, process, simulator, "both")
    assert "out/.originals/" in said
    assert "No space left on device" in said
