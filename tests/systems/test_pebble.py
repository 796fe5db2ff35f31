"""Pebble's expressions: binding strengths, null and missing names, texts of values, and what is said of mistakes.

Source: PebbleTemplates/pebble 68a1bb4 with the settings of Kestra, whose results these are.
"""

import base64
import time

import pytest

from flowdsl import TemplateError
from flowdsl.template import DEFAULT_LIMITS, UNDEFINED, SecretText, TemplateLimits, compile, parse
from flowdsl.template.foreign import ForeignText
from flowdsl_steps.expressions.pebble import TEXT, Finish, converted, names_in

VARS = {
    "s": "fox",
    "n": 4,
    "f": 1.5,
    "yes": True,
    "l": [3, 1, 2],
    "m": {"a": 1, "b": None},
    "x": None,
    "blank": " ",
    "e": "{{ inputs.city }}!",
    "me": "{{ vars.me }}{{ 1 }}",
    "words": ["oak", "elm"],
}
INPUTS = {"city": "Porto", "a-b": "dash"}
STORED = {"style": "linocut"}
SECRETS = {"KEY": "sk-1234567890", "SECRET_OLD": base64.b64encode(b"sk-of-old-days").decode(), "SECRET_BAD": "%%"}


def secret(name):
    if name not in SECRETS:
        raise TemplateError(f"the secret `{name}` is not set", code="secret-not-set")
    return SecretText(SECRETS[name])


def rendered(text, language=TEXT, limits=DEFAULT_LIMITS, often=1):
    template = parse(ForeignText(text, language))
    if template.problems:
        problem = template.problems[0]
        raise TemplateError(problem.message, hint=problem.hint, start=problem.start, end=problem.end)
    function = compile(template, strict=True, native=True, taint=True, limits=limits)
    names = {"inputs": INPUTS, "secret": secret, "kv": lambda name: STORED.get(name, UNDEFINED)}
    found = None
    for _ in range(often):
        found = function({"vars": VARS, "flow": {"id": "poster"}}, names)
    return found


