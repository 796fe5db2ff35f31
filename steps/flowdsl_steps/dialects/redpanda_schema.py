"""The JSON Schema of pipelines, for editors: the parts that are supported, of what is in them the names."""

from __future__ import annotations

from typing import Any

from flowdsl_steps.dialects.redpanda_processors import FIELDS, LISTS, MAPPINGS, PROCESSOR

_TEXT = {"type": ["string", "number", "boolean", "null"]}
_ABOUT = {
    "server_address": "The endpoint that requests are sent to.",
    "api_key": "The key, such as `${OPENAI_API_KEY}`.",
    "model": "The name of the model.",
    "prompt": "The prompt, a mapping of Bloblang. Without it the message is the prompt.",
    "quality": "The quality, which may have `${! }` in it.",
    "size": "The size, which may have `${! }` in it.",
    "style": "`vivid` or `natural`, of dall-e-3 alone; it may have `${! }` in it.",
}


def pipeline_schema() -> dict[str, Any]:
    """The schema of a pipeline, or a part of one."""
    processors = {"type": "array", "items": {"$ref": "#/$defs/processor"}}
    image = {
        "type": "object",
        "required": ["api_key", "model"],
        "additionalProperties": False,
        "properties": {name: {"description": _ABOUT[name], **_TEXT} for name in FIELDS},
    }
    processor = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "label": {"description": "A name.", "type": "string", "pattern": r"^([a-z0-9][a-z0-9_\-]*)?$"},
            "type": {"type": "string"},
            PROCESSOR: {"description": "Makes a picture of the message.", **image},
            **{name: {"description": "What the message becomes, in Bloblang.", **_TEXT} for name in MAPPINGS},
            **dict.fromkeys(LISTS, processors),
            **{name: {"type": ["object", "null"]} for name in ("log", "noop")},
        },
    }
    component = {"type": ["object", "null"]}
    pipeline = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"threads": {"type": "integer", "minimum": -1, "maximum": 256}, "processors": processors},
    }
    document = {
        "type": "object",
        "anyOf": [{"required": ["pipeline"]}, {"required": ["processors"]}],
        "properties": {
            "input": component,
            "pipeline": pipeline,
            "output": component,
            "processors": {"anyOf": [processors, {"$ref": "#/$defs/processor"}]},
        },
    }
    return {
        "title": f"pipeline with {PROCESSOR}",
        "description": "A pipeline of Redpanda Connect, or a part of one, that makes pictures.",
        "anyOf": [document, processors, {"allOf": [{"$ref": "#/$defs/processor"}, {"required": [PROCESSOR]}]}],
        "$defs": {"processor": processor},
    }
