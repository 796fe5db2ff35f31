"""The JSON Schema of a step, for hosts that show its options to people."""

from __future__ import annotations

from typing import Any

from flowdsl.environment import Environment
from flowdsl.errors import UsageError
from flowdsl.reference.schema.step_schema import step_schema as schema_of


def step_schema(step: str, *, environment: Environment | None = None) -> dict[str, Any]:
    """The JSON Schema of the options of a step, by its name or an alias; the environment's own steps count too.

    Raises:
        UsageError: there is no such step.
    """
    registry = (environment or Environment()).registry
    spec = registry.spec(step)
    if spec is None:
        near = registry.nearest(step)
        raise UsageError(f"there is no step {step}" + (f", did you mean {near}?" if near else ""))
    return schema_of(spec)