RESULTS = [
    ("in {{ inputs.city }}, {{ flow.id }}", "in Porto, poster"),
    ("{{ inputs['a-b'] }} {{ vars['l'][0] }}", "dash 3"),
    # binding strengths
    ("{{ 'x' ~ vars.s | upper }}", "XFOX"),
    ("{{ 1 + vars.s | upper }}", "1FOX"),
    ("{{ vars.q ?? vars.s | upper }}", "FOX"),
    ("{{ not vars.n == 4 }}", "false"),
    ("{{ vars.q ?? '' == '' }}", "true"),
    ("{{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }} {{ -2 + 3 }}", "7 9 1"),
    ("{{ true or false and false }}", "true"),
    ("{{ vars.n > 3 ? 'big' : 'small' }}", "big"),
    ("{{ vars.n == 4 is empty }}", "false"),
    # null and missing
    ("<{{ vars.x }}>", "<>"),
    ("{{ vars.q.r.t ?? 'd' }} {{ vars.x ?? 'd' }} {{ vars.x ??? 'd' }}|{{ vars.q ??? 'd' }}", "d d |d"),
    ("{{ vars.q ?? vars.r ?? vars.s }}", "fox"),
    ("{{ (vars.q | upper) ?? 'none' }}", "none"),
    ("{{ vars.q | default('d') }} {{ vars.blank | default('d') }} {{ vars.s | default('d') }}", "d d fox"),
    ("{{ vars.q is defined }} {{ vars.s is defined }} {{ vars.q is not defined }}", "false true true"),
    ("{{ vars.x is null }} {{ vars.m.b == null }} {{ vars.s is not null }}", "true true true"),
    ("{{ vars.x | upper }}", ""),
    ("{{ vars.x ? 'a' : 'b' }}", "b"),
    ("{{ vars.x contains 1 }} {{ vars.x ~ 'a' }} {{ vars.x + 'a' }}", "false a nulla"),
    # numbers and comparisons
    ("{{ 7 / 2 }} {{ -7 / 2 }} {{ 7.0 / 2 }} {{ 7 % 4 }}", "3 -3 3.5 3"),
    ("{{ 3.0 == 3 }} {{ '3' == 3 }} {{ 3 equals 3 }} {{ 3 != 4 }}", "true false true true"),
    ("{{ 'a' < 'b' }} {{ 2 >= 2 }}", "true true"),
    ("{{ vars.l + 4 }} {{ vars.l - 1 }}", "[3,1,2,4] [3,2]"),
    ("{{ vars.l contains 3 }} {{ vars.l contains [1, 9] }} {{ vars.m contains 'a' }}", "true false true"),
    ("{{ 'ox' isIn vars.words }} {{ 'oak' isIn vars.words }}", "false true"),
    ("{{ 1 .. 4 }} {{ range(3, 1) }} {{ range(0, 6, 3) }}", "[1,2,3,4] [3,2,1] [0,3,6]"),
    # texts of values
    ("{{ vars.l }} {{ vars.m }} {{ vars.f }} {{ vars.yes }}", '[3,1,2] {"a":1,"b":null} 1.5 true'),
    (r"{{ 'it\'s' }} {{ 'a\nb' }}", r"it's a\nb"),
    # tags
    ("{% if vars.n > 9 %}a{% elseif vars.n == 4 %}b{% else %}c{% endif %}", "b"),
    ("{% if 'false' %}a{% endif %}", "a"),
    ("{% for i in vars.l %}{{ loop.index }}:{{ i }}{{ loop.last ? '' : ',' }}{% endfor %}", "0:3,1:1,2:2"),
    ("{% for e in vars.m %}{{ e.key }}{% endfor %}{% for i in [] %}{% else %}none{% endfor %}", "abnone"),
    ("{% set a = 'x' %}{{ a ~ a }}", "xx"),
    ("{% raw %}{{ x }}{% endraw %}{% verbatim %}{% a %}{% endverbatim %}", "{{ x }}{% a %}"),
    ("a {{- vars.n -}}  b{# never #}", "a4b"),
    ("{city} { } }} %}", "{city} { } }} %}"),
    # functions and filters
    ("{{ vars.e }} {{ render(vars.e) }} {{ renderOnce(vars.e) }}", "{{ inputs.city }}! Porto! Porto!"),
    ("{{ kv('style') }} {{ kv(key='style') }} {{ kv('none', errorOnMissing=false) }}", "linocut linocut "),
    ("{{ fromJson('{\"a\": [1, 2]}').a[1] }} {{ json('[5]')[0] }}", "2 5"),
    ("{{ max(1, 4, 3) }} {{ min('b', 'a') }}", "4 a"),
    ("{{ vars.l | sort | join(', ') }} {{ vars.l | rsort | first }} {{ vars.l | length }}", "1, 2, 3 3 3"),
    ("{{ 'a,b,,' | split(',') }} {{ 'a1b2' | split('[0-9]') | last }}", '["a","b"] b'),
    ("{{ vars.s | replace({'f': 'b'}) | capitalize }} {{ 'a b' | title }}", "Box A B"),
    ("{{ 'Blue hour_at é' | slugify }} {{ 'a/b/c' | substringAfterLast('/') }}", "blue-hour-at-e c"),
    ("{{ 1234.5 | numberFormat('#,##0.00') }} {{ '12' | number + 1 }}", "1,234.50 13"),
    ("{{ vars.m | toJson }} {{ vars.x | toJson }} {{ vars.m | keys }}", '{"a":1,"b":null} null ["a","b"]'),
    ("{{ '2026-01-02T03:04:05Z' | date('dd/MM/yyyy HH:mm') }}", "02/01/2026 03:04"),
    ("{{ '2026-01-31T00:00:00Z' | dateAdd(1, 'MONTHS') | date('yyyy-MM-dd') }}", "2026-02-28"),
    ("{{ [1, 2, 2] | distinct }} {{ [[1], [2]] | flatten }} {{ [1, 2, 3] | chunk(2) }}", "[1,2] [1,2] [[1,2],[3]]"),
    ("{{ 'abc' | sha256 | slice(0, 6) }} {{ 'a' | base64encode }} {{ 'a b' | urlencode }}", "ba7816 YQ== a+b"),
]


