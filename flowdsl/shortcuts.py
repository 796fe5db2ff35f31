"""`flowdsl.check`, `load`, `run` and `arun`: an Environment's methods for those who need only one flow of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowdsl.diagnostics import Diagnostic
from flowdsl.engine.result import Result
from flowdsl.environment import Environment, Flow, FlowText, OnEvent


def check(flow: FlowText, *, environment: Environment | None = None, declare: Iterable[str] = ()) -> list[Diagnostic]:
    """Every finding of a flow: errors, warnings and notes, in the order of the file.

    Never raises for a mistake in it.
    """
    return (environment or Environment()).check(flow, declare=declare)


def load(
    flow: FlowText,
    *,
    environment: Environment | None = None,
    action: str | None = None,
    declare: Iterable[str] = (),
) -> Flow:
    """A flow that is ready to run. Raises FlowCheckError, with all diagnostics, when it has errors."""
    return (environment or Environment()).load(flow, action=action, declare=declare)


def run(
    flow: FlowText,
    inputs: Mapping[str, Any] | None = None,
    *,
    environment: Environment | None = None,
    action: str | None = None,
    on_event: OnEvent | None = None,
) -> Result:
    """Loads and runs a flow. Raises FlowCheckError before anything runs, RunError for the step that fails."""
    return (environment or Environment()).run(flow, inputs, action=action, on_event=on_event)


async def arun(
    flow: FlowText,
    inputs: Mapping[str, Any] | None = None,
    *,
    environment: Environment | None = None,
    action: str | None = None,
    on_event: OnEvent | None = None,
) -> Result:
    """`run` for a running event loop."""
    return await (environment or Environment()).arun(flow, inputs, action=action, on_event=on_event)
