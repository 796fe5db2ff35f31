"""The manifest of a folder: what a run adds costs the same in any folder, and nothing that stands there is lost."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import Environment, Storage
from flowdsl.cli.simulated import overrides
from flowdsl.image import manifest
from flowdsl.image.manifest import NAME, add_to_manifest
from flowdsl_steps.image.simulator import Simulator
from tests.privileges import permissions_respected

if sys.platform == "win32":
    pytest.skip("other locks, and no SIGKILL", allow_module_level=True)
else:
    import fcntl

IMAGE = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  quality: low\n  instruction: A harbour\n"
ENTRY = {"file": "a-1.png", "prompt": "x" * 400}


def add(folder: Path, *files: str, run: str = "r") -> Path:
    return add_to_manifest(folder, folder / ".lock", run, [{"file": file} for file in files])


def files(path: Path) -> list[str]:
    found = json.loads(path.read_bytes())
    assert found["version"] == 1
    return [line["file"] for line in found["images"]]


def large(folder: Path, lines: int = 1000) -> Path:
    """A manifest that is too large to be copied."""
    path = add_to_manifest(folder, folder / ".lock", "r", [{**ENTRY, "file": f"a-{n}.png"} for n in range(lines)])
    assert path.stat().st_size > manifest._MOST_COPIED
    return path


@pytest.mark.parametrize("lines", [2_000, 50_000])
def test_a_run_reads_and_writes_as_much_in_a_folder_of_many_pictures_as_in_one_of_few(
    lines: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = large(tmp_path, lines)
    moved: list[int] = []

    class Counted(FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            found = super().read(-1 if size is None else size)
            moved.append(len(found))
            return found

        def write(self, content: Any, /) -> int:
            moved.append(len(content))
            return super().write(content)

    monkeypatch.setattr(manifest, "FileIO", Counted)
    before = path.stat().st_ino
    add(tmp_path, "b", "c")
    assert sum(moved) < 200
    assert path.stat().st_ino == before
    assert files(path)[-3:] == [f"a-{lines - 1}.png", "b", "c"]


WRITING = """
import os, signal, sys
from pathlib import Path
from flowdsl.image import manifest
folder, cut = Path(sys.argv[1]), int(sys.argv[2])
def killed(file, start, content):
    file.seek(start)
    file.write(content[:cut])
    os.kill(os.getpid(), signal.SIGKILL)
manifest._write = killed
manifest.add_to_manifest(folder, folder / ".lock", "k", [{"file": "lost"}, {"file": "lost too"}])
"""


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 9, 20, 21, 40])
def test_a_run_that_is_killed_in_the_middle_of_writing_loses_no_line_before_it(cut: int, tmp_path: Path) -> None:
    path = large(tmp_path)
    process = subprocess.run([sys.executable, "-c", WRITING, str(tmp_path), str(cut)], check=False, timeout=60)
    assert process.returncode == -signal.SIGKILL
    add(tmp_path, "b")
    found = files(path)
    assert found[:1000] == [f"a-{number}.png" for number in range(1000)]
    assert found[1000:] in (["b"], ["lost", "b"], ["lost", "lost too", "b"])
    assert not list(tmp_path.glob("manifest-*.json"))


@pytest.mark.parametrize("rest", ["cut off", "over the end", "zeros behind it"])
def test_whatever_a_crash_leaves_of_the_last_line_is_taken_away_by_the_next_run(
    rest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "_MOST_COPIED", 0)
    path = add(tmp_path, "a", "b")
    whole = path.read_bytes()
    end = len(whole) - len(manifest._TAIL)
    more = b',\n{"file": "c", "prompt": "a \\" b, [1]}"},\n{"file": "d"}\n]}\n'
    behind = {"cut off": b"", "over the end": manifest._TAIL, "zeros behind it": b"\0" * 30}[rest]
    for cut in range(len(more)):
        path.write_bytes(whole[:end] + more[:cut] + (behind[cut:] if rest == "over the end" else behind))
        add(tmp_path, "e")
        found = files(path)
        assert (found[:2], found[-1]) == (["a", "b"], "e")
        assert found[2:-1] in ([], ["c"], ["c", "d"])


ADDING = """
import sys
from pathlib import Path
from flowdsl.image.manifest import add_to_manifest
folder, name = Path(sys.argv[1]), sys.argv[2]
for number in range(200):
    add_to_manifest(folder, folder / ".lock", name, [{"file": f"{name}{number}", "prompt": "x" * 3000}])
