"""What can be done about an error, said to those who have no command line: clients of a gateway, and agents.

A hint is written for whoever runs a flow, and names options of commands. Here it names the setting, for whoever runs
the server to change.
"""

from __future__ import annotations

from flowdsl.errors import LimitExceeded, RunError

OF_RUN = {"budget-spent": "max_usd", "too-many-requests": "max_requests"}
"""Limits of a run, and the settings that say them."""
_ASK = "ask whoever runs the gateway to"
_OTHERS = {
    "private-address": "give an address that is not of the gateway or its network",
    "unknown-price": f"{_ASK} say in the service entry what a picture costs at most, in USD, such as `prices: 0.05`",
    "context-too-large": "give it less to work on",
}
_OF_HOSTS = ("`--", "Limits(", "`flowdsl ")


def hint_of(error: RunError, *, options: bool = False) -> str | None:
    """What can be done about an error; None where nothing is known. With `options` it is `flowdsl mcp` that
    serves."""
    found = _hint(error, options=options)
    return found.replace("the gateway", "this server") if found and options else found


def _hint(error: RunError, *, options: bool) -> str | None:
    hint = error.hint
    is_of_day = isinstance(error, LimitExceeded) and error.free_in_s is not None
    if hint is None or is_of_day or not any(each in hint for each in _OF_HOSTS):
        return hint
    name = OF_RUN.get(error.code)
    if name is not None:
        also = f", or `--{name.replace('_', '-')}` of `flowdsl mcp`" if options else ""
        _, _, cheaper = hint.partition("; or ")
        return f"{_ASK} raise `{name}` in its settings{also}{'; or ' if cheaper else ''}{cheaper}"
    return _OTHERS.get(error.code) or f"for whoever runs the gateway: {hint}"
