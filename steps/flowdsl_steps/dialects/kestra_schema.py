"""The JSON Schema of Kestra flows, for editors: the tasks that there are, with their properties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl_steps.dialects.kestra_http import METHODS
from flowdsl_steps.dialects.kestra_inputs import KEYS as INPUT_KEYS
from flowdsl_steps.dialects.kestra_inputs import TYPES
from flowdsl_steps.dialects.kestra_kinds import KEYS
from flowdsl_steps.dialects.kestra_properties import COMMON
from flowdsl_steps.image.model_providers import OLD_PACKAGES, PACKAGE, PROVIDERS

_DURATION = r"^P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$"
_ID = "^[a-zA-Z0-9][a-zA-Z0-9_-]*$"
_OLD = r"^io\.kestra\.(core\.tasks|plugin\.(langchain4j|fs\.http))\."
_TEXT = {"type": ["string", "number", "boolean"]}
_FLAG = {"type": "boolean"}
_MAP, _ANY = {"type": "object"}, dict[str, Any]()
_TASKS = {"type": "array", "items": {"$ref": "#/$defs/task"}}
_LIST = {"type": ["array", "string", "object"]}
_LIMIT = {"type": "integer", "minimum": 0}
_CORE, _FLOW = "io.kestra.plugin.core.", "io.kestra.plugin.core.flow."


def _about(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": text, **schema}


_FOR_EACH = {
    "tasks": _TASKS,
    "values": _about("The values, each a text in `taskrun.value`.", _LIST),
    "concurrencyLimit": _about("How many iterations run side by side; 0: all.", _LIMIT),
}
_EACH = {"tasks": _TASKS, "value": _FOR_EACH["values"], "concurrencyLimit": _LIMIT}
_UNTIL = {
    "tasks": _TASKS,
    "condition": _about("Looked at after each iteration: true ends the loop.", _TEXT),
    "failOnMaxReached": _about(
        "Whether the task fails where the condition is still false at its last iteration.", _FLAG
    ),
    "checkFrequency": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "interval": {"$ref": "#/$defs/duration"},
            "maxIterations": {"type": "integer", "minimum": 1},
            "maxDuration": {"$ref": "#/$defs/duration"},
        },
    },
}
OWN: Mapping[str, Mapping[str, Any]] = {
    "io.kestra.plugin.ai.completion.ImageGeneration": {
        "prompt": _about("What the picture is to show.", _TEXT),
        "provider": {"$ref": "#/$defs/provider"},
    },
    f"{_FLOW}Sequential": {"tasks": _TASKS},
    f"{_FLOW}AllowFailure": {"tasks": _TASKS},
    f"{_FLOW}Parallel": {"tasks": _TASKS, "concurrent": _LIMIT},
    f"{_FLOW}If": {"condition": _TEXT, "then": _TASKS, "else": _TASKS},
    f"{_FLOW}Switch": {
        "value": _TEXT,
        "cases": {"type": "object", "additionalProperties": _TASKS},
        "defaults": _TASKS,
    },
    f"{_FLOW}ForEach": _FOR_EACH,
    f"{_FLOW}EachSequential": _EACH,
    f"{_FLOW}EachParallel": {**_EACH, "concurrent": _LIMIT},
    f"{_FLOW}Loop": {
        "tasks": _TASKS,
        "values": _about("The values, each a text in `item.value`.", _LIST),
        "concurrencyLimit": _LIMIT,
        "outputs": {"type": "array", "items": {"$ref": "#/$defs/output"}},
        "breakWhen": _about(
            "Looked at after each iteration: true ends the loop. It wants `concurrencyLimit: 1`.", _TEXT
        ),
        "transmitFailed": _FLAG,
        "fetchType": {"enum": ["AUTO", "FETCH", "STORE"]},
    },
    f"{_FLOW}LoopUntil": _UNTIL,
    f"{_FLOW}WaitFor": _UNTIL,
    f"{_FLOW}Sleep": {"duration": {"$ref": "#/$defs/duration"}},
    f"{_CORE}http.Request": {
        "uri": _about("The address.", {"type": "string"}),
        "method": {"anyOf": [{"enum": [*METHODS]}, {"$ref": "#/$defs/expression"}]},
        "headers": _MAP,
        "body": _TEXT,
        "formData": _MAP,
        "contentType": {"type": "string"},
        "options": _MAP,
        "encryptBody": {"enum": [False]},
        "allowFailed": {"enum": [False]},
    },
    f"{_CORE}log.Log": {"message": {"type": ["string", "number", "boolean", "array"]}, "level": {"type": "string"}},
    f"{_CORE}debug.Return": {"format": _TEXT},
    f"{_CORE}output.OutputValues": {"values": _MAP},
    f"{_CORE}execution.Fail": {"condition": _TEXT, "errorMessage": _TEXT},
}
"""The properties of each type of task, beside those that all have."""
_SHARED: Mapping[str, Any] = {
    **dict.fromkeys(COMMON, _ANY),
    "id": _about("The name of the task, by which its outputs are read.", {"type": "string", "pattern": _ID}),
    "description": {"type": "string"},
    "disabled": _about("Leaves the task out.", {"enum": [True, False, "true", "false"]}),
    "runIf": _about("The task runs where this is true.", _TEXT),
    "when": _about("The task runs where this is true.", _TEXT),
    "allowFailure": _about("A failure is told, and the flow goes on.", _FLAG),
    "timeout": {"$ref": "#/$defs/duration"},
    "retry": {"$ref": "#/$defs/retry"},
    "errors": _TASKS,
    "finally": _TASKS,
}  # fmt: skip
_WAITS = ("interval", "minInterval", "maxInterval", "maxDuration")
_KINDS = {"integer": {"type": ["integer", "string"]}, "number": {"type": ["number", "string"]},
          "boolean": {"type": ["boolean", "string"]}, "array": {"type": ["array", "string"]}}  # fmt: skip


def _by_type(names: Mapping[str, Any], then: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each name of a type the properties that it has, and no others."""
    return [
        {
            "if": {"properties": {"type": {"enum": names[name]}}, "required": ["type"]},
            "then": {"properties": properties, "additionalProperties": False},
        }
        for name, properties in then.items()
    ]