"""


def test_two_processes_lose_no_line_while_the_manifest_becomes_large(tmp_path: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", ADDING, str(tmp_path), name]) for name in "ab"]
    assert [process.wait(60) for process in running] == [0, 0]
    path = tmp_path / NAME
    assert path.stat().st_size > 3 * manifest._MOST_COPIED
    assert sorted(files(path)) == sorted(f"{name}{number}" for name in "ab" for number in range(200))


def test_a_process_that_is_killed_at_any_time_leaves_a_manifest_that_is_gone_on_with(tmp_path: Path) -> None:
    path = large(tmp_path)
    for pause_s in (0.0, 0.002, 0.005, 0.009):
        with subprocess.Popen([sys.executable, "-c", ADDING, str(tmp_path), "k"]) as process:
            size, until = path.stat().st_size, time.monotonic() + 30
            while path.stat().st_size == size and time.monotonic() < until:
                time.sleep(0.001)
            time.sleep(pause_s)
            process.kill()
        add(tmp_path, "b")
        found = files(path)
        assert found[:1000] == [f"a-{number}.png" for number in range(1000)]
        assert found[-1] == "b"


EDITS = {
    "pretty-printed": lambda text: json.dumps(json.loads(text), indent=4),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "a byte order mark": lambda text: f"\ufeff{text}",
    "no line break at the end": lambda text: text.rstrip(),
    "one line": lambda text: json.dumps(json.loads(text)),
    "its last line spread out": lambda text: text[: text.rindex('{"file"')] + '{\n  "file": "a-999.png"\n}\n]}\n',
    "blanks behind it": lambda text: f"{text}  \n\n",
}


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("edit", EDITS)
def test_a_manifest_that_somebody_has_edited_keeps_every_line(edit: str, size: str, tmp_path: Path) -> None:
    path = large(tmp_path) if size == "large" else add(tmp_path, "a-1.png", "a-999.png")
    before = files(path)
    path.write_text(EDITS[edit](path.read_text(encoding="utf-8")), encoding="utf-8", newline="")
    add(tmp_path, "b")
    assert files(path) == [*before, "b"]


def test_a_manifest_whose_lines_somebody_has_taken_out_is_gone_on_with(tmp_path: Path) -> None:
    for text in ('{"version": 1, "images": []}', '{"version": 1, "images": [\n\n]}\n'):
        (tmp_path / NAME).write_text(text, encoding="utf-8")
        assert files(add(tmp_path, "b")) == ["b"]


def test_a_full_disk_leaves_a_large_manifest_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = large(tmp_path)
    before = path.read_bytes()

    class Full(FileIO):
        def write(self, content: Any, /) -> int:
            if len(content) > 20:
                return super().write(content[:20])
            if len(content) > len(manifest._TAIL):
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(content)

    monkeypatch.setattr(manifest, "FileIO", Full)
    with pytest.raises(OSError, match="No space left"):
        add(tmp_path, "b" * 10)
    assert path.read_bytes() == before


def environment(simulator: Simulator, folder: Path) -> Environment:
    return Environment(overrides=overrides(simulator.url, simulator.key), storage=Storage(images=folder))


@pytest.mark.parametrize("what", ["not JSON", "read-only"])
def test_a_manifest_that_is_not_written_to_is_left_alone_and_the_run_says_where_its_pictures_are(
    what: str, tmp_path: Path
) -> None:
    path = add(tmp_path, "a") if what == "read-only" else tmp_path / NAME
    if what == "not JSON":
        path.write_text("my notes", encoding="utf-8")
    path.chmod(0o444 if what == "read-only" else 0o644)
    before = path.read_bytes()
    with Simulator() as simulator, permissions_respected():
        result = environment(simulator, tmp_path).run(IMAGE)
    assert path.read_bytes() == before
    own = tmp_path / f"manifest-{result.run}.json"
    assert files(own) == ["image-1.png"]
    ((code, text),) = result.notes
    assert code == "picture-unnamed"
    assert str(path) in text and own.name in text


def test_the_mode_of_a_manifest_stays(tmp_path: Path) -> None:
    path = add(tmp_path, "a")
    path.chmod(0o600)
    add(tmp_path, "b")
    assert path.stat().st_mode & 0o777 == 0o600


def held(path: Path) -> int:
    """A descriptor that holds the lock of a manifest, as another process would."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


