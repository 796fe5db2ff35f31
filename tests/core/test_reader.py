"""The reader: values by YAML 1.2, exact places, and one pass past every mistake."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdsl.diagnostics import render
from flowdsl.document.files import Files
from flowdsl.source import Position, Source
from flowdsl.syntax.composer import MAX_DEPTH
from flowdsl.syntax.core_schema import plain_value
from flowdsl.syntax.foreign_spaces import FOREIGN_SPACES
from flowdsl.syntax.node import Node
from flowdsl.syntax.yaml_reader import read, read_bytes

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn")) | st.sampled_from("\n\t"))


def is_the_same_in_both(text: str) -> bool:
    """Whether YAML 1.1, which the dumper writes, and 1.2, which we read, take a text without quotes for the same: `08`
    is a number in 1.2 only, as `1e3` is."""
    return text != "<<" and (isinstance(plain_value(text), str) or text.strip() != yaml.safe_dump(text).splitlines()[0])


WORDS = TEXTS.filter(is_the_same_in_both)
KEYS = WORDS.filter(lambda text: not text.startswith(tuple(FOREIGN_SPACES)))
"""A key that begins with a foreign space is told: it is meant as indentation."""
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def values(text: str) -> Any:
    root, mistakes = read(Source(text))
    assert mistakes == []
    assert root is not None
    return root.plain()


def mistakes(text: str) -> list[tuple[str, str, str]]:
    """Code, message and marked text of each finding of the reader."""
    return [(mistake.code, mistake.message, mistake.span.text) for mistake in read(Source(text))[1]]


def nodes(node: Node) -> list[Node]:
    children = node.value if node.kind == "list" else node.value.values() if node.kind == "map" else ()
    return [node, *(found for child in children for found in nodes(child))]


@settings(max_examples=150, deadline=None)
@given(TREES, st.sampled_from([None, "'", '"', "|", ">"]), st.booleans(), st.booleans(), st.sampled_from([20, 80]))
def test_what_a_dumper_writes_is_read_back_with_exact_places(
    tree: Any, style: str | None, flow: bool, unicode: bool, width: int
) -> None:
    text = yaml.dump(tree, default_style=style, default_flow_style=flow, allow_unicode=unicode, width=width)
    root, found = read(Source(text))
    assert root is not None
    if not style or style not in "|>'\"":  # a style makes the dumper write tags, which stand in the way of re-reading
        assert [mistake.code for mistake in found] == []
        assert root.plain() == yaml.safe_load(text)
    for node in nodes(root):
        if node.kind == "scalar" and node.style is None and "\n" not in node.span.text and node.span.text:
            again, _ = read(Source(node.span.text))
            assert again is not None
            assert again.plain() == node.value


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("a: 1\nb: two words\n", ["1", "two words"]),
        ("a: 'it''s'\nb: \"x\\ty\"\n", ["'it''s'", '"x\\ty"']),
        ("a: |\n  one\n  two\n\nb: >-\n  three\n", ["|\n  one\n  two", ">-\n  three"]),
        ("a: [1, {b: 2}]\nb: {c: 3}\n", ["[1, {b: 2}]", "1", "{b: 2}", "2", "{c: 3}", "3"]),
        ("a:\n- 1\n- b: 2\n", ["- 1\n- b: 2", "1", "b: 2", "2"]),
        ("a: !!str 5\nb: &x y\nc: *x\n", ["!!str 5", "&x y", "&x y"]),
        ("a:\nb: ~\n", ["", "~"]),
        ("a: 😀 x\r\nb: é\r\n", ["😀 x", "é"]),
        ("a: 1\rb: 2\r", ["1", "2"]),
    ],
)
def test_each_node_spans_exactly_its_own_characters(text: str, spans: list[str]) -> None:
    root, found = read(Source(text))
    assert found == []
    assert root is not None
    assert [node.span.text for node in nodes(root)[1:]] == spans


def test_keys_have_places_of_their_own() -> None:
    root, _ = read(Source("first: 1\n'second key': 2\n"))
    assert root is not None
    assert {name: (key.span.text, str(key.span)) for name, key in root.keys.items()} == {
        "first": ("first", "<text>:1:1"),
        "second key": ("'second key'", "<text>:2:1"),
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("tRuE", "tRuE"),
        ("null", None),
        ("~", None),
        ("nULL", "nULL"),
        ("012", 12),
        ("0o14", 12),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("-7", -7),
        ("+7", 7),
        ("1:30", "1:30"),
        ("1024x1024", "1024x1024"),
        ("2026-01-01", "2026-01-01"),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1e400", math.inf),
        ("-.INF", -math.inf),
        (".", "."),
        ("-", None),
        ("1.2.3", "1.2.3"),
        ("0x" + "F" * 3001, "0x" + "F" * 3001),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("!!int 5", 5),
        ("!!float 5", 5),
        ("! 5", "5"),
    ],
)
def test_a_plain_scalar_has_the_value_of_the_core_schema(text: str, value: Any) -> None:
    found = values(f"- {text}\n")
    expected = [[None]] if text == "-" else [value]
    assert (found, type(found[0])) == (expected, type(expected[0]))


def test_not_a_number_is_a_number() -> None:
    (found,) = values("- .nan\n")
    assert math.isnan(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\na: 2\n", [("duplicate-key", "`a` is given twice", "a")]),
        ("a: {{ x }}\n", [("unquoted-template", "a value that starts with a template must be quoted", "{{ x }}")]),
        ("- {{ x }}\n", [("unquoted-template", "a value that starts with a template must be quoted", "{{ x }}")]),
        (
            "a: {% if x %}\n",
            [("unquoted-template", "a value that starts with a template must be quoted", "{% if x %}")],
        ),
        ("a:\n\tb: 1\n", [("tab", "a tab cannot indent YAML", "\t")]),
        ("a: b: c\n", [("unquoted-colon", "a text with `: ` in it must be quoted", ":")]),
        ("a: 'x\n", [("yaml-syntax", "this quote is never closed", "'")]),
        ("a: *b\n", [("unknown-alias", "`*b` names no anchor above it", "*b")]),
        ("a: &x [*x]\n", [("alias-cycle", "`*x` stands inside the value it names", "*x")]),
        ("a: !x 1\n", [("unknown-tag", "the tag `!x` means nothing here", "!x")]),
        ("a: !!int x\n", [("unknown-tag", "the tag `!!int` means nothing here", "!!int")]),
        ("[a]: 1\n", [("complex-key", "a key must be a text, and this is a list or a map", "[")]),
        ("a: &x {b: 1}\n*x : 2\n", [("complex-key", "a key must be a text, and this is a list or a map", "*")]),
        ("a: 1\n---\nb: 2\n", [("second-document", "a file holds one document, and a second starts here", "---")]),
        ("a: \x00\n", [("yaml-syntax", "the character U+0000 is not allowed in YAML", "\x00")]),
        ("a: \x1b[1m\n", [("yaml-syntax", "the character U+001B is not allowed in YAML", "\x1b")]),
        ("a: \ud800\n", [("yaml-syntax", "the character U+D800 is not allowed in YAML", "\ud800")]),
        ("  \n", [("empty-file", "the file is empty", "  \n")]),
        ("# note\n", [("empty-file", "the file holds only comments", "# note\n")]),
    ],
)
def test_a_mistake_is_reported_with_its_place(text: str, found: list[tuple[str, str, str]]) -> None:
    assert mistakes(text) == found


def test_mistakes_of_several_kinds_are_all_reported_and_what_is_behind_them_is_read_in_its_place() -> None:
    text = "- step: SET\n  a: {{ x }}\n- step: SET\n\tb: 1\n- step: SET\n  c: d: e\n  f: 7\n  f: 8\n"
    root, found = read(Source(text))
    assert [(mistake.code, str(mistake.span)) for mistake in found] == [
        ("unquoted-template", "<text>:2:6"),
        ("tab", "<text>:4:1"),
        ("unquoted-colon", "<text>:6:7"),
        ("duplicate-key", "<text>:8:3"),
    ]
    assert root is not None
    first, _, third = root.value
    assert first.value["a"].value == "{{ x }}"
    assert str(third.value["f"].span) == "<text>:7:6"
    assert third.value["f"].span.text == "7"


def test_a_key_given_through_an_alias_leaves_the_anchored_value_as_it_is() -> None:
    assert values("- &a 5\n- {*a : x}\n") == [5, {"5": "x"}]


def test_an_alias_stands_for_the_value_and_keeps_its_place() -> None:
    root, _ = read(Source("- &a [1, 2]\n- *a\n"))
    assert root is not None
    assert root.plain() == [[1, 2], [1, 2]]
    assert str(root.value[1].span) == "<text>:1:3"


def test_a_merge_key_is_read() -> None:
    assert values("a: &x {b: 1}\nc: {<<: *x, d: 2}\n") == {"a": {"b": 1}, "c": {"b": 1, "d": 2}}


def test_an_alias_bomb_is_refused_in_no_time() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    began = time.process_time()
    assert mistakes("\n".join(lines)) == [
        ("alias-bomb", "the aliases of this file expand to more than 500,000 values", "*a4")
    ]
    assert time.process_time() - began < 2


def indented(sign: str, levels: int) -> str:
    return "".join(" " * level + sign + "\n" for level in range(levels))


NESTED: dict[str, Callable[[int], str]] = {
    "lists on one line": lambda depth: "[" * depth,
    "lists on one line below a key": lambda depth: "a: 1\nb: " + "[" * (depth - 1),
    "lists with anchors": lambda depth: "&a [" * depth,
    "maps on one line": lambda depth: "{a: " * depth,
    "maps and lists on one line": lambda depth: "[{a: " * (depth // 2) + "[" * (depth % 2),
    "brackets on lines of their own": lambda depth: "[\n" * depth,
    "dashes on one line": lambda depth: "- " * depth,
    "lists by indentation": lambda depth: indented("-", depth),
    "maps by indentation": lambda depth: indented("a:", depth),
    "dashes and then brackets": lambda depth: "- " * min(depth, 30) + "[" * (depth - 30),
    "maps by indentation and then brackets": lambda depth: indented("a:", 40) + " " * 40 + "[" * (depth - 40),
}
"""How a text begins whose lists and maps stand so deep inside each other."""


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1000, 1001, 1200])  # from 0.2.6 on libyaml gives up at 1,000
@pytest.mark.parametrize("nested", NESTED)
def test_depth_is_limited_in_the_text_whatever_libyaml_allows(nested: str, depth: int) -> None:
    text = NESTED[nested](depth)
    before = NESTED[nested](MAX_DEPTH)
    start = len(before) + len(text[len(before) :]) - len(text[len(before) :].lstrip())
    (found,) = read(Source(text))[1]
    assert (found.code, found.message) == ("too-deep", "lists and maps stand more than 64 deep here")
    assert (found.span.start, found.span.end) == (start, start + 1)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 3000])
def test_depth_is_limited_in_an_included_file(depth: int) -> None:
    inner = Source("- 1\n- " + "[" * depth, "inner.yaml")
    root, (found,) = read(Source("a: !include inner.yaml\nb: 2\n"), lambda path, at: read(inner))
    assert root is not None
    assert root.plain() == {"a": None, "b": 2}
    assert (found.code, str(found.span), found.span.start) == ("too-deep", "inner.yaml:2:66", 6 + MAX_DEPTH - 1)


def test_depth_is_limited_through_included_files(tmp_path: Path) -> None:
    for number in range(30):
        inner = f"!include ./{number + 1}.yaml" if number < 29 else "x"
        (tmp_path / f"{number}.yaml").write_text("[" * 40 + inner + "]" * 40 + "\n", encoding="utf-8")
    found = of_file(tmp_path, "0.yaml")
    assert set(found) == {("too-deep", "with this file, lists and maps stand more than 64 deep")}


def test_a_long_chain_of_included_files_ends(tmp_path: Path) -> None:
    for number in range(600):
        (tmp_path / f"{number}.yaml").write_text(f"!include ./{number + 1}.yaml\n", encoding="utf-8")
    assert of_file(tmp_path, "0.yaml") == [("too-deep", "files include each other more than 64 deep")]


def test_files_that_include_the_next_one_twice_are_read_once_each(tmp_path: Path) -> None:
    for number in range(25):
        (tmp_path / f"{number}.yaml").write_text(f"- !include ./{number + 1}.yaml\n" * 2, encoding="utf-8")
    (tmp_path / "25.yaml").write_text("- x\n- !nothing y\n", encoding="utf-8")
    began = time.process_time()
    found = of_file(tmp_path, "0.yaml")
    assert found.count(("unknown-tag", "the tag `!nothing` means nothing here")) == 1
    assert ("alias-bomb", "with this file, the document has more than 500,000 values") in found
    assert time.process_time() - began < 5


def of_file(folder: Path, name: str) -> list[tuple[str, str]]:
    """Code and message of what is wrong with a file and those it includes."""
    source = Source((folder / name).read_text(encoding="utf-8"), str(folder / name))
    return [(finding.code, finding.message) for finding in read(source, Files(source).include)[1]]


def test_as_deep_as_is_allowed_is_read() -> None:
    assert mistakes("[" * MAX_DEPTH + "]" * MAX_DEPTH) == []
    assert mistakes("{a: " * MAX_DEPTH + "}" * MAX_DEPTH) == []
    assert mistakes(indented("-", MAX_DEPTH)) == []


def test_what_stands_before_the_depth_is_found_too_and_once() -> None:
    text = "a: [!x y, *none]\nb: {{ c }}\nd: " + "[" * 3000
    assert [code for code, _, _ in mistakes(text)] == ["unquoted-template", "unknown-tag", "unknown-alias", "too-deep"]


def test_depth_is_limited_through_aliases() -> None:
    text = "".join(f"a{n}: &a{n} {'[' * 40}{f'*a{n - 1}' if n else ''}{']' * 40}\n" for n in range(40))
    assert mistakes(text) == [("too-deep", "with this alias, lists and maps stand more than 64 deep", "*a0")]


def test_a_byte_order_mark_moves_nothing() -> None:
    for source in (Source("\ufeffa: b\n"), read_bytes(b"\xef\xbb\xbfa: b\n", "<text>")[0]):
        root, found = read(source)
        assert found == []
        assert root is not None
        assert (root.value["a"].span.text, str(root.value["a"].span)) == ("b", "<text>:1:4")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: \xff\n", "the file is not UTF-8: byte 0xff is not UTF-8"),
        ("a: b".encode("utf-16"), "the file is not UTF-8: it looks like UTF-16"),
    ],
)
def test_bytes_that_are_no_utf8_are_reported(content: bytes, message: str) -> None:
    _, (found,) = read_bytes(content, "x.yaml")
    assert (found.code, found.message) == ("not-utf8", message)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_count_alike_with_every_line_end(end: str) -> None:
    source = Source(end.join(["a: 1", "", "b: 2", ""]))
    root, _ = read(source)
    assert root is not None
    assert root.value["b"].span.first == Position(3, 4)
    assert [source.line(n) for n in (1, 2, 3, 4)] == ["a: 1", "", "b: 2", ""]
    assert source.offset(3, 4) == root.value["b"].start


def test_the_caret_stands_under_wide_characters_tabs_and_emoji() -> None:
    text = "日本語: [😀é, !x y]\na:\t!x y\n"
    assert render(read(Source(text))[1]) == (
        "<text>:1:11: error: the tag `!x` means nothing here [unknown-tag]\n"
        "   1 | 日本語: [😀é, !x y]\n"
        "     |               ^^\n"
        "  hint: remove it\n"
        "\n"
        "<text>:2:4: error: the tag `!x` means nothing here [unknown-tag]\n"
        "   2 | a:  !x y\n"
        "     |     ^^\n"
        "  hint: remove it"
    )


@pytest.mark.parametrize(
    "text",
    [
        "- step: SET\n  text: " + "x" * 10_000_000 + "\n",
        "- step: SET\n  text: " + "{{ x }} " * 200_000 + ": {\n",
        "a: " + "w" * 400_000 + " {{ x }}: {{ y }}\n",
        "\ta: 1\n" * 60_000,
        "- {{ x }}\n" * 60_000,
        "a: [" + "'" * 1_000_001 + "\n",
    ],
    ids=["one long text", "one long line of templates", "one long word", "tabs", "templates", "quotes"],
)
def test_a_huge_file_does_not_hang(text: str) -> None:
    began = time.process_time()
    read(Source(text))
    assert time.process_time() - began < 8


LIGHT = 'assert "yaml.constructor" not in sys.modules and "yaml.emitter" not in sys.modules'
PROGRAM = f"""
import sys
import flowdsl.syntax.yaml_reader as reader
from flowdsl.source import Source
{LIGHT}
root, mistakes = reader.read(Source("- a: [1, 'x']"))
assert root.plain() == [{{"a": [1, "x"]}}] and mistakes == []
assert [mistake.message for mistake in reader.read(Source("- a: \\x07"))[1]] == [
    "the character U+0007 is not allowed in YAML"
]
import yaml
assert yaml.safe_load("a: 1") == {{"a": 1}} and yaml.load("[1]", yaml.CSafeLoader) == [1]
assert yaml.dump({{"a": 1}}, Dumper=yaml.CDumper) == "a: 1\\n" and yaml.__with_libyaml__
from yaml.reader import ReaderError
import yaml.scanner, yaml._yaml
assert yaml._yaml.ReaderError is ReaderError is yaml.reader.ReaderError
for wrong, error in (("\\x07", ReaderError), ("a: b: c", yaml.scanner.ScannerError)):
    try:
        yaml.load(wrong, yaml.CSafeLoader)
    except error as found:
        assert isinstance(found, yaml.YAMLError)
    else:
        raise AssertionError(wrong)
assert reader.read(Source("- a: b: c"))[1] and reader.read(Source("- 1"))[0].plain() == [1]
"""


@pytest.mark.parametrize("before", ["", "import yaml\n"], ids=["before PyYAML", "after PyYAML"])
def test_pyyaml_stays_whole_for_everybody_else(before: str) -> None:
    program = PROGRAM if not before else before + PROGRAM.replace(LIGHT, "")
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("text", ["a: !%zz b\n", 'a: "x\\n"\nb: !%zz c\n'])
def test_a_percent_sign_in_a_tag_is_told_at_its_place(text: str) -> None:
    (told,) = read(Source(text))[1]
    assert (told.code, told.span.start) == ("yaml-syntax", text.index("%"))


def test_a_key_that_begins_with_a_foreign_space_is_told() -> None:
    assert [code for code, _, _ in mistakes("\u00a00: null\n")] == ["indentation"]
