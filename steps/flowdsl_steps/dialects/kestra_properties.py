"""What every task of a Kestra flow has: its properties, its condition, and what becomes of its failure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flowdsl.document.dialects import Findings, Node, made
from flowdsl.nearest import nearest
from flowdsl.step.problem import show
from flowdsl.step.spec import is_templated
from flowdsl.syntax.fixes import renamed
from flowdsl_steps.control.repeat import LONGEST_MS
from flowdsl_steps.dialects.kestra_kinds import retry_kinds, task_kinds
from flowdsl_steps.dialects.kestra_texts import Scope
from flowdsl_steps.dialects.kestra_values import TRUTH, meant_duration, seconds_of
from flowdsl_steps.expressions.pebble_names import output_key

COMMON = (
    "id", "type", "description", "disabled", "runIf", "when", "allowFailure", "allowWarning", "retry", "timeout",
    "logLevel", "logToFile", "workerGroup", "version", "pluginDefaultsRef", "taskCache", "errors", "finally",
)  # fmt: skip
_RETRY = ("type", "interval", "maxInterval", "minInterval", "delayFactor", "maxAttempts", "maxAttempt", "maxDuration",
          "warningOnRetry", "behavior")  # fmt: skip
MOST_SIDE_BY_SIDE = 256
_MOST_AGAIN = 20
_LEAST_MS, _MOST_MS = 1000, 900_000
"""The bounds of a deadline."""
_OPERATION = re.compile(r"==|!=|[<>]|\b(inputs|outputs|vars|taskrun|item|trigger|labels)\b|\b(and|or|not|is)\b")
"""What stands in an expression, and in no `true` or `false`."""
Steps = list[Node]


class CommonProperties:
    """Reads the properties that tasks share, and makes steps."""

    def __init__(self, scope: Scope, findings: Findings) -> None:
        self.scope = scope
        self.findings = findings
        self.given: dict[str, str] = {}
        """The tasks that give outputs, each with the FlowContext key."""
        self.measured: list[str] = []
        """Those whose metrics are printed."""
        self.uncertain: set[str] = set()
        """Those that some runs do not come to."""
        self._misspelt: set[tuple[int, str]] = set()
        """What is meant by properties that are misspelt, each with the place of its task."""
        self._loops: list[tuple[str, str]] = []
        self._depth = 0
        self._written: list[str] = []
        """The keys that the tasks around write."""

    def steps(self, tasks: Node | None, where: str = "tasks") -> Steps:
        """The steps of a list of tasks."""
        raise NotImplementedError

    def task(self, task: Node) -> Steps:
        """The steps of one task."""
        raise NotImplementedError

    def _keys(self, task: Node, *own: str) -> None:
        """Reports the properties that a task does not have, and those that are of the wrong kind."""
        task_kinds(task, self.findings)
        for name, key in task.keys.items():
            if name not in COMMON and name not in own:
                near = nearest(name, [*own, *COMMON])
                hint = f"did you mean `{near}`?" if near else f"it has {', '.join(f'`{each}`' for each in own)}"
                short = str(task.value["type"].value).rpartition(".")[2]
                fix = renamed(key, near) if near and near not in task.value else None
                self._misspelt.add((task.start, near or ""))
                self.findings.add("unknown-key", f"{short} has no property `{name}`", key, hint=hint, fixes=[fix])

    def _is_misspelt(self, task: Node, *names: str) -> bool:
        """Whether one of these properties is there by another name, which was told."""
        return any((task.start, name) in self._misspelt for name in names)

    def _needed(self, task: Node, name: str) -> Node | None:
        found: Node | None = task.value.get(name)
        if found is None and self._is_misspelt(task, name):
            return None
        if found is None or found.value is None:
            if found is not None and found.span.text.startswith("!include"):  # which was told
                return None
            short = str(task.value["type"].value).rpartition(".")[2]
            at = task.keys.get(name, task.value["type"])
            self.findings.add("missing-key", f"{short} needs `{name}`", at, hint=f"add `{name}:`")
            return None
        if found.kind == "list" and not found.value:
            short = str(task.value["type"].value).rpartition(".")[2]
            if name in ("tasks", "then"):
                message = f"`{name}` of {short} is empty"
                self.findings.add("missing-key", message, found, hint="write a task below it, with a dash")
                return None
        return found

    def _step(self, name: str, task: Node, options: Mapping[str, Any]) -> Node:
        """A step made of a task, at the place of its type."""
        at: Node = task.value["type"]
        step = made({"step": made(name, at.span), **options}, task.span)
        step.keys.update({key: node for key, node in task.keys.items() if key in options})
        return step

    def _gives(self, id: str, attributes: tuple[str, ...] | None) -> str:
        """Takes note that a task has outputs from now on; gives the key that holds them."""
        key = output_key(id)
        self.scope.outputs[id] = attributes
        self.given[id] = key
        self._written.append(id)
        return key

    def _set(self, task: Node, values: Mapping[str, Any]) -> Node:
        return self._step("SET", task, values)

    def _concurrency(self, task: Node, name: str) -> int | None:
        """How many may run side by side; 0 says that there is no limit."""
        node = task.value.get(name)
        if node is None:
            return None
        if isinstance(node.value, bool) or not isinstance(node.value, int) or node.value < 0:
            self.findings.add("wrong-type", f"`{name}` takes a whole number from 0 on", node)
            return None
        return min(node.value, MOST_SIDE_BY_SIDE)

    def _when(self, condition: Node, then: Steps, task: Node, other: Steps | None = None) -> Node:
        condition = self._asked(condition)
        options: dict[str, Any] = {"condition": self.scope.text(condition, TRUTH), "then": then}
        if other:
            options["else"] = other
        return self._step("IF", task, options)

    def _asked(self, condition: Node) -> Node:
        """A condition: without braces it would be a text like any other, and true."""
        text = condition.value
        if not isinstance(text, str) or is_templated(text) or not _OPERATION.search(text):
            return condition
        inner = text.strip()
        written = f"{{{{ {inner} }}}}"
        message = f"the condition {show(text, 60)} is a text, which is always true"
        fix = renamed(condition, written)
        self.findings.add("constant-condition", message, condition, hint=f'write `"{written}"`', fixes=[fix])
        return made("{{ 'true' }}", condition.span)

    def _pause(self, node: Node, name: str) -> float | None:
        """A duration for which something waits, in seconds."""
        seconds = self._duration(node, name)
        if seconds is not None and seconds * 1000 > LONGEST_MS:
            message = f"`{name}` is {show(node.value[name].plain())}, and nothing waits longer than P24D here"
            self.findings.add("out-of-range", message, node.value[name], hint="write a shorter one")
            return None
        return seconds

    def _deadline(self, seconds: float, at: Node) -> Node:
        """A deadline of a request in milliseconds, in the bounds that there are."""
        if not _LEAST_MS <= seconds * 1000 <= _MOST_MS:
            message = f"a deadline of {show(at.plain())} is none here: a request has from PT1S to PT15M"
            self.findings.add("no-effect", message, at)
        return made(min(_MOST_MS, max(_LEAST_MS, int(seconds * 1000))), at.span)

    def _guarded(self, task: Node, id: str, steps: Steps) -> Steps:
        """The steps with what the task says of their failure, and of whether they run at all."""
        if (
            "timeout" in task.value
            and steps
            and not any(step.value["step"].value in ("IMAGE_GENERATION", "REST") for step in steps)
        ):
            self._duration(task, "timeout")
            message = "`timeout` has no effect here: it is the deadline of a picture, or of a request"
            self.findings.add("no-effect", message, task.keys["timeout"])
        errors, final = task.value.get("errors"), task.value.get("finally")
        if errors is not None or final is not None:
            caught = self.steps(errors, "errors")
            options: dict[str, Any] = {"try": steps}
            if caught:
                again = {"step": "RAISE", "message": "{{ flowContext.error.message }}"}
                options["catch"] = [*caught, made(again, task.value["errors"].span)]
            else:
                options["when"] = made(False, task.span)
            if after := self.steps(final, "finally"):
                options["finally"] = after
            steps = [self._step("TRY", task, options)] if steps else []
        if (retry := self._retry(task)) is not None and steps:
            options = {"try": steps, "retry": retry}
            steps = [self._step("TRY", task, {**options, "when": made(False, task.value["retry"].span)})]
        if self._is(task, "allowFailure") and steps:
            steps = [self._caught(task, steps)]
        condition = task.value.get("when", task.value.get("runIf"))
        if condition is not None and steps:
            steps = [self._when(condition, steps, task)]
        return steps

    def _caught(self, task: Node, steps: Steps) -> Node:
        """Steps whose failure is only told."""
        told = {"step": "SHOW_NOTIFICATION", "notificationType": "warning"}
        told["message"] = "{{ flowContext.error.message }}"
        return self._step("TRY", task, {"try": steps, "catch": [made(told, task.value["type"].span)]})

    def _is(self, task: Node, name: str) -> bool:
        node = task.value.get(name)
        if node is not None and node.value not in (True, False, None):
            self.findings.add("wrong-type", f"`{name}` takes true or false, not {show(node.plain())}", node)
        return node is not None and node.value is True

    def _duration(self, task: Node, name: str) -> float | None:
        """A duration in seconds."""
        node = task.value.get(name)
        if node is None or node.value is None:
            return None
        seconds = seconds_of(node.value) if isinstance(node.value, str) else None
        if seconds is None:
            meant = meant_duration(str(node.value))
            hint = f"write `{meant}`" if meant else "write it like `PT2M30S`, for two and a half minutes"
            fix = renamed(node, meant) if meant else None
            self.findings.add("wrong-pattern", f"`{name}` is {show(node.plain())}, which is no duration", node,
                              hint=hint, fixes=[fix])  # fmt: skip
        return seconds

    def _retry(self, task: Node) -> dict[str, Any] | None:
        """The `retry` of a task as that of TRY."""
        node = task.value.get("retry")
        if node is None:
            return None
        if node.kind != "map":
            self.findings.add("wrong-type", f"`retry` takes a map, not {show(node.plain())}", node,
                              hint="write `retry: {type: constant, interval: PT10S, maxAttempts: 3}`")  # fmt: skip
            return None
        for name, key in node.keys.items():
            if name not in _RETRY:
                self.findings.unknown_key(key, _RETRY, "`retry`", beside=node.value)
        retry_kinds(node, self.findings)
        kind = node.value.get("type")
        if kind is None or kind.value not in ("constant", "exponential", "random"):
            message = "`retry` needs `type`" if kind is None else f"`type` of `retry` is {show(kind.plain())}"
            self.findings.add("missing-key" if kind is None else "not-a-choice", message, kind or task.keys["retry"],
                              hint="it is constant, exponential or random")  # fmt: skip
            return None
        wanted: tuple[str, ...] = ("minInterval", "maxInterval") if kind.value == "random" else ("interval",)
        wanted += ("maxInterval",) if kind.value == "exponential" else ()
        for name in wanted:
            if name not in node.value:
                self.findings.add("missing-key", f"a {kind.value} `retry` needs `{name}`", task.keys["retry"],
                                  hint=f"add `{name}: PT10S`")  # fmt: skip
        first = self._pause(node, wanted[0]) or 0.0
        most = self._pause(node, "maxInterval") if wanted[0] != "maxInterval" else first
        attempts = node.value.get("maxAttempts", node.value.get("maxAttempt"))
        count = attempts.value if attempts is not None else 3
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            self.findings.add("wrong-type", f"`maxAttempts` is {show(count)}: it counts all attempts, from 1 on",
                              attempts or node)  # fmt: skip
            return None
        factor = node.value.get("delayFactor")
        backoff = factor.value if factor is not None and isinstance(factor.value, (int, float)) else 2
        if count - 1 > _MOST_AGAIN:
            message = f"`maxAttempts` is {count}, and a task is tried {_MOST_AGAIN + 1} times at most here"
            self.findings.add("no-effect", message, attempts or node)
        found: dict[str, Any] = {"max": min(_MOST_AGAIN, count - 1), "delayMs": int(first * 1000)}
        found["backoff"] = max(1, backoff) if kind.value == "exponential" else 1
        found |= {"maxDelayMs": int(max(most or first, first) * 1000), "jitter": kind.value == "random"}
        return {name: made(value, node.span) for name, value in found.items()}
