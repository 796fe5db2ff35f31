"""Filters that a host brings: checked by their annotations, known to no other environment, their failures located."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

import flowdsl
from flowdsl import Environment, Host, TemplateError, UsageError
from flowdsl.template import SecretText, parse
from flowdsl.testing import Recorder

KEY = "sk-0123456789abcdef"


def slug(text: str, separator: str = "-") -> str:
    return re.sub(r"[^a-z0-9]+", separator, text.lower()).strip(separator)


def doubled(value: int, times: int = 2) -> int:
    return value * times


def env(**filters: Callable[..., Any]) -> Environment:
    return Environment(filters=filters, settings=None, environ={})


def value(template: str, environment: Environment, **inputs: Any) -> Any:
    """What a template gives in a SET; it stands in single quotes of YAML."""
    quoted = template.replace("'", "''")
    return environment.run(f"- step: SET\n  a: '{quoted}'\n", inputs).context["a"]


def findings(template: str, environment: Environment, *declare: str) -> list[tuple[str, str, str | None]]:
    quoted = template.replace("'", "''")
    found = environment.check(f"- step: SET\n  a: '{quoted}'\n", declare=declare)
    return [(each.code, each.message, each.hint) for each in found]


@pytest.mark.parametrize(
    ("template", "given"),
    [
        ("{{ 'Old Harbour' | slug }}", "old-harbour"),
        ("{{ 'Old Harbour' | slug('_') }}", "old_harbour"),
        ("{{ 'Old Harbour' | slug(separator='+') }}", "old+harbour"),
        ("card-{{ flowContext.title | slug | upper }}.png", "card-A-B.png"),
        ("{% filter slug %}Old {{ flowContext.title }}{% endfilter %}", "old-a-b"),
        ("{% if flowContext.title | slug == 'a-b' %}yes{% endif %}", "yes"),
        ("{{ 'x' if (flowContext.title | slug) else 'y' }}", "x"),
        ("{{ 21 | doubled }}", 42),
        ("{{ (42 / 2) | doubled(times=2) + 1 }}", 43),
        ("{% for w in ['A b', 'C d'] %}{{ w | slug }} {% endfor %}", "a-b c-d "),
    ],
)
def test_a_filter_of_the_host_is_used_like_any_other(template: str, given: Any) -> None:
    environment = env(slug=slug, doubled=doubled)
    assert findings(template, environment, "title") == []
    assert value(template, environment, title="A b") == given


def test_a_template_that_is_rendered_often_calls_it_too() -> None:
    flow = (
        "- step: FOR\n  var: i\n  items: '{{ range(1, 61) }}'\n  do:\n"
        "    - step: SET\n      a: 'Nr {{ flowContext.i }}'\n      b: '{{ flowContext.a | slug }}!'\n"
        "      total: '{{ flowContext.i | doubled }}'\n"
    )
    result = env(slug=slug, doubled=doubled).run(flow)
    assert (result.context["b"], result.context["total"]) == ("nr-60!", 120)


def test_a_long_loop_in_a_template_calls_it_once_for_each_item() -> None:
    calls: list[int] = []

    def seen(item: int) -> int:
        calls.append(item)
        return item

    assert value("{% for n in range(0, 300) %}{{ n | seen }}{% endfor %}", env(seen=seen)) != ""
    assert calls == list(range(300))


def test_no_other_environment_knows_it_at_the_same_time_either() -> None:
    template = "{{ 'A b' | slug }}"
    mine, other = env(slug=slug), env(slug=lambda text: "other")
    assert [value(template, each) for each in (mine, other, mine)] == ["a-b", "other", "a-b"]
    assert [code for code, *_ in findings(template, Environment(settings=None))] == ["unknown-filter"]
    assert findings(template, mine) == []
    assert [each.code for each in parse(template).problems] == ["unknown-filter"]
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda each=each: found.append(value(template, each)))  # type: ignore[misc]  # mypy cannot infer a lambda's default
        for each in (mine, other) * 8
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["a-b"] * 8 + ["other"] * 8


def test_an_unknown_name_is_hinted_with_those_of_the_host() -> None:
    ((code, message, hint),) = findings("{{ 'x' | slugg }}", env(slug=slug))
    assert (code, message, hint) == (
        "unknown-filter",
        "there is no filter named `slugg`",
        "did you mean `slug`?",
    )
    ((code, _, hint),) = findings("{{ slug('x') }}", env(slug=slug))
    assert (code, hint) == ("undefined-variable", "that is a filter: `value | slug`")


WRONG: dict[str, tuple[str, str]] = {
    "{{ [1] | slug }}": ("wrong-type", "`[1]` is a list, and the filter `slug` takes a text"),
    "{{ 'x' | slug(3) }}": ("wrong-type", "`3` is a whole number, and the filter `slug` takes a text as `separator`"),
    "{{ 'x' | slug(separator=none) }}": (
        "wrong-type",
        "`none` is null, and the filter `slug` takes a text as `separator`",
    ),
    "{{ 'x' | slug('a', 'b') }}": ("template-syntax", "the filter `slug` takes no 2 arguments"),
    "{{ 'x' | slug(sep='a') }}": ("template-syntax", "the filter `slug` has no argument `sep`"),
    "{{ 'x' | cut }}": ("template-syntax", "the filter `cut` needs `length`"),
    "{{ 'x' | slug | doubled }}": (
        "wrong-type",
        "`'x' | slug` is a text, and the filter `doubled` takes a whole number",
    ),
    "{{ nobody | slug }}": ("undefined-variable", "`nobody` is undefined: no step before this one sets it"),
}


@pytest.mark.parametrize("template", WRONG, ids=lambda text: re.sub(r"\W+", " ", text).strip())
def test_what_its_annotations_do_not_take_is_found_by_the_check(template: str) -> None:
    def cut(text: str, length: int) -> str:
        return text[:length]

    ((code, message, _),) = findings(template, env(slug=slug, doubled=doubled, cut=cut))
    assert code == WRONG[template][0]
    assert message.startswith(WRONG[template][1])


def test_what_only_the_run_knows_is_refused_there_at_its_place() -> None:
    flow = "inputs:\n  a: {}\nflow:\n- step: SET\n  b: 'x {{ inputs.a | slug }}'\n"
    for given, shown in (([1], "a list"), (3, "3"), (None, "null")):
        with pytest.raises(TemplateError) as raised:
            env(slug=slug).run(flow, {"a": given})
        assert raised.value.message == f"the filter `slug` takes a text, not {shown}"
        assert raised.value.span is not None
        assert raised.value.span.first.line == 5


def test_a_failure_of_the_function_names_the_filter_and_its_place() -> None:
    def broken(text: str) -> str:
        raise KeyError(text)

    with pytest.raises(TemplateError) as raised:
        value("{{ 'x' | broken }}", env(broken=broken))
    error = raised.value
    assert (error.code, error.message) == ("template-failed", "the filter `broken` failed: KeyError: 'x'")
    assert (error.hint, error.step) == ("it is a function of the host", "SET")
    assert error.span is not None
    assert (error.span.first.line, type(error.__cause__)) == (2, KeyError)


def test_a_failure_of_a_function_among_the_objects_is_not_the_steps_either() -> None:
    def broken(text: str) -> str:
        raise KeyError(text)

    environment = Environment(host=Host(objects={"broken": broken}), settings=None)
    with pytest.raises(TemplateError, match=r"^`broken` failed: KeyError: 'x'") as raised:
        value("{{ broken('x') }}", environment)
    assert (raised.value.code, raised.value.hint) == ("template-failed", "it is a function of the host")


@pytest.mark.parametrize("function", ["object", "filter"])
def test_a_failing_function_of_the_host_ends_a_run_like_any_failure_wherever_it_is_called(function: str) -> None:
    def broken(text: str) -> str:
        raise KeyError(text)

    environment = Environment(filters={"failing": broken}, host=Host(objects={"broken": broken}), settings=None)
    call = "broken('x')" if function == "object" else "'x' | failing"
    with pytest.raises(TemplateError, match="failed: KeyError: 'x'") as raised:
        environment.run(f'flow:\n- {{step: SET, a: 1}}\noutputs:\n  b: "{{{{ {call} }}}}"\n')
    assert raised.value.span is not None
    assert (raised.value.path, raised.value.span.first.line) == ("outputs", 4)
    assert isinstance(raised.value.result, flowdsl.Result)
    recorder = Recorder()
    flow = f'- step: SET\n  monitorLabel: "{{{{ {call} }}}}"\n  a: 1\n'
    assert environment.run(flow, on_event=recorder).outputs == {"a": 1}
    assert [event.code for event in recorder.events if isinstance(event, flowdsl.Note)] == ["label-failed"]


def test_a_result_that_its_annotation_does_not_say_is_refused() -> None:
    def said(text: str) -> str:
        return [text]  # type: ignore[return-value]  # what a host may get wrong

    with pytest.raises(TemplateError, match="gives a list, and says that it gives a text"):
        value("{{ 'x' | said }}", env(said=said))


def test_secrets_stay_marked_through_it_and_hidden_in_its_failures() -> None:
    def broken(text: str) -> str:
        raise KeyError(f"no {text[2:]}")

    recorder = Recorder()
    flow = "- step: SET\n  a: \"{{ secret('KEY') | slug('') }}\"\n"
    flow += "- step: EMIT_EVENT\n  name: x\n  payload: '{{ flowContext.a }}'\n"
    environment = Environment(
        filters={"slug": slug, "broken": broken}, host=Host(secrets={"KEY": KEY}.get), settings=None, environ={}
    )
    result = environment.run(flow, on_event=recorder)
    shown = slug(KEY, "")
    assert shown not in str(result.to_dict())
    assert not any(shown in str(event.to_dict()) for event in recorder.events)
    objects = Environment(host=Host(secrets={"KEY": KEY}.get, objects={"broken": broken}), settings=None, environ={})
    for called, each in (("secret('KEY') | broken", environment), ("broken(secret('KEY'))", objects)):
        for flow in (
            f'- step: SET\n  a: "{{{{ {called} }}}}"\n',
            f'- step: IF\n  condition: "{{{{ {called} }}}}"\n  then: []\n',
        ):
            with pytest.raises(TemplateError) as raised:
                each.run(flow)
            assert KEY[4:] not in str(raised.value.to_dict())
            assert raised.value.__cause__ is None


def test_a_secret_that_it_gives_itself_is_hidden() -> None:
    environment = env(token=lambda name: SecretText(KEY))
    result = environment.run("- step: SET\n  a: \"Bearer {{ 'x' | token }}\"\n")
    assert KEY not in str(result.to_dict())


def test_settings_of_a_service_may_use_it() -> None:
    flow = (
        "services:\n  S: {provider: openai, endpoint: \"{{ kv('where') | slug }}\"}\n"
        "flow:\n- step: OPENAI_IMAGE_GENERATION\n  service: S\n  model: gpt-image-2\n  instruction: x\n"
    )
    environment = Environment(
        filters={"slug": lambda text: "ftp://nowhere"}, host=Host(kv={"where": "x"}), settings=None, environ={}
    )
    with pytest.raises(flowdsl.RunError) as raised:
        environment.run(flow)
    assert "filter" not in raised.value.message


def test_a_filter_never_sees_undefined_and_may_take_null() -> None:
    def shown(item: str | None) -> str:
        return repr(item)

    for template in (
        "{{ flowContext.x | slug | default('none') }}",
        "{% if flowContext.x | slug %}{% else %}none{% endif %}",
    ):
        assert findings(template, env(slug=slug)) == []
        assert value(template, env(slug=slug)) == "none"
    assert env(slug=slug).run('undefined: lenient\nflow:\n- step: SET\n  a: "-{{ x | slug }}-"\n').outputs == {
        "a": "--"
    }
    with pytest.raises(flowdsl.FlowCheckError, match="`x` is undefined"):
        value("{{ x | slug }}", env(slug=slug))
    assert value("{{ shown_first | default(none) | shown }}", env(shown=shown)) == "None"
    assert value("{{ none | shown }}", env(shown=shown)) == "None"


def test_what_it_gives_is_a_copy() -> None:
    kept = ["a"]
    environment = env(listed=lambda text: kept)
    result = environment.run("- step: SET\n  a: \"{{ 'x' | listed }}\"\n")
    result.outputs["a"].append("b")
    assert kept == ["a"]


async def later(text: str) -> str:
    return text


def nothing() -> str:
    return ""


def by_name(text: str, *, length: int) -> str:
    return text[:length]


REFUSED: dict[str, tuple[Any, str]] = {
    "one of ours": ({"upper": slug}, "there is a filter of this name already"),
    "a word of the language": ({"not": slug}, "named by letters"),
    "no name": ({"a b": slug}, "named by letters"),
    "no function": ({"slug": "x"}, "takes a function, not str"),
    "an async function": ({"slug": later}, "async function"),
    "a function without a value": ({"slug": nothing}, "takes no value"),
    "an argument by name alone": ({"slug": by_name}, "must have a default"),
    "no map": ([slug], "filters takes a dict"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_filter_is_refused_when_the_environment_is_made(case: str) -> None:
    filters, message = REFUSED[case]
    with pytest.raises(UsageError, match=message):
        Environment(filters=filters)


def test_any_function_of_python_will_do() -> None:
    environment = env(titled=str.title, size=len, short=functools.partial(slug, separator=""), biggest=max)
    assert value("{{ 'old harbour' | titled }}", environment) == "Old Harbour"
    assert value("{{ [1, 2] | size }}", environment) == 2
    assert value("{{ 'A b' | short }}", environment) == "ab"
    assert value("{{ 3 | biggest(7, 5) }}", environment) == 7


@pytest.mark.parametrize("error", [RecursionError, MemoryError, OverflowError, flowdsl.UsageError])
def test_a_filter_that_fails_in_an_odd_way_is_named(error: type[Exception]) -> None:
    def odd(value: str) -> str:
        raise error("no")

    with pytest.raises(flowdsl.TemplateError, match=f"the filter `odd` failed: {error.__name__}: no") as raised:
        Environment(filters={"odd": odd}).run("- {step: SET, a: \"{{ 'x' | odd }}\"}\n")
    assert raised.value.span is not None


def test_a_filter_that_calls_itself_without_end_is_named() -> None:
    def endless(value: str) -> str:
        return endless(value)

    with pytest.raises(flowdsl.TemplateError, match="the filter `endless` failed: RecursionError"):
        Environment(filters={"endless": endless}).run("- {step: SET, a: \"{{ 'x' | endless }}\"}\n")
