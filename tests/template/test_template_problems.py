"""Mistakes in templates: the message, the place and the hint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowdsl.errors import TemplateError
from flowdsl.template import parse, parse_expression, render

GOLDEN = json.loads((Path(__file__).parent / "problems.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", GOLDEN["templates"], ids=lambda case: case["text"])
def test_a_mistake_is_told_with_its_place(case: dict[str, Any]) -> None:
    template = parse(case["text"])
    found = [[p.code, p.message, case["text"][p.start : p.end], p.start, p.hint] for p in template.problems]
    assert found == case["problems"]


@pytest.mark.parametrize("case", GOLDEN["expressions"], ids=lambda case: case["text"])
def test_a_mistake_in_a_bare_expression_is_told(case: dict[str, Any]) -> None:
    found = [
        [p.code, p.message, case["text"][p.start : p.end], p.start, p.hint]
        for p in parse_expression(case["text"]).problems
    ]
    assert found == case["problems"]


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
