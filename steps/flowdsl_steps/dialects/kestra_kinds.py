"""Properties of a Kestra flow that nothing else reads as a whole: what of them is of the wrong kind."""

from __future__ import annotations

from flowdsl.document.dialects import Findings, Node
from flowdsl.step.problem import show

KEYS = (
    "id", "namespace", "description", "labels", "inputs", "variables", "tasks", "errors", "finally", "afterExecution",
    "outputs", "disabled", "triggers", "concurrency", "retry", "pluginDefaults", "taskDefaults", "checks", "revision",
    "sla", "workerGroup", "workerSelector", "listeners", "quotas", "tutorial", "editable",
)  # fmt: skip
"""The properties of a flow."""
_TEXTS = ("description", "logLevel", "version", "pluginDefaultsRef")
_FLAGS = ("disabled", "allowFailure", "allowWarning", "logToFile")
_BEHAVIORS = ("RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION")


def flow_kinds(root: Node, findings: Findings) -> None:
    """What is of the wrong kind at the root of a flow."""
    variables = root.value.get("variables")
    if variables is not None and variables.value is not None and variables.kind != "map":
        hint = "write `variables:`, and `topic: a harbour` below it"
        findings.add("wrong-type", f"`variables` takes a map, not {show(variables.plain())}", variables, hint=hint)
    labels = root.value.get("labels")
    if labels is not None and labels.value is not None:
        _labels(labels, findings)
    _flag(root, "disabled", findings)
    _text(root, "description", findings)


def _labels(labels: Node, findings: Findings) -> None:
    hint = "write `labels: {team: design}`"
    if labels.kind == "scalar":
        findings.add("wrong-type", f"`labels` takes a map, or a list, not {show(labels.plain())}", labels, hint=hint)
    elif labels.kind == "list":
        for each in labels.value:
            if each.kind != "map" or not {"key", "value"} <= each.value.keys():
                message = f"a label of a list is a map with `key` and `value`, not {show(each.plain())}"
                findings.add("wrong-type", message, each, hint="write `- key: team`, and `value: design` below it")
    else:
        for name, value in labels.value.items():
            if value.kind != "scalar":
                message = f"the label `{name}` takes a text, not {show(value.plain())}"
                findings.add("wrong-type", message, value, hint=hint)


def task_kinds(task: Node, findings: Findings) -> None:
    """What is of the wrong kind among the properties that every task has."""
    for name in _TEXTS:
        _text(task, name, findings)
    for name in _FLAGS:
        if name != "allowFailure":  # it is read, and told where it is
            _flag(task, name, findings)
    if "taskCache" in task.value:
        message = "`taskCache` has no effect here: a run keeps nothing for the next one"
        findings.add("no-effect", message, task.keys["taskCache"], severity="note")


def retry_kinds(retry: Node, findings: Findings) -> None:
    """What is of the wrong kind in `retry`, of what has no use here too."""
    factor = retry.value.get("delayFactor")
    if factor is not None and (isinstance(factor.value, bool) or not isinstance(factor.value, (int, float))):
        findings.add("wrong-type", f"`delayFactor` takes a number, not {show(factor.plain())}", factor)
    _flag(retry, "warningOnRetry", findings)
    behavior = retry.value.get("behavior")
    if behavior is not None and behavior.value not in _BEHAVIORS:
        message = f"`behavior` is {show(behavior.plain())}"
        findings.add("not-a-choice", message, behavior, hint=f"it is {' or '.join(_BEHAVIORS)}")
    if "maxDuration" in retry.value:
        message = "`maxDuration` has no effect here: `maxAttempts` ends the attempts"
        findings.add("no-effect", message, retry.keys["maxDuration"])


def _text(node: Node, name: str, findings: Findings) -> None:
    found = node.value.get(name)
    if found is not None and found.kind != "scalar":
        findings.add("wrong-type", f"`{name}` takes a text, not {show(found.plain())}", found)


def _flag(node: Node, name: str, findings: Findings) -> None:
    found = node.value.get(name)
    if found is not None and found.value not in (True, False, None, "true", "false"):
        findings.add("wrong-type", f"`{name}` takes true or false, not {show(found.plain())}", found)
