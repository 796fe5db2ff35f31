"""The names that expressions of Pebble read, and the FlowContext keys behind them."""

from __future__ import annotations

import re

ROOTS = frozenset(
    (
        "inputs",
        "vars",
        "outputs",
        "taskrun",
        "task",
        "flow",
        "execution",
        "labels",
        "parent",
        "parents",
        "item",
        "iteration",
        "envs",
    )
)
"""The names that expressions can read."""
_TAKEN = ROOTS | {"globals", "trigger", "tasks", "kestra", "error", "text", "imageList"}


def output_key(id: str) -> str:
    """The FlowContext key of what a task gives."""
    name = re.sub(r"\W", "_", id, flags=re.ASCII)
    name = f"_{name}" if name[:1].isdigit() else name
    return f"{name}_output" if name in _TAKEN else name


def default_key(id: str) -> str:
    """The FlowContext key of an input whose default is an expression."""
    return f"inputs_{output_key(id)}"
