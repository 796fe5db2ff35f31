"""The host's side: what an Environment adds, what a flow declares, what a run gives back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import (
    ConfigError,
    Environment,
    FlowCheckError,
    FlowSyntaxError,
    Host,
    PluginError,
    RunError,
    Source,
    Step,
    Storage,
    TemplateError,
    UsageError,
)
from flowdsl.image.store import ImageStore
from flowdsl.template import SecretText
from flowdsl.template.json_values import to_json

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
TEXT = "- step: SET\n  a: 1\n"
INPUTS = (
    "inputs:\n"
    "  city: {type: string}\n"
    "  count: {type: integer, minimum: 1, default: 2}\n"
    "outputs: {line: '{{ inputs.count }} {{ flowContext.city }}', n: '{{ flowContext.count }}'}\n"
    "flow:\n- step: SET\n  count: 7\n"
)


def test_inputs_are_filled_in_prefill_the_context_and_stay_readable() -> None:
    assert flowdsl.run(INPUTS, {"city": "Lisbon"}).outputs == {"line": "2 Lisbon", "n": 7}
    assert flowdsl.run(INPUTS, {"city": "Rome", "count": 3}).outputs["line"] == "3 Rome"


@pytest.mark.parametrize(
    ("given", "message", "code", "hint"),
    [
        ({}, "the input `city` is missing", "missing-input", 'give it, for example `{"city": …}`'),
        ({"city": "x", "citi": 1}, "the flow declares no input `citi`", "undefined-input", "did you mean `city`?"),
        ({"city": "x", "zzz": 1}, "the flow declares no input `zzz`", "undefined-input", "it declares city, count"),
        (
            {"city": 5},
            "the input `city` does not fit its schema: `5` is a number, and must be a text",
            "invalid-input",
            None,
        ),
        (
            {"city": "x", "count": 0},
            "the input `count` does not fit its schema: `0` is less than 1",
            "invalid-input",
            None,
        ),
    ],
)
def test_an_input_that_cannot_be_is_refused(given: dict[str, Any], message: str, code: str, hint: str | None) -> None:
    with pytest.raises(ConfigError) as raised:
        flowdsl.run(INPUTS, given)
    assert (str(raised.value), raised.value.code, raised.value.hint) == (message, code, hint)


def test_a_misfit_deep_inside_an_input_says_where() -> None:
    text = "inputs: {a: {properties: {b: {items: {type: integer}}}}}\nflow:\n- step: SET\n  c: 1\n"
    with pytest.raises(ConfigError) as raised:
        flowdsl.run(text, {"a": {"b": [1, "x"]}})
    assert (
        str(raised.value) == 'the input `a`["b"][1] does not fit its schema: `x` is a text, and must be a whole number'
    )


@pytest.mark.parametrize(
    ("schema", "value", "complaint"),
    [
        ("{type: [object, 'null']}", "{b: 1}", "`{b: 1}` is a text, and must be a map or null"),
        ("{type: boolean}", [1], "a list of 1 must be true or false"),
        ("{enum: [red, green, 3]}", "gren", "`gren` is not one of red, green, 3; did you mean `green`?"),
        ("{const: a}", "b", "`b` must be `a`"),
        ("{maximum: 3}", 4, "`4` is more than 3"),
        ("{multipleOf: 16}", 4, "`4` is no multiple of 16"),
        ("{minLength: 3}", "ab", "`ab` is shorter than 3 characters"),
        ("{maxLength: 1}", "ab", "`ab` is longer than 1 characters"),
        ("{maxItems: 1}", [1, 2], "a list of 2 has more than 1 items"),
        ("{pattern: '^a'}", "b", "`b` does not match the pattern `^a`"),
        ("{required: [a, b, c]}", {"b": 1}, "`a`, `c` are missing"),
        ("{additionalProperties: false, properties: {a: {}}}", {"b": 1}, "`b` is not among its keys, a"),
        ("{uniqueItems: true}", [1, 1], "a list of 2 has non-unique elements"),
    ],
)
def test_a_misfit_is_reported_in_our_words(schema: str, value: Any, complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        flowdsl.run(f"inputs: {{a: {schema}}}\nflow:\n- step: SET\n  c: 1\n", {"a": value})
    assert str(raised.value) == f"the input `a` does not fit its schema: {complaint}"


def test_a_text_where_a_map_is_declared_points_to_a_file_of_inputs() -> None:
    with pytest.raises(ConfigError) as raised:
        flowdsl.run("inputs: {a: {type: object}}\nflow:\n- step: SET\n  c: 1\n", {"a": "{b: 1}"})
    assert raised.value.hint == "give a dict: a text is not read as JSON"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"overrides": {"openai": {"base_url": "https://x"}}},
            "Environment: overrides.openai: unknown setting `base_url`, did you mean `endpoint`?",
        ),
        ({"overrides": {"openai": "https://x"}}, "Environment: overrides.openai must be a table of settings"),
        ({"limits": {"timeout_s": 3}}, "limits takes flowdsl.Limits(…), not dict"),
        ({"host": {"env": ["HOME"]}}, "host takes flowdsl.Host(…), not dict"),
        ({"storage": "pictures"}, "storage takes flowdsl.Storage(…), not str"),
        ({"as_of": "2026-01-01"}, "as_of takes a datetime.date, not str"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        Environment(**arguments)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env": "HOME"}, "env takes a list of names: env=['HOME']"),
        ({"variables": [1]}, "variables takes a dict, not list"),
        ({"secrets": {"A": "b"}}, "secrets takes a function from name to value, such as `values.get`, not dict"),
        ({"sink": []}, "sink takes a function of name and payload, not list"),
    ],
    ids=["env", "variables", "secrets", "sink"],
)
def test_a_host_of_the_wrong_kind_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        Host(**arguments)
    assert str(raised.value) == message


def test_a_folder_that_is_no_path_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^images takes the path of a folder, or a PictureStore, not int$"):
        Storage(images=3)  # type: ignore[arg-type]  # the mistake


def test_an_environment_never_changes() -> None:
    values, services = {"style": "calm"}, {"openai": {"model": "gpt-image-2"}}
    environment = Environment(host=Host(kv=values), services=services)
    values["style"] = services["openai"]["model"] = "wild"
    assert (environment.host.kv["style"], environment.services["openai"]["model"]) == ("calm", "gpt-image-2")
    with pytest.raises(AttributeError, match=r"^Environment does not change: make another one with another `limits`$"):
        environment.limits = None  # type: ignore[misc, assignment]  # the mistake
    with pytest.raises(AttributeError, match=r"^Host does not change$"):
        del environment.host.kv
    with pytest.raises(TypeError):
        environment.host.kv["style"] = "wild"  # type: ignore[index]  # the mistake
    with pytest.raises(TypeError):
        environment.services["openai"]["model"] = "wild"  # type: ignore[index]  # the mistake
    assert not hasattr(environment, "__dict__")


def test_steps_that_are_no_list_are_refused() -> None:
    with pytest.raises(PluginError) as raised:
        Environment(steps=Step)  # type: ignore[arg-type]  # the mistake
    assert str(raised.value) == "steps takes a list of classes: steps=[Step]"


@pytest.mark.parametrize("flow", [b"- step: SET\n", [{"step": "SET"}], None])
def test_a_flow_of_another_kind_is_refused(flow: Any) -> None:
    with pytest.raises(UsageError) as raised:
        flowdsl.run(flow)
    assert str(raised.value) == f"a flow is a path, a text or a flowdsl.Source, not {type(flow).__name__}"


@pytest.mark.parametrize("flow", ["- step: SET", "flow: [{step: SET}]", "{flow: []}"])
def test_a_flow_of_one_line_is_not_searched_among_the_files(flow: str) -> None:
    with pytest.raises(UsageError) as raised:
        flowdsl.run(flow)
    message = f"a text without a line break is taken for a path; if this is a flow, write Source({flow!r})"
    assert str(raised.value) == message


def test_inputs_that_are_no_map_are_refused() -> None:
    with pytest.raises(UsageError, match=r"^inputs takes a dict, not list$"):
        flowdsl.run("- step: SET\n  a: 1\n", ["a"])  # type: ignore[arg-type]  # the mistake


def test_a_name_of_an_input_is_a_text_and_on_event_a_function() -> None:
    with pytest.raises(UsageError, match=r"^the names of inputs are texts, not int$"):
        flowdsl.run(TEXT, {1: 2})  # type: ignore[dict-item]  # the mistake
    with pytest.raises(UsageError, match=r"^on_event takes a function, not list$"):
        flowdsl.run(TEXT, on_event=[])  # type: ignore[arg-type]  # the mistake


def test_an_attribute_that_is_not_exposed_says_how_to_expose_it() -> None:
    class Client:
        name = "Ada"

    environment = Environment(host=Host(objects={"client": Client()}))
    with pytest.raises(TemplateError) as raised:
        environment.run("- step: SET\n  a: '{{ client.name }}'\n")
    hint = "templates see only what the host exposes: flowdsl.template.exposed(client, 'name')"
    assert (str(raised.value), raised.value.hint) == ("`client.name` is undefined", hint)
    with pytest.raises(TemplateError) as raised:
        environment.run("- step: SET\n  a: '{{ client.mane }}'\n")
    assert raised.value.hint == "set it before, or write `client.mane | default('')`"


def test_a_schema_fetches_nothing() -> None:
    text = "inputs: {a: {$ref: 'http://127.0.0.1:1/x'}}\nflow:\n- step: SET\n  c: 1\n"
    with pytest.raises(ConfigError) as raised:
        flowdsl.run(text, {"a": 1})
    assert (str(raised.value), raised.value.code) == (
        "the `$ref` http://127.0.0.1:1/x leads nowhere: only references inside the schema are followed",
        "invalid-schema",
    )


def test_without_declared_inputs_anything_prefills_the_context() -> None:
    result = flowdsl.run("- step: SET\n  b: '{{ flowContext.a }}'\n", {"a": [1]})
    assert result.outputs == result.context == {"a": [1], "b": [1]}


def test_printing_what_is_undefined_is_an_error_when_strict_and_nothing_when_lenient() -> None:
    flow = "- step: SET\n  b: 'x{{ flowContext.a.c }}'\n"
    with pytest.raises(RunError) as raised:
        flowdsl.run(flow, {"a": None})
    assert raised.value.code == "undefined-variable"
    assert flowdsl.run(f"undefined: lenient\nflow:\n{flow}", {"a": None}).context["b"] == "x"


def test_host_variables_and_inputs_fill_their_names_in_braces_and_nothing_else() -> None:
    text = "inputs: {topic: {type: string}}\nflow:\n- step: SET\n  a: '{user} {topic} {other} {\"json\": 1}'\n"
    environment = Environment(host=Host(variables={"user": "Ann"}))
    assert environment.run(text, {"topic": "sea"}).context["a"] == 'Ann sea {other} {"json": 1}'


def test_host_objects_and_functions_are_names_in_templates() -> None:
    environment = Environment(host=Host(objects={"client": {"name": "Ann"}, "twice": lambda x: x * 2}))
    assert environment.run("- step: SET\n  a: '{{ client.name }}'\n  b: '{{ twice(4) }}'\n").context == {
        "a": "Ann",
        "b": 8,
    }


def test_stored_values_are_read_by_name() -> None:
    environment = Environment(host=Host(kv={"style": {"mood": "calm"}}))
    text = "undefined: lenient\nflow:\n- step: SET\n  a: \"{{ kv('style').mood }}\"\n  b: \"[{{ kv('other') }}]\"\n"
    assert environment.run(text).context == {"a": "calm", "b": "[]"}


def test_only_allowed_environment_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPEN_NAME", "open")
    monkeypatch.setenv("CLOSED_NAME", "closed")
    text = "undefined: lenient\nflow:\n- step: SET\n  a: '{{ env.OPEN_NAME }}'\n  b: '[{{ env.CLOSED_NAME }}]'\n"
    assert Environment(host=Host(env=["OPEN_NAME"])).run(text).context == {"a": "open", "b": "[]"}


def test_a_flow_is_a_path_a_text_or_a_source(tmp_path: Path) -> None:
    path = tmp_path / "a.flow.yaml"
    path.write_text("\ufeff" + TEXT, encoding="utf-8")
    for flow in (path, str(path), TEXT, Source(TEXT, "x.yaml")):
        assert flowdsl.check(flow) == []
        assert flowdsl.load(flow).run().context == {"a": 1}
        assert flowdsl.run(flow).context == {"a": 1}
    assert flowdsl.check(Source("- step: NO\n", "x.yaml"))[0].span.path == "x.yaml"
    with pytest.raises(FileNotFoundError):
        flowdsl.check(tmp_path / "missing.yaml")


def test_a_flow_with_mistakes_does_not_load_and_reports_them_all() -> None:
    with pytest.raises(FlowCheckError) as raised:
        flowdsl.load("- step: NO\n- step: SET\n  1x: 1\n")
    assert [finding.code for finding in raised.value.diagnostics] == ["unknown-step", "wrong-pattern"]
    assert str(raised.value) == "\n" + flowdsl.render(raised.value.diagnostics)
    with pytest.raises(FlowSyntaxError):
        flowdsl.load("a: [\n")


def test_bytes_that_are_no_text_are_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"- step: \xff\n")
    (finding,) = flowdsl.check(path)
    assert finding.code == "not-utf8"
    with pytest.raises(FlowSyntaxError):
        flowdsl.run(path)


def test_a_flow_keeps_its_title_and_its_warnings() -> None:
    flow = flowdsl.load("title: Sea\nundefined: lenient\nflow:\n- step: SET\n  a: '{{ flowContext.b }}'\n")
    assert (flow.title, [finding.code for finding in flow.diagnostics]) == ("Sea", ["undefined-variable"])


def test_values_become_json(tmp_path: Path) -> None:
    image = ImageStore(tmp_path).add(PIXEL)
    value = {
        "floats": [1.5, math.inf, -math.inf, math.nan],
        "image": image,
        "secret": SecretText("sk-1"),
        SecretText("key"): (1, True, None),
        "other": Path("a"),
    }
    found = to_json(value)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found == {
        "floats": [1.5, None, None, None],
        "image": image.to_json(),
        "secret": "***",
        "***": [1, True, None],
        "other": "a",
    }


def test_a_result_finds_its_pictures_once_each(tmp_path: Path) -> None:
    image = ImageStore(tmp_path).add(PIXEL)
    result = flowdsl.run("- step: SET\n  a: [1, '{{ flowContext.p }}']\n", {"p": image})
    assert result.images == [image]
    assert repr(result).startswith("Result(outputs=['a', 'p'], images=1, cost_usd=0.0, elapsed_s=")


def test_a_service_of_the_host_that_cannot_be_is_refused() -> None:
    with pytest.raises(flowdsl.UsageError) as raised:
        Environment(services={"openai": {"endpont": "https://x"}})
    assert str(raised.value) == "Environment: services.openai: unknown setting `endpont`, did you mean `endpoint`?"


@pytest.mark.parametrize(
    ("schema", "inputs", "hint"),
    [
        ("{type: array}", {"a": "[1]"}, "give a list: a text is not read as JSON"),
        ("{type: boolean}", {"a": "yes"}, "give True"),
        ("{type: boolean}", {"a": "0"}, "give False"),
        ("{type: integer}", {"a": "x"}, None),
        ("{type: array}", {}, 'give it, for example `{"a": …}`'),
    ],
    ids=["list", "yes", "no", "number", "missing"],
)
def test_the_hint_of_a_wrong_input_speaks_to_the_host(schema: str, inputs: dict[str, Any], hint: str | None) -> None:
    with pytest.raises(ConfigError) as raised:
        Environment(settings=None).run(f"inputs: {{a: {schema}}}\nflow: [{{step: SET, b: 1}}]\n", inputs)
    assert raised.value.hint == hint
