"""A picture that somebody removes between its arrival and its sync was paid for all the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from journaled import BOAT, shop

from flowdsl.journal import database
from flowdsl.journal.synced import Synced


class _Removed(Synced):
    """Somebody removes what is brought to the disk, just before; where they are set, the folder with it."""

    once: ClassVar = [True]
    with_folder = False

    def then(self, files: Sequence[str], act: Callable[[Exception | None], None]) -> None:
        for path in map(Path, files):
            if self.once and path.exists():
                self.once.pop()
                shutil.move(path, path.parents[2] / path.name)
                if self.with_folder:
                    shutil.rmtree(path.parent)
        super().then(files, act)


@pytest.mark.long
@pytest.mark.parametrize("with_folder", [False, True])
def test_a_picture_removed_before_its_sync_is_paid_and_said_to_be_gone(
    with_folder: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "Synced", _Removed)
    monkeypatch.setattr(_Removed, "once", [True])
    monkeypatch.setattr(_Removed, "with_folder", with_folder)
    with shop(tmp_path, plain=True) as at:
        error: Any = at.run(BOAT)
        (row,) = at.rows()
        assert (row["state"], row["images"], row["cost_usd"] is not None) == ("ok", 1, True)
        assert (error.code, error.step, error.path) == ("image-unreadable", "OPENAI_IMAGE_GENERATION", "flow[0]")
        assert "No such file" in error.message
        assert "put the file back" in error.hint
        assert error.result.cost_usd == row["cost_usd"]

        again: Any = at.run(BOAT, resume=row["run"])
        assert again.code == "picture-gone"
        assert "flowdsl runs release" in again.hint

        (moved,) = tmp_path.glob("*.png")
        (tmp_path / "pictures" / ".originals").mkdir(exist_ok=True)
        moved.rename(tmp_path / "pictures" / ".originals" / moved.name)  # as the hint says
        done = at.run(BOAT, resume=row["run"])
        assert (len(done.images), at.bought) == (1, 1)


def test_a_removed_picture_keeps_no_other_from_the_disk(tmp_path: Path) -> None:
    with database.Database(tmp_path) as file:
        there = [tmp_path / f"{number}.png" for number in range(40)]
        for path in there:
            path.write_bytes(b"")
        files = [*map(str, there), str(tmp_path / "gone.png"), str(tmp_path / "no-folder" / "gone.png")]
        assert file.submit(lambda _: "came", durable=False, files=files).result(20) == "came"
