"""A file is written whole or not at all, stays what it was otherwise, and nothing is left beside it."""

from __future__ import annotations

import fcntl
import itertools
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from interruptions import interrupted

from flowdsl.rewriting import files
from flowdsl.rewriting.files import put, put_new, rewrite


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "a.flow.yaml"
    path.write_bytes(b"old")
    return path


def refused(path: Path, before: bytes = b"old") -> str:
    with pytest.raises(OSError) as caught:
        rewrite(str(path), before, b"new")
    assert [each.name for each in path.parent.iterdir() if each.name.endswith(".tmp")] == []
    return str(caught.value.strerror)


def test_a_file_is_written_and_keeps_its_mode(flow: Path) -> None:
    flow.chmod(0o640)
    rewrite(str(flow), b"old", b"new")
    assert flow.read_bytes() == b"new"
    assert stat.S_IMODE(flow.stat().st_mode) == 0o640
    assert [each.name for each in flow.parent.iterdir()] == ["a.flow.yaml"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_file_keeps_its_owner(flow: Path) -> None:
    os.chown(flow, 1234, 5678)
    rewrite(str(flow), b"old", b"new")
    assert (flow.stat().st_uid, flow.stat().st_gid) == (1234, 5678)


def test_an_owner_that_cannot_be_kept_is_refused(flow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_allowed(*_: object) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(os, "fchown", not_allowed)
    monkeypatch.setattr(files, "_owner", lambda status: (status.st_ino, 0))
    assert refused(flow) == "it belongs to somebody else, which could not be kept; it stays as it is"
    assert flow.read_bytes() == b"old"


def test_a_link_stays_one(flow: Path) -> None:
    link = flow.parent / "link.flow.yaml"
    link.symlink_to(flow.name)
    rewrite(str(link), b"old", b"new")
    assert link.is_symlink()
    assert flow.read_bytes() == b"new"


def test_a_read_only_file_is_refused(flow: Path) -> None:
    flow.chmod(0o444)
    assert refused(flow) == "it is read-only, and stays as it is"
    assert flow.read_bytes() == b"old"


def test_a_file_with_two_names_is_refused(flow: Path) -> None:
    os.link(flow, flow.parent / "b.flow.yaml")
    assert refused(flow).startswith("it has several names (hard links)")
    assert flow.read_bytes() == b"old"


def test_a_file_that_has_changed_since_is_refused(flow: Path) -> None:
    assert refused(flow, b"older") == "it has changed since it was read, and stays as it is now; run the command again"
    assert flow.read_bytes() == b"old"


def test_a_file_that_changes_in_the_last_moment_is_refused(flow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = files._fill

    def slow(descriptor: int, content: bytes) -> None:
        fill(descriptor, content)
        flow.write_bytes(b"somebody's")

    monkeypatch.setattr(files, "_fill", slow)
    assert refused(flow).startswith("it has changed since it was read")
    assert flow.read_bytes() == b"somebody's"


def test_a_file_that_another_process_is_writing_is_refused(flow: Path) -> None:
    with flow.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert refused(flow) == "another process is writing it; it stays as it is"
    rewrite(str(flow), b"old", b"new")
    assert flow.read_bytes() == b"new"


def test_an_interruption_leaves_the_old_file_and_nothing_else(flow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(descriptor: int, content: bytes) -> None:
        os.write(descriptor, content[:1])
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_fill", pressed)
    with pytest.raises(KeyboardInterrupt):
        rewrite(str(flow), b"old", b"new")
    assert flow.read_bytes() == b"old"
    assert [each.name for each in flow.parent.iterdir()] == ["a.flow.yaml"]


def test_a_folder_that_takes_no_file_is_refused_in_words(flow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def full(path: str, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(28, "No space left on device")
        return real(path, flags, *mode)

    monkeypatch.setattr(os, "open", full)
    assert refused(flow) == "nothing can be written beside it (No space left on device); it stays as it is"


@pytest.mark.long
def test_of_many_processes_on_one_file_each_is_right_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.flow.yaml"
    ugly = "flow:\n" + "-   step: SET\n    a:    1\n" * 2_000
    path.write_text(ugly)
    command = [sys.executable, "-m", "flowdsl.cli", "fmt", str(path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(6)]
    said = [process.communicate(timeout=120) for process in running]
    codes = [process.returncode for process in running]
    assert path.read_text() == "flow:\n" + "  - step: SET\n    a: 1\n" * 2_000
    assert codes.count(0) >= 1
    for code, (_, errors) in zip(codes, said, strict=True):
        assert code in (0, 2), errors
        assert code == 0 or "it has changed since it was read" in errors or "another process is writing it" in errors
    assert [each.name for each in tmp_path.iterdir()] == ["a.flow.yaml"]


@pytest.mark.long
def test_ten_megabytes_are_formatted(tmp_path: Path) -> None:
    path = tmp_path / "a.flow.yaml"
    row = "-   step: SET\n    text:    'a red boat, and more of it so that it is long'   # why\n"
    count = 10_000_000 // len(row)
    path.write_text("flow:\n" + row * count)
    done = subprocess.run(
        [sys.executable, "-m", "flowdsl.cli", "fmt", "-q", str(path)], capture_output=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    right = "  - step: SET\n    text: 'a red boat, and more of it so that it is long'   # why\n"
    assert path.read_text() == "flow:\n" + right * count


@pytest.mark.parametrize("what", ["put", "put_new", "rewrite"])
def test_ctrl_c_leaves_nothing_beside_a_file_at_whatever_moment(tmp_path: Path, what: str) -> None:
    work = {"put": lambda: put(path, b"new"), "put_new": lambda: put_new(path, b"new")}.get(
        what, lambda: rewrite(path, b"old", b"new")
    )
    path, before = str(tmp_path / "a.txt"), None if what == "put_new" else b"old"
    found = set[bytes | None]()
    for moment in itertools.count(1):
        Path(path).unlink(missing_ok=True)
        if before is not None:
            Path(path).write_bytes(before)
        came = interrupted(work, moment)
        assert {each.name for each in tmp_path.iterdir()} <= {"a.txt"}, moment
        found.add(Path(path).read_bytes() if Path(path).exists() else None)
        if not came:
            break
    assert moment > 20
    assert found == {before, b"new"}
