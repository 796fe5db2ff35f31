"""What a journal keeps of a run that somebody began from outside, an agent or a client of a gateway: the command with
which `flowdsl resume` goes on with it. Its inputs stand in the journal itself."""

from __future__ import annotations

import os
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from flowdsl.secrets.plain import HIDDEN, keys_in

if TYPE_CHECKING:
    from flowdsl.environment.flow import Flow
    from flowdsl.journal.runs import KeptRun

_SERVED = "served"
_TO_OTHERS = "to_others"
_OF_KIT = "global"
"""The blocks that only the actions of a kit have, whatever its file is called."""


def served_arguments(options: Namespace, flow: Flow, *, to_others: bool = False) -> dict[str, Any]:
    """What a journal is given of a run of a flow that a command serves with these options; `to_others`: not to the
    person alone whose files these are."""
    argv = ["run", os.path.abspath(flow.document.source.path)]  # noqa: PTH100  links stay links
    action = (flow.document.id or flow.document.title) if _OF_KIT in flow.document.scopes else None
    argv += [] if action is None else ["--action", action]
    argv += ["--simulate"] if options.simulate else []
    for option in ("out", "max_usd", "max_requests", "as_of"):
        value = getattr(options, option, None)
        argv += [] if value is None else [f"--{option.replace('_', '-')}", str(value)]
    for address in options.allow_endpoint:
        for key in keys_in(address):
            address = address.replace(key, HIDDEN)
        argv += ["--allow-endpoint", address]
    return {"argv": argv, "cwd": os.getcwd(), "action": action, _SERVED: True, _TO_OTHERS: to_others}  # noqa: PTH109


def take_inputs(run: KeptRun, found: Namespace) -> None:
    """Gives the options of a resumed run the inputs that it was served with; those that held a secret are missing."""
    if run.given.get(_SERVED):
        hidden = run.given.get("hidden", [])
        found.served = {name: value for name, value in run.given["inputs"].items() if name not in hidden}
        found.input = [(name, HIDDEN) for name in hidden]
        found.files_by_value = not run.given.get(_TO_OTHERS)
