# ruff: noqa: E501  the strategies read best with one alternative a line
"""Random templates give here what they give in Nunjucks 3.2.4.

The strategies leave out what is different on purpose (`deviations.json`): integers beyond 2**53, characters beyond the
BMP, filters on values they are not made for, `not` before a comparison.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nunjucks_process import Nunjucks, missing

from flowdsl.errors import TemplateError
from flowdsl.template import render

reason = missing()
pytestmark = pytest.mark.skipif(reason is not None, reason=reason or "")
EXAMPLES = int(os.environ.get("FLOWDSL_DIFFERENTIAL", "150"))
CONTEXT: dict[str, Any] = {
    "n": None,
    "f": False,
    "t": True,
    "z": 0,
    "i": 3,
    "p": 2.5,
    "e": "",
    "s": "hello World",
    "d": "12",
    "l": [3, 1, 2],
    "le": [],
    "o": {"b": 2, "a": {"c": "x"}, "2": "two"},
    "ls": ["b", "a", "C"],
    "lo": [{"k": "x", "v": 1}, {"k": "y", "v": None}, {"v": 2.5}],
    "mixed": [1, "1", None, True, "a b", [1, [2]], {"q": 1}],
}
NAMES = st.sampled_from([*CONTEXT, "u"])
NUMBERS = st.sampled_from(["0", "1", "2", "7", "10", "3.5", "0.1", "100", "-1", "-2.5"])
TEXTS = st.sampled_from(['""', '"a"', "'b c'", '"1"', '"-3.5"', '"x,y"', r'"a\nb"', '"<i>q</i>"', '" pad "', '"ß é"'])
LITERALS = st.one_of(NUMBERS, TEXTS, st.sampled_from(["true", "false", "none", "[]", "[1, 2]", "{a: 1}", "{}"]))
MEMBERS = st.sampled_from(
    [
        "o.b",
        "o.a.c",
        "o['a']",
        "o.x.y",
        "l[0]",
        "l[1]",
        "l.length",
        "s.length",
        "lo[0].k",
        "lo[i]",
        "ls[z]",
        "mixed[5][1]",
    ]
)
ATOMS = st.one_of(NAMES, NAMES, LITERALS, MEMBERS)
ON_TEXT = ["upper", "lower", "title", "capitalize", "trim", "length", "replace('a', 'b')", "truncate(3)", "truncate(4, true, '-')",
           "reverse", "first", "last", "wordcount", "urlencode", "striptags", "list|join('.')", "center(8)", "indent(2)",
           "int", "float", "nl2br", "replace(r/[a-m]/g, '<$&>')", "string", "int(4)", "round"]  # fmt: skip
ON_LISTS = ["join", "join('-')", "length", "first", "last", "reverse", "sort", "sort(true)", "batch(2)|dump", "slice(2)|dump",
            "sum", "dump", "select('string')", "reject('number')", "select", "groupby('k')|dump", "sort(attribute='k')|dump",
            "selectattr('v')|dump", "rejectattr('k')|length", "string", "list|dump"]  # fmt: skip
ON_ANY = ["default('D')", "default('D', true)", "dump", "d(1)", "float", "int"]
TESTS = ["defined", "undefined", "none", "number", "string", "truthy", "falsy", "mapping", "even", "odd", "eq(3)", "gt(1)", "le('b')", "divisibleby(3)", "sameas('12')"]  # fmt: skip
OPERATORS = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "===", "!==", "<", ">", "<=", ">=", "and", "or"]


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, st.sampled_from(OPERATORS), inner)
    return st.one_of(
        pair.map(" ".join),
        st.tuples(pair, st.sampled_from(OPERATORS), inner).map(lambda x: f"{' '.join(x[0])} {x[1]} {x[2]}"),
        inner.map(lambda x: f"({x})"),
        st.sampled_from(["s", "d", "ls[0]", "'<b>x</b> y'"]).flatmap(lambda x: st.sampled_from(ON_TEXT).map(lambda f: f"{x}|{f}")),
        st.sampled_from(["l", "ls", "lo", "le", "mixed"]).flatmap(lambda x: st.sampled_from(ON_LISTS).map(lambda f: f"{x}|{f}")),
        st.tuples(inner, st.sampled_from(ON_ANY)).map(lambda x: f"({x[0]})|{x[1]}"),
        st.tuples(inner, st.sampled_from(["is ", "is not "]), st.sampled_from(TESTS)).map(lambda x: f"(({x[0]}) {x[1]}{x[2]})"),
        st.tuples(inner, st.sampled_from(["l", "mixed", "ls", "s", "o"])).map(lambda x: f"(({x[0]}) in {x[1]})"),
        st.tuples(inner, inner, inner).map(lambda x: f"({x[0]} if {x[1]} else {x[2]})"),
        inner.map(lambda x: f"(not ({x}))"),
        inner.map(lambda x: f"-({x})"),
        st.lists(inner, max_size=3).map(lambda x: f"[{', '.join(x)}]"),
        st.tuples(inner, inner).map(lambda x: f"{{a: {x[0]}, 'b c': {x[1]} }}|dump"),
    )  # fmt: skip


EXPRESSIONS = st.recursive(ATOMS, grown, max_leaves=6)
SPACES = st.sampled_from(["", " ", "\n ", "text", " a b ", "{", "}", "é"])
DASH = st.sampled_from(["", "", "-"])


def tags(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    name = st.sampled_from(["x", "y", "s", "u"])
    e = st.one_of(ATOMS, EXPRESSIONS)
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, SPACES, inner).map("".join),
        st.tuples(e, inner, inner).map(lambda x: f"{{% if {x[0]} %}}{x[1]}{{% else %}}{x[2]}{{% endif %}}"),
        st.tuples(e, e, inner, inner).map(
            lambda x: f"{{% if {x[0]} %}}{x[2]}{{% elif {x[1]} -%}} {x[3]}{{%- endif %}}"
        ),
        st.tuples(name, st.sampled_from(["l", "ls", "lo", "le", "s", "u", "n", "range(2)", "mixed"]), inner, inner).map(
            lambda x: (
                f"{{% for {x[0]} in {x[1]} %}}{x[2]}{{{{ {x[0]} if {x[0]} is string else loop.index }}}}{{% else %}}{x[3]}{{% endfor %}}"
            )
        ),
        st.tuples(inner).map(lambda x: f"{{% for k, v in o %}}{{{{ k }}}}={{{{ v|dump }}}}{x[0]}{{% endfor %}}"),
        st.tuples(name, e).map(lambda x: f"{{% set {x[0]} = {x[1]} %}}"),
        st.tuples(name, inner).map(lambda x: f"{{% set {x[0]} %}}{x[1]}{{% endset %}}"),
        st.tuples(e, e, inner, inner, inner).map(
            lambda x: (
                f"{{% switch {x[0]} %}}{{% case {x[1]} %}}{x[2]}{{% case 3 %}}{{% case s %}}{x[3]}{{% default %}}{x[4]}{{% endswitch %}}"
            )
        ),
        inner.map(lambda x: f"{{% filter upper %}}{x}{{% endfilter %}}"),
        inner.map(lambda x: f"{{# {{ x }} -#}} {x}"),
    )


OUTPUTS = st.tuples(DASH, st.one_of(EXPRESSIONS, st.sampled_from(["x", "y", "s"])), DASH).map(
    lambda x: f"{{{{{x[0]} {x[1]} {x[2]}}}}}"
)
TEMPLATES = st.recursive(st.one_of(SPACES, OUTPUTS), tags, max_leaves=6)


@pytest.fixture(scope="module")
def nunjucks() -> Iterator[Nunjucks]:
    process = Nunjucks()
    yield process
    process.close()


def compare(nunjucks: Nunjucks, template: str) -> None:
    theirs = nunjucks.render(template, CONTEXT)
    if "error" in theirs:
        return  # more is accepted here; what fails there may work here
    try:
        ours = {"text": render(template, CONTEXT)}
    except TemplateError as error:
        ours = {"error": error.message}
    assert ours == theirs, template


unhurried = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FLOWDSL_DIFFERENTIAL" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@unhurried
@given(EXPRESSIONS)
def test_expressions_print_what_they_print_in_nunjucks(nunjucks: Nunjucks, expression: str) -> None:
    compare(nunjucks, f"{{{{ {expression} }}}}")


@unhurried
@given(TEMPLATES)
def test_templates_print_what_they_print_in_nunjucks(nunjucks: Nunjucks, template: str) -> None:
    compare(nunjucks, template)
