"""How many columns a text takes on a terminal."""

from __future__ import annotations

import pytest

from flowdsl.diagnostics import Diagnostic, render
from flowdsl.display.width import clipped, width
from flowdsl.source import Source, Span


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("plain", 5),
        ("日本語", 6),
        ("e\u0301", 1),
        ("\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", 2),  # a family
        ("\U0001f44d\U0001f3fd", 2),  # a thumb with the tone of its skin
        ("\U0001f469\U0001f3fd\u200d\U0001f680", 2),  # an astronaut with hers
        ("\u2764\ufe0f", 2),  # a heart as an emoji
        ("\u2764", 1),
        ("\u2764\ufe0f\u200d\U0001f525", 2),
        ("\U0001f3f3\ufe0f\u200d\U0001f308", 2),
        ("\U0001f1f5\U0001f1f9", 2),  # a flag
        ("1\ufe0f\u20e3", 2),
        ("a\u200bb\u2060c", 3),  # characters without width
        ("\uac00", 2),
        ("\u1100\u1161\u11a8", 2),
        ("\u0915\u094d\u200d\u0937", 2),  # a joiner between letters takes no width, and no letter's either
    ],
)
def test_a_text_is_as_wide_as_it_is_drawn(text: str, columns: int) -> None:
    assert width(text) == columns


def test_a_text_is_cut_where_the_line_of_the_terminal_ends() -> None:
    assert clipped("日本語", 5) == "日本"
    assert clipped("abc", 2) == "ab"
    assert clipped("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 2) == "👩‍👩‍👧‍👦"


@pytest.mark.parametrize("before", ["👩‍👩‍👧‍👦", "👍🏽", "❤️", "a\u200bb", "日本"])
def test_a_caret_stands_under_its_word(before: str) -> None:
    line = f"text: {before} wrong"
    at = line.index("wrong")
    excerpt, marks = render([Diagnostic("x", "m", Span(Source(line), at, at + 5), "error")]).splitlines()[1:]
    assert width(excerpt[: excerpt.index("wrong")]) == marks.index("^")
    assert marks.count("^") == 5
