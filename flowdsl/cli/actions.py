"""Which flow of a file is meant: a kit has one for each action."""

from __future__ import annotations

from collections.abc import Iterable

from flowdsl.document.actions import ActionNeeded
from flowdsl.environment import Environment
from flowdsl.environment.flow import Flow
from flowdsl.errors import UsageError
from flowdsl.source import Source


def load(environment: Environment, source: Source, action: str | None, declare: Iterable[str] = ()) -> Flow:
    """The flow of a file, for a kit the one of the action.

    Raises:
        FlowCheckError: the file has mistakes.
        UsageError: it is a kit and the action is missing or unknown.
    """
    try:
        return environment.load(source, action=action, declare=declare)
    except ActionNeeded as error:
        count = len(error.actions)
        head = f"this kit has {count} actions; choose one with --action"
        raise UsageError("\n".join([head, *(f"  {shown(*names)}" for names in error.actions)])) from None


def shown(id: str | None, title: str | None) -> str:
    """How an action is listed: its title in quotes, as the shell takes it, and its id."""
    import shlex

    name = shlex.quote(title or id or "")
    return f"{name}  (id {id})" if title and id else name