def _task() -> dict[str, Any]:
    own = _by_type({name: [name] for name in OWN}, {name: {**_SHARED, **own} for name, own in OWN.items()})
    known = {"type": {"anyOf": [{"enum": [*OWN]}, {"type": "string", "pattern": _OLD}]}}
    return {
        "type": "object",
        "required": ["id", "type"],
        "if": {"properties": {"disabled": {"enum": [True, "true"]}}, "required": ["disabled"]},
        "else": {"properties": known, "allOf": own},
    }


def _provider() -> dict[str, Any]:
    names = {name: [name, PACKAGE + name, *(old + name for old in OLD_PACKAGES)] for name in PROVIDERS}
    properties = {
        name: {key: _KINDS.get(known.type, {"type": "string"}) for key, known in provider.properties.items()}
        for name, provider in PROVIDERS.items()
    }
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": [each for name in PROVIDERS for each in names[name]]}},
        "allOf": _by_type(names, properties),
    }


def flow_schema() -> dict[str, Any]:
    """The schema of a flow."""
    named = {"type": "string", "pattern": "^[a-zA-Z0-9][a-zA-Z0-9._-]*$"}
    inputs = {
        "type": "object",
        "required": ["type"],
        "additionalProperties": False,
        "properties": {**dict.fromkeys(INPUT_KEYS, _ANY), "id": named, "type": {"enum": [*TYPES]}, "required": _FLAG},
    }
    output = {
        "type": "object",
        "required": ["id", "value"],
        "properties": {"id": {"type": "string"}, "type": {"type": "string"}, "value": _ANY},
    }
    retry = {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"enum": ["constant", "exponential", "random"]},
            **{name: {"$ref": "#/$defs/duration"} for name in _WAITS},
            "maxAttempts": _about(
                "How many attempts there are, the first included.", {"type": "integer", "minimum": 1}
            ),
        },
    }
    defaults = {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["type", "values"],
            "additionalProperties": False,
            "properties": {"type": {"type": "string"}, "values": _MAP, "forced": _FLAG},
        },
    }
    return {
        "title": "flow of Kestra",
        "description": "A flow whose tasks make pictures.",
        "type": "object",
        "required": ["id", "namespace", "tasks"],
        "additionalProperties": False,
        "properties": {
            **dict.fromkeys(KEYS, _ANY),
            "id": named,
            "namespace": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]*$"},
            "description": {"type": "string"},
            "labels": {"type": ["object", "array"]},
            "variables": _about("Values that expressions read as `vars.NAME`.", _MAP),
            "inputs": {"type": "array", "items": inputs},
            "outputs": {"type": "array", "items": {"$ref": "#/$defs/output"}},
            "tasks": {**_TASKS, "minItems": 1},
            "errors": _TASKS,
            "finally": _TASKS,
            "pluginDefaults": defaults,
            "taskDefaults": defaults,
        },
        "$defs": {
            "task": _task(),
            "provider": _provider(),
            "output": output,
            "retry": retry,
            "expression": {"type": "string", "pattern": r"\{\{"},
            "duration": _about("A duration such as `PT2M30S`.", {"type": "string", "pattern": _DURATION}),
        },
    }