@pytest.mark.parametrize("often", [1, 25])
@pytest.mark.parametrize(("text", "result"), RESULTS, ids=[f"case {at}" for at in range(len(RESULTS))])
def test_expression_gives_what_kestra_gives(text, result, often):
    assert rendered(text, often=often) == result


FAILURES = [
    ("{{ vars.q }}", "there is no `vars.q`", "vars.q"),
    ("{{ vars.q == 1 }}", "there is no `vars.q`", "vars.q"),
    ("{{ vars.x.y }}", "there is no `vars.x.y`", "vars.x.y"),
    ("{{ vars.l[7] }}", "there is no `vars.l[7]`", "vars.l[7]"),
    ("{{ vars.q ?? vars.r }}", "there is no `vars.r`", "vars.r"),
    ("{{ vars.s > 3 }}", "`>` compares a text with a number", "vars.s > 3"),
    ("{% if vars.x %}a{% endif %}", "null is neither true nor false", "vars.x"),
    ("{{ inputs.city-dash }}", "there is no `dash`", "dash"),
    ("{{ vars.s - 1 }}", "`-` needs two numbers, and one of them is a text", "vars.s - 1"),
    ("{{ 1 / 0 }}", "a number is divided by 0", "1 / 0"),
    ("{{ secret('NONE') }}", "cannot find secret for key 'NONE'", "secret('NONE')"),
    ("{{ secret('BAD') }}", "the environment variable SECRET_BAD is not in base64", "secret('BAD')"),
    ("{{ kv('NONE') }}", "the key 'NONE' does not exist", "kv('NONE')"),
    ("{{ fromJson('{') }}", "the text is no JSON: Expecting property name", "fromJson('{')"),
    ("{{ render(vars.me) }}", "too much text", "render(vars.me)"),
    ("{{ 'x' | date('yyyy') }}", "`x` is no date", "'x' | date('yyyy')"),
]


@pytest.mark.parametrize(("text", "message", "at"), FAILURES, ids=[f"case {at}" for at in range(len(FAILURES))])
def test_failure_is_told_where_it_stands(text, message, at):
    with pytest.raises(TemplateError) as caught:
        rendered(text, limits=TemplateLimits(max_output=1000))
    error = caught.value
    if at == "render(vars.me)":  # which of the limits it meets first is no matter
        assert error.code == "template-limit" or "render" in error.message
        return
    assert error.message.startswith(message)
    assert text[error.start : error.end] == at


MISTAKES = [
    ("{{ (a }}", "the `(` here is not closed", "(", "add `)`"),
    ("{{ a", "`{{` is not closed", "{{", "end it with `}}`"),
    ("{{ a = 1 }}", "found `=`, expected an operator or the end", "=", "compare with `==`"),
    ("{{ a && b }}", "found `&&`, expected an operator or the end", "&&", "write `and`"),
    ("{{ a ? b }}", "found the end, expected an operator or `:`", " ", None),
    ("{{ a if b }}", "found `if`, expected an operator or the end", "if", "write `condition ? value : other`"),
    ("{{ 'abc }}", "the text that begins here is not closed with '", "'abc }}", "add '"),
    ("{{ }}", "there is nothing between the braces", "{{ }}", "write a name or a value"),
    ("{{ a | tojson }}", "there is no filter `tojson`", "tojson", "write `toJson`"),
    ("{{ a | uper }}", "there is no filter `uper`", "uper", "did you mean `upper`?"),
    ("{{ a | upper(1) }}", "`upper` takes no arguments", "1", None),
    ("{{ a | join(sep=1) }}", "`join` has no argument `sep`", "sep", "it has `separator`"),
    ("{{ secrets('A') }}", "there is no function `secrets`", "secrets", "did you mean `secret`?"),
    ("{{ secret() }}", "`secret` needs `key`", "secret()", "write `secret(key)`"),
    ("{{ read('a') }}", "there is no function `read`", "read", "a file of Kestra's storage cannot be read here"),
    ("{{ a is blue }}", "there is no test `blue`", "blue", None),
    ("{{ a.toUpperCase() }}", "`toUpperCase(…)` is a method, and none can be called", "a.toUpperCase()", "write the"),
    ('{{ "a#{b}" }}', "`#{…}` in a text is not read", '"a#{b}"', "join texts with `~`"),
    ("{{ {a: 1} }}", "a key of a map is a text", "a", "write the key in quotes: `'a'`"),
    ("{% if a %}b", "the tag `if` is never ended", "{% if a %}", "end it with `{% endif %}`"),
    ("{% elif a %}", "there is no tag `elif` here", "{% elif a %}", "write `elseif`"),
    ("{% endif %}", "there is no tag `endif` here", "{% endif %}", "nothing is open that it belongs to"),
    ("{% import 'x' %}", "there is no tag `import` here", "{% import 'x' %}", "there are `if`, `for`, `set`"),
    (
        "{% for i in a %}{{ loop.count }}{% endfor %}",
        "there is no `loop.count`",
        "loop.count",
        "there are `loop.index`",
    ),
    ("{# a", "the comment that begins here is not closed", "{#", "end it with `#}`"),
]


