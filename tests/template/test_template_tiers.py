"""A template gives the same when its tree is walked, when it is a closure and when it is a function of Python."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_template_fuzz import VALUES, WORDS, unhurried

from flowdsl.errors import TemplateError
from flowdsl.template import SecretText, TemplateLimits, compile, compiler, parse

CORPUS = Path(__file__).parent / "corpus"
KINDS = [
    {"strict": strict, "native": native, "taint": taint, "autoescape": escape}
    for strict, native, taint, escape in product((False, True), repeat=4)
]
TAGS = [
    "{% set x = 1 %}{% for x in l %}{% set x = nothing %}{% endfor %}{{ x }}",
    "{% for x in l %}{% set y = x %}{% for z in l %}{% set y = z %}{% endfor %}{{ y }}{% endfor %}{{ y }}",
    "{% for x in m %}a{% else %}{{ x }}{{ loop.first }}{% endfor %}{{ y }}",
    "{% set y = s %}{% for x in l %}{% set y %}{{ y }}{{ loop.index }}{% endset %}{% endfor %}{{ y }}",
    "{% for a, b in m %}{{ a }}={{ b }}{{ loop.last }}{% for c in s %}{{ loop.length }}{{ c }}{% endfor %}{% endfor %}",
    "{% filter upper %}{{ s }}{% filter replace('A', x) %}a{% endfilter %}{% endfilter %}",
    "{% switch s %}{% case 1 %}{% case 'text' %}A{{ s }}{% default %}B{% endswitch %}{{ loop }}",
    "{{ nothing.a.b | default(s) }}{{ s | default(nothing, true) }}{{ s | default(fallback=1) }}{{ {a: nothing} }}",
    "{{ 1 + nothing }}{{ 'a' + nothing }}",
    "{{ s ~ nothing ~ 1 }}",
    "{{ l[0] }}{{ l['0'] }}{{ m.a.length }}{{ m['a b'] }}{{ flowContext.s }}{{ flowContext }}",
    "{{ f(s) }}{{ f(l, name=s) }}{{ f(1, 2, 3, 4) }}",
    "{{ g.missing() }}",
    "{{ s * 2 }}",
    "{{ s - 2 }}",
    "{{ 1 + nothing }}",
    "{{ -s }}",
    "{{ 1 / 0 if nothing * 2 != 1 else 2 }}",
    "{% if nothing * 2 > 1 %}a{% endif %}{{ 9 // 0 }}",
    "{{ t * 2 }}",
    "{% for x in range(200) %}{{ x }}{{ joiner()() }}{% endfor %}",
    "{% for x in f(range(200)) %}{{ x }}{% endfor %}",
    "{% if a or (s and not nothing) %}{{ 3 > 2 > 1 }}{% elif nothing.x %}b{% else %}{{ -s }}{% endif %}",
]
CONTEXT = {"s": "text", "l": [1, None, "<b>"], "m": {"a": "b", "a b": 2, 3: 4.5}, "t": SecretText("hidden")}


@pytest.fixture(scope="module", autouse=True)
def tier() -> None:
    """Each test here renders both ways itself."""


def function(value: Any = None, *_: Any, name: Any = "") -> Any:
    """A function of the host."""
    return value if not name else [value, name]


def outcome(text: str, context: Any, names: Any, **options: Any) -> Any:
    try:
        value = compile(parse(text), **options)(context, names)
    except TemplateError as error:
        return error.message, error.code, error.hint, error.start, error.end
    return type(value).__name__, repr(value)


def differences(text: str, context: Any, names: Any, **options: Any) -> list[Any]:
    """The outcomes of the first rendering and of the function, when they differ."""
    found = []
    for hot in (1000, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compiler, "HOT", hot)
            patch.setattr(compiler, "HOT_PLAIN", hot)
            compiler.forget(shapes=False)
            found.append(outcome(text, context, names, **options))
    return [] if found[0] == found[1] else [text, options, *found]


@pytest.mark.long
@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.json")), ids=lambda path: path.stem)
def test_recorded_templates_of_every_kind_give_the_same(path: Path) -> None:
    corpus = json.loads(path.read_text(encoding="utf-8"))
    texts = [case["template"] for case in corpus["cases"] if "random" not in case["template"]]
    found = [
        differences(text, corpus["context"], {}, **KINDS[(number + turn) % len(KINDS)])
        for number, text in enumerate(texts)
        for turn in range(0, len(KINDS), 5)
    ]
    assert [one for one in found if one] == []


@pytest.mark.parametrize("text", TAGS)
def test_tags_and_names_of_every_kind_give_the_same(text: str) -> None:
    names = {"f": function, "a": 0}
    found = [differences(re.sub(r"\bs\b", root, text), CONTEXT, names, **kind) for kind in KINDS for root in ("s", "t")]
    assert [one for one in found if one] == []


@unhurried
@given(st.lists(WORDS, max_size=14).map(" ".join), VALUES)
def test_any_text_gives_the_same(text: str, value: Any) -> None:
    assert differences(text, {"x": value, "a": {"b": value}}, {}, strict=False) == []
    assert differences(text, {"x": value, "a": {"b": value}}, {}, strict=True, native=True, taint=True) == []


def test_limits_are_the_same() -> None:
    limits = TemplateLimits(max_depth=5, max_output=20, max_loops=100)
    for text in (
        "{{ a }}{{ a }}",
        "{{ [[[[[[1]]]]]] }}",
        "{% for x in range(99) %}{% endfor %}",
        "{% for x in range(101) %}{% for y in range(2) %}{% endfor %}{% endfor %}",
        "{% for x in range(50) %}{{ a }}{% endfor %}",
        "{% set x %}{% for x in range(17) %}{{ a }}{% endfor %}{% endset %}",
    ):
        assert differences(text, {"a": "eleven char"}, {}, strict=True, limits=limits) == []
