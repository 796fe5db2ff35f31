"""LoopUntil of a Kestra flow: tasks that run until a condition is true."""

from __future__ import annotations

from collections.abc import Callable

from flowdsl.document.dialects import Node, made
from flowdsl.step.problem import show
from flowdsl.template import Reference, Template
from flowdsl.template.foreign import ForeignText, Native, Place, called, parsed
from flowdsl.template.nodes import Literal, Member, Name, Output
from flowdsl.template.problems import Mistake
from flowdsl_steps.dialects.kestra_properties import CommonProperties, Steps
from flowdsl_steps.dialects.kestra_values import TRUTH
from flowdsl_steps.expressions.pebble_kinds import WHOLE, Kind

MOST_ITERATIONS = 10_000
"""So often a loop runs that has no `maxIterations`: one whose condition never comes true has an end too."""
_FREQUENCY = ("interval", "maxIterations", "maxDuration")
_INTERVAL = 60.0


class Clock:
    """The time that a loop has taken: the text is empty for the second it is now, else the key of the one in which the
    loop began, a blank, and how many seconds it may take: then whether they are over."""

    name = "kestra clock"

    def parse(self, text: ForeignText) -> Template:
        """The template of such a text."""
        from time import time

        began, _, seconds = str(text).partition(" ")
        if not began:
            return parsed(text, [Output(called("now", lambda: int(time()), [], 0, 0))], [])
        read = Reference("flowContext", (began,), 0, len(text), True, False)
        value = Member(Name("flowContext", 0, 0), Literal(began, 0, 0), 0)
        is_over = called("over", lambda at: time() - at >= float(seconds), [value], 0, len(text))
        return parsed(text, [Output(is_over)], [read])

    def native(self, text: ForeignText, place: Place) -> Native:
        """Templates have no clock.

        Raises:
            Mistake: always.
        """
        message = "a loop that ends after a time has no counterpart in this language"
        raise Mistake(message, 0, len(text), "write `maxIterations` in place of `maxDuration`")

    def kind(self, text: ForeignText, of_key: Callable[[str], Kind | None]) -> Kind | None:
        """A number, or a truth that no expression reads."""
        return None if text else WHOLE


CLOCK = Clock()


class RepeatedTasks(CommonProperties):
    """Lowers the loop that asks after each iteration whether there is another one."""

    def _loop_until(self, task: Node, id: str) -> Steps:
        self._keys(task, "tasks", "condition", "checkFrequency", "failOnMaxReached")
        tasks, condition = self._needed(task, "tasks"), self._needed(task, "condition")
        fails = self._is(task, "failOnMaxReached")
        interval, most, limit = self._frequency(task.value.get("checkFrequency"))
        key = self._gives(id, ("iterationCount",))
        var, began = f"{key}_iteration", f"{key}_began"
        body = self.steps(tasks)
        if condition is None or not body:
            self.given.pop(id, None)
            return []
        at = task.value["type"].span
        number = f"{{{{ flowContext.{var} }}}}"
        body = [self._set(task, {key: {"iterationCount": number}}), *body]
        body.append(self._step("BREAK", task, {"condition": self._condition(condition)}))
        last = MOST_ITERATIONS if most is None else most.value
        ends = [self._end(task, fails or most is None, f"after {last:,} iterations", most is None)]
        body.append(self._step("IF", task, {"condition": f"{{{{ flowContext.{var} == {last} }}}}", "then": ends}))
        if limit is not None:
            over = made(ForeignText(f"{began} {limit.value:g}", CLOCK), limit.span)
            ends = [self._end(task, fails, "when its `maxDuration` was over", False)]
            body.append(self._step("IF", task, {"condition": over, "then": ends}))
        if interval:
            body.append(self._step("SLEEP", task, {"delay": made(int(interval * 1000), at)}))
        found = [self._step("FOR", task, {"var": var, "start": 1, "end": most or last, "do": body})]
        if limit is not None:
            found.insert(0, self._set(task, {began: made(ForeignText("", CLOCK), limit.span)}))
        return found

    def _end(self, task: Node, fails: bool, when: str, is_ours: bool) -> Node:
        """What ends a loop whose condition is still false."""
        if not fails:
            return self._step("BREAK", task, {})
        message = f"the condition of LoopUntil is still false {when}"
        message += ": `checkFrequency: {maxIterations: …}` ends it without an error" if is_ours else ""
        return self._step("RAISE", task, {"message": message, "code": "too-many-iterations"})

    def _condition(self, condition: Node) -> Node:
        return self.scope.text(self._asked(condition), TRUTH)

    def _frequency(self, node: Node | None) -> tuple[float, Node | None, Node | None]:
        """The pause in seconds, how many iterations there are at most, and the seconds that the loop may take."""
        if node is None or node.value is None:
            return _INTERVAL, None, None
        if node.kind != "map":
            hint = "write `checkFrequency: {interval: PT10S, maxIterations: 5}`"
            message = f"`checkFrequency` takes a map, not {show(node.plain())}"
            self.findings.add("wrong-type", message, node, hint=hint)
            return _INTERVAL, None, None
        for name, key in node.keys.items():
            if name not in _FREQUENCY:
                self.findings.unknown_key(key, _FREQUENCY, "`checkFrequency`", beside=node.value)
        most: Node | None = node.value.get("maxIterations")
        count = None if most is None else most.value
        if most is not None and count is None:
            most = None
        elif most is not None:
            is_count = isinstance(count, int) and not isinstance(count, bool)
            if not isinstance(count, int) or not is_count or not 1 <= count <= MOST_ITERATIONS:
                message = f"`maxIterations` is {show(most.plain())}: it is a whole number from 1 to {MOST_ITERATIONS:,}"
                self.findings.add("out-of-range" if is_count else "wrong-type", message, most)
                most = None
        interval = self._pause(node, "interval")
        limit = self._duration(node, "maxDuration")
        seconds = None if limit is None else made(limit, node.value["maxDuration"].span)
        return _INTERVAL if interval is None else interval, most, seconds
