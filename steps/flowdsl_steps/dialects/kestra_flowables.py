"""The flowable tasks of a Kestra flow: those that hold others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from flowdsl.document.dialects import Node, made
from flowdsl.errors import TemplateError
from flowdsl.step.problem import show
from flowdsl.syntax.fixes import renamed
from flowdsl.template.foreign import ForeignText
from flowdsl_steps.dialects.kestra_loops import KEPT, OF_ITERATION, OF_LOOP
from flowdsl_steps.dialects.kestra_properties import MOST_SIDE_BY_SIDE, CommonProperties, Steps
from flowdsl_steps.dialects.kestra_texts import NEUTRAL
from flowdsl_steps.dialects.kestra_values import ALL, EACH, TRUTH, each_of, loop_of
from flowdsl_steps.expressions.pebble import Finish
from flowdsl_steps.expressions.pebble_names import output_key

OLD_NAMES = (
    ("io.kestra.plugin.fs.http.Request", "io.kestra.plugin.core.http.Request"),
    ("io.kestra.plugin.langchain4j.completion.", "io.kestra.plugin.ai.completion."),
    ("io.kestra.plugin.langchain4j.", "io.kestra.plugin.ai.completion."),
    ("io.kestra.core.tasks.flows.", "io.kestra.plugin.core.flow."),
    ("io.kestra.core.tasks.log.", "io.kestra.plugin.core.log."),
    ("io.kestra.core.tasks.debugs.", "io.kestra.plugin.core.debug."),
    ("io.kestra.core.tasks.executions.", "io.kestra.plugin.core.execution."),
)
"""What older files call the packages of task types."""


def type_of(name: str) -> str:
    """The present name of a task's type."""
    for old, new in OLD_NAMES:
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