@pytest.mark.parametrize(("text", "message", "at", "hint"), MISTAKES, ids=[f"case {at}" for at in range(len(MISTAKES))])
def test_mistake_is_told_with_its_place_and_what_to_write(text, message, at, hint):
    problem = parse(ForeignText(text, TEXT)).problems[0]
    assert problem.message == message
    assert text[problem.start : problem.end] == at
    assert (problem.hint or "").startswith(hint or "")


def test_secret_is_marked_whatever_is_made_of_it():
    for text in ("{{ secret('KEY') }}", "a{{ secret('KEY') | upper }}", "{{ secret('OLD') ~ 'b' }}", "{{ kv('KEY') }}"):
        assert isinstance(rendered(text), SecretText), text
    assert rendered("{{ secret('OLD') }}") == "sk-of-old-days"
    assert parse(ForeignText("{{ secret('KEY') }}", TEXT)).calls_secret


def test_property_that_is_no_text_is_made_of_one():
    assert (
        rendered(
            "{{ vars.n }}{% if vars.yes %}{{ vars.n }}{% else %}0{% endif %}",
            converted(Finish(int, lambda found: None, "")),
        )
        == 44
    )
    with pytest.raises(TemplateError, match="`for` and `set` cannot stand here"):
        rendered("{% for i in vars.l %}{{ i }}{% endfor %}", converted(int))


def test_expression_has_the_limits_of_templates():
    with pytest.raises(TemplateError, match="too much"):
        rendered("{{ vars.s }}{{ vars.s }}", limits=TemplateLimits(max_output=4))
    with pytest.raises(TemplateError, match="nested deeper than 50 levels"):
        rendered("{{ " + "(" * 60 + "1" + ")" * 60 + " }}")
    with pytest.raises(TemplateError, match="a list that is too long"):
        rendered("{{ range(1, 9000000) }}")


def test_expression_says_what_it_reads():
    names = names_in("{{ inputs.city }} {{ outputs.a.b ?? '' }} {{ vars.l[vars.n] }}")
    read = [(each.root, each.path, each.guarded) for each in names]
    assert read == [
        ("inputs", ("city",), False),
        ("flowContext", ("a", "b"), True),
        ("flowContext", ("vars", "n"), False),
        ("flowContext", ("vars", "l"), False),
    ]


def test_flow_without_such_expressions_loads_no_grammar():
    import subprocess
    import sys

    code = (
        "import sys; from flowdsl import Environment; Environment().check('- step: SET\\n  a: 1\\n');"
        "assert not any(name.startswith(('lark', 'flowdsl_steps.expressions')) for name in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "text", ["{{ vars.twice }}{{ vars.twice }}{{ vars.twice }}", "{{ render(vars.twice) }}{{ render(vars.twice) }}"]
)
def test_texts_that_render_into_more_of_themselves_end_soon(text, monkeypatch):
    monkeypatch.setitem(VARS, "twice", text)
    monkeypatch.setattr("flowdsl_steps.expressions.pebble_functions._MOST_SECONDS", 0.1)
    monkeypatch.setattr("flowdsl_steps.expressions.pebble_functions._LONGEST", 5_000)
    began = time.thread_time()
    with pytest.raises(TemplateError) as caught:
        rendered("{{ render(vars.twice) }}")
    assert caught.value.code == "template-limit"
    assert time.thread_time() - began < 2
