"""Every scenario of `golden/run` gives what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scenario import Scenario, difference, found

FOLDER = Path(__file__).parent / "golden" / "run"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_scenario_gives_what_it_says(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = Scenario(path)
    for name, value in scenario.environ.items():
        monkeypatch.setenv(name, value)
    differs = difference(scenario.expected, found(scenario, tmp_path))
    if differs:
        pytest.fail(f"{scenario.values['title']}\n{differs}", pytrace=False)


def test_every_scenario_has_its_own_title() -> None:
    titles = [Scenario(path).values["title"] for path in sorted(FOLDER.glob("*.yaml"))]
    assert sorted(titles) == sorted(set(titles))


def test_every_label_names_a_section_a_topic_and_a_fact() -> None:
    labels = {label for path in FOLDER.glob("*.yaml") for label in Scenario(path).values["shows"]}
    assert [label for label in sorted(labels) if not re.fullmatch(r"[1-9]\.[A-Z0-9_]+\.[A-Za-z_]+", label)] == []
