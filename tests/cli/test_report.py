"""`flowdsl report`: what stands in the page, what cannot get out of it, and what is wrong with how it is asked."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from flowdsl.cli import main

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
    assert (rows[0]["status"], rows[0]["prompt"], round(rows[0]["usd"], 4)) == ("done", "A card for Ada", 0.0059)
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
