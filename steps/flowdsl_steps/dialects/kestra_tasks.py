"""The tasks of a Kestra flow as steps of this language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from flowdsl.document.dialects import Node, made
from flowdsl.nearest import nearest
from flowdsl.step.problem import show
from flowdsl.syntax.fixes import removed, renamed
from flowdsl_steps.dialects.kestra_flowables import FlowableTasks, type_of
from flowdsl_steps.dialects.kestra_http import WebTasks
from flowdsl_steps.dialects.kestra_properties import Steps
from flowdsl_steps.dialects.kestra_texts import NEUTRAL
from flowdsl_steps.dialects.kestra_until import RepeatedTasks
from flowdsl_steps.image.model_providers import PROVIDERS, short_name

AI = "io.kestra.plugin.ai.completion."
FLOW = "io.kestra.plugin.core.flow."
HTTP = "io.kestra.plugin.core.http.Request"
IMAGE_OUTPUTS = ("imageUrl", "finishReason", "tokenUsage")
_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,255}")
_INSTEAD: tuple[tuple[str, str], ...] = (
    ("io.kestra.plugin.openai.CreateImage", f"write `type: {AI}ImageGeneration`, and its key under `provider`"),
    ("io.kestra.plugin.core.http.Download", "take it out: a picture is stored here, and `imageUrl` leads to it"),
    (f"{AI}ChatCompletion", "give its text as an input: `inputs: [{id: prompt, type: STRING}]`"),
    ("io.kestra.plugin.openai.", "give its text as an input: `inputs: [{id: prompt, type: STRING}]`"),
    (f"{FLOW}Subflow", "put the tasks of that flow in its place: a run here knows one file"),
    (f"{FLOW}ForEachItem", f"write `type: {FLOW}ForEach` over the items"),
    (f"{FLOW}WorkingDirectory", "put its tasks in its place: they share no folder here"),
    (f"{FLOW}Dag", f"write its tasks in their order, those side by side in a `{FLOW}Parallel`"),
    (f"{FLOW}Pause", "end the flow there, and put what follows into a flow of its own"),
    ("io.kestra.plugin.core.kv.", "take it out: values are given to a run with `--kv NAME=VALUE`"),
    ("io.kestra.plugin.notifications.", f"send the message with `{HTTP}`"),
    ("io.kestra.plugin.slack.", f"send the message with `{HTTP}`"),
    ("io.kestra.plugin.scripts.", "take it out: scripts are not run here; do its work before the run, or after it"),
)
"""What to do without tasks that often stand beside pictures: by their types, or the beginnings of these."""
_OF_PROVIDERS = ("apiKey", "modelName", "model", "baseUrl", "endpoint", "caPem", "clientPem")
_NOT_OF_PICTURES = {
    "n": "write a ForEach: a task makes one picture",
    "configuration": "remove it: pictures have no such settings",
    **dict.fromkeys(("size", "quality", "style"), "remove it, and say it in the prompt"),
    **dict.fromkeys(("download", "responseFormat"), "remove it: the picture is stored, and `imageUrl` leads to it"),
}
"""Properties that people look for at an image task, and what is right without them."""


class Tasks(FlowableTasks, RepeatedTasks, WebTasks):
    """Lowers tasks in their order."""

    def steps(self, tasks: Node | None, where: str = "tasks") -> Steps:
        """The steps of a list of tasks."""
        if tasks is None:
            return []
        if tasks.kind != "list":
            self.findings.add("wrong-type", f"`{where}` takes a list of tasks, not {show(tasks.plain())}", tasks)
            return []
        return [step for task in tasks.value for step in self.task(task)]

    def task(self, task: Node) -> Steps:
        """The steps of one task."""
        if task.kind != "map":
            self.findings.add("wrong-type", f"a task is a map with `id` and `type`, not {show(task.plain())}", task)
            return []
        type, id = task.value.get("type"), task.value.get("id")
        if type is None or not isinstance(type.value, str):
            at = type or next(iter(task.keys.values()), task)
            hint = f"write `type: {AI}ImageGeneration`"
            self.findings.add("missing-key", "a task needs `type`", at, hint=hint)
            return []
        if id is None or not isinstance(id.value, str) or _ID.fullmatch(id.value) is None:
            said = "a task needs `id`" if id is None else f"{show(id.plain())} is no id of a task"
            hint = "letters, digits, `_` and `-`, such as `id: poster`"
            self.findings.add("missing-key" if id is None else "wrong-pattern", said, id or type, hint=hint)
            return []
        if task.value.get("disabled") is not None and task.value["disabled"].value in (True, "true"):
            return []
        name = type_of(type.value)
        lower = self._lowerings().get(name)
        if lower is None:
            self._unknown_type(type, name)
            self.scope.outputs[str(id.value)] = None  # whatever it gives: that it is not there is told already
            return []
        self.scope.used.discard("task")
        uncertain = any(key in task.value for key in ("runIf", "when", "allowFailure"))
        known = set(self.given)
        self._depth += 1
        found = lower(task, str(id.value))
        self._depth -= 1
        if uncertain:
            self.uncertain |= set(self.given) - known
        found = self._guarded(task, str(id.value), found)
        if found and "task" in self.scope.used:
            found = [self._set(task, {"task": {"id": id.value, "type": type.value}}), *found]
        self.scope.used.discard("task")
        return found

    def _lowerings(self) -> Mapping[str, Callable[[Node, str], Steps]]:
        return {
            f"{AI}ImageGeneration": self._image,
            f"{FLOW}Sequential": self._sequential,
            f"{FLOW}AllowFailure": self._allow_failure,
            f"{FLOW}Parallel": self._parallel,
            f"{FLOW}If": self._if,
            f"{FLOW}Switch": self._switch,
            f"{FLOW}ForEach": self._for_each,
            f"{FLOW}EachSequential": self._for_each,
            f"{FLOW}EachParallel": self._for_each,
            f"{FLOW}Loop": self._loop,
            f"{FLOW}LoopUntil": self._loop_until,
            f"{FLOW}WaitFor": self._loop_until,
            f"{FLOW}Sleep": self._sleep,
            HTTP: self._request,
            "io.kestra.plugin.core.log.Log": self._log,
            "io.kestra.plugin.core.debug.Return": self._return,
            "io.kestra.plugin.core.output.OutputValues": self._output_values,
            "io.kestra.plugin.core.execution.Fail": self._fail,
        }

    def _unknown_type(self, type: Node, name: str) -> None:
        types = {each.rpartition(".")[2]: each for each in self._lowerings()}
        near = types.get(nearest(name.rpartition(".")[2], types) or "")
        instead = next((hint for start, hint in _INSTEAD if name.startswith(start)), None)
        near = None if instead else near
        known = ", ".join(each.removeprefix("io.kestra.plugin.") for each in types.values())
        hint = instead or (f"did you mean `{near}`?" if near else f"behind `io.kestra.plugin.` there are {known}")
        message = f"there is no task {show(type.value, 80)} here"
        self.findings.add("unknown-step", message, type, hint=hint, fixes=[renamed(type, near) if near else None])

    # tasks

    def _image(self, task: Node, id: str) -> Steps:
        self._keys(task, "prompt", "provider", *_OF_PROVIDERS, *_NOT_OF_PICTURES)
        self._misplaced(task)
        options: dict[str, Any] = {}
        first = self.scope.ids.get(id)
        if first is not None and first.start == task.value["id"].start:  # of two with one id the second has none
            options["id"] = made(id, first.span)
        prompt = self._needed(task, "prompt")
        options["prompt"] = made(NEUTRAL, task.span) if prompt is None else self.scope.text(prompt)
        provider = self._needed(task, "provider")
        if provider is None:
            return []
        if provider.kind != "map":
            message = f"`provider` takes a map with `type`, not {show(provider.plain())}"
            self.findings.add("wrong-type", message, provider, hint="write `provider: {type: …, modelName: …}`")
            return []
        options["provider"] = _short(self.scope.inside(provider))
        timeout = self._duration(task, "timeout")
        if timeout is not None:
            options["timeoutMs"] = self._deadline(timeout, task.value["timeout"])
        key = self._gives(id, IMAGE_OUTPUTS)
        outputs = [{"type": "object", "name": key}]
        if not self._loops:
            outputs.append({"type": "metrics", "name": f"{key}_metrics"})
            self.measured.append(id)
        return [self._step("IMAGE_GENERATION", task, {**options, "outputs": outputs})]

    def _misplaced(self, task: Node) -> None:
        """Tells what stands beside a prompt and belongs elsewhere, or nowhere."""
        for name, key in task.keys.items():
            if name in _OF_PROVIDERS:
                message = f"`{name}` is a property of the provider, and stands outside of it"
                self.findings.add("misnested-key", message, key, hint="put it below `provider:`")
            elif name in _NOT_OF_PICTURES:
                message, fix = f"ImageGeneration has no property `{name}`", removed(task, name)
                self.findings.add("unknown-key", message, key, hint=_NOT_OF_PICTURES[name], fixes=[fix])

    def _log(self, task: Node, id: str) -> Steps:
        self._keys(task, "message", "level")
        message = self._needed(task, "message")
        if message is None:
            return []
        texts = message.value if message.kind == "list" else [message]
        return [self._step("SHOW_NOTIFICATION", task, {"message": self.scope.text(each)}) for each in texts]

    def _return(self, task: Node, id: str) -> Steps:
        self._keys(task, "format")
        text = task.value.get("format")
        value = made(None, task.span) if text is None else self.scope.text(text)
        return [self._set(task, {self._gives(id, ("value",)): {"value": value}})]

    def _output_values(self, task: Node, id: str) -> Steps:
        self._keys(task, "values")
        values = self._needed(task, "values")
        if values is None:
            return []
        return [self._set(task, {self._gives(id, ("values",)): {"values": self.scope.inside(values)}})]

    def _fail(self, task: Node, id: str) -> Steps:
        self._keys(task, "condition", "errorMessage")
        message = task.value.get("errorMessage")
        text = made("Task failure", task.span) if message is None else self.scope.text(message)
        step = self._step("RAISE", task, {"message": text, "code": made("failed", task.span)})
        condition = task.value.get("condition")
        return [step] if condition is None else [self._when(condition, [step], task)]

    def _sleep(self, task: Node, id: str) -> Steps:
        self._keys(task, "duration")
        if self._needed(task, "duration") is None:
            return []
        seconds = self._pause(task, "duration")
        at = task.value["duration"].span
        return [] if seconds is None else [self._step("SLEEP", task, {"delay": made(int(seconds * 1000), at)})]


def _short(provider: Node) -> Node:
    """A provider by its short name, where that is one."""
    type = provider.value.get("type")
    if type is not None and isinstance(type.value, str) and short_name(type.value) in PROVIDERS:
        provider.value["type"] = made(short_name(type.value), type.span)
    return provider
