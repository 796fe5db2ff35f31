"""What is expected beside what came: equal, or by one of the words, and the words of a difference."""

from __future__ import annotations

from typing import Any

import pytest

from flowdsl import Source
from flowdsl.flowtest.matching import differences
from flowdsl.syntax.yaml_reader import read


def said(expected: str, found: Any) -> list[str]:
    """The differences between an expectation, as YAML, and a value."""
    root, _ = read(Source(f"value: {expected}\n", "a.test.yaml"))
    assert root is not None
    return [f"{each.at}: {each.expected} / {each.found}" for each in differences(root.value["value"], found, "it")]


ALIKE = [
    ("1", 1.0),
    ("null", None),
    ("{a: [1, {b: text}]}", {"a": [1, {"b": "text"}]}),
    ("{matches: ^a.c$}", "abc"),
    ("{contains: b}", "abc"),
    ("{contains: 2}", [1, 2]),
    ("{contains: {has: {a: 1}}}", [{"a": 1, "b": 2}]),
    ("{has: {a: 1}}", {"a": 1, "b": 2}),
    ("{count: 3}", "abc"),
    ("{count: 0}", []),
    ("{count: 2}", {"a": 1, "b": 2}),
    ("{schema: {type: integer, minimum: 2}}", 2),
    ("{close: 0.3}", 0.1 + 0.2),
    ("{close: 5, within: 1}", 6),
    ("{not: {matches: x}}", "abc"),
    ("{not: 1}", True),
    ("{equals: {count: 3}}", {"count": 3}),
    ("{matches: a, not: {contains: b}}", "ac"),
    ("{}", {}),
]


@pytest.mark.parametrize(("expected", "found"), ALIKE, ids=[str(number) for number in range(len(ALIKE))])
def test_a_value_that_is_as_expected_has_no_difference(expected: str, found: Any) -> None:
    assert said(expected, found) == []


OTHERS = [
    ("1", True, ["it: 1 / true"]),
    ("0", False, ["it: 0 / false"]),
    ("1", "1", ['it: 1 / "1", which is a text, and a number is expected']),
    ("one", "two", ['it: "one" / "two"']),
    ("{a: 1}", {}, ["it.a: 1 / no `a`; there is nothing"]),
    ("{a: 1}", {"a": 1, "b": 2}, ["it.b: nothing: `has` allows more / 2"]),
    ("[1, 2]", [1], ["it[1]: 2 / nothing: 1 item"]),
    ("[1]", [1, 2], ["it: 1 item / 2 items, the next is 2"]),
    ("[1]", "text", ['it: [1] / "text"']),
    ("{matches: ^b}", "abc", ['it: a text that matches `^b` / "abc"']),
    ("{matches: 1}", 1, ["it: a text that matches `1` / 1"]),
    ("{contains: x}", ["a"], ['it: something that contains "x" / ["a"]']),
    ("{count: 1}", 5, ["it: the length 1 / 5"]),
    ("{count: 1}", [1, 2], ["it: the length 1 / the length 2: [1, 2]"]),
    ("{close: 1}", 1.1, ["it: 1 ± 1e-06 / 1.1"]),
    ("{close: 1}", True, ["it: 1 ± 1e-06 / true"]),
    ("{close: 1}", float("nan"), ["it: 1 ± 1e-06 / NaN"]),
    ("{schema: {type: object, required: [a]}}", {}, ["it: what fits the schema / `a` is missing"]),
    ("{not: abc}", "abc", ['it: anything but "abc" / "abc"']),
    ("{has: {a: {matches: x}}}", {"a": "y", "b": 1}, ['it.a: a text that matches `x` / "y"']),
    ("{has: {a: 1}}", [1], ["it: a map / [1]"]),
]


@pytest.mark.parametrize(("expected", "found", "differs"), OTHERS, ids=[str(number) for number in range(len(OTHERS))])
def test_a_value_that_is_not_says_where_it_differs(expected: str, found: Any, differs: list[str]) -> None:
    assert said(expected, found) == differs


def test_long_texts_show_where_they_begin_to_differ() -> None:
    text = "A painting of the harbour at dawn, with fishing boats and gulls"
    (line,) = said(f'"{text}, in oil"', f"{text}, in ink")
    assert line.endswith('it differs from character 69 on: …"boats and gulls, in ink"')


def test_a_text_of_a_flow_steers_no_terminal() -> None:
    assert said("one", "\x1b[2J two\n") == ['it: "one" / "\\u001b[2J two\\n"']
