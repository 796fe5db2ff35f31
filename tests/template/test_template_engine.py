"""Native values, strictness, placeholders, secrets, exposed objects, references."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl.errors import TemplateError
from flowdsl.template import (
    UNDEFINED,
    Reference,
    SecretText,
    compile,
    evaluate,
    exposed,
    parse,
    parse_expression,
    render,
)

ROOT = Path(__file__).parents[2]


def strict(text: str, context: dict[str, Any], names: dict[str, Any] | None = None, **options: Any) -> Any:
    return compile(parse(text), strict=True, **options)(context, names or {})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ n + 1 }}", 2),
        (" {{ n + 1 }}\n", 2),
        ("{{ rows }}", [1, 2]),
        ("{{ rows }} ", [1, 2]),
        ("x{{ rows }}", "x1,2"),
        ("{{ n }}{{ n }}", "11"),
        ("{{ one }}", 1.0),
        ("{{ 0 * -1 }}", 0),
        ("{{ 10 / 4 }}", 2.5),
        ("{{ 10 / 5 }}", 2),
        ("{{ yes }}", True),
        ("{{ n > 0 }} ", True),
        ("{{ nothing }}", None),
        ("{{ missing }}", ""),
        ("{{ [missing, 1] }}", [None, 1]),
        ("{{ {a: missing, b: 1} }}", {"b": 1}),
        ("{{ 'a' | safe }}", "a"),
        ("{# note #}{{ n }}", 1),
        ("{% if yes %}{{ n }}{% endif %}", "1"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_one_expression_gives_its_value_and_anything_else_text(text: str, value: Any) -> None:
    context = {"n": 1, "rows": [1, 2], "one": 1.0, "yes": True, "nothing": None}
    found = evaluate(text, context)
    assert found == value
    assert type(found) is type(value)


def test_a_value_passed_through_is_the_same_object() -> None:
    rows = [{"a": 1}]
    assert evaluate("{{ flowContext.rows }}", {"rows": rows}) is rows


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A portrait of {{ flowContext.title }}", "flowContext.title"),
        ("{{ flowContext.title }}", "flowContext.title"),
        ("{{ a.b.c }}!", "a.b.c"),
        ("{{ 'x' ~ missing }}", "missing"),
        ("{{ missing ~ 'x' }}", "missing"),
        ("{{ 'x' + missing }}", "missing"),
        ("{{ missing | upper }}", "missing"),
        ("{{ [] | first }}", "[] | first"),
        ("{% if true %}{{ rows[7] }}{% endif %}", "rows[7]"),
        ("{% for x in rows %}{{ x.name }}{% endfor %}", "x.name"),
        ("{{ missing if true }}", "missing if true"),
        ("{{ 'a' | int }}!", "'a' | int"),
    ],
)
@pytest.mark.parametrize("native", [False, True])
def test_printing_undefined_is_an_error_when_strict(text: str, shown: str, native: bool) -> None:
    with pytest.raises(TemplateError) as caught:
        strict(text, {"rows": [1]}, native=native)
    error = caught.value
    assert (error.code, error.message) == ("undefined-variable", f"`{shown}` is undefined")
    assert text[error.start : error.end] == shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ missing | default('x') }}", "x"),
        ("{{ missing.a.b | trim | default('x', true) }}", "x"),
        ("{{ missing is defined }}", "false"),
        ("{% if missing %}a{% else %}b{% endif %}", "b"),
        ("{% if missing ~ 'x' %}a{% endif %}", "a"),
        ("{% if missing | length %}a{% endif %}b", "b"),
        ("{{ 'a' if missing.b | trim else 'c' }}", "c"),
        ("{{ missing or 'x' }}", "x"),
        ("{{ not missing }}", "true"),
        ("{{ missing == none }}", "true"),
        ("{{ missing | length }}", "0"),
        ("{{ missing | json | default('-') }}", "-"),
        ("{{ nothing }}", ""),
        ("{{ nothing | upper }}", ""),
        ("{% for x in missing %}{% else %}none{% endfor %}", "none"),
        ("{% set x = missing %}", ""),
        ("{{ [missing] }}", ""),
    ],
)
def test_reading_undefined_is_no_error_when_strict(text: str, expected: str) -> None:
    assert strict(text, {"nothing": None}) == expected


def test_what_is_printed_as_undefined_is_empty_when_lenient() -> None:
    assert render("a{{ missing.x }}b{{ missing | upper }}c", {}) == "abc"
    assert render("{{ 'x' ~ missing }}", {}) == "xundefined"


def test_names_come_before_the_flow_context() -> None:
    assert strict("{{ a }} {{ b }} {{ flowContext.a }}", {"a": 1, "b": 2}, {"a": 9}) == "9 2 1"
    assert strict("{{ flowContext.a }}", {"a": 1}, {"flowContext": {"a": 5}}) == "5"
    assert strict("{{ range }} {{ inputs.n }}", {"range": "mine"}, {"inputs": {"n": 0}}) == "mine 0"


def test_placeholders_are_replaced_in_literal_text_only() -> None:
    text = '{a} {{ "{a}" }} {b} {"json": {a}} {{ x }}'
    names = {"{a}": 1.0, "x": "{a}"}
    assert strict(text, {}, names, placeholders=frozenset({"a", "b"})) == '1 {a} {b} {"json": 1} {a}'
    assert strict("{a}{a}", {}, {"{a}": None}, placeholders=frozenset({"a"})) == ""
    assert strict("{% if true %}{a}{% endif %}", {}, {"{a}": "x"}, placeholders=frozenset({"a"})) == "x"


SECRET = SecretText("s3cret")


@pytest.mark.parametrize(
    "text",
    [
        "{{ key }}",
        "a {{ key }}",
        "{{ key | upper }}",
        "{{ key ~ 'x' }}",
        "{{ 'x' + key }}",
        "{{ key.slice(1) }}",
        "{{ key[0] }}",
        "{{ key.split('').join('') }}",
        "{{ [key] | join }}",
        "{{ [key] }}",
        "{{ {a: key} | dump }}",
        "{{ key | list | first }}",
        "{{ nested.a.b }}!",
        "{% if true %}{{ key }}{% endif %}",
        "{% for c in key %}{{ c }}{% endfor %}",
        "{% set x %}Bearer {{ key }}{% endset %}{{ x }}",
        "{% filter upper %}{{ key }}{% endfilter %}",
        "{{ secret('NAME') }}",
        "{{ key or 'x' }}",
        "{{ key | default('x') }}",
        "{{ JSON.stringify([key]) }}",
        "{{ 'a-b' | replace('-', key) }}",
        "{{ key | escape }}",
        "{name}",
    ],
)
def test_text_that_holds_a_secret_stays_marked(text: str) -> None:
    names = {"key": SECRET, "nested": {"a": {"b": SECRET}}, "secret": lambda name: SECRET, "{name}": SECRET}
    found = strict(text, {}, names, taint=True, placeholders=frozenset({"name"}))
    assert type(found) is SecretText


@pytest.mark.parametrize("text", ["{{ other }}", "{{ key | length }}", "{{ key == 'x' }}", "{{ nested.c }}", "a"])
def test_text_beside_a_secret_is_not_marked(text: str) -> None:
    names = {"key": SECRET, "other": "x", "nested": {"b": SECRET, "c": "x"}}
    assert type(strict(text, {}, names, taint=True)) is str


def test_native_lists_of_secret_parts_are_marked() -> None:
    found = strict("{{ key.split('3') }}", {}, {"key": SECRET}, taint=True, native=True)
    assert found == ["s", "cret"]
    assert [type(part) for part in found] == [SecretText, SecretText]


class Client:
    """A host object."""

    hidden = "no"

    def __init__(self) -> None:
        self.token = "no"
        self.size = 7

    def selected(self, name: str = "x", *, loud: bool = False) -> str:
        return name.upper() if loud else name


exposed(Client, "selected", "size")


def test_a_host_object_shows_only_what_it_exposes() -> None:
    names = {"client": Client()}
    assert (
        strict("{{ client.selected() }} {{ client.selected('a', loud=true) }} {{ client.size }}", {}, names) == "x A 7"
    )
    for member in ("token", "hidden", "__class__", "__init__", "constructor"):
        assert evaluate(f"{{{{ client.{member} is defined }}}}", names) is False


def test_one_object_can_be_exposed() -> None:
    class Plain:
        a = 1

    assert evaluate("{{ p.a }}{{ q.a }}", {"p": exposed(Plain(), "a"), "q": Plain()}) == "1"


@pytest.mark.parametrize("text", ["{{ ''.__class__ }}", "{{ [].append }}", "{{ {}.items }}", "{{ f.__globals__ }}"])
def test_python_attributes_are_out_of_reach(text: str) -> None:
    assert render(text, {"f": render}) == ""


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("{{ f() }}", "`f` is undefined, so it cannot be called", "f()"),
        ("{{ 1 }}{{ a.b() }}", "`a.b` is not a function", "a.b()"),
        ("{{ g(1, 2) }}", "`g` cannot be called like this", "g(1, 2)"),
        ("{% if true %}\n{{ 1 in 2 }}{% endif %}", "`in` looks into a list, text or mapping, not into 2", "1 in 2"),
        ("{{ 5 | list }}", "the filter `list` takes a list, text or mapping, not 5", "5 | list"),
        ("x{{ 'a'.trim }}", "a function has no text", "'a'.trim"),
        ("{{ 'a'.repeat(-1) }}", "a text cannot be repeated -1 times", "'a'.repeat(-1)"),
        ("{{ x | select(t) }}", "there is no test named `nope`", "x | select(t)"),
        ("{{ 'a' | match('(') }}", "`/(/` is not a regular expression", "'a' | match('(')"),
        ("{{ range(stop=1) }}", "`range` takes no arguments by name", "range(stop=1)"),
    ],
)
def test_a_failure_is_reported_with_its_place(text: str, message: str, place: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(text, {"a": {"b": 1}, "g": lambda: 1, "t": "nope", "x": [1]})
    error = caught.value
    assert error.message.startswith(message)
    assert text[error.start : error.end] == place


def test_errors_of_a_host_function_are_its_own() -> None:
    def fail() -> None:
        raise TypeError("inside")

    with pytest.raises(TypeError, match="inside"):
        render("{{ fail() }}", {"fail": fail})


def test_autoescape_escapes_what_is_not_safe() -> None:
    text = "{{ a }} {{ a | safe }} {{ a | escape }} {{ a ~ a | safe }} <i>"
    expected = "&lt;b&gt; <b> &lt;b&gt; &lt;b&gt;&lt;b&gt; <i>"
    assert strict(text, {"a": "<b>"}, autoescape=True) == expected
    assert strict("{{ a }}", {"a": "<b>"}) == "<b>"


def test_an_object_may_bring_its_own_text() -> None:
    class Failure(dict[str, Any]):
        def __flow_text__(self) -> str:
            return self["message"]

    assert render("{{ error }}: {{ error.code }}", {"error": Failure(message="it broke", code=3)}) == "it broke: 3"


def references(text: str) -> list[tuple[str, str, bool, bool]]:
    return [(text[r.start : r.end], ".".join((r.root, *r.path)), r.guarded, r.called) for r in parse(text).references]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ a }} {{ b.c.d }}", [("a", "a", False, False), ("b.c.d", "b.c.d", False, False)]),
        ("{{ a['x'][0].y }}", [("a['x'][0].y", "a.x.0.y", False, False)]),
        ("{{ a[b].c }}", [("b", "b", False, False), ("a", "a", False, False)]),
        ("{{ f(x) }}", [("f", "f", False, True), ("x", "x", False, False)]),
        ("{{ a.b.split(' ').length }}", [("a.b.split", "a.b.split", False, True)]),
        ("{{ a | default(b) }}", [("a", "a", True, False), ("b", "b", False, False)]),
        ("{{ a | trim | default('') }}", [("a", "a", True, False)]),
        ("{{ a is defined }} {{ b is none }}", [("a", "a", True, False), ("b", "b", True, False)]),
        ("{{ a if b else c }}", [("b", "b", True, False), ("a", "a", False, False), ("c", "c", False, False)]),
        ("{{ a or b }}", [("a", "a", True, False), ("b", "b", False, False)]),
        ("{% if not a %}{% elif b > 1 %}{% endif %}", [("a", "a", True, False), ("b", "b", True, False)]),
        ("{{ a == none }} {{ a == 1 }}", [("a", "a", True, False), ("a", "a", False, False)]),
        ("{% for x in a %}{{ x }}{{ loop }}{% endfor %}{{ x }}", [("a", "a", False, False), ("x", "x", False, False)]),
        ("{{ x }}{% set x = y %}{{ x }}", [("x", "x", False, False), ("y", "y", False, False)]),
        ("{{ range(3) }}{{ JSON.stringify(a) }}", [("a", "a", False, False)]),
        ("{% filter upper %}{{ a }}{% endfilter %}", [("a", "a", False, False)]),
        ("plain {b}", []),
    ],
)  # fmt: skip
def test_references_are_the_free_names(text: str, expected: list[Any]) -> None:
    assert parse(text).problems == ()
    assert references(text) == expected


def test_the_plain_path_and_the_full_one_agree() -> None:
    plain, full = parse("a {{ x.y }} {{ z }}"), parse("a {{ x.y }} {{ z }}{# #}")
    assert plain.references == full.references == (
        Reference("x", ("y",), 5, 8, False, False),
        Reference("z", (), 15, 16, False, False),
    )  # fmt: skip
    assert parse("{{ true }}").references == ()
    assert evaluate("{{ none }}", {"none": 1}) is None


def test_a_parsed_template_knows_its_kind() -> None:
    assert parse("a {b}").is_literal
    assert not parse("a {{ b }}").is_literal
    assert parse(" {{ b | upper }} ").is_native
    assert not parse("{{ b }}{{ c }}").is_native
    assert not parse("{{ b").is_native
    assert parse("{{ secret('A') }}").calls_secret
    assert not parse("{{ secret }}").calls_secret
    assert parse("same {{ a }}") is parse("same {{ a }}")


def test_a_bare_expression_is_a_template_too() -> None:
    template = parse_expression("flowContext.a === 'x' && !b")
    assert template.problems == ()
    assert [r.root for r in template.references] == ["flowContext", "b"]
    assert compile(template, strict=True, native=True)({"a": "x"}, {"b": False}) is True
    assert compile(parse_expression("a"), strict=True, native=True)({"a": 1}, {}) == 1
    assert compile(parse("a"), strict=True, native=True)({"a": 1}, {}) == "a"


def test_undefined_is_one_value() -> None:
    import copy
    import pickle

    assert copy.deepcopy(UNDEFINED) is UNDEFINED
    assert pickle.loads(pickle.dumps(UNDEFINED)) is UNDEFINED
    assert (repr(UNDEFINED), bool(UNDEFINED)) == ("UNDEFINED", False)


def test_importing_and_checking_plain_templates_stays_light() -> None:
    code = (
        "import sys, flowdsl.template as t\n"
        "assert t.parse('a {{ flowContext.x }}').references\n"
        "heavy = {'lark', 'regex', 'asyncio', 'json', 'pydantic', 'httpx', 'dataclasses'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert t.render('{{ a | upper }}', {'a': 'x'}) == 'X'\n"
        "assert 'lark' not in sys.modules and 'regex' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)


def test_the_tables_are_up_to_date() -> None:
    script = ROOT / "scripts" / "template_tables.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("expression", "sign", "result"),
    [
        ("1 / 0", "/", "Infinity"),
        ("0 / 0", "/", "NaN"),
        ("5 % 0", "%", "NaN"),
        ("1 // 0", "/", "Infinity"),
        ("word * 3", "*", "NaN"),
        ("word - 1", "-", "NaN"),
        ("missing + 1", "+", "NaN"),
        ("10 ** 400", "**", "Infinity"),
        ("-word", "-", "NaN"),
        ("+word", "+", "NaN"),
        ("[1, 2 / 0]", "/", "Infinity"),
    ],
)
@pytest.mark.parametrize("native", [False, True])
def test_arithmetic_that_gives_no_number_is_an_error_when_strict(
    expression: str, sign: str, result: str, native: bool
) -> None:
    text = f"{{{{ {expression} }}}}"
    with pytest.raises(TemplateError, match=re.escape(f"`{sign}` gives {result}, which is no number")):
        strict(text, {"word": "ab"}, native=native)
    assert result in str(compile(parse(text), strict=False)({"word": "ab"}, {}))


def test_a_condition_may_calculate_with_what_is_undefined() -> None:
    text = "{% if missing * 2 > 3 %}a{% else %}b{% endif %}{{ 'c' if missing / 0 > 1 else 'd' }}"
    assert strict(text, {}) == "bd"


@pytest.mark.parametrize(("undefined", "result"), [("strict", None), ("lenient", float("inf"))])
def test_an_expression_that_gives_no_number_is_an_error_in_a_strict_flow(undefined: str, result: float | None) -> None:
    steps = "flow:\n  - {step: SET, expression: 1 / inputs.n}\n"
    flow = f"undefined: {undefined}\ninputs: {{n: {{default: 0}}}}\n{steps}"
    if result is None:
        with pytest.raises(TemplateError, match=r"`1 / inputs\.n` gives Infinity, which is no number"):
            flowdsl.run(flow)
    else:
        assert flowdsl.run(flow).context["text"] == result
