"""The page of `flowdsl report` in headless Chromium: it opens, searches, filters, chooses and exports, by keys too,
also with ten thousand pictures; and an audit of accessibility finds nothing in it.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from flowdsl.cli import main
from flowdsl.report.page import Facts, page
from flowdsl.report.row import FAILED, IN_DOUBT, Row
from tests.verify.browser import MISSING, browse
from tests.verify.report_pages import many_pictures, png

pytestmark = pytest.mark.skipif(MISSING is not None, reason=MISSING or "")

COUNT = ["value", "document.getElementById('count').textContent"]
TRAY = ["value", "document.getElementById('tray').hidden ? '' : document.getElementById('chosen').textContent"]
HERE = ["value", "document.querySelector('.card.here .prompt').textContent"]
VIEW = ["value", "document.getElementById('view').open"]


def says(start: str) -> list[str]:
    """Waits until the line above the pictures begins so."""
    return ["until", f"document.getElementById('count').textContent.startsWith({start!r})"]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of ten thousand pictures."""
    folder = tmp_path_factory.mktemp("large")
    many_pictures(folder, 10_000, 16)
    assert main(["report", str(folder), "--quiet"]) == 0
    return str(folder / "report.html")


@pytest.fixture
def odd(tmp_path: Path) -> str:
    """A page with failures, doubts, a picture that is gone, and texts that would like to be markup."""
    (tmp_path / "a#b 50% ü.png").write_bytes(png(32, 1))
    hostile = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> \u2028 \x00 \ud83d 日本語 🦊"
    rows = [
        Row(path=str(tmp_path / "a#b 50% ü.png"), prompt=hostile, model="m", cost_usd=0.01, record=0, iteration="1.2"),
        Row(path=str(tmp_path / "gone.png"), prompt="It was here", model="=2+3", cost_usd=0.02, record=1),
        Row(prompt="Refused", status=FAILED, error=hostile, model="m", seconds=3.5, record=2),
        Row(prompt="Nobody knows", status=IN_DOUBT, most_usd=0.04, record=3),
    ]
    out = tmp_path / "report.html"
    out.write_bytes(page(rows, Facts(f"Title {hostile}", ("one", "two")), tmp_path, {}, embed=False).encode())
    return str(out)


def test_ten_thousand_pictures_open_and_only_those_in_sight_are_in_the_page(large: str) -> None:
    said = browse(
        ["open", large],
        COUNT,
        ["value", "document.querySelectorAll('.card').length"],
        ["press", "ArrowRight"],
        ["press", "End"],
        HERE,
        ["value", "document.querySelectorAll('.card').length"],
        ["until", "[...document.images].every((each) => each.complete)"],
        ["value", "[...document.images].every((each) => each.hidden || !each.src || each.naturalWidth === 16)"],
        ["press", "Home"],
        HERE,
        ["value", "scrollY"],
    )
    _, count, drawn, _, _, last, later, _, loaded, _, first, top = said
    assert count == "10,000 entries"
    assert 0 < drawn < 100 and 0 < later < 100
    assert "number 9999" in last and "number 0" in first
    assert (loaded, top) == (True, 0)


def test_searching_and_filtering_narrow_what_is_shown(large: str) -> None:
    said = browse(
        ["open", large],
        ["press", "/"],
        ["type", "HARBOUR fox"],
        says("200 of"),
        COUNT,
        ["press", "Escape"],
        says("10,000"),
        ["select", "#model", "gpt-image-1.5"],
        COUNT,
        ["fill", "#most", "0.01"],
        says("0 of"),
        ["value", "document.getElementById('empty').hidden"],
        ["axe"],
        ["click", "#reset"],
        COUNT,
        ["select", "#sort", "cost_usd:-1"],
        ["value", "document.querySelector('.card .small').textContent"],
    )
    assert said[4] == "200 of 10,000 entries, $1.20"
    assert said[8] == "2,500 of 10,000 entries, $125.00"
    assert (said[11], said[12]) == (False, [])
    assert said[14] == "10,000 entries"
    assert said[16].startswith("$0.050 · ")


