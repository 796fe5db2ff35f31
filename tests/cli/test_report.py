"""`flowdsl report`: what stands in the page, what cannot get out of it, and what is wrong with how it is asked."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flowdsl.cli import main

pytestmark = pytest.mark.long

CARD = """\
inputs: {name: {type: string}}
flow:
  - step: OPENAI_IMAGE_GENERATION
    id: card
    model: gpt-image-2
    instruction: "A card for {{ inputs.name }}"
    size: 1024x1024
    quality: low
"""


def data(path: str | Path) -> dict[str, Any]:
    """The data that stand in a page."""
    text = Path(path).read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    read: dict[str, Any] = json.loads(found[1])
    return read


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("card.flow.yaml").write_text(CARD)
    names = ["Ada", "</script><script>alert(1)</script>", None, "sk-abcdef1234567890"]
    lines = [json.dumps({"name": name} if name else {"nme": "x"}) for name in names]
    Path("a.jsonl").write_text("\n".join(lines))
    assert main(["batch", "card.flow.yaml", "--over", "a.jsonl", "--simulate", "--quiet", "--out", "cards"]) == 4
    capsys.readouterr()
    return Path("cards")


def test_the_page_of_a_batch_has_its_pictures_and_what_failed(cards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report"]) == 0
    assert capsys.readouterr().out == "cards/report.html\n"
    rows = {row["record"]: row for row in data("cards/report.html")["rows"]}
    assert sorted(rows) == [0, 1, 2, 3]
    assert (rows[0]["status"], rows[0]["prompt"], round(rows[0]["cost_usd"], 4)) == ("done", "A card for Ada", 0.0059)
    assert (rows[2]["status"], rows[2]["error"]) == ("failed", "the input `name` is missing")
    for number in (0, 1, 3):
        assert (cards / rows[number]["src"]).is_file()
        assert (cards / rows[number]["thumb"]).stat().st_size < 40_000
    made = sorted((cards / ".thumbnails").iterdir())
    times = [path.stat().st_mtime_ns for path in made]
    assert main(["report"]) == 0
    assert [path.stat().st_mtime_ns for path in made] == times  # not made twice


def test_no_prompt_gets_out_of_its_place_and_no_key_into_the_page(cards: Path) -> None:
    assert main(["report", "cards", "--out", "page.html"]) == 0
    text = Path("page.html").read_text(encoding="utf-8")
    assert text.count("<script") == 2
    assert "alert(1)</script>" not in text
    assert "sk-abcdef" not in text
    prompts = {row["prompt"] for row in data("page.html")["rows"]}
    assert "A card for </script><script>alert(1)</script>" in prompts
    assert "A card for ***" in prompts


def test_a_page_with_its_pictures_in_it_stands_alone(cards: Path) -> None:
    assert main(["report", "cards", "--embed", "--out", "alone.html"]) == 0
    for path in (*cards.glob("*.png"), *cards.glob(".thumbnails/*")):
        path.unlink()
    rows = [row for row in data("alone.html")["rows"] if "src" in row]
    assert len(rows) == 3
    assert all(row["src"].startswith("data:image/png;base64,") for row in rows)


def test_a_picture_that_is_gone_is_said_to_be(cards: Path) -> None:
    first = sorted(cards.glob("*.png"))[0]
    first.unlink()
    assert main(["report", "cards"]) == 0
    gone = [row["name"] for row in data("cards/report.html")["rows"] if row.get("gone")]
    assert gone == [first.name]


def test_a_single_run_has_a_page_with_what_its_request_failed_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("card.flow.yaml").write_text(CARD)
    run = ["run", "card.flow.yaml", "--simulate", "--quiet", "-i", "name=Ada", "--fault", "card=moderation"]
    assert main(run) == 4
    capsys.readouterr()
    assert main(["report", "--out", "sub/r.html"]) == 0
    (row,) = data("sub/r.html")["rows"]
    assert row["status"] == "failed"
    assert "moderation" in row["error"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "has paid for anything yet: name a folder of pictures"),
        (["nosuch"], "there is no journal in "),
        (["empty"], "empty has no manifest of pictures: No such file or directory"),
        (["odd"], "odd has no manifest of pictures"),
    ],
)
def test_what_there_is_no_page_of_is_told(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("odd").mkdir()
    Path("odd/manifest.json").write_text("[]")
    assert main(["report", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_record_that_failed_after_its_picture_was_made_has_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    failing = """\
  - step: IF
    condition: "{{ inputs.name == 'Bo' }}"
    then:
      - {step: RAISE, message: "no {{ inputs.name }}"}