class FlowableTasks(CommonProperties):
    """Lowers the tasks that hold others."""

    def _sequential(self, task: Node, id: str) -> Steps:
        self._keys(task, "tasks")
        return self.steps(self._needed(task, "tasks"))

    def _allow_failure(self, task: Node, id: str) -> Steps:
        self._keys(task, "tasks")
        known = set(self.given)
        steps = self.steps(self._needed(task, "tasks"))
        self.uncertain |= set(self.given) - known
        return [self._caught(task, steps)] if steps else []

    def _parallel(self, task: Node, id: str) -> Steps:
        self._keys(task, "tasks", "concurrent")
        tasks = self._needed(task, "tasks")
        if tasks is None or tasks.kind != "list":
            return self.steps(tasks)
        before, blocks, added = dict(self.scope.outputs), list[Steps](), dict[str, Any]()
        for each in tasks.value:
            self.scope.outputs = dict(before)
            blocks.append(self.task(each))
            added |= self.scope.outputs
        self.scope.outputs = {**before, **added}
        blocks = [block for block in blocks if block]
        if len(blocks) < 2:
            return blocks[0] if blocks else []
        options: dict[str, Any] = {"steps": blocks}
        limit = self._concurrency(task, "concurrent")
        if limit:
            options["concurrency"] = limit
        return [self._step("PARALLEL", task, options)]

    def _if(self, task: Node, id: str) -> Steps:
        self._keys(task, "condition", "then", "else")
        condition = self._needed(task, "condition")
        known = set(self.given)
        then, other = self.steps(self._needed(task, "then"), "then"), self.steps(task.value.get("else"), "else")
        self.uncertain |= set(self.given) - known
        return [] if condition is None or not then else [self._when(condition, then, task, other)]

    def _switch(self, task: Node, id: str) -> Steps:
        self._keys(task, "value", "cases", "defaults")
        value, cases, default = self._needed(task, "value"), task.value.get("cases"), task.value.get("defaults")
        known = set(self.given)
        blocks: dict[str, Steps] = {}
        if cases is not None and cases.kind == "map":
            blocks = {name: self.steps(each, f"cases.{name}") for name, each in cases.value.items()}
        is_map = cases is None or cases.value is None or cases.kind == "map"
        if cases is not None and not is_map:
            hint = "write `cases:`, a value, and a list of tasks below it"
            self.findings.add("wrong-type", f"`cases` takes a map, not {show(cases.plain())}", cases, hint=hint)
        other = self.steps(default, "defaults")
        self.uncertain |= set(self.given) - known
        if not blocks and not other and is_map and not self._is_misspelt(task, "defaults", "cases"):
            message = "no task is defined: neither `cases` nor `defaults` have any"
            self.findings.add("missing-key", message, task.value["type"], hint="add `cases:`")
        if value is None or not (blocks or other):
            return []
        if other:
            blocks["default"] = other
        return [self._step("SWITCH", task, {"condition": self.scope.text(value), "cases": blocks})]

    def _for_each(self, task: Node, id: str) -> Steps:
        old = {"EachSequential": ("value",), "EachParallel": ("value", "concurrent")}
        short = type_of(task.value["type"].value).rpartition(".")[2]
        name = "value" if short in old else "values"
        self._keys(task, "tasks", name, "concurrencyLimit", *old.get(short, ()))
        values = self._needed(task, name)
        limit = self._concurrency(task, "concurrent" if short == "EachParallel" else "concurrencyLimit")
        side_by_side = (MOST_SIDE_BY_SIDE if limit == 0 else limit) if limit is not None else 1
        if short == "EachParallel" and limit in (None, 0):
            side_by_side = MOST_SIDE_BY_SIDE
        key = output_key(id)
        var, kept = f"{key}_value", f"{key}_iterations"
        run = {"value": f"{{{{ flowContext.{var} }}}}", "iteration": f"{{{{ flowContext.{var}_index }}}}"}
        outer = self._loops[-1][1] if self._loops and self._loops[-1][0] == "ForEach" else None
        begin: dict[str, Any] = {"taskrun": run}
        if outer is not None:
            parent = {"taskrun": {"value": f"{{{{ flowContext.{outer} }}}}"}}
            begin |= {"parent": parent, "parents": [parent]}
        inside, written = self._inside(task, "ForEach", var)
        body = [self._set(task, begin)]
        for steps, names in inside:
            body += steps
            if names and any(each["step"].value in ("FOR",) for each in (step.value for step in steps)):
                body.append(self._set(task, begin))  # the loop in it has named its own
            for each in names:
                body.append(self._set(task, {output_key(each): ForeignText(output_key(each), OF_ITERATION)}))
        if values is None or not inside:
            return []
        options: dict[str, Any] = {"var": var, "items": self._items(values, EACH, each_of)}
        if side_by_side > 1:
            options["concurrency"] = side_by_side
        keys = [output_key(each) for each in written]
        if keys:
            options |= {"collect": ForeignText(" ".join(keys), KEPT), "collectKey": kept}
        found = [self._step("FOR", task, {**options, "do": body})]
        if keys:
            found.append(self._set(task, {each: ForeignText(f"{kept} {each}", OF_LOOP) for each in keys}))
        return found

    def _items(self, values: Node, of_text: Finish, of_list: Callable[[list[Any]], list[str]]) -> Node:
        """The items of a loop."""
        if values.kind == "list":
            plain = values.plain()
            if all(not isinstance(each, str) or "{" not in each for each in plain) and None not in plain:
                return made(of_list(plain), values.span)
            return self.scope.inside(values)
        if values.kind == "map":
            return made(of_list([{"key": key, "value": each} for key, each in values.plain().items()]), values.span)
        try:
            return self.scope.text(values, of_text)
        except TemplateError as error:  # of a text without expressions
            is_name = (
                re.fullmatch(r"\s*(inputs|outputs|vars|trigger|taskrun|item)[.\[].*", str(values.value)) is not None
            )
            written = f"{{{{ {str(values.value).strip()} }}}}"
            hint, fix = (f'write `"{written}"`', renamed(values, written)) if is_name else (error.hint, None)
            self.findings.add("wrong-type", error.message, values, hint=hint, fixes=[fix])
            return made(NEUTRAL, values.span)

    def _inside(self, task: Node, kind: str, var: str) -> tuple[list[tuple[Steps, list[str]]], list[str]]:
        """The steps of the tasks in a loop, each with the ids of those that give outputs, and all of these ids."""
        tasks = self._needed(task, "tasks")
        if tasks is None or tasks.kind != "list":
            self.steps(tasks)
            return [], []
        self._loops.append((kind, var))
        self.scope.loops.append(kind)
        found, before = [], self._written
        for each in tasks.value:
            self._written = []
            steps = self.task(each)
            found.append((steps, self._written))
            for id in self._written:  # by the value of the iteration, or of each iteration of a loop in it
                self.scope.outputs[id] = None if kind == "ForEach" else self.scope.outputs[id]
        written = [id for _, ids in found for id in ids]
        self._written = [*before, *written] if kind == "ForEach" else before
        self.scope.loops.pop()
        self._loops.pop()
        return found, written

    def _loop(self, task: Node, id: str) -> Steps:
        self._keys(task, "tasks", "values", "concurrencyLimit", "outputs", "transmitFailed", "fetchType", "breakWhen")
        values = self._needed(task, "values")
        limit = self._concurrency(task, "concurrencyLimit")
        key = output_key(id)
        var, kept = f"{key}_value", f"{key}_iterations"
        item = {"value": f"{{{{ flowContext.{var} }}}}", "index": f"{{{{ flowContext.{var}_index }}}}"}
        inside, written = self._inside(task, "Loop", var)
        body = [self._set(task, {"item": item}), *(step for steps, _ in inside for step in steps)]
        declared = self._declared(task)
        self._told_fetch(task, declared)
        stop = self._break_when(task, key, limit, declared)
        for each in written:
            self.given.pop(each, None)
            self.scope.outputs.pop(each, None)
            self.scope.inner[each] = id
            self.measured = [other for other in self.measured if other != each]
        if values is None or not inside:
            return []
        side_by_side = limit or MOST_SIDE_BY_SIDE
        if "transmitFailed" in task.value and not self._is(task, "transmitFailed"):
            body = [self._caught(task, body)]
        if stop:
            leaves = self._step("BREAK", task, {"condition": f"{{{{ flowContext.{key}_stops }}}}"})
            body = [leaves, *body, *stop]
        options: dict[str, Any] = {"var": var, "items": self._items(values, ALL, loop_of)}
        if side_by_side > 1:
            options["concurrency"] = side_by_side
        options |= {"collect": {"outputs": declared}, "collectKey": kept, "do": body}
        self._gives(id, ("outputs", "iterationCount"))
        whole = {
            "outputs": f"{{{{ flowContext.{kept} }}}}",
            "iterationCount": f"{{{{ flowContext.{kept} | length }}}}",
        }
        begin = [self._set(task, {f"{key}_stops": False})] if stop else []
        return [*begin, self._step("FOR", task, options), self._set(task, {key: whole})]

    def _declared(self, task: Node) -> dict[str, Any]:
        """The outputs of each iteration of a Loop."""
        outputs = task.value.get("outputs")
        if outputs is None or outputs.value is None:
            return {}
        hint = "write `- id: image`, `type: STRING`, `value: …`"
        if outputs.kind != "list":
            message = f"`outputs` takes a list, not {show(outputs.plain())}"
            self.findings.add("wrong-type", message, outputs, hint=hint)
            return {}
        declared: dict[str, Any] = {}
        self.scope.loops.append("Loop")
        for each in outputs.value:
            if each.kind == "map" and {"id", "value"} <= each.value.keys():
                declared[str(each.value["id"].value)] = self.scope.text(each.value["value"])
            else:
                self.findings.add("missing-key", "an output needs `id`, `type` and `value`", each, hint=hint)
        self.scope.loops.pop()
        return declared

    def _told_fetch(self, task: Node, declared: Mapping[str, Any]) -> None:
        """What of `fetchType` and `transmitFailed` is done otherwise here."""
        fetch = task.value.get("fetchType")
        if fetch is not None and fetch.value == "STORE":
            message = "`fetchType: STORE` has no effect here: the outputs of all iterations are a list"
            self.findings.add("no-effect", message, task.keys["fetchType"])
        elif fetch is not None and fetch.value not in ("AUTO", "FETCH"):
            message = f"`fetchType` is {show(fetch.plain())}"
            self.findings.add("not-a-choice", message, fetch, hint="it is AUTO, FETCH or STORE")
        transmit = task.value.get("transmitFailed")
        if transmit is not None and transmit.value is False and declared:
            message = "an iteration that fails has no outputs, and `transmitFailed: false` lets it fail"
            hint = "give its tasks `allowFailure: true`, and read what may be missing with `??`"
            self.findings.add("not-supported", message, task.keys["transmitFailed"], hint=hint)

    def _break_when(self, task: Node, key: str, limit: int | None, declared: Mapping[str, Any]) -> Steps:
        """The steps at the end of an iteration that say whether the loop ends with it."""
        condition = task.value.get("breakWhen")
        if condition is None or condition.value is None:
            return []
        if limit != 1:
            message = "`breakWhen` ends a loop whose iterations run one after another, and these run side by side"
            self.findings.add("not-supported", message, task.keys["breakWhen"], hint="add `concurrencyLimit: 1`")
            return []
        self.scope.loops += ["Loop", "breakWhen"]
        asked = self.scope.text(self._asked(condition), TRUTH)
        self.scope.loops = self.scope.loops[:-2]
        iteration = {"state": "SUCCESS", "outputs": dict(declared)}
        return [self._set(task, {"iteration": iteration}), self._set(task, {f"{key}_stops": asked})]