def test_what_is_chosen_is_exported_and_outlives_a_reload(large: str) -> None:
    said = browse(
        ["open", large],
        ["click", ".card:nth-child(2) .tick"],
        ["press", "ArrowRight"],
        ["press", "Space"],
        ["press", "Shift+ArrowRight"],
        TRAY,
        ["saved", "#json"],
        ["saved", "#csv"],
        ["click", "#paths"],
        ["value", "navigator.clipboard.readText()"],
        ["open", large],
        TRAY,
        ["click", "#chips button:last-child"],
        COUNT,
        ["click", "#clear"],
        TRAY,
        ["click", "#clear"],
        TRAY,
    )
    folder = Path(large).parent
    numbers = [int(line["request_id"].removeprefix("req_")) for line in json.loads(said[6][1])]
    assert (said[5], said[6][0], said[7][0]) == ("3 chosen, $0.062", "chosen.json", "chosen.csv")
    assert numbers == [1, 2, 3]
    table = list(csv.DictReader(io.StringIO(said[7][1].removeprefix("\ufeff"))))
    assert [line["prompt"] for line in table] == [line["prompt"] for line in json.loads(said[6][1])]
    assert said[9].split("\n") == [str(folder / f"card-{number}.png") for number in numbers]
    assert said[11] == said[5]
    assert said[13] == "3 of 10,000 entries, $0.062"
    assert (said[15], said[17]) == ("3 given up", said[5])


def test_everything_is_done_with_keys(large: str) -> None:
    keys = ["value", "document.getElementById('keys').open"]
    theme = ["value", "document.documentElement.dataset.theme"]
    said = browse(
        *(["open", large], ["press", "?"], keys, ["press", "Escape"], keys, theme, ["press", "t"], theme),
        *(["press", "ArrowRight"], ["press", "ArrowDown"], HERE, ["press", "Enter"], VIEW),
        *(["press", "ArrowRight"], ["value", "document.querySelector('#view .prompt').textContent"]),
        *(["press", "Space"], ["press", "Escape"], VIEW, TRAY, ["press", "ArrowLeft"], HERE),
        *(["press", "Control+a"], TRAY, ["press", "Escape"], TRAY, ["press", "/"]),
        ["value", "document.activeElement.id"],
    )
    assert (said[2], said[4]) == (True, False)
    assert (said[5], said[7]) == ("light", "dark")
    below = int(said[10].rpartition(" ")[2])
    assert 1 < below < 12  # the one below the first
    assert said[12] is True and said[14].endswith(f"number {below + 1}")
    assert (said[17], said[18]) == (False, "1 chosen, $0.0060" if (below + 1) % 4 != 3 else "1 chosen, $0.050")
    assert said[20].endswith(f"number {below}")
    assert said[22].startswith("10,000 chosen")
    assert (said[24], said[26]) == (said[22], "find")  # no key gives up what took long to choose


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["wide", "narrow"])
def test_an_audit_of_accessibility_finds_nothing(scheme: str, size: tuple[int, int], odd: str) -> None:
    steps: list[list[Any]] = [["scheme", scheme], ["size", *size], ["open", odd], ["axe"]]
    steps += [
        ["click", ".tick"],
        ["axe"],
        ["click", ".card .say"],
        ["axe"],
        ["press", "Escape"],
        ["press", "?"],
        ["axe"],
    ]
    assert [found for found in browse(*steps) if isinstance(found, list)] == [[], [], [], []]


def test_odd_texts_are_shown_as_texts_and_odd_files_are_found(odd: str) -> None:
    said = browse(
        ["open", odd],
        ["value", "[...document.querySelectorAll('.card')].map((each) => each.innerText)"],
        ["value", "[document.scripts.length, document.title, document.querySelectorAll('img').length]"],
        ["value", "document.querySelector('.card img').naturalWidth"],
        ["press", "Control+a"],
        ["click", ".card .say"],
        ["value", "document.querySelector('#view .prompt').textContent"],
        ["value", "document.querySelector('#view img').naturalWidth"],
        ["press", "Escape"],
        ["press", "Control+a"],
        ["saved", "#csv"],
    )
    cards, (scripts, title, images), width = said[1], said[2], said[3]
    assert [text for text in cards if "</script><script>alert(1)</script>" in text] == [cards[0], cards[2]]
    assert "not where it was" in cards[1] and "gone.png" in cards[1]
    assert "nobody knows what became of it" in cards[3]
    assert (scripts, images, width) == (2, 2, 32)
    assert title.startswith("Title </script>")
    assert (said[6].startswith("</script>"), said[7]) == (True, 32)
    assert "'=2+3" in said[10][1]  # no formula of a spreadsheet


def test_a_page_with_its_pictures_in_it_shows_them_alone(tmp_path: Path) -> None:
    many_pictures(tmp_path / "pictures", 12, 300)
    assert main(["report", str(tmp_path / "pictures"), "--embed", "--out", str(tmp_path / "alone.html")]) == 0
    shutil.rmtree(tmp_path / "pictures")
    said = browse(
        ["open", str(tmp_path / "alone.html")],
        ["until", "[...document.images].every((each) => each.complete)"],
        ["value", "[...document.querySelectorAll('.card img')].map((each) => each.naturalWidth > 0)"],
        ["click", ".card .say"],
        ["until", "document.querySelector('#view img').complete"],
        ["value", "document.querySelector('#view img').naturalWidth"],
    )
    assert said[2] == [True] * 12
    assert said[5] == 300