"""
    Path("card.flow.yaml").write_text(CARD + failing)
    Path("a.jsonl").write_text('{"name": "Ada"}\n{"name": "Bo"}\n')
    assert main(["batch", "card.flow.yaml", "--over", "a.jsonl", "--simulate", "--quiet", "--out", "cards"]) == 4
    assert main(["report"]) == 0
    found = [(row["record"], row["status"], row.get("error")) for row in data("cards/report.html")["rows"]]
    assert found == [(0, "done", None), (1, "done", None), (1, "failed", "no Bo")]
    first = data("cards/report.html")["rows"][0]
    assert (first["step"], first["place"]) == ("card", "card.flow.yaml:3")
    assert first["request_id"].startswith("req_")


def test_a_single_run_that_failed_elsewhere_says_with_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("card.flow.yaml").write_text(CARD + "  - {step: RAISE, message: not yet}\n")
    assert main(["run", "card.flow.yaml", "--simulate", "--quiet", "-i", "name=Ada"]) == 4
    assert main(["report"]) == 0
    page = data("flowdsl-images/report.html")
    assert [(row["status"], row.get("error")) for row in page["rows"]] == [("done", None), ("failed", "not yet")]
    assert (page["title"], page["simulated"], page["facts"][1]) == ("card.flow.yaml", True, "failed")


def test_a_manifest_that_was_cut_off_and_those_of_single_runs_are_read(
    cards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (cards / "manifest.json").read_text()
    (cards / "manifest.json").write_text(text[: text.rindex('"sha256"')])
    (cards / "manifest-01a.json").write_text(text)
    assert main(["report", "cards"]) == 0
    assert len(data("cards/report.html")["rows"]) == 2 + 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["01a-nosuch", "--out", "page.html"], "has no run 01a-nosuch"),
        (["no/such", "--out", "page.html"], "there is no folder no/such"),
        (["cards/failed.jsonl", "--out", "page.html"], "cards/failed.jsonl is a file: name its folder, cards"),
        (
            ["a.jsonl", "--out", "page.html"],
            "a.jsonl is neither a run nor a folder of pictures: `flowdsl report` takes",
        ),
        (["cards", "--out", "a.jsonl/page.html"], "`--out FILE` writes the page elsewhere"),
    ],
    ids=["no run", "no folder", "a file", "a file of no pictures", "no place for it"],
)
def test_a_page_that_cannot_be_made_leaves_the_old_one(
    arguments: list[str], said: str, cards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("page.html").write_text("the old page")
    assert main(["report", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert Path("page.html").read_text() == "the old page"


def test_too_many_pictures_are_not_put_into_a_page(cards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (cards / "manifest.json").read_text()
    first = text.splitlines()[1].rstrip(",")
    (cards / "manifest.json").write_text(text.splitlines()[0] + "\n" + ",\n".join([first] * 201) + "\n]}\n")
    assert main(["report", "cards", "--embed", "--out", "alone.html"]) == 2
    assert "--embed takes 200 pictures at most, and there are 201" in capsys.readouterr().err
    assert not Path("alone.html").exists()


def test_pictures_that_were_moved_are_told_with_what_shows_them(
    cards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cards.rename("elsewhere")
    assert main(["report", "--out", "page.html"]) == 0
    assert "3 pictures are not where the run put them, such as " in (said := capsys.readouterr().err)
    assert "`flowdsl report FOLDER` shows it" in said
    assert main(["report", "elsewhere", "--out", "page.html"]) == 0
    assert [row for row in data("page.html")["rows"] if row.get("gone")] == []


def test_small_pictures_outlive_a_move_of_their_folder(cards: Path) -> None:
    assert main(["report", "cards"]) == 0
    made = sorted((cards / ".thumbnails").iterdir())
    cards.rename("elsewhere")
    assert main(["report", "elsewhere"]) == 0
    assert sorted(Path("elsewhere/.thumbnails").iterdir()) == [Path("elsewhere", *path.parts[1:]) for path in made]


def test_without_pillow_the_page_shows_the_pictures_themselves(
    cards: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["report", "cards"]) == 0
    assert "`pip install pillow` makes small ones" in capsys.readouterr().err
    assert all(row["thumb"] == row["src"] for row in data("cards/report.html")["rows"])


def test_what_an_embedded_page_says_of_this_machine_is_the_names_of_files(cards: Path) -> None:
    assert main(["report", "cards", "--embed", "--out", "alone.html"]) == 0
    assert str(cards.absolute()) not in Path("alone.html").read_text(encoding="utf-8")


def test_a_manifest_puts_no_other_file_of_this_machine_into_a_page(cards: Path) -> None:
    Path("notes.txt").write_text("my own notes")
    text = (cards / "manifest.json").read_text()
    names = [json.loads(line.rstrip(","))["file"] for line in text.splitlines()[1:4]]
    (cards / "manifest.json").write_text(text.replace(f'"{names[0]}"', '"../notes.txt"'))
    assert main(["report", "cards", "--embed", "--out", "alone.html"]) == 0
    assert [row["name"] for row in data("alone.html")["rows"] if "src" not in row] == ["notes.txt"]


ODD = (
    {},
    {"file": "a\0b.png", "prompt": ["a"], "cost_usd": "much", "iteration": 3, "made": 12},
    {
        "file": "\ud83d.png",
        "prompt": "\ud83d lone",
        "cost_usd": float("nan"),
        "iteration": [True, "x", 2],
        "made": "soon",
    },
    {"file": "../" * 30, "model": 7, "cost_usd": float("inf"), "made": "9999-99-99"},
    {"file": "x" * 5000, "prompt": "PAGE-DATA PAGE-SCRIPT \u2028", "run": {}},
)


@pytest.mark.parametrize("more", [[], ["--embed"]], ids=["beside", "embedded"])
def test_odd_lines_of_a_manifest_are_shown_as_far_as_they_go(
    more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd").mkdir()
    Path("odd/manifest.json").write_text(json.dumps({"version": 1, "images": [*ODD, 5, None]}))
    assert main(["report", "odd", "--out", "page.html", *more]) == 0
    rows = data("page.html")["rows"]
    assert len(rows) == len(ODD)
    assert [row for row in rows if "src" in row or "cost_usd" in row] == []
    assert rows[4]["prompt"] == "PAGE-DATA PAGE-SCRIPT \u2028"


def test_a_folder_of_simulated_pictures_is_said_to_be_simulated(cards: Path) -> None:
    assert main(["report", "cards"]) == 0
    page = data("cards/report.html")
    assert (page["simulated"], page["facts"]) == (True, ["the pictures of 3 runs", "simulated"])
    assert {row["simulated"] for row in page["rows"]} == {True}


def test_a_folder_of_which_no_journal_knows_the_runs_is_called_neither_simulated_nor_paid(
    cards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWDSL_STATE", "elsewhere")
    manifest = Path("cards/manifest.json")
    manifest.write_text(manifest.read_text().replace('"simulated": true, ', ""))  # as of before there was this mark
    assert main(["report", "cards"]) == 0
    page = data("cards/report.html")
    assert (page["simulated"], page["facts"]) == (None, ["the pictures of 3 runs"])
    assert not any("simulated" in row for row in page["rows"])
    Path("elsewhere").mkdir()
    Path("elsewhere/journal.sqlite").write_text("no journal at all")
    assert main(["report", "cards"]) == 0
    assert data("cards/report.html")["simulated"] is None


def test_a_folder_of_simulated_pictures_says_so_without_its_journal(
    cards: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWDSL_STATE", "elsewhere")
    assert main(["report", "cards"]) == 0
    page = data("cards/report.html")
    assert (page["simulated"], page["facts"]) == (True, ["the pictures of 3 runs", "simulated"])
    picture = next(Path("cards").glob("*.png"))
    capsys.readouterr()
    assert main(["provenance", str(picture)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert any(line.startswith("claimed") and line.endswith(", simulated") for line in told)


def test_a_folder_with_pictures_that_were_paid_for_beside_simulated_ones_says_which(cards: Path) -> None:
    [first, *_] = json.loads(Path("cards/manifest.json").read_text())["images"]
    with closing(sqlite3.connect(Path(os.environ["FLOWDSL_STATE"]) / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE batches SET simulated = 0")
    assert main(["run", "card.flow.yaml", "-i", "name=Ada", "--simulate", "--quiet", "--out", "cards"]) == 0
    assert main(["report", "cards"]) == 0
    page = data("cards/report.html")
    assert (page["simulated"], page["facts"]) == (None, ["the pictures of 4 runs", "some of them simulated"])
    assert [row["simulated"] for row in page["rows"]] == [False, False, False, True]
    assert page["rows"][0]["run"] == first["run"]


def test_a_request_is_under_way_while_its_run_goes_on_and_in_doubt_when_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("card.flow.yaml").write_text(CARD)
    line = [sys.executable, "-m", "flowdsl.cli", "run", "card.flow.yaml", "--simulate", "-i", "name=Ada"]
    with subprocess.Popen([*line, "--fault", "card=hang"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        try:
            while main(["report", "--out", "page.html", "--quiet"]) != 0:  # it has not asked for anything yet
                assert run.poll() is None
            first = data("page.html")
        finally:
            run.kill()
    assert main(["report", "--out", "page.html", "--quiet"]) == 0
    second = data("page.html")
    assert [(page["facts"][1], page["rows"][0]["status"]) for page in (first, second)] == [
        ("running", "under way"),
        ("killed", "in doubt"),
    ]
    assert second["rows"][0]["most_usd"] > 0


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")
def test_a_run_on_a_terminal_ends_with_what_shows_its_pictures(tmp_path: Path) -> None:
    import pty

    (tmp_path / "card.flow.yaml").write_text(CARD)
    leader, follower = pty.openpty()
    line = [sys.executable, "-m", "flowdsl.cli", "run", "card.flow.yaml", "--simulate", "-i", "name=Ada"]
    process = subprocess.Popen(line, stdout=follower, stderr=follower, cwd=tmp_path)
    os.close(follower)
    shown = b""
    with contextlib.suppress(OSError):  # the end of the terminal
        while chunk := os.read(leader, 65536):
            shown += chunk
    os.close(leader)
    assert process.wait(timeout=60) == 0
    assert shown.decode().rstrip().endswith("`flowdsl report --open` shows them with their prompts and costs")


def large_pictures(folder: Path, count: int) -> None:
    from PIL import Image

    folder.mkdir()
    Image.frombytes("RGB", (1800, 900), os.urandom(1800 * 900 * 3)).save(folder / "0.png", compress_level=0)
    for number in range(1, count):
        os.link(folder / "0.png", folder / f"{number}.png")
    images = [{"file": f"{number}.png", "prompt": str(number)} for number in range(count)]
    (folder / "manifest.json").write_text(json.dumps({"version": 1, "images": images}))


def test_large_pictures_in_a_page_are_made_to_fit_a_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowdsl.report import page

    monkeypatch.setattr(page, "MOST_AS_THEY_ARE", 5_000_000)
    large_pictures(tmp_path / "big", 2)
    alone = tmp_path / "alone.html"
    assert main(["report", str(tmp_path / "big"), "--embed", "--out", str(alone)]) == 0
    assert all(row["src"].startswith("data:image/webp;base64,") for row in data(alone)["rows"])
    assert alone.stat().st_size < (tmp_path / "big" / "0.png").stat().st_size


@pytest.mark.parametrize("has_pillow", [True, False])
def test_pictures_too_large_for_any_browser_are_not_put_into_a_page(
    has_pillow: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from flowdsl.report import page, pillow, thumbnails

    monkeypatch.setattr(page, "MOST_AS_THEY_ARE", 1_000)
    monkeypatch.setattr(page, "MOST_BYTES", 100_000)
    for module in (pillow, thumbnails):
        monkeypatch.setattr(module, "is_there", lambda: has_pillow)
    large_pictures(tmp_path / "big", 1)
    alone = tmp_path / "alone.html"
    assert main(["report", str(tmp_path / "big"), "--embed", "--out", str(alone)]) == 2
    said = capsys.readouterr().err
    assert "a browser opens a page with up to 0 MB: without it the page links to them" in said
    assert ("pip install pillow" in said) is not has_pillow
    assert not alone.exists()


def test_a_page_takes_the_place_of_no_other_file(cards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "cards", "--out", "card.flow.yaml"]) == 2
    assert "card.flow.yaml is there and is no page: name a file that ends in .html" in capsys.readouterr().err
    assert Path("card.flow.yaml").read_text() == CARD


def test_a_run_whose_pictures_were_forgotten_says_what_shows_them(cards: Path) -> None:
    assert main(["run", "card.flow.yaml", "--simulate", "--quiet", "-i", "name=Ada", "--out", "one"]) == 0
    assert main(["runs", "gc", "--older-than", "0"]) == 0
    assert main(["report", "--out", "r.html"]) == 0
    (row,) = data("r.html")["rows"]
    assert row["status"] == "done"
    assert "`flowdsl report FOLDER` shows those of their folder" in row["error"]
