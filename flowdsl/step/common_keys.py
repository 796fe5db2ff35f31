"""The keys that every step has beside its own."""

from __future__ import annotations

COMMON_KEYS = {
    "step": "The step's name, in capitals. Required.",
    "id": "A name for the step: in events and errors, and for the files of its pictures. Each is used once in a flow.",
    "monitorLabel": "A text, which may be a template, that is shown while the step runs.",
    "inputs": "A list of `{type, name}`: reads the input `type` from the FlowContext path `name`.",
    "outputs": "A list of `{type, name}`: stores the output `type` under `name`, and no output under its usual key.",
    "service": "Which service entry to use, for steps that have one.",
    "options": "The step's own keys once more, weaker than those beside it; for steps that have a service.",
}
"""Each with what it means; `service` and `options` only where a step uses a service."""
