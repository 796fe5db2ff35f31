"""Every way through a flow, with what is spent on it: by the shapes of the steps, and what each class says it buys.

Followed is what may happen. What is known before, by the same rules as for what a run looks up before its first
payment, is resolved: a loop over known items is gone through item by item, of an IF whose condition is known the one
block. Of what is not known, each possibility counts: the cheapest way is the least, the dearest one the most.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from flowdsl.document.document import inside
from flowdsl.errors import TemplateError
from flowdsl.plan.buying import Buying
from flowdsl.plan.ground import Ground
from flowdsl.plan.loops import Loops
from flowdsl.plan.spending import FREE, GOING_ON, ON, End, Spending, Ways, after, either, joined, perhaps, then
from flowdsl.step import flow_shapes
from flowdsl.step.condition import holds
from flowdsl.step.flow_shapes import Assign, Call, Choice, Exit, Leaf, Loop, Parallel, Switch, Try
from flowdsl.step.rules import UNKNOWN
from flowdsl.step.signals import Signal
from flowdsl.template import output_text

if TYPE_CHECKING:
    from flowdsl.document.document import Module, StepNode
    from flowdsl.engine.frame import Frame

_DEEPEST: Final = 64
"""How deep flows may call flows, as in a run."""


class Walk(Ground):
    """Goes through a document, and adds up what its steps buy; `buying` has the requests in their order, and why some
    bounds are not known."""

    def __init__(self, frame: Frame) -> None:
        super().__init__(frame)
        self.document = frame.run.program.document
        self.buying = Buying(self)
        self.loops = Loops(self, self.buying, self.follow)
        self._called: list[Sequence[StepNode]] = []

    def whole(self) -> Ways:
        """The ways through the flow and its `onError`."""
        ways = self.follow(self.document.steps)
        if self.document.on_error is None:
            return ways
        self.known.context.clear()
        self.known.counts.clear()
        spent = perhaps(either(ways.values()))
        with self.perhaps():
            handled = after(spent, self.follow(self.document.on_error))
        ends: dict[End, Ways] = {}
        for end, spending in handled.items():  # what ends it well is END; else the run fails nevertheless
            end = Signal.END if end is Signal.END else None
            ends[end] = joined(*([ends[end]] if end in ends else []), {end: spending})
        return joined(ways, *ends.values())

    def follow(self, steps: Sequence[StepNode]) -> Ways:
        """The ways through steps."""
        spent: Spending = FREE
        found: list[Ways] = []
        is_certain = True
        for step in steps:
            self.steps_left -= 1
            if is_certain:
                ways = self._step(step)
            else:
                with self.perhaps():
                    ways = self._step(step)
            for end, spending in ways.items():
                if end != "on":
                    found.append({end: then(spent, spending)})
                    is_certain = is_certain and end is None
            if "on" not in ways:
                return joined(*found)
            spent = then(spent, ways["on"])
        return joined(*found, {ON: spent}) if found else {ON: spent}

    def _step(self, step: StepNode) -> Ways:
        flow = step.spec.flow
        bought = self.buying.bought(step)
        if isinstance(flow, Leaf):
            self.known.forget_steps([step])
            self.options.count(step, self.known)
            return {ON: bought} if bought else GOING_ON
        return after(bought, self._shaped(step))

    def _shaped(self, step: StepNode) -> Ways:
        flow = step.spec.flow
        if isinstance(flow, Assign):
            return self._assign(step, flow)
        if isinstance(flow, Exit):
            return self._exit(step, flow)
        if isinstance(flow, Call):
            return self._call(step)
        if isinstance(flow, Loop):
            return self.loops.ways(step, flow)
        if isinstance(flow, Choice):
            return self._choice(step, flow)
        if isinstance(flow, Switch):
            return self._switch(step, flow)
        if isinstance(flow, Parallel):
            return self._side_by_side(step)
        if isinstance(flow, Try):
            return self._try(step, flow)
        assert isinstance(flow, flow_shapes.Sequence)  # noqa: S101  there are no other shapes
        return self._in_order(step)

    def _in_order(self, step: StepNode) -> Ways:
        ways: Ways = GOING_ON
        for block in step.blocks:
            if "on" not in ways:
                break
            rest = after(ways["on"], self.follow(block.steps))
            ways = joined({end: each for end, each in ways.items() if end != "on"}, rest)
        return ways

    def _assign(self, step: StepNode, flow: Assign) -> Ways:
        ways = self._in_order(step)
        converts = flow.convert is not None and flow.convert in step.keys
        from_blocks = {block.key for block in step.blocks}
        for key, name in step.assigned(flow):
            value = UNKNOWN if converts or key in from_blocks else self.value(step, key)
            if value is UNKNOWN:
                self.known.forget(name)
            else:
                self.known.put(name, value)
        return ways

    def _exit(self, step: StepNode, flow: Exit) -> Ways:
        when = step.given((flow.when,))
        value = True if when is None else self.value(step, when)
        if value is UNKNOWN:
            return {ON: FREE, flow.signal: FREE}
        return {flow.signal: FREE} if when is None or holds(value) else GOING_ON

    def _call(self, step: StepNode) -> Ways:
        module = self.known.frame.module
        called = self.document.called(step, module)
        if called is not None:
            return self._called_flow(step, *called)
        with self.perhaps():
            ways = [self.apart(partial(self._called_flow, step, steps, at)) for steps, at in self._flows(module)]
        self.known.forget_steps([step])
        return joined(*ways) if ways else GOING_ON

    def _flows(self, module: Module | None) -> list[tuple[Sequence[StepNode], Module | None]]:
        """All that a call in a module may name."""
        return [
            *((steps, module) for steps in self.document.templates.values()),
            *filter(None, (self.document.flow_of(ref, module) for ref in self.document.flow_refs(module))),
        ]

    def _buys(self, steps: Sequence[StepNode], module: Module | None, seen: list[Sequence[StepNode]]) -> bool:
        """Whether steps buy, or flows that they call do, and those that these call; `seen` are not looked at again."""
        if any(steps is each for each in seen):
            return False
        seen.append(steps)
        for each in (each for outer in steps for each in inside(outer)):
            if each.spec.service is not None:
                return True
            if isinstance(each.spec.flow, Call):
                called = self.document.called(each, module)
                flows = self._flows(module) if called is None else [called]
                if any(self._buys(*flow, seen) for flow in flows):
                    return True
        return False

    def _called_flow(self, step: StepNode, steps: Sequence[StepNode], module: Module | None) -> Ways:
        if steps in self._called or len(self._called) > _DEEPEST:
            self.known.forget_steps([step])
            return self.buying.recursion(step) if self._buys(steps, module, []) else GOING_ON
        self._called.append(steps)
        outside, self.known = self.known, self.known.within(module)
        try:
            ways = self.follow(steps)
        finally:
            self.known = outside
            self._called.pop()
        if Signal.RETURN in ways and len(ways) > 1:
            self.known.forget_steps([step])
        return joined(*({end if end in (Signal.END, None) else ON: each} for end, each in ways.items()))

    def _choice(self, step: StepNode, flow: Choice) -> Ways:
        on = step.given(flow.on)
        value = UNKNOWN if on is None else self.value(step, on)
        blocks = [step.block(flow.then), step.block(flow.otherwise)]
        if value is not UNKNOWN:
            return self.follow(blocks[0] if holds(value) else blocks[1])
        return self._one_of(step, blocks)

    def _switch(self, step: StepNode, flow: Switch) -> Ways:
        names = {(block.name if flow.cases is not None else block.key): block.steps for block in step.blocks}
        if flow.chosen is not None and flow.chosen in names:
            return self.follow(names[flow.chosen])
        if flow.chosen is not None:
            return self.follow(names.get(flow.default, ()))
        on = step.given(flow.on) if flow.as_text else None
        value = UNKNOWN if on is None else self.value(step, on)
        if value is not UNKNOWN:
            try:
                return self.follow(names.get(output_text(value).strip(), names.get(flow.default, ())))
            except TemplateError:  # a value without a text: the run fails there
                return {None: FREE}
        blocks = [*names.values(), *([] if flow.default in names else [()])]
        return self._one_of(step, blocks)

    def _one_of(self, step: StepNode, blocks: Sequence[Sequence[StepNode]]) -> Ways:
        with self.perhaps():
            ways = [self.apart(partial(self.follow, steps)) for steps in blocks]
        self.known.forget_steps([step])
        return joined(*ways)

    def _side_by_side(self, step: StepNode) -> Ways:
        several = [self.apart(partial(self.follow, block.steps)) for block in step.blocks]
        self.known.forget_steps([step])
        return together(several)

    def _try(self, step: StepNode, flow: Try) -> Ways:
        again, anew = self._repetitions(step, flow)
        if again != 0:
            self.known.forget_steps(step.block(flow.body))
        is_same, body = self.buying.watched(lambda: self.follow(step.block(flow.body)))
        if again != 0:
            if again is None:
                self.buying.open_retry(step, body)
            body = {end: self._repeated(each, again, anew or not is_same) for end, each in body.items()}
        self.known.forget_steps([step])
        failed = perhaps(either(body.values()))
        with self.perhaps():
            caught = after(failed, self.follow(step.block(flow.catch)))
        ways = joined({end: each for end, each in body.items() if end is not None}, caught)
        if flow.when is not None and step.given((flow.when,)) is not None:
            ways = joined(ways, {None: failed})
        self.known.forget_steps([step])
        last = self.follow(step.block(flow.final))
        ended = [
            {end if ending == "on" else ending: then(each, its)}
            for end, each in ways.items()
            for ending, its in last.items()
        ]
        return joined(*ended)

    def _repeated(self, spending: Spending, again: int | None, anew: bool) -> Spending:
        if again is None:
            return {row: bounds.or_else(bounds.without_end()) for row, bounds in spending.items()}
        return {row: bounds.repeated(again + 1, again + 1 if anew else 1) for row, bounds in spending.items()}

    def _repetitions(self, step: StepNode, flow: Try) -> tuple[int | None, bool]:
        """How often a body may run again, None where nobody knows; and whether what it paid for is bought again."""
        name = step.given((flow.retry,))
        if name is None:
            return 0, False
        given = self.value(step, name)
        if not isinstance(given, dict):
            return None, True
        key, _, default = (flow.times or "").partition(": ")
        again = given.get(key, int(default) if default.isdecimal() else None)
        again = int(default) if again is None and default.isdecimal() else again
        mark, _, word = (flow.anew or "").partition(": ")
        return (again if isinstance(again, int) else None), given.get(mark) == word


def together(several: Sequence[Ways]) -> Ways:
    """Ways of what runs side by side: one that leaves by a signal may leave before others have begun, or after all."""
    most: Spending = FREE
    for ways in several:
        most = then(most, perhaps(either(ways.values())))
    going: Spending = FREE
    exits: list[Ways] = []
    for ways in several:
        going = then(going, ways.get("on", FREE))
        exits += [{end: either((each, most))} for end, each in ways.items() if end != "on"]
    return joined(*exits, *([{ON: going}] if all("on" in ways for ways in several) else []))
