"""The scenarios of the Open Workflow specification's conformance kit that apply to flows, translated."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenario import Scenario, difference, found

FOLDER = Path(__file__).parent / "golden" / "conformance"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_translated_scenario_gives_what_its_source_gives(path: Path, tmp_path: Path) -> None:
    scenario = Scenario(path)
    differs = difference(scenario.expected, found(scenario, tmp_path))
    if differs:
        pytest.fail(f"{scenario.values['title']}\n{differs}", pytrace=False)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_translated_scenario_names_its_source_and_what_differs(path: Path) -> None:
    values = Scenario(path).values
    assert sorted(values["source"]) == ["file", "scenario"]
    assert values["source"]["file"].startswith("ctk/features/")
    assert values["differs"]


def test_no_scenario_of_the_kit_is_translated_twice() -> None:
    sources = [str(Scenario(path).values["source"]) for path in FILES]
    assert sorted(sources) == sorted(set(sources))
