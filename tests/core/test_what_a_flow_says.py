"""What a flow says of itself to a host: the schema of its inputs, and its services; and the schema of a step."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

import flowdsl
from flowdsl import Environment
from flowdsl.environment.destinations import destinations
from flowdsl.services import ServiceLayers

INPUTS = """
inputs:
  city: {type: string, minLength: 2}
  hour: {type: integer, default: 12, maximum: 23}
  mood: {type: [string, 'null'], default: null}
flow:
- step: SET
  text: "{{ inputs.city }}{{ inputs.hour }}{{ inputs.mood }}"
"""
PICTURE = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A boat\n"
NO_ENVIRONMENT: dict[str, Any] = {"environ": {}, "settings": None}


def test_the_schema_of_the_inputs_says_what_must_be_given_and_the_defaults() -> None:
    schema = flowdsl.load(INPUTS).inputs_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["required"] == ["city"]
    assert schema["properties"]["hour"] == {"type": "integer", "maximum": 23, "default": 12}
    assert schema["properties"]["mood"]["default"] is None


@pytest.mark.parametrize(
    "given", [{"city": "Rome"}, {}, {"city": "R"}, {"city": "Rome", "hour": 24}, {"city": "Rome", "zip": 1}]
)
def test_the_schema_of_the_inputs_takes_what_a_run_takes(given: dict[str, Any]) -> None:
    flow = flowdsl.load(INPUTS)
    fits = jsonschema.Draft202012Validator(flow.inputs_schema()).is_valid(given)
    try:
        flow.run(given)
    except flowdsl.ConfigError:
        assert not fits
    else:
        assert fits


def test_a_flow_without_declared_inputs_takes_any() -> None:
    schema = flowdsl.load("- step: SET\n  a: 1\n").inputs_schema()
    assert jsonschema.Draft202012Validator(schema).is_valid({"anything": 1})


def test_the_schema_of_the_inputs_is_the_callers_own() -> None:
    flow = flowdsl.load(INPUTS)
    flow.inputs_schema()["properties"]["hour"]["maximum"] = 5
    assert flow.inputs_schema()["properties"]["hour"]["maximum"] == 23


def test_the_services_of_a_flow_say_who_is_called_and_never_what_is_secret() -> None:
    text = (
        "services:\n  PICTURES:\n    provider: openai\n    endpoint: https://me:hidden-login@images.example/v1?key=hidden-key\n"
        "    apiKey: \"{{ secret('PICTURE_KEY') }}\"\n    model: gpt-image-1.5\nflow:\n"
        "- step: OPENAI_IMAGE_GENERATION\n  service: PICTURES\n  instruction: A boat\n"
        "- step: IF\n  condition: '{{ true }}'\n  then:\n"
        "  - step: OPENAI_IMAGE_GENERATION\n    service: PICTURES\n    model: gpt-image-2\n    instruction: A kite\n"
    )
    environment = Environment(host=flowdsl.Host(secrets=lambda name: "hidden-value"), **NO_ENVIRONMENT)
    found = environment.load(text).services()
    assert found == [
        {
            "service": "PICTURES",
            "vendor": "openai",
            "endpoint": "https://images.example/v1",
            "models": ["gpt-image-1.5", "gpt-image-2"],
            "secrets": ["PICTURE_KEY"],
            "steps": ["flow[0]", "flow[1].then[0]"],
        }
    ]
    assert "hidden" not in json.dumps(found)


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("https://{{ kv('H') }}/v1?key=hidden-key-12345", "https://{{ kv('H') }}/v1"),
        ("https://{{ 'a?b' }}/v1?key=hidden-key-12345&x={{ kv('H') }}", "https://{{ 'a?b' }}/v1"),
        ("https://me:{{ kv('hidden') }}@h.example/{{ kv('Z') }}?sig=hidden", "https://h.example/{{ kv('Z') }}"),
        ("https://me:hidden{% if kv('x') %}5{% endif %}@h.example/v1", "https://h.example/v1"),
        ("{{ kv('H') ~ '/v1?key=hidden-key-12345' }}", "{{ kv('H') ~ '/v1?key=***' }}"),
    ],
    ids=["query", "query of a tag too", "login with blanks", "login with a tag", "key in a tag"],
)
def test_an_endpoint_with_a_template_shows_neither_its_query_nor_its_login(endpoint: str, shown: str) -> None:
    text = (
        f"services:\n  P:\n    provider: openai\n    endpoint: {json.dumps(endpoint)}\n"
        f"    apiKey: \"{{{{ secret('K') }}}}\"\nflow:\n{PICTURE}  service: P\n"
    )
    host = flowdsl.Host(kv={"H": "h", "Z": "z"}, secrets=lambda name: "secret-value")
    flow = Environment(host=host, **NO_ENVIRONMENT).load(text)
    assert [row["endpoint"] for row in flow.services()] == [shown]
    (row,) = destinations([flow.document], ServiceLayers())
    assert "hidden" not in row.host and row.host.count("{") == row.host.count("}")


def test_a_service_whose_key_is_not_set_says_where_it_may_come_from() -> None:
    (found,) = Environment(**NO_ENVIRONMENT).load(PICTURE).services()
    assert (found["vendor"], found["endpoint"], found["secrets"]) == ("openai", None, ["OPENAI_API_KEY"])
    settings: dict[str, Any] = {**NO_ENVIRONMENT, "environ": {"OPENAI_API_KEY": "hidden"}}
    (found,) = Environment(**settings).load(PICTURE).services()
    assert found["secrets"] == ["OPENAI_API_KEY"] and "hidden" not in json.dumps(found)


@pytest.mark.parametrize(
    ("vendor", "secrets"), [("azure", ["AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_API_KEY"]), ("hub", [])]
)
def test_a_service_that_another_vendor_serves_names_that_vendors_variables(vendor: str, secrets: list[str]) -> None:
    services = {"OPENAI_IMAGE_GENERATION": {"provider": vendor, "endpoint": "https://images.example"}}
    (found,) = Environment(services=services, **NO_ENVIRONMENT).load(PICTURE).services()
    assert (found["vendor"], found["secrets"]) == (vendor, secrets)


def test_a_flow_that_calls_nobody_has_no_services() -> None:
    assert flowdsl.load("- step: SET\n  a: 1\n").services() == []


class Shout(flowdsl.Step, name="SHOUT", outputs=("text",)):
    """Puts the text in capitals."""

    marks: int = 1

    def run(self, ctx: flowdsl.StepContext) -> flowdsl.Written:
        return {"text": "!" * self.marks}


def test_the_schema_of_a_step_is_that_of_its_options_also_of_a_step_of_the_host() -> None:
    schema = flowdsl.step_schema("SHOUT", environment=Environment(steps=[Shout]))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert jsonschema.Draft202012Validator(schema).is_valid({"marks": 2})
    assert not jsonschema.Draft202012Validator(schema).is_valid({"marks": "many"})
    assert flowdsl.step_schema("OPENAI_IMAGE_GENERATION")["title"] == "OPENAI_IMAGE_GENERATION"


def test_the_schema_of_a_step_that_does_not_exist_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(flowdsl.UsageError, match="there is no step SLEP, did you mean SLEEP"):
        flowdsl.step_schema("SLEP")
