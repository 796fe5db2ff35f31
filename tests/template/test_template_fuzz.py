# ruff: noqa: E501  the strategies read best with one alternative a line
"""Whatever the text and the values: a result or a TemplateError, never another exception."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowdsl.errors import TemplateError
from flowdsl.template import compile, parse, parse_expression
from flowdsl.template.filters import FILTERS
from flowdsl.template.methods import METHODS
from flowdsl.template.tests import TESTS

unhurried = settings(
    max_examples=250, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "12", "a b", "<b>", "-1.5e3", "\ud800", 2**1100, -0.0, 1e308, "😀"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers(0, 3)), inner, max_size=3),
        st.tuples(inner, inner),
    ),
    max_leaves=6,
)
WORDS = st.sampled_from(
    ["{{", "}}", "{%", "%}", "{#", "#}", "-", "if", "endif", "for", "x", "in", "set", "=", "a.b", "|", "upper", "(", ")", "[",
     "]", "{", "}", "'", '"', "1", "2.", ",", ":", "not", "is", "defined", "else", "and", "~", "+", "r/a/", "\\", "?", " ", "\n",
     "raw", "endraw", "switch", "case", "default", "filter", "endfilter", "endfor", "endset", "é", "$", "==", "**", "//", "!"]
)  # fmt: skip


def outcome(text: str, names: dict[str, Any], **options: Any) -> str:
    try:
        compile(parse(text), **options)({}, names)
    except TemplateError as error:
        assert error.start is None or 0 <= error.start <= (error.end or 0) <= len(text)
        return error.message
    return ""


@unhurried
@given(st.one_of(st.lists(WORDS, max_size=14).map("".join), st.lists(WORDS, max_size=14).map(" ".join), st.text()))
def test_any_text_parses_to_a_template_with_problems_inside_it(text: str) -> None:
    for template in (parse(text), parse_expression(text)):
        for problem in template.problems:
            assert 0 <= problem.start <= problem.end <= len(text)
            assert problem.message
    outcome(text, {"x": [1, "a"], "a": {"b": "c"}}, strict=False)
    outcome(text, {"x": [1, "a"], "a": {"b": "c"}}, strict=True, native=True, taint=True)


@pytest.mark.long
@unhurried
@given(st.sampled_from(sorted(FILTERS)), VALUES, st.lists(VALUES, max_size=3))
def test_any_filter_takes_any_values(name: str, value: Any, arguments: list[Any]) -> None:
    names = {"v": value, **{f"a{index}": argument for index, argument in enumerate(arguments)}}
    given_arguments = ", ".join(f"a{index}" for index in range(len(arguments)))
    outcome(f"{{{{ v | {name}({given_arguments}) }}}}", names, strict=False)


@unhurried
@given(st.sampled_from(sorted(TESTS)), VALUES, st.lists(VALUES, max_size=2))
def test_any_test_takes_any_values(name: str, value: Any, arguments: list[Any]) -> None:
    names = {"v": value, **{f"a{index}": argument for index, argument in enumerate(arguments)}}
    given_arguments = ", ".join(f"a{index}" for index in range(len(arguments)))
    outcome(f"{{{{ v is {name}({given_arguments}) }}}}", names, strict=False)


@pytest.mark.long
@unhurried
@given(
    st.sampled_from(sorted({name for kind in METHODS.values() for name in kind})), VALUES, st.lists(VALUES, max_size=2)
)
def test_any_method_takes_any_values(name: str, value: Any, arguments: list[Any]) -> None:
    names = {"v": value, **{f"a{index}": argument for index, argument in enumerate(arguments)}}
    given_arguments = ", ".join(f"a{index}" for index in range(len(arguments)))
    outcome(f"{{{{ v.{name}({given_arguments}) }}}}", names, strict=False)


OPERATORS = [
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "**",
    "~",
    "==",
    "!=",
    "===",
    "!==",
    "<",
    ">",
    "<=",
    ">=",
    "and",
    "or",
    "in",
]
GLOBALS = ["range(a, b)", "range(a)", "JSON.stringify(a, b, b)", "JSON.parse(a)", "Math.max(a, b)", "Math.round(a)",
           "Math.floor(a)", "Object.keys(a)", "Object.entries(b)", "joiner(a)()", "cycler(a, b).next()", "a[b]", "-a",
           "[a, b]", "{a: b}|dump(a)"]  # fmt: skip


@unhurried
@given(st.sampled_from([*(f"a {sign} b" for sign in OPERATORS), *GLOBALS]), VALUES, VALUES)
def test_any_operator_takes_any_values(expression: str, a: Any, b: Any) -> None:
    outcome(f"{{{{ {expression} }}}}", {"a": a, "b": b}, strict=False)
    outcome(f"{{% if {expression} %}}x{{% endif %}}", {"a": a, "b": b}, strict=True)
