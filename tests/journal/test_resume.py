"""A run that failed or was broken off is resumed: what it bought is used again, and only the rest is bought."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from journaled import BOAT, shop

from flowdsl.errors import RunError
from flowdsl.journal.journal import Journal

FAIL = "- step: RAISE\n  message: not today\n"
FOUR = """\
- step: FOR
  var: n
  start: 1
  end: 4
  do:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      instruction: A paper boat
      size: 1024x1024
      quality: low
"""


def test_a_resumed_run_buys_nothing_twice(tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        error = at.run(BOAT + FAIL)
        assert isinstance(error, RunError)
        assert at.bought == 1
        result = at.run(BOAT, resume=error.result.run)
        assert (at.bought, result.recovered, len(result.images)) == (1, 1, 1)
        assert result.cost_usd == error.result.cost_usd
        assert result.run == error.result.run
        assert result.images[0].path == error.result.made[0].path


def test_a_picture_that_is_used_again_keeps_its_name_and_stands_in_the_manifest_once(tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        error = at.run(BOAT + FAIL)
        at.run(BOAT, resume=error.result.run)
    folder = tmp_path / "pictures"
    lines = json.loads((folder / "manifest.json").read_text())["images"]
    assert len(lines) == 1
    assert [path.name for path in folder.iterdir() if path.suffix == ".png"] == [lines[0]["file"]]


@pytest.mark.parametrize("level", ["none", "basic", "full"])
@pytest.mark.parametrize("noted", [True, False], ids=["noted", "killed before it was"])
@pytest.mark.parametrize("cache", ["off", "run"])
def test_no_picture_gets_a_second_file(tmp_path: Path, level: str, noted: bool, cache: str) -> None:
    with shop(tmp_path) as at:
        at.metadata = level
        error = at.run(FOUR + FAIL, cache=cache)
        (tmp_path / "pictures" / "manifest.json").unlink()  # as of a run that is killed: it is written at the end
        with Journal(at.state) as journal:
            change = "UPDATE names SET is_listed = 0" if noted else "DELETE FROM names"
            journal.database.submit(lambda db: db.execute(change)).result(30)
        first = {path.name for path in (tmp_path / "pictures").glob("*.png")}
        result = at.run(FOUR, resume=error.result.run, cache=cache)
        assert at.bought == (4 if cache == "off" else 1)
    files = {path.name for path in (tmp_path / "pictures").glob("*.png")}
    lines = json.loads((tmp_path / "pictures" / "manifest.json").read_text())["images"]
    assert files == first == {Path(image.path).name for image in result.made}
    assert sorted(line["file"] for line in lines) == sorted(files)
    assert len(files) == 4


def test_equal_requests_of_a_loop_are_each_found_again(tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        error = at.run(FOUR + FAIL)
        assert at.bought == 4
        result = at.run(FOUR, resume=error.result.run)
        assert (at.bought, result.recovered, len({image.path for image in result.made})) == (4, 4, 4)


def test_what_was_bought_is_found_where_steps_have_moved(tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        error = at.run(FOUR + FAIL)
        result = at.run("- step: SET\n  a: 1\n" + FOUR, resume=error.result.run)
        assert (at.bought, result.recovered) == (4, 4)


def test_a_changed_prompt_is_bought(tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        error = at.run(BOAT + FAIL)
        result = at.run(BOAT.replace("boat", "ship"), resume=error.result.run)
        assert (at.bought, result.recovered) == (2, 0)
        assert result.cost_usd is not None


def test_a_flow_that_pays_for_nothing_has_no_journal(tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        at.run("- step: SET\n  a: 1\n")
    assert not (tmp_path / ".flowdsl").exists()


def test_equal_requests_share_one_purchase_where_that_is_asked_for(tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        result = at.run(FOUR, cache="run")
        assert (at.bought, result.reused, len(result.made)) == (1, 3, 4)
        assert result.cost_usd == at.rows()[0]["cost_usd"]
        assert at.run(FOUR, cache="run").reused == 3
        assert at.bought == 2
        assert at.run(FOUR, cache="project").reused == 4
        assert at.bought == 2
        assert at.run(FOUR).reused == 0
        assert at.bought == 6


def test_equal_requests_that_are_asked_for_at_once_share_one_purchase(tmp_path: Path) -> None:
    with shop(tmp_path, latency_s=0.1) as at:
        result = at.run(FOUR.replace("  end: 4\n", "  end: 4\n  concurrency: 4\n"), cache="run")
        assert (at.bought, len(result.made)) == (1, 4)
        assert result.cost_usd == at.rows()[0]["cost_usd"]


def test_a_request_that_failed_is_made_by_the_next_one_who_waits_for_it(tmp_path: Path) -> None:
    trying = FOUR.replace("    - step: OPENAI", "    - step: TRY\n      try:\n        - step: OPENAI").replace(
        "\n      model", "\n          model"
    )
    trying = trying.replace("\n      instr", "\n          instr").replace("\n      size", "\n          size")
    trying = trying.replace("\n      quality: low", "\n          quality: low\n          maxRetries: 0")
    with shop(tmp_path, latency_s=0.1, faults=["moderation:1"]) as at:
        result = at.run(trying.replace("  end: 4\n", "  end: 4\n  concurrency: 4\n"), cache="run")
        assert (at.bought, len(result.made)) == (2, 3)


def test_a_picture_that_is_gone_is_bought_anew_when_that_is_allowed(tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        error = at.run(FOUR + FAIL)
        run = error.result.run
        (gone, *_) = [Path(image.original) for image in error.result.made]
        kept = gone.read_bytes()
        gone.unlink()
        refused = at.run(FOUR, resume=run)
        assert (refused.code, at.bought) == ("picture-gone", 4)
        gone.write_bytes(kept)
        assert at.run(FOUR + FAIL, resume=run).result.recovered == 4
        gone.unlink()
        command = at.run(FOUR, resume=run).hint.split("`")[1].split()
        assert command[:4] == ["flowdsl", "runs", "release", run]
        with Journal(at.state) as journal:
            assert journal.runs.release(run, command[4:]) == 1
            assert journal.runs.hold(run, command[4:]) == 1
            assert journal.runs.release(run, command[4:]) == 1
        assert len(at.run(FOUR, resume=run).made) == 4
        assert at.bought == 5


def test_a_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        at.state.mkdir(0o755)
        at.run(BOAT)
        assert (at.state / "journal.sqlite").stat().st_mode & 0o077 == 0
