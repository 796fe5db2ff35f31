"""A flow that is loaded as the options of a command say, with a simulator in place of its services if they do."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from flowdsl.cli.account import in_its_form
from flowdsl.cli.actions import load
from flowdsl.cli.streams import stdout_at_stake
from flowdsl.cli.variables import stored_values, variables
from flowdsl.environment import Environment
from flowdsl.environment.flow import Flow
from flowdsl.errors import FlowCheckError, UsageError
from flowdsl.host import Host, Storage
from flowdsl.limits import Limits
from flowdsl.source import Source

if TYPE_CHECKING:
    from flowdsl.engine.effects import Effects

IMAGES = "flowdsl-images"
"""The folder for pictures, unless an option names one."""


def check_folder(out: str | None) -> None:
    """Refuses a file where pictures are to go, or above that.

    Raises:
        UsageError: there is one.
    """
    if out and os.path.lexists(out) and not os.path.isdir(out):  # noqa: PTH112  pathlib is slow to import
        raise UsageError(f"--out {out}: that is no folder, and pictures go into one: name another")
    above = os.path.dirname(os.path.abspath(out or "."))  # noqa: PTH100, PTH120
    while not os.path.lexists(above):
        above = os.path.dirname(above)  # noqa: PTH120
    if not os.path.isdir(above):  # noqa: PTH112
        raise UsageError(f"--out {out}: {above} is no folder, and pictures go into one: name another")


def ready_flow(
    source: Source, options: Namespace, names: Iterable[str], stack: ExitStack, max_requests: int | None
) -> Flow:
    """The flow of a source; `names` are inputs that it does not declare. A simulator runs until the stack closes.

    Raises:
        FlowCheckError: the file has mistakes.
        UsageError: it is a kit and the action is missing or unknown; or a fault is wished of a real service.
    """
    check_folder(options.out)
    env, kv = variables(source, options.env), stored_values(source, options.kv)
    settings: dict[str, Any] = {
        "host": Host(env=env, kv=kv),
        "storage": Storage(
            images=options.out or IMAGES,
            output=options.out or "flowdsl-output",
            metadata=options.metadata,
        ),
        "as_of": options.as_of,
        "limits": Limits(
            timeout_s=options.timeout,
            private_addresses=options.private_addresses,
            max_requests=max_requests,
            max_usd=options.max_usd,
            fixed=_fixed(options),
            files_by_value=getattr(options, "files_by_value", True),
        ),
        "allow_endpoints": options.allow_endpoint,
    }
    if options.simulate:
        from flowdsl.cli import simulated

        settings |= {
            "host": Host(secrets=simulated.placeholder_secret, env=env, kv=kv),
            "overrides": simulated.overrides(simulated.NOWHERE, ""),
        }
        seen = _loaded(Environment(**settings), source, options, names)
        settings["overrides"] = stack.enter_context(simulated.running_simulator(seen, options.fault))
    elif options.fault:
        raise UsageError("--fault goes with --simulate: a real service cannot be told to fail")
    return _loaded(Environment(**settings), source, options, names)


def _loaded(environment: Environment, source: Source, options: Namespace, names: Iterable[str]) -> Flow:
    """The flow of a source. What is wrong with it is printed as JSON too where its dialect has a form for that.

    Raises:
        FlowCheckError: the file has mistakes.
        UsageError: it is a kit and the action is missing or unknown.
    """
    try:
        return load(environment, source, options.action, names)
    except FlowCheckError as error:
        if options.json and (said := in_its_form(source, {"error": error.to_dict()})) is not None:
            import json

            with stdout_at_stake():
                print(json.dumps(said, indent=2, ensure_ascii=False))
        raise


def fault_door(flow: Flow, options: Namespace) -> Effects | None:
    """The door by which the faults of `--fault` find their steps; None where there are none."""
    if not options.fault:
        return None
    from flowdsl.cli.simulated import step_marks

    return step_marks(flow)


def _fixed(options: Namespace) -> frozenset[str]:
    """The limits that an option sets: it raises what a settings file lowers."""
    given = {
        "max_requests": options.max_requests is not None,
        "max_usd": options.max_usd is not None,
        "private_addresses": options.private_addresses,
    }
    return frozenset(name for name, is_given in given.items() if is_given)
