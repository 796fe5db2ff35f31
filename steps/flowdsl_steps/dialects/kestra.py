"""The dialect of Kestra: a flow file whose tasks make pictures runs as it is.

Inputs become inputs, variables a map of the FlowContext, each task the step that does its work, and its outputs the
FlowContext key of its id. Expressions stay Pebble's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl import Diagnostic, Dialect, Source
from flowdsl.document.dialects import Findings, Node, made
from flowdsl.step.problem import show
from flowdsl.syntax.fixes import in_a_list, renamed
from flowdsl.template.foreign import ForeignText
from flowdsl_steps.dialects.kestra_defaults import with_defaults
from flowdsl_steps.dialects.kestra_inputs import declared
from flowdsl_steps.dialects.kestra_kinds import KEYS, flow_kinds
from flowdsl_steps.dialects.kestra_loops import KEPT
from flowdsl_steps.dialects.kestra_tasks import Tasks
from flowdsl_steps.dialects.kestra_texts import Scope
from flowdsl_steps.expressions.pebble_kinds import shielded
from flowdsl_steps.expressions.pebble_names import default_key

if TYPE_CHECKING:
    from flowdsl.document.dialects.task import ForeignTask

_OF_TASKS = ("prompt", "provider", "type", "runIf", "when", "timeout", "allowFailure", "values", "condition")
"""Properties of tasks that stand at the root where a line is not indented."""
_UNHEARD = {
    "triggers": "a run here is started by hand",
    "concurrency": "it limits executions of the flow, and a run here is one",
    "afterExecution": "nothing runs here after a run has ended",
    "checks": "a run here asks nobody before it begins",
    "retry": "it repeats the whole flow: write `retry` at the task",
    "listeners": "nobody listens to a run here",
    "sla": "write `--timeout`, or the host's Limits(timeout_s=…)",
}
"""What has no meaning here, and why."""
_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}")
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9._-]{0,149}")
_RESERVED = frozenset(
    ("pause", "resume", "force-run", "change-status", "kill", "executions", "search", "source", "disable", "enable")
)


class KestraFlow(Dialect):
    """A flow of Kestra."""

    def recognises(self, source: Source, root: Node | None) -> bool:
        """A map with `id` and `namespace`, or tasks of Kestra's types; of a file that cannot be read, one that names
        such a type."""
        if root is None:
            return "io.kestra." in source.text
        if root.kind != "map" or "flow" in root.value:
            return False
        return {"id", "namespace"} <= root.value.keys() or ("tasks" in root.value and "io.kestra." in source.text)

    def lower(self, root: Node, findings: Findings) -> Node | None:
        """A flow of this language."""
        meant = self._root(root, findings)
        tasks = root.value.get("tasks", meant)
        if tasks is None or tasks.kind != "list" or not tasks.value:
            _no_tasks(tasks, root, findings)
            return None
        defaults = root.value.get("pluginDefaults", root.value.get("taskDefaults"))
        given = declared(root.value.get("inputs"), findings)
        inputs = given.inputs
        variables = root.value.get("variables")
        vars = variables.value if variables is not None and variables.kind == "map" else {}
        scope = Scope(findings, given, vars)
        computed = [_default(id, scope.text(node)) for id, node in given.defaults.items()]
        scope.labels = _label_names(root.value.get("labels"))
        lowering = Tasks(scope, findings)
        parts = {"tasks": tasks, **{name: root.value.get(name) for name in ("errors", "finally")}}
        merged = {name: with_defaults(node, defaults, findings) for name, node in parts.items() if node is not None}
        for node in merged.values():
            _name_tasks(node, scope, findings)
        steps = lowering.steps(merged["tasks"])
        final, errors = lowering.steps(merged.get("finally"), "finally"), lowering.steps(merged.get("errors"), "errors")
        if final:
            at = root.keys["finally"].span
            steps = [made({"step": "TRY", "try": steps, "finally": final, "when": False}, at)]
        outputs = self._outputs(root, scope, lowering, findings)
        begin = self._begin(root, scope, variables)
        steps = [*([] if begin is None else [begin]), *(computed if steps else ()), *steps]
        if not steps:
            if not any(found.severity == "error" for found in findings.diagnostics):
                findings.add("empty-flow", "no task of this flow runs", tasks, hint="enable one of them")
            return None
        names = (name for name in ("id", "description") if name in root.value)
        told = {name: root.value[name] for name in names if isinstance(root.value[name].value, str)}
        flow: dict[str, Any] = {"flow": steps, "outputs": outputs}
        if inputs:
            flow = {"inputs": made(inputs, root.value["inputs"].span), **flow}
            flow["inputs"].keys = {name: made(name, node.span) for name, node in inputs.items()}
        if errors:
            flow["onError"] = errors
        lowered = made({**told, **flow}, root.span)
        lowered.keys.update({name: root.keys[name] for name in told})
        return lowered

    def worded(self, found: Diagnostic) -> Diagnostic | None:
        """Tasks and properties in place of steps and options."""
        from flowdsl_steps.dialects.kestra_words import worded

        return worded(found)

    def summary(self, printed: Mapping[str, Any]) -> dict[str, list[str]]:
        """A line for the outputs of each task; metrics are for programs."""
        from flowdsl_steps.dialects.kestra_explained import outputs_in_lines

        return {"outputs": outputs_in_lines(printed.get("outputs")), "metrics": []}

    def failure(self, account: Mapping[str, Any]) -> dict[str, Any]:
        """The state, and what is printed of any run that failed."""
        return {"state": "FAILED", **account}

    def tasks(self, root: Node) -> Iterable[ForeignTask]:
        """The tasks, with what `pluginDefaults` and their providers add to them."""
        from flowdsl_steps.dialects.kestra_explained import tasks_of

        return tasks_of(root)

    def schema(self) -> dict[str, Any]:
        """A flow, with the properties of its tasks."""
        from flowdsl_steps.dialects.kestra_schema import flow_schema

        return flow_schema()

    def _root(self, root: Node, findings: Findings) -> Node | None:
        """What is wrong with the keys of the flow itself; gives the tasks, where they stand at another key."""
        meant: Node | None = None
        for name, key in root.keys.items():
            if name in _UNHEARD:
                findings.add("no-effect", f"`{name}` has no effect here: {_UNHEARD[name]}", key, severity="note")
            elif name in KEYS:
                continue
            elif "tasks" not in root.value and meant is None and _are_tasks(root.value[name]):
                meant, fix = root.value[name], renamed(key, "tasks")
                findings.add("unknown-key", f"`{name}` is not a key of a flow", key, hint="write `tasks`", fixes=[fix])
            elif name in _OF_TASKS:
                message = f"`{name}` is a property of a task, and stands outside of it"
                findings.add("misnested-key", message, key, hint="indent it, so that it stands below the task's `id`")
            else:
                findings.unknown_key(key, KEYS, "a flow", beside=root.value)
        for name, pattern, example in (("id", _ID, "comic_page"), ("namespace", _NAMESPACE, "company.ai")):
            node = root.value.get(name)
            if node is None:
                findings.add("missing-key", f"a flow needs `{name}`", next(iter(root.keys.values())),
                             hint=f"add `{name}: {example}`")  # fmt: skip
            elif not isinstance(node.value, str) or pattern.fullmatch(node.value) is None:
                findings.add("wrong-pattern", f"`{name}` is {show(node.plain())}, which is none", node,
                             hint=f"letters, digits, `.`, `_` and `-`, such as `{name}: {example}`")  # fmt: skip
            elif name == "id" and node.value in _RESERVED:
                findings.add("wrong-pattern", f"the id `{node.value}` is one of Kestra's own words", node,
                             hint="write another one")  # fmt: skip
        flow_kinds(root, findings)
        disabled = root.value.get("disabled")
        if disabled is not None and disabled.value is True:
            findings.add("no-effect", "the flow is disabled: Kestra would not run it", root.keys["disabled"])
        return meant

    def _begin(self, root: Node, scope: Scope, variables: Node | None) -> Node | None:
        """The step that sets what expressions read of the flow itself."""
        values: dict[str, Any] = {}
        if variables is not None and variables.kind == "map" and "vars" in scope.used:
            values["vars"] = _literal(variables)
        if "flow" in scope.used:
            names = ("id", "namespace")
            values["flow"] = {name: _literal(root.value[name]) for name in names if name in root.value}
            values["flow"]["revision"] = 1
        if "execution" in scope.used:
            values["execution"] = {"state": "RUNNING"} | {
                name: scope.text(made(text, root.span))
                for name, text in (("id", "{{ uuid() }}"), ("startDate", "{{ now() }}"))
            }
        labels = root.value.get("labels")
        if "labels" in scope.used and labels is not None:
            values["labels"] = _literal(labels)
        if not values:
            return None
        at = root.keys.get("variables", root.keys.get("id", root)).span
        return made({"step": "SET", **values}, at)

    def _outputs(self, root: Node, scope: Scope, lowering: Tasks, findings: Findings) -> Node:
        """What `--json` prints: the outputs of the tasks, those of the flow, and the metrics."""
        given = lowering.given
        found: dict[str, Any] = {"outputs": _of_tasks(given, lowering)}
        outputs = root.value.get("outputs")
        if outputs is not None and outputs.kind == "list":
            own: dict[str, Any] = {}
            for each in outputs.value:
                id = each.value.get("id") if each.kind == "map" else None
                value = each.value.get("value") if each.kind == "map" else None
                if id is not None and id.value in own:
                    message = f"there are two outputs with the id `{id.value}`"
                    findings.add("duplicate-key", message, id, hint="give one of them another id")
                elif id is None or value is None or not isinstance(id.value, str):
                    message = "an output needs `id`, `type` and `value`"
                    findings.add("missing-key", message, each, hint="write `- id: image`, `type: STRING`, `value: …`")
                else:
                    own[id.value] = scope.text(value)
            found["flowOutputs"] = own
        elif outputs is not None:
            findings.add("wrong-type", f"`outputs` takes a list, not {show(outputs.plain())}", outputs)
        measured = {id: f"{given[id]}_metrics" for id in lowering.measured if id in given}
        found["metrics"] = _of_tasks(measured, lowering)
        return made(found, root.keys.get("tasks", root).span)


def _default(id: str, value: Node) -> Node:
    """The step that gives an input its default, which is an expression."""
    key = default_key(id)
    name = f"inputs.{id}" if id.isidentifier() else f"inputs['{id}']"
    then, other = ({"step": "SET", key: given} for given in (value, f"{{{{ {name} }}}}"))
    return made({"step": "IF", "condition": f"{{{{ {name} is none }}}}", "then": [then], "else": [other]}, value.span)


def _label_names(labels: Node | None) -> set[str]:
    """The names of the labels of a flow."""
    if labels is None or labels.kind == "scalar":
        return set()
    pairs = labels.value if labels.kind == "list" else ()
    return {*(labels.value if labels.kind == "map" else ()), *(str(each.plain()) for each in pairs)}


def _are_tasks(node: Node) -> bool:
    """Whether a value is a list of tasks."""
    listed = node.value if node.kind == "list" else ()
    types = (each.value["type"].value for each in listed if each.kind == "map" and "type" in each.value)
    return any(isinstance(type, str) and "." in type for type in types)


def _no_tasks(tasks: Node | None, root: Node, findings: Findings) -> None:
    """Tells that there are no tasks, or no list of them."""
    if tasks is not None and tasks.kind == "map" and {"id", "type"} & tasks.value.keys():
        message, fix = "`tasks` takes a list, and this is a map", in_a_list(tasks)
        findings.add("wrong-type", message, tasks, hint="put a dash before the task", fixes=[fix])
        return
    message = "a flow needs `tasks`" if tasks is None else f"`tasks` is {show(tasks.plain())}"
    at = tasks or root.keys.get("id") or next(iter(root.keys.values()))
    findings.add("missing-key", message, at, hint="write `tasks:`, and a list of tasks below it")


def _of_tasks(keys: Mapping[str, str], lowering: Tasks) -> Any:
    """What tasks gave, by their ids; nothing of those that a run does not come to."""
    if lowering.uncertain & keys.keys():
        return ForeignText(" ".join(f"{id}={key}" for id, key in keys.items()), KEPT)
    return {id: f"{{{{ flowContext.{key} }}}}" for id, key in keys.items()}


def _literal(node: Node) -> Node:
    """A value as it stands: a text in it is no template, and is rendered by `render` alone."""
    if node.kind == "list":
        return made([_literal(item) for item in node.value], node.span)
    if node.kind == "map":
        return made({key: _literal(item) for key, item in node.value.items()}, node.span)
    if isinstance(node.value, str) and "{" in node.value:
        return made(shielded(node.value), node.span)
    return node


def _name_tasks(tasks: Node, scope: Scope, findings: Findings) -> None:
    """Takes note of the ids of all tasks, of which no two are the same."""
    for task in tasks.value if tasks.kind == "list" else ():
        if task.kind != "map":
            continue
        id = task.value.get("id")
        if id is not None and isinstance(id.value, str) and "type" in task.value:
            if id.value in scope.ids:
                findings.add("duplicate-key", f"there are two tasks with the id `{id.value}`", id,
                             hint="every task of a flow has an id of its own")  # fmt: skip
            scope.ids.setdefault(id.value, id)
        for name in ("tasks", "then", "else", "defaults", "errors", "finally"):
            if name in task.value:
                _name_tasks(task.value[name], scope, findings)
        cases = task.value.get("cases")
        for each in cases.value.values() if cases is not None and cases.kind == "map" else ():
            _name_tasks(each, scope, findings)
