"""Mistakes in templates: the message, the place and the hint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowdsl.errors import TemplateError
from flowdsl.template import parse, parse_expression, render

GOLDEN = json.loads((Path(__file__).parent / "problems.json").read_text(encoding="utf-8"))


def cases(kind: str) -> list[tuple[str, Any]]:
    return [(case["text"], case["problems"]) for case in GOLDEN[kind]]


@pytest.mark.parametrize(("text", "problems"), cases("templates"))
def test_a_mistake_is_reported_with_its_place(text: str, problems: Any) -> None:
    assert [[p.code, p.message, text[p.start : p.end], p.start, p.hint] for p in parse(text).problems] == problems


@pytest.mark.parametrize(("text", "problems"), cases("expressions"))
def test_a_mistake_in_a_bare_expression_is_reported(text: str, problems: Any) -> None:
    found = [[p.code, p.message, text[p.start : p.end], p.start, p.hint] for p in parse_expression(text).problems]
    assert found == problems


def test_rendering_a_mistake_raises_it() -> None:
    with pytest.raises(TemplateError) as caught:
        render("Hello {{ name | uper }}", {})
    error = caught.value
    assert (error.code, error.message, error.hint, error.start, error.end) == (
        "unknown-filter",
        "there is no filter named `uper`",
        "did you mean `upper`?",
        16,
        20,
    )
