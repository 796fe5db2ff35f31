"""Hostile templates end with a TemplateError, soon; they never hang, nor end in another exception."""

from __future__ import annotations

from time import thread_time
from typing import Any

import pytest

from flowdsl.errors import TemplateError
from flowdsl.template import TemplateLimits, compile, parse, render


def nested(levels: int) -> Any:
    value: Any = []
    for _level in range(levels):
        value = [value]
    return value


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
CONTEXT = {"a": "A", "l": [1], "deep": nested(5000), "cycle": CYCLE}
LIST = "the template makes too much: a list that is too long; the limit is 1,000,000 items"
TEXT = "the template makes too much: a text that is too long; the limit is 10,000,000 characters"
OUTPUT = "the template makes too much: too much text; the limit is 10,000,000 characters"
NESTED = "this is nested deeper than 100 levels"
VALUE = "the template makes too much: a value nested too deep; the limit is 200 levels"
LOOPS = "the template makes too much: too many iterations of its loops; the limit is 1,000,000"
TIME = "the template makes too much: it takes too long; the limit is 1 s"
REFUSED = {
    "parentheses": ("{{ " + "(" * 10000 + "1" + ")" * 10000 + " }}", NESTED),
    "lists": ("{{ " + "[" * 10000 + " }}", NESTED),
    "signs": ("{{ " + "-" * 10000 + "1 }}", NESTED),
    "negations": ("{{ " + "not " * 10000 + "1 }}", NESTED),
    "members": ("{{ a" + ".b" * 10000 + " }}", NESTED),
    "filters": ("{{ a" + "|upper" * 10000 + " }}", NESTED),
    "choices": ("{{ " + "1 if a else " * 3000 + "1 }}", NESTED),
    "calls": ("{{ f(" + "f(" * 3000 + ")" * 3001 + " }}", NESTED),
    "indexes": ("{{ a[" + "a[" * 150 + "1" + "]" * 151 + " }}", NESTED),
    "tags": ("{% if a %}" * 5000, "tags are nested too deep here"),
    "loops": ("{% for a in l %}" * 13 + "{% endfor %}" * 13, "tags are nested too deep here"),
    "words": ("{{ [1" + ",1" * 60000 + "] }}", "the template has more than 100,000 words"),
    "openings": ("{{ " * 50000, "this `{{` is never closed"),
    "range": ("{{ range(1000000000) }}", LIST),
    "small steps": ("{{ range(0, 1, 0.000000001) }}", LIST),
    "center": ("{{ 'x'|center(1000000000) }}", TEXT),
    "indent": ("{{ 'x'|indent(1000000000) }}", TEXT),
    "repeat": ("{{ 'x'.repeat(1000000000) }}", TEXT),
    "padding": ("{{ 'x'|padStart(1000000000) }}", TEXT),
    "batch": ("{{ l|batch(1000000000, 1) }}", LIST),
    "slice": ("{{ l|slice(1000000000) }}", LIST),
    "replace": ("{{ 'x'.repeat(9000000)|replace('', 'yy') }}", TEXT),
    "nested loops": ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", LOOPS),
    "doubled text": ("{% set s='x' %}{% for a in range(99) %}{% set s = s ~ s %}{% endfor %}", TEXT),
    "doubled sums": ("{% set s='x' %}{% for a in range(99) %}{% set s = s + s %}{% endfor %}", TEXT),
    "doubled lists": ("{% set l=[1] %}{% for a in range(99) %}{% set l = [l, l] %}{% endfor %}{{ l }}", LIST),
    "doubled dump": ("{% set l=[] %}{% for a in range(99) %}{% set l = [l, l] %}{% endfor %}{{ l|dump }}", LIST),
    "joined lists": ("{% set l=[1] %}{% for a in range(99) %}{% set l = l.concat(l) %}{% endfor %}", LIST),
    "flattened lists": ("{% set l=[1] %}{% for a in range(99) %}{% set l = [l, l]|flatten %}{% endfor %}", LIST),
    "deep text": ("{{ deep }}", VALUE),
    "deep dump": ("{{ deep|dump }}", VALUE),
    "a cycle": ("{{ cycle }}", VALUE),
    "a cycle compared": ("{{ cycle == 'a' }}", VALUE),
    "deep JSON": ("{{ JSON.parse('['.repeat(100000)) }}", "this JSON is nested too deep"),
    "output of a loop": ("{% for a in range(99999) %}{{ 'x'.repeat(1000000) }}{% endfor %}", OUTPUT),
    "output of many tags": ("{% set x='y'.repeat(9000000) %}" + "{{ x }}" * 1000, OUTPUT),
    "output of few tags": ("{% set x='y'.repeat(9000000) %}{{ x }}{{ x }}", OUTPUT),
    "costly filters": ("{{ range(1000000)|sum }}" * 1000, TIME),
    "costly calls": ("{% for a in range(99999) %}{{ 'a,b'.repeat(100000).split(',').length }}{% endfor %}", TIME),
    "a catastrophic pattern": (
        "{{ ('a'.repeat(50) ~ 'b')|replace(r/^(a|aa)+$/, 'x') }}",
        "the template makes too much: the pattern `/^(a|aa)+$/` takes too long; the limit is 0.5 s",
    ),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_template_is_refused_soon(name: str) -> None:
    text, message = REFUSED[name]
    start = thread_time()
    with pytest.raises(TemplateError) as caught:
        render(text, CONTEXT)
    assert caught.value.message == message
    assert thread_time() - start < 2.5


TAKEN = {
    "sums": ("{{ 1" + "+1" * 9999 + " }}", "10000"),
    "joins": ("{{ 'a'" + "~'a'" * 9999 + " }}", "a" * 10000),
    "ands": ("{{ 1" + " and 1" * 5000 + " }}", "1"),
    "ors": ("{{ 0" + " or 0" * 5000 + " }}", "0"),
    "branches": ("{% if b %}x" + "{% elif b %}y" * 3000 + "{% else %}z{% endif %}", "z"),
    "cases": ("{% switch 1 %}" + "{% case 2 %}x" * 300 + "{% default %}d{% endswitch %}", "d"),
    "tags in tags": ("{% if a %}" * 39 + "x" + "{% endif %}" * 39, "x"),
    "loops in loops": ("{% for a in 'ab' %}" * 12 + "{% endfor %}" * 12 + "x", "x"),
    "powers": ("{{ 2 ** 1000000 }} {{ 9 ** 9 ** 9 ** 9 }}", "Infinity Infinity"),
    "many digits": ("{{ '9'.repeat(10000) * 1 }}", "Infinity"),
    "deep choices": ("{{ " + "0 if b else " * 60 + "1 }}", "1"),
    "deep filters": ("{{ a" + "|lower|upper" * 40 + " }}", "A"),
    "deep members": ("{{ a" + ".b" * 90 + " }}", ""),
    "unclosed markup": ("{{ ('<a'.repeat(1000000))|striptags|length }}", "2000000"),
    "unclosed comments": ("{{ ('<!--'.repeat(1000000))|striptags|length }}", "4000000"),
}


@pytest.mark.long
@pytest.mark.parametrize("name", TAKEN)
def test_a_large_template_works(name: str) -> None:
    text, expected = TAKEN[name]
    assert render(text, CONTEXT) == expected


def test_limits_can_be_narrower() -> None:
    limits = TemplateLimits(max_output=10, max_loops=100)
    with pytest.raises(TemplateError, match="too much text; the limit is 10 characters"):
        compile(parse("{{ a }}{{ a }}"), strict=True, limits=limits)({"a": "123456"}, {})
    with pytest.raises(TemplateError, match="too many iterations of its loops; the limit is 100"):
        compile(parse("{% for x in l %}{% endfor %}"), strict=True, limits=limits)({"l": list(range(200))}, {})


def test_expressions_can_be_held_flatter() -> None:
    with pytest.raises(TemplateError, match="this is nested deeper than 3 levels"):
        compile(parse("{{ [[[1]]] }}"), strict=True, limits=TemplateLimits(max_depth=3))


def test_a_slow_host_function_is_no_slow_template() -> None:
    from time import sleep

    limits = TemplateLimits(max_seconds=0.02)
    text = "{{ wait() }}{{ wait() }}{{ wait() }}"
    assert compile(parse(text), strict=True, limits=limits)({}, {"wait": lambda: sleep(0.03)}) == ""
