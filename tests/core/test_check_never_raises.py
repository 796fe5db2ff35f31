"""Whatever the text, `check` reports and never raises."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flowdsl

GOLDEN = Path(__file__).parent.parent / "golden"
FILES = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(GOLDEN.glob("*/*.yaml"))]
FRAGMENTS = [
    *("{{", "}}", "{% if x %}", "{%", "&a ", "*a", "!!str ", "!x ", "<<: *a", "\t", "\r", "\n", "- ", ": ", '"', "'"),
    *("|\n", ">\n", "? ", "[", "]", "{", "}", "\x85", "\u2028", "\x00", "\ud800", "😀", "---\n", "%YAML 1.1\n", "~"),
    *("0x" + "F" * 3000, "9" * 4000, ".nan", "-.inf", "1e400", "type: [string, 'null']", "$ref: '#'", "pattern: '('"),
    *("inputs:\n", "flow:", "outputs:", "services:", "n: ", "step: SET", "steps:\n", "outputKey: ", "true", "  "),
]
TEXTS = st.text() | st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=30).map("".join)
COUNT = settings.default.max_examples  # more with the profile `soak`; tests/verify/test_checks_at_length.py has 2,000
ENVIRONMENT = flowdsl.Environment()


def checked(text: str) -> None:
    found = ENVIRONMENT.check(flowdsl.Source(text))
    assert [type(finding) for finding in found] == [flowdsl.Diagnostic] * len(found)
    assert all(0 <= f.span.start <= f.span.end <= len(text) for f in found)
    assert flowdsl.render(found).count("[") >= len(found)


@pytest.mark.long
@settings(max_examples=3 * COUNT, deadline=None)
@given(TEXTS)
def test_any_text_is_checked(text: str) -> None:
    checked(text)


@pytest.mark.long
@settings(max_examples=5 * COUNT, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_change_of_a_flow_is_checked(data: st.DataObject) -> None:
    check_a_change(data)


def check_a_change(data: st.DataObject) -> None:
    """Checks a file of the golden ones after up to four changes."""
    text = data.draw(st.sampled_from(FILES))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 8))
        text = text[:start] + data.draw(st.sampled_from(["", *FRAGMENTS])) + text[start + gone :]
    checked(text)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("{$ref: '#/nowhere', default: 1}", "the `$ref` #/nowhere leads nowhere"),
        ("{$ref: 'https://example.com/schema.json', default: 1}", "the `$ref` https://example.com/schema.json leads"),
        ("{$ref: '#', default: 1}", "this is not a JSON Schema: "),
        ("{pattern: '(', default: x}", "this is not a JSON Schema: "),
        ("{type: strung}", "`strung` is not a type of JSON Schema"),
    ],
)
def test_a_schema_that_cannot_validate_is_reported(schema: str, message: str) -> None:
    (found,) = flowdsl.check(f"inputs:\n  a: {schema}\nflow:\n- step: SET\n  b: 1\n")
    assert (found.code, found.severity) == ("invalid-schema", "error")
    assert found.message.startswith(message)


def test_an_odd_pattern_in_a_schema_warns_nobody() -> None:
    text = "inputs:\n  a: {pattern: '[a&&b]', default: a}\nflow:\n- step: SET\n  b: 1\n"
    assert flowdsl.check(text) == []
    assert flowdsl.run(text, {"a": "b"}).outputs == {"a": "b", "b": 1}


def test_a_schema_may_list_several_types() -> None:
    assert flowdsl.check("inputs:\n  a: {type: [string, 'null'], default: ~}\nflow:\n- step: SET\n  b: 1\n") == []
