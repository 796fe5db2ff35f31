"""Texts as YAML 1.2 and JSON write them, and what is said of those that are read otherwise than they look."""

from __future__ import annotations

import json
from typing import Any

import pytest

import flowdsl
from flowdsl.diagnostics import Diagnostic, fixed, render
from flowdsl.source import Source
from flowdsl.syntax.yaml_reader import read


def value(text: str) -> Any:
    root, diagnostics = read(Source(text))
    assert diagnostics == []
    assert root is not None
    return root.plain()


def mistakes(text: str) -> list[Diagnostic]:
    return read(Source(text))[1]


@pytest.mark.parametrize("text", ["😀", "a😀b👩‍🚀", 'a "quoted" 😀', "back\\slash 😀", "\\ud83d\\ude00 😀"])
def test_an_emoji_that_json_escapes_in_halves_is_one_character(text: str) -> None:
    assert value(json.dumps([{"step": "SET", "text": text}])) == [{"step": "SET", "text": text}]


def test_more_emoji_than_mistakes_are_worked_around() -> None:
    many = [{"😀": f"{number} 😀"} for number in range(200)]
    assert value(json.dumps(many)) == many


@pytest.mark.parametrize("text", ["a: \\ud83d\\ude00\n", "a: '\\ud83d\\ude00'\n", "a: |-\n  \\ud83d\\ude00\n"])
def test_without_double_quotes_the_halves_are_text(text: str) -> None:
    assert value(f'{text}b: "\\ud83d\\ude00"\n') == {"a": "\\ud83d\\ude00", "b": "😀"}


@pytest.mark.parametrize(
    "text", ['- text: "a \\ud83d b"\n', '- text: "\\ude00"\n', '- text: "\\ud83d\\ud83d\\ude00"\n']
)
def test_half_a_character_is_an_error_that_says_so(text: str) -> None:
    (mistake,) = mistakes(text)
    assert "is half of a character" in mistake.message
    assert mistake.span.first.line == 1
    assert mistake.span.text.lower().startswith("\\ud")


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\u0085"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: x{0}y\nb: 1\n", {"a": "x{0}y", "b": 1}),
        ("a: |\n  x{0}y\nb: 1\n", {"a": "x{0}y\n", "b": 1}),
        ("a: >-\n  x{0}y\n  z\nb: 1\n", {"a": "x{0}y z", "b": 1}),
        ("a: 'x{0}y'\nb: 1\n", {"a": "x{0}y", "b": 1}),
        ("a: 1 # x{0}y: z\nb: 1\n", {"a": 1, "b": 1}),
        ("a{0}b: 1\n", {"a{0}b": 1}),
    ],
    ids=["plain", "block", "folded", "quoted", "comment", "key"],
)
def test_line_ends_of_unicode_are_text(char: str, text: str, expected: dict[str, Any]) -> None:
    assert value(text.format(char)) == {key.format(char): _put(char, found) for key, found in expected.items()}


def _put(char: str, found: Any) -> Any:
    return found.format(char) if isinstance(found, str) else found


@pytest.mark.parametrize("char", ["\x01", "\x80", "\x92", "\x9f"])
def test_a_control_of_either_kind_has_its_place_and_words(char: str) -> None:
    (mistake,) = mistakes(f"- step: SET\n  a: 1\n  b: 2\n  text: it{char}s\n")
    assert mistake.message == f"the character U+{ord(char):04X} is not allowed in YAML"
    assert mistake.span.first == (4, 11)


@pytest.mark.parametrize("written", ["007", "1.10", "0x1F", "TRUE", "5319e7", "1_000.50"[:1]])
def test_the_hint_for_a_text_quotes_what_is_written(written: str) -> None:
    text = f"- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: {written}\n"
    (found,) = [found for found in flowdsl.check(text) if found.code == "wrong-type"]
    assert found.hint == f'quote it: `instruction: "{written}"`'
    assert fixed(found.span.source, found.fixes[0]) == text.replace(written, f'"{written}"')


