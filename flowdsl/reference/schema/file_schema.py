"""JSON Schemas of whole files: flows, modules and kits, each with the steps inside them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flowdsl.document.root_keys import KIT
from flowdsl.reference.schema.step_schema import DIALECT, MARK, TEMPLATE, any_step, key_schema, step_in_flow, told_once
from flowdsl.services import all_settings
from flowdsl.step.spec import IDENTIFIER, StepSpec

_STEP: dict[str, Any] = {"$ref": "#/$defs/step"}
_STEPS: dict[str, Any] = {"type": "array", "minItems": 1, "items": _STEP}
_SOME_STEPS: dict[str, Any] = {"type": ["array", "null"], "items": _STEP}
_NAMED: dict[str, Any] = {"type": ["object", "null"], "propertyNames": {"pattern": IDENTIFIER}}


def flow_schema(specs: Iterable[StepSpec]) -> dict[str, Any]:
    """The schema of a flow file: a list of steps, or a map with `flow`.

    Rules that a service entry can lift are left to `flowdsl validate`, which knows the entry.
    """
    schema = {
        **_head("flowdsl flow", "A list of steps that run in order, or a map with the list under `flow`."),
        "type": ["array", "object"],
        "minItems": 1,
        "items": _STEP,
        "required": ["flow"],
        "additionalProperties": False,
        "properties": _flow_keys(),
        "$defs": _definitions(specs),
    }
    return told_once(schema)


def module_schema(specs: Iterable[StepSpec]) -> dict[str, Any]:
    """The schema of a module file: blocks for others to import."""
    schema = {
        **_head("flowdsl module", "Blocks that flows, kits and other modules import."),
        "type": "object",
        "oneOf": [{"required": ["blocks"]}, {"required": ["BLOCKS"]}],
        "additionalProperties": False,
        "properties": {**_about("module"), "blocks": _blocks(), "BLOCKS": _blocks(), "imports": _imports()},
        "$defs": _definitions(specs),
    }
    return told_once(schema)


def kit_schema(specs: Iterable[StepSpec]) -> dict[str, Any]:
    """The schema of a kit file: actions in sections, and what they share. Other keys say how it is shown."""
    kit = {
        "type": "object",
        "properties": {
            "SERVICES": _services(),
            "TEMPLATES": {
                "description": "Steps that a call runs by name.",
                "type": ["object", "null"],
                "additionalProperties": {"anyOf": [_SOME_STEPS, {"type": "object", "required": ["flow"]}]},
            },
            "BLOCKS": {**_blocks(), "description": "Blocks of the whole kit, read as `global`."},
            "SECTIONS": {"description": "Groups of actions.", "type": ["array", "null"], "items": _section()},
        },
    }
    schema = {
        **_head("flowdsl kit", "Actions, each a flow, in sections, with what they share."),
        "type": "object",
        "required": [KIT],
        "additionalProperties": False,
        "properties": {KIT: kit},
        "$defs": _definitions(specs),
    }
    return told_once(schema)


def _head(title: str, description: str) -> dict[str, Any]:
    return {"$schema": DIALECT, "$comment": f"{MARK}; do not edit.", "title": title, "description": description}


def _definitions(specs: Iterable[StepSpec]) -> dict[str, Any]:
    specs = list(specs)
    return {"template": TEMPLATE, "step": any_step(specs), **{spec.name: step_in_flow(spec) for spec in specs}}


def _section() -> dict[str, Any]:
    action = {"type": "object", "required": ["flow"], "properties": _flow_keys()}
    return {
        "type": "object",
        "properties": {
            "section": {"description": "What people call the section."},
            "actions": {"description": "Flows, run by title or id.", "type": ["array", "null"], "items": action},
            "blocks": {**_blocks(), "description": "Blocks of the section, read as `section`."},
            "imports": _imports(),
        },
    }


def _about(kind: str) -> dict[str, Any]:
    """The keys that name a file or an action."""
    return {
        "id": {"description": f"A name for the {kind}.", "type": "string"},
        "title": {"description": f"What people call the {kind}.", "type": "string"},
        "description": {"description": f"What the {kind} is for.", "type": "string"},
    }


def _flow_keys() -> dict[str, Any]:
    """The keys of a flow that is a map."""
    return {
        **_about("flow"),
        "inputs": _inputs(),
        "outputs": {
            "description": "Name → template; evaluated after the last step, and what the caller gets.",
            "type": "object",
        },
        "services": _services(),
        "undefined": {
            "description": "What printing an undefined value is: an error, or nothing.",
            "enum": ["strict", "lenient"],
            "default": "strict",
        },
        "imports": _imports(),
        "blocks": {**_blocks(), "description": "Blocks of the flow, read as `local`."},
        "flow": {"description": "The steps, in the order they run.", **_STEPS},
        "onError": {"description": "Steps to run with `flowContext.error` when the flow fails.", **_SOME_STEPS},
    }


def _blocks() -> dict[str, Any]:
    kinds = {
        "constants": ("Values of any type, used unchanged.", {}),
        "vars": ("Templates, evaluated each time they are read.", {"type": "string"}),
        "flows": ("Steps that a call runs by name.", _SOME_STEPS),
    }
    return {
        "description": "What is declared for reuse.",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            name: {"description": text, **_NAMED, "additionalProperties": schema}
            for name, (text, schema) in kinds.items()
        },
    }


def _imports() -> dict[str, Any]:
    entry = {
        "type": "object",
        "required": ["from", "as"],
        "additionalProperties": False,
        "properties": {
            "from": {"description": "The file of the module; may be a template over constants.", "type": "string"},
            "as": {"description": "The alias it is read by.", "type": "string", "pattern": IDENTIFIER},
        },
    }
    return {"description": "Modules, read as `imports.ALIAS`.", "type": ["array", "null"], "items": told_once(entry)}


def _services() -> dict[str, Any]:
    settings = {name: key_schema(key, {}) for name, key in all_settings().items()}
    entry = {"type": "object", "additionalProperties": False, "properties": settings}
    return {
        "description": "Service entries: where requests go, and with which settings.",
        "type": ["object", "null"],
        "additionalProperties": entry,
    }


def _inputs() -> dict[str, Any]:
    declaration = {
        "description": "A JSON Schema for the value, with a `default` where the caller may leave it out.",
        "type": ["object", "null"],
        "properties": {"type": {}, "description": {"type": "string"}, "default": {}, "enum": {"type": "array"}},
    }
    return {
        "description": "What the caller gives: name → JSON Schema.",
        "type": ["object", "null"],
        "additionalProperties": declaration,
    }
