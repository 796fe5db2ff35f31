"""A folder for a moment is gone after it, whatever ended that, and is nobody else's."""

from __future__ import annotations

import itertools
import os
import stat
import tempfile
from pathlib import Path

import pytest
from interruptions import interrupted

from flowdsl.rewriting.temporary import temporary_folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_ctrl_c_leaves_no_folder_behind_at_whatever_moment(place: Path) -> None:
    done = list[int]()

    def work() -> None:
        with temporary_folder() as folder:
            os.mkdir(f"{folder}/in")  # noqa: PTH102
            for number in range(3):
                os.close(os.open(f"{folder}/in/{number}", os.O_CREAT))
            done.append(moment)

    for moment in itertools.count(1):
        came = interrupted(work, moment)
        assert [*place.iterdir()] == [], moment
        if not came:
            break
    assert moment > 20
    assert done[0] < moment - 10  # so it was heard in the removal, too


def test_a_folder_is_for_its_owner_alone(place: Path) -> None:
    with temporary_folder("flowdsl-test-") as folder:
        assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
        assert Path(folder).parent == place
        assert Path(folder).name.startswith("flowdsl-test-")


def test_what_has_its_name_already_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda number: b"a" * number)
    with temporary_folder() as folder:
        with pytest.raises(FileExistsError), temporary_folder():
            pass
        assert Path(folder).is_dir()
