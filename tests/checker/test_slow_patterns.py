"""A pattern that a flow gives cannot hold up a check or a run, wherever a schema may have one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import flowdsl
from flowdsl.checker.inputs import misfits
from flowdsl.checker.plain_schema import fits_plainly
from flowdsl.errors import ConfigError, StepError
from flowdsl.step import json_schema
from flowdsl.step.json_schema import is_simple, schema_validator

SLOW = "^(a|aa)+$"
TEXT = "a" * 80 + "!"
SCHEMAS: dict[str, tuple[dict[str, Any], Any]] = {
    "a text": ({"type": "string", "pattern": SLOW}, TEXT),
    "the items of a list": ({"items": {"pattern": SLOW}}, [TEXT] * 1000),
    "the names of a map": ({"propertyNames": {"pattern": SLOW}}, {TEXT: 1}),
    "keys by pattern": ({"patternProperties": {SLOW: {}}}, {TEXT: 1}),
    "no other keys": ({"patternProperties": {SLOW: {}}, "additionalProperties": False}, {TEXT: 1}),
    "one of several": ({"anyOf": [{"pattern": SLOW}, {"type": "string"}]}, TEXT),
    "behind a reference": ({"$ref": "#/$defs/a", "$defs": {"a": {"pattern": SLOW}}}, TEXT),
    "keys that nothing evaluated": ({"patternProperties": {SLOW: {}}, "unevaluatedProperties": False}, {TEXT: 1}),
    "a pattern that is long when written out": ({"pattern": "((a{1000}){1000}){1000}"}, TEXT),
}


@pytest.fixture
def little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns may take a tenth of the time; the tests without this wait for the whole."""
    monkeypatch.setattr(json_schema, "PATTERNS_S", json_schema.PATTERNS_S / 10)


@pytest.mark.usefixtures("little_time")
@pytest.mark.parametrize(("schema", "value"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_slow_pattern_of_an_input_ends_with_a_remedy(schema: dict[str, Any], value: Any) -> None:
    begun = time.process_time()
    with pytest.raises(ConfigError) as caught:
        misfits(schema, value)
    assert time.process_time() - begun < 5
    assert caught.value.code == "invalid-schema"


@pytest.mark.usefixtures("little_time")
@pytest.mark.parametrize(("schema", "value"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_slow_pattern_of_a_step_ends_with_a_remedy(schema: dict[str, Any], value: Any) -> None:
    steps = [{"step": "SET", "j": json.dumps(value)}, {"step": "PARSE_JSON", "in": "j", "schema": schema}]
    with pytest.raises(StepError) as caught:
        flowdsl.load(json.dumps(steps, indent=1)).run()
    assert caught.value.code == "invalid-schema"


@pytest.mark.long
def test_a_slow_pattern_is_told_with_the_place_of_the_input() -> None:
    flow = {"inputs": {"x": {"type": "string", "pattern": SLOW}}, "flow": [{"step": "SET", "y": "{{ inputs.x }}"}]}
    with pytest.raises(ConfigError) as caught:
        flowdsl.load(json.dumps(flow, indent=1)).run({"x": TEXT})
    error = caught.value
    assert (error.span is not None, SLOW in error.message, "maxLength" in str(error.hint)) == (True, True, True)


@pytest.mark.usefixtures("little_time")
def test_a_slow_pattern_and_its_default_are_a_finding() -> None:
    flow = {"inputs": {"x": {"pattern": SLOW, "default": TEXT}}, "flow": [{"step": "SET", "y": "{{ inputs.x }}"}]}
    found = flowdsl.check(json.dumps(flow, indent=1))
    assert [each.code for each in found] == ["invalid-schema"]


def test_the_remedy_of_a_slow_pattern_helps() -> None:
    schema = {"type": "string", "pattern": SLOW, "maxLength": 20}
    assert [said for _, said in misfits(schema, TEXT)] == [f"`{TEXT[:39]}…` is longer than 20 characters"]


@pytest.mark.long
def test_a_run_with_a_slow_pattern_hears_a_signal(tmp_path: Path) -> None:
    flow = tmp_path / "flow.yaml"
    flow.write_text(f"inputs:\n  x: {{pattern: '{SLOW}'}}\nflow:\n  - {{step: SET, y: '{{{{ inputs.x }}}}'}}\n")
    command = [sys.executable, "-m", "flowdsl.cli", "run", str(flow), "-i", f"x={TEXT}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        time.sleep(0.8)
        run.send_signal(signal.SIGTERM)
        assert run.wait(10) != 0


PATTERNS = [
    "^a",
    "b$",
    "a.c",
    "^[a-z]+$",
    "^(x|y)$",
    "a{2}",
    r"^[\w.-]+/[\w.-]+$",
    r"\d{4}-\d\d",
    "^https?://",
    "(?i)A",
]
KEYS = ["", "a", "b", "ab", "abc", "aa", "x", "2024-01", "https://x", "A"]


@pytest.mark.parametrize("others", [None, False, {"type": "string"}], ids=["any others", "no others", "other texts"])
@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: f"pattern {PATTERNS.index(pattern)}")
def test_what_fits_is_what_fits_for_jsonschema(pattern: str, others: Any) -> None:
    schemas = [{"pattern": pattern}, {"patternProperties": {pattern: {"type": "integer"}}, "properties": {"b": {}}}]
    for schema in schemas if others is None else [schemas[1] | {"additionalProperties": others}]:
        for key in KEYS:
            for value in (key, {key: 1, "b": 2}, {key: "x"}):
                expected = Draft202012Validator(schema).is_valid(value)
                assert schema_validator(schema).is_valid(value) == expected


def test_what_fits_a_simple_pattern_plainly_fits_for_jsonschema() -> None:
    for pattern in PATTERNS:
        schema = {"pattern": pattern}
        assert all(Draft202012Validator(schema).is_valid(key) for key in KEYS if fits_plainly(schema, key))


@pytest.mark.parametrize(
    ("pattern", "simple"),
    [
        ("^[a-z]+$", True),
        ("^https?://", True),
        (r"^\d{4}-\d{2}-\d{2}$", True),
        ("^#[0-9a-fA-F]{6}$", True),
        (r"^[\w.-]+$", True),
        ("a+b", False),
        ("^a?a?a?aaa$", False),
        ("^.*.*.*x$", False),
        ("^(a|b)$", False),
        ("[a-z]{2,}x", False),
        ("^[[a]&&b]+$", False),
    ],
    ids=lambda value: None if isinstance(value, bool) else "pattern",
)
def test_which_patterns_take_no_time(pattern: str, simple: bool) -> None:
    assert is_simple(pattern) is simple


def test_a_few_repetitions_take_no_time_in_a_short_text() -> None:
    pattern = r"^[\w.-]+/[\w.-]+$"
    assert (is_simple(pattern), is_simple(pattern, "a/b"), is_simple(pattern, "a" * 1000)) == (False, True, False)
    begun = time.process_time()
    assert not fits_plainly({"pattern": "^a*a*a*b$"}, "a" * 200)
    assert time.process_time() - begun < 0.5
