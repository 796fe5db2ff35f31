"""What an ordinary step sees of its run in a flow, and of a branch of it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from flowdsl.engine.context import RunningStep
from flowdsl.engine.frame import Frame, run_steps
from flowdsl.engine.unfinished import Running, is_unfinished, misused, refused
from flowdsl.errors import StepError
from flowdsl.nearest import nearest
from flowdsl.step.block import Block
from flowdsl.step.signals import Signal
from flowdsl.step.spec import StepSpec
from flowdsl.template.taint import holds_secret, mark

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.engine.pictures import Maker
    from flowdsl.events import Invocation
    from flowdsl.image.image import Image
    from flowdsl.image.origin import Origin
    from flowdsl.image.store import ImageStore
    from flowdsl.step.service import Service
    from flowdsl.step.step import Written


FORGET = 64
"""After so many blocks on branches, those that have ended are forgotten."""
_NONE: list[Running] = []


class Bound(Protocol):
    """The step at its place, as far as its run asks it."""

    spec: StepSpec
    step: StepNode
    given: frozenset[str]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    templated: frozenset[str]
    is_parallel: bool

    def input(self, frame: Frame, type: str) -> Any:
        """The value of an input type; None when unset."""
        ...

    def evaluate(self, key: str, names: Mapping[str, Any] | None, frame: Frame) -> Any:
        """The value of an option that the step resolves itself; None when it is absent."""
        ...


class FlowStep(RunningStep):
    """What a step sees of its run in a flow: also its options, its service, and the blocks in it."""

    __slots__ = ("_bound", "_maker", "_service", "block", "in_branches", "options")

    def __init__(self, bound: Bound, frame: Frame) -> None:
        super().__init__(frame)
        self._bound = bound
        self._service: Service | None = None
        self.options: Mapping[str, Any] = {}
        """The options that were resolved before the step runs."""
        self._maker: Maker | None = None
        self.block: Running | None = None
        self.in_branches: list[Running] = _NONE
        self.step = bound.spec.name
        self.path = bound.step.path
        self.id = bound.step.id
        self.given = bound.given
        self.outputs = bound.outputs
        self.inputs = bound.inputs
        self.templated = bound.templated

    @property
    def service(self) -> Service:
        """The service entry of the step, merged and resolved."""
        if self._service is None:
            run = self._frame.run
            if not run.looked_ahead:
                from flowdsl.engine.look_ahead import look_ahead

                self._service = look_ahead(run, self._frame, self._bound.step)
                run.looked_ahead = True  # and not before: a TRY may catch what it found, and pay for something else
            if self._service is None:
                self._service = run.service(self._bound.step, self.options)
        return self._service

    @property
    def store(self) -> ImageStore:
        """Where image bytes go; what comes of them is called after this step."""
        maker = self._as_maker()
        return self._frame.run.store if maker is None else maker.store

    def project_file(self, name: str) -> str:
        """The path of a file of the project that the step names."""
        return self._frame.run.project_file(name, self._bound.step.node.span)

    async def name_images(self, images: Sequence[Image], origin: Origin) -> None:
        """Gives images their files with names for people, and says how they were made."""
        maker = self._as_maker()
        if maker is not None and self._frame.run.pictures is not None:
            await self._frame.run.pictures.name(maker, images, origin)

    def _as_maker(self) -> Maker | None:
        pictures = self._frame.run.pictures
        if self._maker is None and pictures is not None:
            self._maker = pictures.maker(self._bound.step, self._frame)
        return self._maker

    def input(self, type: str) -> Any:
        """The value of an input type; None when unset."""
        value = self._bound.input(self._frame, type)
        self.hear(value)
        return value

    def hear(self, value: Any) -> None:
        """Takes note of the secrets in what the step is given."""
        secrets = self._frame.run.secrets
        if secrets.seen:
            secrets.notice(value)
            self._read_secret = self._read_secret or holds_secret(value)

    def marked(self, written: Written) -> Written:
        """What the step returned: all of it is marked when the step made it of a secret, and of nothing from outside.

        A response of a service is no secret because a key was sent for it; what it repeats of the key is found.
        """
        if self._read_secret and not self._acted and not self._bound.step.blocks and isinstance(written, Mapping):
            return {type: mark(value) for type, value in written.items()}
        return written

    def run_block(self, block: Block | None, *, iteration: int | None = None) -> Awaitable[Signal | None]:
        """Runs the steps of a block.

        Raises:
            StepError: another one of the same FlowContext has not ended, or the step has.
        """
        last = self.block
        if self.is_ended or (last is not None and last.cr_frame is not None):  # type: ignore[attr-defined]
            return self._refused("a block")
        frame = self._frame
        steps: Sequence[Any] = ()
        if block is not None:
            try:
                steps = block.steps
            except AttributeError:
                kind = type(block).__name__
                raise misused(self.step, f"runs a {kind}, which is no block", "give the field of a Block") from None
            if self._bound.is_parallel:
                outer = frame.around if last is None else frame.around[:-1]
                frame.around = (*outer, _last_number(block.path))
        self.block = running = run_steps(steps, frame, self._invocation, iteration)
        return running

    def _refused(self, what: str) -> Awaitable[Signal | None]:
        """What runs in place of a block, or of a flow, that may not run now: it raises the error.

        Raises:
            StepError: another one runs: the caller hears it before he waits for either.
        """
        if is_unfinished(self.block):
            raise misused(
                self.step,
                f"runs {what} while another one on the same FlowContext has not ended",
                "await one after the other, or give each a FlowContext of its own: `ctx.branch()`, `flowdsl.gather`",
            )
        return refused(self.over(f"runs {what}"))

    def unfinished(self) -> list[Running]:
        """The blocks of the step that have not ended, or not begun; in branches too."""
        blocks = (self.block, *self.in_branches)
        return [block for block in blocks if block is not None and is_unfinished(block)]

    def keep(self, block: Any) -> Awaitable[Signal | None]:
        """Takes note of a block that runs on a branch."""
        blocks = self.in_branches
        if not len(blocks) % FORGET:
            blocks = self.in_branches = [block for block in blocks if is_unfinished(block)]
        blocks.append(block)
        return block  # type: ignore[no-any-return]

    @property
    def is_idle(self) -> bool:
        """Whether nothing that the step began is left."""
        return not (self.acting or is_unfinished(self.block) or (self.in_branches and self.unfinished()))

    def branch(self) -> FlowBranch:
        """A copy of the FlowContext to run blocks on."""
        if self.is_over:
            raise self.over("makes a branch")
        if not isinstance(self.acting, list):
            self.acting = []  # which its branches share
        return FlowBranch(self._bound, self._frame, self._invocation, self)

    def call_flow(self, *, name: str | None = None, ref: str | None = None) -> Awaitable[Signal | None]:
        """Runs a flow of a template's name or of a dot path.

        Raises:
            StepError: there is no such flow.
        """
        frame = self._frame
        document, module = frame.run.program.document, frame.module
        if ref is not None:
            found = document.flow_of(ref, module)
            message, known = f"No flow found for ref '{ref}'", document.flow_refs(module)
        else:
            steps = document.templates.get(name or "")
            found = None if steps is None else (steps, module)
            message, known = f"No template found with name '{name}'", list(document.templates)
        if found is None:
            near = nearest(ref or name or "", known)
            hint = f"did you mean `{near}`?" if near else f"there are {', '.join(known) or 'none'}"
            raise StepError(message, code="unknown-flow", hint=hint)
        if self.is_over or is_unfinished(self.block):
            return self._refused("a flow")
        self.block = running = frame.call(*found, self._invocation)
        return running

    def evaluate(self, key: str, names: Mapping[str, Any] | None = None) -> Any:
        """The value of an option that the step resolves itself; None when it is absent.

        Raises:
            ConfigError: the value breaks a constraint of its key.
        """
        value = self._bound.evaluate(key, names, self._frame)
        self.hear(value)
        return value


class BranchStep(FlowStep):
    """What a step sees of one of its branches: over when the step is, and a block that it runs is the step's."""

    __slots__ = ("_of",)

    def __init__(self, bound: Bound, frame: Frame, of: FlowStep) -> None:
        super().__init__(bound, frame)
        self._of: FlowStep = of._of if isinstance(of, BranchStep) else of
        self.acting = self._of.acting

    @property
    def is_over(self) -> bool:
        """Whether the step has ended."""
        return self._of.is_over

    def run_block(self, block: Block | None, *, iteration: int | None = None) -> Awaitable[Signal | None]:
        """Runs the steps of a block; it is the step's."""
        of = self._of
        return of.keep(self._refused("a block") if of.is_ended else super().run_block(block, iteration=iteration))

    def call_flow(self, *, name: str | None = None, ref: str | None = None) -> Awaitable[Signal | None]:
        """Runs a flow; it is the step's."""
        return self._of.keep(super().call_flow(name=name, ref=ref))


class FlowBranch:
    """A copy of the FlowContext with a step context over it."""

    __slots__ = ("_before", "_frame", "context")

    def __init__(self, bound: Bound, frame: Frame, invocation: Invocation, of: FlowStep) -> None:
        self._before = dict(frame.context)
        self._frame = frame.branched()
        self._frame.invocation = invocation
        self.context = BranchStep(bound, self._frame, of)

    def changes(self) -> dict[str, Any]:
        """The keys that were set to something else than before."""
        before, context = self._before, self._frame.context
        return {key: value for key, value in context.items() if key not in before or before[key] is not value}


def _last_number(path: str) -> int:
    """The number at the end of a place, `flow[1].steps[2]`."""
    digits = path.rpartition("[")[2].removesuffix("]")
    return int(digits) if digits.isdecimal() else 0
