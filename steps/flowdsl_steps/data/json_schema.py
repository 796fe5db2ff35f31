"""Validates values by a JSON Schema (draft 2020-12); nothing is ever fetched for one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowdsl import Options, Problem, StepError
from flowdsl.step.json_schema import SlowSchema, schema_validator
from flowdsl_steps.data.json_value import too_deep

_SHOWN = 200


def check_schema_option(options: Options) -> Iterator[Problem]:
    """What is wrong with a `schema` that is known before the run."""
    schema = options.given.get("schema")
    if isinstance(schema, dict):
        problem = _problem(schema)
        if problem is not None:
            yield Problem("invalid-schema", f"`schema` is not a JSON Schema: {problem}", key="schema")


def require_fit(value: Any, schema: Mapping[str, Any]) -> None:
    """Raises StepError when the value does not fit, or the schema refers to what is not in it."""
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        misfit = best_match(schema_validator(schema).iter_errors(value))
    except Unresolvable as error:
        reason = f"it refers to {error.ref!r}, which is not in it; nothing is fetched"
        raise StepError(f"`schema` cannot be used: {reason}", code="invalid-schema") from None
    except (SlowSchema, re.error) as error:
        hint = getattr(error, "hint", None)
        raise StepError(f"`schema` cannot be used: {error}", code="invalid-schema", hint=hint) from None
    except RecursionError:
        raise StepError("`schema` cannot be used: it refers to itself without end", code="invalid-schema") from None
    if misfit is not None:
        place = misfit.json_path.removeprefix("$").lstrip(".") or "the value"
        raise StepError(f"the JSON does not fit its schema: {place}: {_short(misfit.message)}", code="schema-misfit")


def _problem(schema: Mapping[str, Any]) -> str | None:
    """What is wrong with a schema itself."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if too_deep(schema):
        return "it is nested too deep"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = error.json_path.removeprefix("$").lstrip(".")
        return _short(f"{place}: {error.message}" if place else error.message)
    return None


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
