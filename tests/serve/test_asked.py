"""Questions to agents that wait for their answer, where several processes may get it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from flowdsl.serve import asked
from flowdsl.serve.asked import LIFE_S, Asked, AskedByAll, AskedHere


def test_a_question_is_answered_once_by_whichever_process_gets_the_answer(tmp_path: Path) -> None:
    one, other = AskedByAll(tmp_path / "state"), AskedByAll(tmp_path / "state")
    id = one.put("a call", "shop")
    assert id not in str([*tmp_path.rglob("*")])  # whoever lists the folder answers nothing
    assert other.take("another", "shop") is None and other.take("", "shop") is None and other.take(id, "") is None
    assert [each.take(id, "shop") for each in (other, one, other)] == ["a call", None, None]


def test_a_question_that_nobody_answers_is_over_and_goes_away(tmp_path: Path) -> None:
    found = AskedByAll(tmp_path)
    ids = [found.put("a call", "") for _ in range(2)]
    for file in (tmp_path / "asked").iterdir():
        os.utime(file, (time.time() - LIFE_S - 1,) * 2)
    assert found.take(ids[0], "") is None
    found.put("another call", "shop")
    assert len([*(tmp_path / "asked").iterdir()]) == 1


@pytest.mark.parametrize("shares", [True, False])
def test_no_more_questions_of_one_owner_wait_than_a_bound_and_they_push_out_no_one_else_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares: bool
) -> None:
    monkeypatch.setattr(asked, "MOST", 3)
    found: Asked = AskedByAll(tmp_path) if shares else AskedHere()
    ids, other = [], found.put("another's", "studio")
    for number in range(5):
        ids.append(found.put(str(number), "shop"))
        for file in tmp_path.glob("asked/*"):  # each a second older, whatever the clock of the disk can tell
            os.utime(file, (file.stat().st_mtime - 1,) * 2)
    assert [found.take(id, "studio") for id in ids] == [None] * 5
    assert [found.take(id, "shop") for id in ids] == [None, None, "2", "3", "4"]
    assert found.take(other, "studio") == "another's"
