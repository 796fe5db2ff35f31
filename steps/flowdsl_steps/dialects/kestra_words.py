"""Findings about the steps of a Kestra flow, in the words of Kestra: a flow has tasks, and tasks have properties."""

from __future__ import annotations

import re

from flowdsl import Diagnostic
from flowdsl_steps.dialects.words import Words

_NAMES = {
    "IMAGE_GENERATION": "ImageGeneration",
    "SHOW_NOTIFICATION": "Log",
    "RAISE": "Fail",
    "SLEEP": "Sleep",
    "SWITCH": "Switch",
    "PARALLEL": "Parallel",
    "WHILE": "LoopUntil",
    "REST": "Request",
    "IF": "If",
    "FOR": "loop",
    "TRY": "task",
    "SET": "task",
}
"""Types of tasks by the steps that they become; of a loop, and of what any task can have, the place says it."""
_PLAIN = {"steps": "tasks", "step": "task", "options": "properties", "option": "property", "items": "values"}
_PLAIN |= {"a template": "an expression", "template": "expression"}
_HINTS = {
    "loop-runs-once": "give the task that ends it a `condition`, or take it out of the loop",
    "loop-never-runs": "write the values, or take the loop out",
}
_WORDS = Words(_NAMES, _PLAIN, _HINTS)
_DEPLOYMENT = 'say it in flowdsl.toml: `[services.IMAGE_GENERATION]`, and `model = "gpt-image-2"` below it'


def worded(found: Diagnostic) -> Diagnostic | None:
    """A finding in words of Kestra; None for one about what was made of a task beside its step."""
    type = found.span.text.rpartition(".")[2]
    if found.code == "unreachable-step" and found.message.startswith(("this SET", "this TRY")):
        return None if type not in ("Return", "OutputValues") else _WORDS.said(_named(found, type))
    if re.fullmatch("[A-Z][A-Za-z]+", type):
        found = _named(found, type)
    hint = "take its tasks out of the loop" if found.message.endswith("one iteration only") else None
    found = _WORDS.said(found)
    found = found if hint is None else found._replace(hint=hint)
    if type == "Request" or "`url`" in found.message:
        found = found._replace(message=found.message.replace("`url`", "`uri`"))
    if found.code == "unknown-model" and found.message.startswith("the deployment"):
        return found._replace(hint=_DEPLOYMENT)
    if found.code == "old-api-version":
        message = re.sub(r"^the \w+ version", "`serviceVersion`", found.message)
        hint = (found.hint or "").replace("the service's `apiVersion`", "`serviceVersion`")
        return found._replace(message=message, hint=hint)
    if found.code == "invalid-default":
        return found._replace(message=found.message.replace(" does not fit its schema:", " does not fit:"))
    if found.code == "constant-condition" and found.hint is None:
        is_never = "always false" in found.message
        return found._replace(hint="`disabled: true` leaves a task out" if is_never else None)
    return found


def _named(found: Diagnostic, type: str) -> Diagnostic:
    """A finding that names its own step by the type of its task."""
    return found._replace(message=re.sub(r"\b(this|the) [A-Z][A-Z_]+\b", rf"\1 {type}", found.message, count=1))