@pytest.mark.long
def test_a_manifest_that_another_process_holds_keeps_neither_the_loop_nor_other_runs_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a/.originals").mkdir(parents=True)
    descriptor = held(tmp_path / "a/.originals/.lock")
    waited, sleep = set[int](), time.sleep

    def noted(seconds: float) -> None:
        waited.add(threading.get_ident())
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", noted)

    async def both(simulator: Simulator) -> None:
        all_named = asyncio.Event()
        named: list[flowdsl.Event] = []

        def hear(event: flowdsl.Event) -> None:
            if isinstance(event, flowdsl.StepFinished):
                named.append(event)
                if len(named) == 4:
                    all_named.set()

        flow = environment(simulator, tmp_path / "a").load(IMAGE)
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
        waiting = asyncio.gather(*(flow.arun(on_event=hear) for _ in range(4)))  # more than the loop has threads
        await all_named.wait()
        for _ in range(3):
            await asyncio.wait_for(environment(simulator, tmp_path / "b").load(IMAGE).arun(), 30)
        await asyncio.sleep(0.3)
        assert not waiting.done()
        os.close(descriptor)
        results = await asyncio.wait_for(waiting, 60)
        assert {result.notes for result in results} == {()}

    with Simulator() as simulator:
        environment(simulator, tmp_path / "c").run(IMAGE)  # what is imported late holds the loop too
        asyncio.run(both(simulator))
    assert waited
    assert threading.get_ident() not in waited  # which is the loop's
    assert (len(files(tmp_path / "a" / NAME)), len(files(tmp_path / "b" / NAME))) == (4, 3)


def test_a_run_that_is_cancelled_while_it_writes_its_manifest_writes_it(tmp_path: Path) -> None:
    (tmp_path / ".originals").mkdir()
    descriptor = held(tmp_path / ".originals/.lock")
    ended: list[flowdsl.Event] = []

    async def cancelled(simulator: Simulator) -> None:
        is_named = asyncio.Event()

        def hear(event: flowdsl.Event) -> None:
            ended.append(event)
            if isinstance(event, flowdsl.StepFinished):
                is_named.set()

        run = asyncio.create_task(environment(simulator, tmp_path).load(IMAGE).arun(on_event=hear))
        await is_named.wait()
        for _ in range(2):
            await asyncio.sleep(0.05)
            run.cancel()
        os.close(descriptor)
        with pytest.raises(asyncio.CancelledError):
            await run

    with Simulator() as simulator:
        asyncio.run(asyncio.wait_for(cancelled(simulator), 30))
    assert files(tmp_path / NAME) == ["image-1.png"]
    last = ended[-1]
    assert isinstance(last, flowdsl.FlowFinished)
    assert (last.status, len(last.images)) == ("cancelled", 1)


def test_runs_of_a_process_do_not_wait_for_one_another_to_name_their_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends waits for pictures of its own that are being named, and not for those of others."""
    from flowdsl.image import shelf

    name_file, go_on, begun = shelf.name_file, threading.Event(), threading.Event()

    def slow(folder: Path, *given: Any) -> str:
        if folder.name == "slow":
            begun.set()
            assert go_on.wait(30)
        return name_file(folder, *given)

    monkeypatch.setattr(shelf, "name_file", slow)
    with Simulator() as simulator:
        thread = threading.Thread(target=environment(simulator, tmp_path / "slow").run, args=[IMAGE])
        thread.start()
        assert begun.wait(30)
        try:
            assert len(environment(simulator, tmp_path / "quick").run(IMAGE).made) == 1
            assert thread.is_alive()
        finally:
            go_on.set()
            thread.join(30)
    assert files(tmp_path / "slow" / NAME) == ["image-1.png"]
