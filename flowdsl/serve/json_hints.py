"""How an input is given by whoever speaks JSON, as hints: a client of a gateway, or an agent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flowdsl.checker.inputs import MISSING, SPELLED

INPUTS = "inputs"
"""The key of a request for a run that holds the inputs."""


def in_request(name: str, schema: Mapping[str, Any], value: Any) -> str | None:
    """How the body of a request for a run gives an input."""
    return _for_example({INPUTS: {name: "…"}}) if value is MISSING else _instead(schema, value)


def in_arguments(name: str, schema: Mapping[str, Any], value: Any) -> str | None:
    """How an agent gives an argument of a tool."""
    return _for_example({name: "…"}) if value is MISSING else _instead(schema, value)


def _for_example(given: Mapping[str, Any]) -> str:
    return f"give it, for example `{json.dumps(given, ensure_ascii=False)}`".replace('"…"', "…")


def _instead(schema: Mapping[str, Any], value: Any) -> str | None:
    wants = schema.get("type")
    if not isinstance(value, str):
        return None
    if wants in ("object", "array"):
        return f"give {'an object' if wants == 'object' else 'an array'} of JSON, and no text that holds one"
    if wants == "null" and value.lower() in ("none", "null", "nil", ""):
        return "give `null`, without quotes"
    spelled = {**SPELLED, "true": "true", "false": "false"}
    return (
        f"give `{spelled[value.lower()]}`, without quotes" if wants == "boolean" and value.lower() in spelled else None
    )