@pytest.mark.parametrize("written", ["60_000", "1e", "0b11", "١٢"])
def test_a_text_that_is_no_number_without_quotes_either_is_not_told_to_lose_them(written: str) -> None:
    (found,) = flowdsl.check(f"- step: SLEEP\n  delay: '{written}'\n")
    assert found.hint != "write it without quotes"


def test_a_comment_inside_a_text_is_a_warning_whose_fix_quotes_it() -> None:
    text = "- step: SET\n  text: A red bag #ff0000 on white\n"
    (found,) = flowdsl.check(text)
    assert (found.code, found.severity, found.span.text) == ("comment-in-text", "warning", "#ff0000")
    assert flowdsl.run(fixed(found.span.source, found.fixes[0])).context["text"] == "A red bag #ff0000 on white"


@pytest.mark.parametrize(
    "text",
    [
        "- step: SET\n  text: A red bag # a comment\n",
        "- step: SET\n  text: |\n    A red bag #ff0000 on white\n",
        "- step: SET\n  text: 'A red bag' #ff0000\n",
        "- step: SET #first\n  text: a\n"[:11] + "\n  text: a#b\n",
    ],
)
def test_other_comments_are_no_warning(text: str) -> None:
    assert flowdsl.check(text) == []


def test_merge_keys_are_read() -> None:
    text = (
        "- step: SET\n  a: &base {x: 1, y: 2}\n  b: {<<: *base, y: 3}\n"
        "  c:\n    y: 4\n    <<: [*base, {x: 9, z: 5}]\n  '<<': text\n"
    )
    step = value(text)[0]
    assert step["b"] == {"x": 1, "y": 3}
    assert step["c"] == {"y": 4, "x": 1, "z": 5}
    assert step["<<"] == "text"


def test_a_step_takes_its_options_from_a_merged_map() -> None:
    flow = (
        "blocks:\n  constants:\n    usual: &usual {model: gpt-image-2, size: 1024x1024}\nflow:\n"
        "  - step: OPENAI_IMAGE_GENERATION\n    instruction: A boat\n    <<: *usual\n"
    )
    assert [found.code for found in flowdsl.check(flow) if found.severity != "note"] == []
    wrong = flow.replace("1024x1024", "7x7")
    (found,) = [found for found in flowdsl.check(wrong) if found.severity == "error"]
    assert found.span.text == "7x7"


@pytest.mark.parametrize("text", ["- <<: 3\n", "- <<: [1]\n"])
def test_what_cannot_be_merged_is_a_mistake(text: str) -> None:
    assert [found.code for found in mistakes(text)] == ["wrong-type"]


@pytest.mark.parametrize("written", ["2.0", "'{{ 2.0 }}'", "2", "'2'"[1:2]])
def test_a_whole_number_with_a_point_is_a_whole_number_everywhere(written: str) -> None:
    flow = f"- step: WHILE\n  condition: '{{{{ false }}}}'\n  max: {written}\n  do:\n    - step: SET\n      text: a\n"
    assert [found for found in flowdsl.check(flow) if found.severity == "error"] == []
    flowdsl.run(flow)


@pytest.mark.parametrize(
    "flow",
    [
        "- !include ./no.yaml\n",
        "flow: !include ./no.yaml\n",
        "- step: IF\n  condition: a\n  then: !include ./no.yaml\n",
    ],
)
def test_a_file_that_is_not_there_is_one_error(flow: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [found.code for found in flowdsl.check(flow) if found.severity == "error"] == ["missing-file"]


@pytest.mark.parametrize(
    ("key", "name"),
    [("model\u00a0", "U+00A0, no-break space"), ("mo\u200bdel", "U+200B, zero width space"), ("\ufeffmodel", "U+FEFF")],
)
def test_a_character_that_nobody_sees_is_named(key: str, name: str) -> None:
    found = flowdsl.check(f"- step: OPENAI_IMAGE_GENERATION\n  instruction: A boat\n  {key}: gpt-image-2\n")
    assert name in render(found)
