"""What the steps still to come will need that needs nothing of what is made until then: followed, resolved and checked
before the first step that is paid, as a mistake in it would end the run after it.

Followed is what surely happens, by the shapes of the steps alone: a variable that is set from what is known is known, a
loop over known items is gone through item by item, of an IF whose condition is known the one block. What depends on a
picture, a response, a lot or a function of the host is not known, and what it decides is left alone; so is what a TRY
catches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import thread_time
from typing import TYPE_CHECKING, Any, Final

from flowdsl.engine.foreseen_options import ForeseenOptions
from flowdsl.engine.iterations import around
from flowdsl.engine.known import Known
from flowdsl.engine.trail import GOES_ON, possible, trail
from flowdsl.errors import RunError
from flowdsl.step import flow_shapes
from flowdsl.step.condition import holds
from flowdsl.step.flow_shapes import Assign, Call, Choice, Exit, Leaf, Loop, Parallel, Try
from flowdsl.step.signals import Signal

if TYPE_CHECKING:
    from flowdsl.document.document import BlockNode, StepNode
    from flowdsl.engine.frame import Frame
    from flowdsl.engine.state import Run
    from flowdsl.engine.trail import Ends, Place

_MOST_STEPS: Final = 5_000
"""How many steps inside loops are looked at."""
_MOST_SECONDS: Final = 1.0
"""How long variables are computed and loops are gone through, in CPU time."""
_NEXT: Final[Ends] = frozenset({"on", Signal.CONTINUE})
_LEAVE_A_LOOP: Final = frozenset({Signal.BREAK, Signal.CONTINUE})


class Foreseen:
    """The steps behind one that will be paid, followed as far as they are known; `require` looks at each of them that
    the run surely comes to."""

    def __init__(self, run: Run, frame: Frame, require: Callable[[StepNode], None]) -> None:
        self.run = run
        self.document = run.program.document
        self.require = require
        self.known = Known(frame.branched())
        self.options = ForeseenOptions(run)
        self._called: list[Sequence[StepNode]] = []
        self._in_loops = 0
        self._left = _MOST_STEPS
        self._until: float | None = None

    def check(self, paid: StepNode) -> None:
        """Follows what comes behind a step, and checks what is known of the options there.

        Raises:
            RunError: something is wrong, as it would be then.
        """
        places = trail(self.document.steps, paid)
        if not places:  # in a called flow: what is known of its callers is what is known at the beginning
            self.known = self.known.within(None)
            self.known.context.clear()
            self.known.context.update(self.run.names["inputs"])
            self._follow(self.document.steps)
            return
        self.known.forget_steps([paid])
        self.options.count(paid, self.known)
        self._rest(places)

    def _rest(self, places: Sequence[Place]) -> Ends:
        """Follows what is left of the step that a place stands in, the innermost places first."""
        place = places[0]
        owner = place.owner
        flow = owner.spec.flow if owner is not None else None
        if owner is None or place.block is None:
            return self._rest_of_block(places)
        if isinstance(flow, Loop):
            return self._rest_of_loop(owner, flow, places)
        if isinstance(flow, Try):
            return self._rest_of_try(owner, flow, places)
        ends = self._rest_of_block(places)
        if isinstance(flow, flow_shapes.Sequence):
            return self._in_order(owner, owner.blocks.index(place.block) + 1, ends)
        if isinstance(flow, Parallel):
            self.known.forget_steps([owner])
            return self._side_by_side(owner, [block for block in owner.blocks if block is not place.block], ends)
        if isinstance(flow, Assign):
            self.known.forget_steps([owner])
        return ends

    def _rest_of_block(self, places: Sequence[Place]) -> Ends:
        ends = self._rest(places[1:]) if len(places) > 1 else GOES_ON
        return self._after(ends, places[0].steps[places[0].number + 1 :])

    def _rest_of_try(self, owner: StepNode, flow: Try, places: Sequence[Place]) -> Ends:
        """What its body may fail of is caught; what `catch` and `finally` fail of is not."""
        block = places[0].block
        if block is not None and block.key != flow.body:
            ends = self._rest_of_block(places)
            if block.key == flow.final:  # nobody knows what waits for its end: an error, or a signal
                return ends | possible(self.document, owner) | {None}
            return self._after(ends, owner.block(flow.final))
        return self._after(self._unknown(owner), owner.block(flow.final))

    def _rest_of_loop(self, loop: StepNode, flow: Loop, places: Sequence[Place]) -> Ends:
        """The rest of the iteration that goes on, and the iterations behind it."""
        index = loop.index()
        now = self.known.context.get(index[0]) if index is not None else None
        number = now if isinstance(now, int) else None
        with self._iteration(loop, number):
            ends = self._rest_of_block(places)
        every = GOES_ON.union(*(possible(self.document, each) for each in loop.block(flow.body)))
        with self._apart():
            self.known.forget_steps([loop])  # what it changes, its items were not made of
            items = self.options.items(loop, flow, self.known, begun=True)
        if number is None or items is None or ends != GOES_ON or self._concurrent(loop, flow):
            self.known.forget_steps([loop])
        if ends <= _NEXT and number is not None and items is not None:
            return self._iterations(loop, flow, items, number + 1, counted=ends == every == GOES_ON)
        return (ends | GOES_ON) - _LEAVE_A_LOOP

    def _follow(self, steps: Sequence[StepNode]) -> Ends:
        """Follows steps; gives how they may end: `on`, or by a signal (None: by an error on purpose)."""
        for number, step in enumerate(steps):
            if self._in_loops:
                self._left -= 1
            try:
                ends = self._step(step)
            except RunError as error:
                if error.step is None:
                    error.step, error.path, error.span = step.spec.name, step.path, error.span or step.name_node.span
                raise
            if ends != GOES_ON:
                return self._after(ends, steps[number + 1 :])
        return GOES_ON

    def _after(self, ends: Ends, steps: Sequence[StepNode]) -> Ends:
        """Follows steps behind others, which end like this."""
        if ends == GOES_ON:
            return self._follow(steps)
        self.known.forget_steps(steps)
        if "on" not in ends:
            return ends
        return ends.union(*(possible(self.document, each, self.known.frame.module) for each in steps))

    def _step(self, step: StepNode) -> Ends:
        flow = step.spec.flow
        if isinstance(flow, Leaf):
            self.require(step)
            self.options.check(step, self.known)
            self.known.forget_steps([step])
            self.options.count(step, self.known)
            return GOES_ON
        if isinstance(flow, Assign):
            return self._assign(step, flow)
        if isinstance(flow, Exit):
            return self._exit(step, flow)
        if isinstance(flow, Call):
            return self._call(step)
        self.options.check(step, self.known, deferred=False)
        if isinstance(flow, Loop):
            return self._loop(step, flow)
        if isinstance(flow, Choice):
            return self._choice(step, flow)
        if isinstance(flow, flow_shapes.Sequence):
            return self._in_order(step)
        if isinstance(flow, Parallel):
            return self._side_by_side(step, step.blocks)
        ends = self._unknown(step)
        return self._after(ends, step.block(flow.final)) if isinstance(flow, Try) else ends

    def _unknown(self, step: StepNode) -> Ends:
        """How a step may end of which nobody knows what of it comes to pass."""
        self.known.forget_steps([step])
        return possible(self.document, step, self.known.frame.module)

    def _in_order(self, step: StepNode, begin: int = 0, ends: Ends = GOES_ON) -> Ends:
        for block in step.blocks[begin:]:
            ends = self._after(ends, block.steps)
        return ends

    def _side_by_side(self, step: StepNode, blocks: Sequence[BlockNode], ends: Ends = GOES_ON) -> Ends:
        for block in blocks:
            with self._apart():
                ends |= self._follow(block.steps)
        self.known.forget_steps([step])
        return ends

    def _assign(self, step: StepNode, flow: Assign) -> Ends:
        ends = self._in_order(step)
        if ends != GOES_ON:
            self.known.forget_steps([step])
            return ends
        converts = flow.convert is not None and flow.convert in step.keys
        from_blocks = {block.key for block in step.blocks}
        for key, name in step.assigned(flow):
            sure = not (converts or key in from_blocks or self._is_late())
            if sure and self.known.knows(step.keys[key], step.spec.keys.get(key)):
                self.known.put(name, self.known.value(step, key))
            else:
                self.known.forget(name)
        return GOES_ON

    def _exit(self, step: StepNode, flow: Exit) -> Ends:
        when = step.given((flow.when,))
        if when is None:
            return frozenset({flow.signal})
        if not self.known.knows(step.keys[when], step.spec.keys[when]):
            return frozenset({"on", flow.signal})
        return frozenset({flow.signal}) if holds(self.known.value(step, when)) else GOES_ON

    def _call(self, step: StepNode) -> Ends:
        called = self.document.called(step, self.known.frame.module)
        if called is None or called[0] in self._called:
            return self._unknown(step)
        self._called.append(called[0])
        outside, self.known = self.known, self.known.within(called[1])
        try:
            ends = self._follow(called[0])
        finally:
            self.known = outside
            self._called.pop()
        return frozenset(end if end in (Signal.END, None) else "on" for end in ends)

    def _choice(self, step: StepNode, flow: Choice) -> Ends:
        on = step.given(flow.on)
        if on is None or not self.known.knows(step.keys[on], step.spec.keys[on]):
            return self._unknown(step)
        taken = flow.then if holds(self.known.value(step, on)) else flow.otherwise
        return self._follow(step.block(taken))

    def _loop(self, step: StepNode, flow: Loop) -> Ends:
        items = self.options.items(step, flow, self.known)
        if items is not None:
            return self._iterations(step, flow, items)
        if flow.least:
            self._once(step, flow)
        return self._unknown(step)

    def _iterations(
        self, step: StepNode, flow: Loop, items: Sequence[Any], begin: int = 0, *, counted: bool = True
    ) -> Ends:
        """Goes through a loop from an iteration on; `counted` is whether every one before it collected a value."""
        at_once, item, index = self._concurrent(step, flow), step.item(), step.index()
        collected: list[Any] | None = None if begin else []
        count = begin
        for number in range(begin, len(items)):
            if self._is_late():
                return self._unknown(step)
            with self._apart(at_once):
                for key, value in ((item, items[number]), (index, number)):
                    if key is not None:
                        self.known.put(key[0], value, made=False)
                with self._iteration(step, number):
                    ends = self._follow(step.block(flow.body))
                if ends == GOES_ON and collected is not None:
                    collected = self.options.collected(step, flow, self.known, collected)
            if ends == GOES_ON:
                count += 1
            elif ends == frozenset({Signal.BREAK}):
                break
            elif ends != frozenset({Signal.CONTINUE}):
                collected, counted = None, False
            if not ends <= _NEXT:
                self.known.forget_steps([step])
                return (ends | GOES_ON if ends & _LEAVE_A_LOOP else ends) - _LEAVE_A_LOOP
        if at_once:
            self.known.forget_steps([step])
        if flow.collect and (key := step.named(flow.collect[1])) is not None:
            self.known.forget(key[0])
            if collected is not None:
                self.known.put(key[0], collected)
            elif counted:
                self.known.counts[key[0]] = count
        return GOES_ON

    def _once(self, step: StepNode, flow: Loop) -> None:
        """Follows the first iteration of a loop of which nothing is known but that there is one."""
        with self._apart(), self._iteration(step, 0):
            for key in (step.item(), step.index()):
                if key is not None:
                    self.known.forget(key[0])
            self._follow(step.block(flow.body))

    def _concurrent(self, step: StepNode, flow: Loop) -> bool:
        return flow.concurrent is not None and flow.concurrent in step.keys

    @contextmanager
    def _apart(self, apart: bool = True) -> Iterator[None]:
        """On a copy of what is known, whose changes are its own."""
        before = self.known
        self.known = before.branched() if apart else before
        try:
            yield
        finally:
            self.known = before

    @contextmanager
    def _iteration(self, loop: StepNode, number: int | None) -> Iterator[None]:
        """An iteration of a loop, of which an error says which one it is."""
        self._in_loops += 1
        try:
            yield
        except RunError as error:
            around(error).foresee(loop, number, self.known.context, self.run.secrets)
            raise
        finally:
            self._in_loops -= 1

    def _is_late(self) -> bool:
        if self._until is None:
            self._until = thread_time() + _MOST_SECONDS
        return self._left <= 0 or thread_time() > self._until
