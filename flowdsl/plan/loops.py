"""Loops in a plan: over known items one by one, as long as a condition is known, else as often as a name says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from flowdsl.engine.rehearsal import NOT_GIVEN
from flowdsl.errors import FlowError
from flowdsl.plan.spending import FREE, ON, End, Spending, Ways, either, joined, perhaps, then
from flowdsl.step.condition import holds
from flowdsl.step.rules import UNKNOWN
from flowdsl.step.signals import Signal
from flowdsl.template import parse

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.plan.buying import Buying
    from flowdsl.plan.ground import Ground
    from flowdsl.step.flow_shapes import Loop

_NEXT: Final[tuple[End, ...]] = (ON, Signal.CONTINUE)


class Loops:
    """Follows loops for a walk, by its `follow`."""

    def __init__(self, walk: Ground, buying: Buying, follow: Callable[[Sequence[StepNode]], Ways]) -> None:
        self._walk = walk
        self._buying = buying
        self._follow = follow

    def ways(self, step: StepNode, flow: Loop) -> Ways:
        """The ways through a loop."""
        try:
            items = [UNKNOWN] if self._has_one(flow) else self._walk.options.items(step, flow, self._walk.known)
        except FlowError:  # the run fails there
            items = None
        if items is not None:
            return self._over(step, flow, items)
        if (on := step.given(flow.on)) is not None:
            return self._while(step, flow, on)
        return self._uncounted(step, flow)

    def _has_one(self, flow: Loop) -> bool:
        """Whether the only item is given, such as the record of a batch."""
        walk, inputs = self._walk, self._walk.run.names["inputs"]
        if flow.only is None:
            return False
        return walk.known.context.get(flow.only) is not None or inputs.get(flow.only) is NOT_GIVEN

    def _over(self, step: StepNode, flow: Loop, items: Sequence[Any]) -> Ways:
        walk, at_once = self._walk, flow.concurrent is not None and flow.concurrent in step.keys
        loop = _Passed()
        collected: list[Any] | None = []
        for number, item in enumerate(items):
            if walk.steps_left <= 0:
                walk.known.forget_steps([step])
                loop.take(self._iteration(step, flow, None), len(items) - number)
                collected = None
                break
            before = walk.known
            walk.known = before.branched() if at_once else before
            try:
                for key, value in ((step.item(), item), (step.index(), number)):
                    if key is not None:
                        walk.known.put(key[0], value, made=False)
                ways = self._iteration(step, flow, number + 1)
                if collected is not None:
                    collected = self._collected(step, flow, collected, ways)
            finally:
                walk.known = before
            loop.take(ways, 1)
            if Signal.CONTINUE in ways and len(ways) > 1:
                walk.known.forget_steps([step])
            if loop.is_over and not at_once:
                break
        if at_once or loop.is_torn:
            walk.known.forget_steps([step])
        if flow.collect and (key := step.named(flow.collect[1])) is not None:
            walk.known.forget(key[0])
            if collected is not None and not loop.is_torn:
                walk.known.put(key[0], collected)
            elif not loop.is_torn and not loop.skips:
                walk.known.counts[key[0]] = len(items)
        return loop.side_by_side() if at_once else loop.ended()

    def _collected(self, step: StepNode, flow: Loop, collected: list[Any], ways: Ways) -> list[Any] | None:
        if set(ways) != {"on"}:
            return None
        try:
            return self._walk.options.collected(step, flow, self._walk.known, collected)
        except FlowError:
            return None

    def _while(self, step: StepNode, flow: Loop, on: str) -> Ways:
        walk, loop = self._walk, _Passed()
        most = self._most(step, flow)
        number = 0
        while not loop.is_over and (most is None or number < most):
            value = True if number < flow.least else walk.value(step, on)
            if value is UNKNOWN or walk.steps_left <= 0:
                walk.known.forget_steps([step])
                self._walk.often.append(f"iterations(line {_line(step)})")
                ways = self._iteration(step, flow, None)
                self._walk.often.pop()
                walk.known.forget_steps([step])
                self._buying.endless(step, ways, most)
                return loop.any_number(ways, None if most is None else most - number)
            if not holds(value):
                break
            number += 1
            ways = self._iteration(step, flow, number)
            if Signal.CONTINUE in ways and len(ways) > 1:
                walk.known.forget_steps([step])
            loop.take(ways, 1)
        if loop.is_torn:
            walk.known.forget_steps([step])
        return loop.ended()

    def _most(self, step: StepNode, flow: Loop) -> int | None:
        """How many iterations the author allows."""
        if flow.most is None or step.given((flow.most,)) is None:
            return None
        value = self._walk.value(step, flow.most)
        return value if isinstance(value, int) else None

    def _uncounted(self, step: StepNode, flow: Loop) -> Ways:
        walk = self._walk
        name, counted = self._count(step, flow)
        walk.known.forget_steps([step])
        self._walk.often.append(name)
        ways = self._iteration(step, flow, None)
        self._walk.often.pop()
        walk.known.forget_steps([step])
        self._buying.uncounted(step, ways, name, counted=counted)
        loop = _Passed()
        if flow.least:
            loop.take(ways, flow.least)
        return loop.for_each(ways, name, counted=counted)

    def _count(self, step: StepNode, flow: Loop) -> tuple[str, bool]:
        """What the number of iterations is called; and whether it surely is the length of a list."""
        key = step.given((flow.items,))
        if key is None:
            return f"iterations(line {_line(step)})", False
        text = step.keys[key].value
        parsed = parse(text) if isinstance(text, str) else None
        if parsed is not None and parsed.is_native and len(parsed.references) == 1:
            reference = parsed.references[0]
            bare = text.strip()[2:-2].strip("- ")
            if reference.root in ("inputs", "flowContext") and bare == ".".join((reference.root, *reference.path)):
                return step.node.source.without_keys(f"len({'.'.join(reference.path)})"), True
        return f"items(line {_line(step)})", True

    def _iteration(self, step: StepNode, flow: Loop, number: int | None) -> Ways:
        which = "each iteration" if number is None else f"iteration {number}"
        self._walk.around.append(f"{which} of line {_line(step)}")
        try:
            if number is None:
                with self._walk.perhaps():
                    return self._follow(step.block(flow.body))
            return self._follow(step.block(flow.body))
        finally:
            self._walk.around.pop()


class _Passed:
    """The iterations of a loop that were followed, as one: what was spent until the next, and the ways out."""

    def __init__(self) -> None:
        self._spent: Spending = FREE
        self._most: Spending = FREE
        self._outs: list[Ways] = []
        self.is_over = False
        self.is_torn = False
        """Whether an iteration may have ended the loop, so that nobody knows what it has set."""
        self.skips = False

    def take(self, ways: Ways, times: int) -> None:
        """Takes note of so many iterations, one after another."""
        each = either(ways[end] for end in _NEXT if end in ways)
        self.skips = self.skips or Signal.CONTINUE in ways
        every = either(ways.values())
        for end, spending in ways.items():
            if end not in _NEXT:
                self.is_torn = self.is_torn or end is not None
                left: End = ON if end is Signal.BREAK else end
                own = then(self._spent, spending)
                if times > 1:
                    own = either((own, perhaps(then(self._spent, _times(every, times)))))
                self._outs.append({left: own})
        self._most = then(self._most, _times(every, times))
        if not any(end in ways for end in _NEXT):
            self.is_over = True
            return
        self._spent = then(self._spent, _times(each, times))

    def ended(self) -> Ways:
        """The ways through the loop."""
        return joined(*self._outs, *([] if self.is_over else [{ON: self._spent}]))

    def side_by_side(self) -> Ways:
        """The same where iterations run at once: one that leaves may leave before others have begun, or after all."""
        outs = [{end: either((spending, perhaps(self._most))) for end, spending in out.items()} for out in self._outs]
        return joined(*outs, *([] if self.is_over else [{ON: self._spent}]))

    def any_number(self, ways: Ways, most: int | None) -> Ways:
        """The ways through it where further iterations, of which there are at most so many, may follow."""
        every = either(ways.values())
        further: Spending
        if most is None:
            further = {row: bounds.without_end() for row, bounds in every.items()}
        else:
            further = perhaps(_times(every, most))
        return self._with(ways, further)

    def for_each(self, ways: Ways, name: str, *, counted: bool) -> Ways:
        """The ways through it where there are further iterations, as many as a name says."""
        every = {row: bounds.for_each(name) for row, bounds in either(ways.values()).items()}
        return self._with(ways, every if counted and set(ways) == {"on"} else perhaps(every))

    def _with(self, ways: Ways, further: Spending) -> Ways:
        spent = then(self._spent, further)
        outs: list[Ways] = [{ON: spent}]
        for end in ways:
            if end not in ("on", Signal.CONTINUE, Signal.BREAK):
                outs.append({end: perhaps(spent)})
        return joined(*self._outs, *outs)


def _times(spending: Spending, number: int) -> Spending:
    return spending if number == 1 else {row: bounds.times(number) for row, bounds in spending.items()}


def _line(step: StepNode) -> int:
    return step.name_node.span.first.line
