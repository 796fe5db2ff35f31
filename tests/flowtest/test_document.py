"""Files of flow tests as documents: what is wrong with them has a place, and what is right fits the schema too."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import flowdsl
from flowdsl.reference.schema import flow_test_schema
from flowdsl.syntax.yaml_reader import read

GOLDEN = Path(__file__).parents[1] / "golden" / "flow_tests"
WRONG = sorted(GOLDEN.glob("wrong*.yaml"))


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.name.partition(".")[0])
def test_a_wrong_file_of_tests_has_exactly_these_findings(path: Path, update_golden: bool) -> None:
    found = flowdsl.check(path, environment=flowdsl.Environment(as_of=date(2026, 11, 21)))
    text = flowdsl.render(found).replace(str(path), path.name) + "\n"
    expected = path.with_suffix(".txt")
    if update_golden:
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_a_file_with_every_key_is_silent_and_fits_the_schema() -> None:
    path = GOLDEN / "right.test.yaml"
    assert flowdsl.check(path) == []
    root, _ = read(flowdsl.Source(path.read_text(encoding="utf-8")))
    assert root is not None
    assert list(Draft202012Validator(flow_test_schema()).iter_errors(root.plain())) == []


def test_what_is_wrong_does_not_fit_the_schema_either() -> None:
    root, _ = read(flowdsl.Source((GOLDEN / "wrong.test.yaml").read_text(encoding="utf-8")))
    assert root is not None
    places = {
        next(iter(error.absolute_path))
        for error in Draft202012Validator(flow_test_schema()).iter_errors(root.plain())
        if error.absolute_path
    }
    assert {"timeout", "env", "mocks", "tests"} <= places
