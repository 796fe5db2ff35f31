"""The host's side: an Environment that never changes, the flows it loads, and the functions that need none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.environment.environment import Environment, FlowText

if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.engine.effects import Effects, Journal
    from flowdsl.engine.result import Result
    from flowdsl.environment.flow import Flow, OnEvent
    from flowdsl.limits import Limits

__all__ = ["Environment", "FlowText", "arun", "check", "load", "run"]


def check(flow: FlowText, *, environment: Environment | None = None, declare: Iterable[str] = ()) -> list[Diagnostic]:
    """Every finding of a flow: errors, warnings and notes, in the order of the file.

    Never raises for a mistake in it; one in a settings file is a UsageError.
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
    effects: Effects | None = None,
    journal: Journal | None = None,
    limits: Limits | None = None,
    run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Result:
    """Loads and runs a flow. Raises FlowCheckError before anything runs, RunError for the step that fails."""
    return (environment or Environment()).run(
        flow,
        inputs,
        action=action,
        on_event=on_event,
        effects=effects,
        journal=journal,
        limits=limits,
        run_id=run_id,
        tags=tags,
    )


async def arun(
    flow: FlowText,
    inputs: Mapping[str, Any] | None = None,
    *,
    environment: Environment | None = None,
    action: str | None = None,
    on_event: OnEvent | None = None,
    effects: Effects | None = None,
    journal: Journal | None = None,
    limits: Limits | None = None,
    run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Result:
    """`run` for a running event loop."""
    return await (environment or Environment()).arun(
        flow,
        inputs,
        action=action,
        on_event=on_event,
        effects=effects,
        journal=journal,
        limits=limits,
        run_id=run_id,
        tags=tags,
    )
