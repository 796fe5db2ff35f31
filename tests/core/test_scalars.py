"""Places inside scalars: the characters of a value lead to the characters of the file."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdsl.source import Source
from flowdsl.syntax.node import Node
from flowdsl.syntax.scalars import span_in
from flowdsl.syntax.yaml_reader import read

PIECES = st.sampled_from(
    [
        "a b",
        "{{ x }}",
        "  {{ y }} z",
        '"q"',
        "it's",
        "\\",
        "é",
        "😀",
        "x: y",
        "# c",
        "line\n\nline",
        " lead\n",
        "end \n",
    ]
)


def value_node(text: str) -> Node:
    root, mistakes = read(Source(text))
    assert mistakes == []
    assert root is not None
    node: Node = root.value["k"]
    return node


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("k: say {{ x }} now\n", "1:8"),
        ("k: 'it''s {{ x }}'\n", "1:11"),
        ('k: "\\t\\u00e9\\x41 {{ x }}"\n', "1:18"),
        ('k: "a\\\n    b {{ x }}"\n', "2:7"),
        ("k: one\n  two {{ x }}\n", "2:7"),
        ("k: 'one\n\n  two {{ x }}'\n", "3:7"),
        ("k: |\n  one\n\n  two {{ x }}\n", "4:7"),
        ("k: |2\n    one\n   {{ x }}\n", "3:4"),
        ("k: | # 5\n    one {{ x }}\n", "2:9"),
        ("k: >\n  one\n  two {{ x }}\n\n  three\n", "3:7"),
        ("k: >-\n  one\n    more\n  two {{ x }}\n", "4:7"),
        ("k: &a !!str 'b {{ x }}'\n", "1:16"),
        ("k: |\r\n  one\r\n  two {{ x }}\r\n", "3:7"),
        ("k: |\r  one\r  two {{ x }}\r", "3:7"),
        ("- &a\n  k: 😀 {{ x }}\n", "2:8"),
    ],
)
def test_a_template_in_a_scalar_has_its_place_in_the_file(text: str, place: str) -> None:
    root, _ = read(Source(text))
    assert root is not None
    node = (root.value[0] if root.kind == "list" else root).value["k"]
    start = node.value.index("{{")
    span = span_in(node, start, start + 7)
    assert (str(span), span.text) == (f"<text>:{place}", "{{ x }}")


def test_the_whole_node_stands_for_what_cannot_be_traced() -> None:
    node = value_node("k: 5\n")
    assert span_in(node, 0, 1) == node.span


@settings(max_examples=200, deadline=None)
@given(
    st.lists(PIECES, min_size=1, max_size=6).map("".join),
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.booleans(),
    st.sampled_from([20, 80]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_every_printable_character_of_a_value_leads_to_itself(
    value: str, style: str | None, unicode: bool, width: int, end: str
) -> None:
    text = yaml.dump({"k": value}, default_style=style, allow_unicode=unicode, width=width).replace("\n", end)
    root, _ = read(Source(text))
    assert root is not None
    (node,) = root.value.values()
    assert node.value == yaml.safe_load(text)["k"]
    for index, char in enumerate(node.value):
        span = span_in(node, index, index + 1)
        assert span != node.span or len(node.value) == 1 or span.text == char
        if char not in " \n" and not span.text.startswith("\\"):
            assert span.text[:1] == char
