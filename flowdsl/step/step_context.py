"""StepContext: what a running step sees of its run, and what it does there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

    from flowdsl.host import OpenTransport
    from flowdsl.image.image import Image
    from flowdsl.image.origin import Origin
    from flowdsl.image.store import ImageStore
    from flowdsl.limits import Limits, Pace, Reservation
    from flowdsl.step.block import Block
    from flowdsl.step.sending import Sending
    from flowdsl.step.service import Service
    from flowdsl.step.signals import Signal

T = TypeVar("T")


class StepContext(Protocol):
    """What a running step sees of its run."""

    step: str
    """The step's name."""
    path: str
    """The step's place in the flow, `flow[2]`."""
    id: str | None
    """The name the author gave the step."""
    given: frozenset[str]
    """The keys the author wrote, templated ones included."""
    templated: frozenset[str]
    """Those of them whose value a template makes."""
    inputs: tuple[str, ...]
    """The input types the author gave a name to; empty when `inputs` is absent."""
    outputs: tuple[str, ...]
    """The output types the author asked for; empty when `outputs` is absent."""

    @property
    def flow_context(self) -> Mapping[str, Any]:
        """The FlowContext, to read. What a step returns is written by the engine."""
        ...

    @property
    def limits(self) -> Limits:
        """The limits of the environment."""
        ...

    @property
    def service(self) -> Service:
        """The service entry of this step, merged and resolved."""
        ...

    @property
    def store(self) -> ImageStore:
        """Where image bytes go."""
        ...

    @property
    def output_folder(self) -> Path:
        """The folder that the run's files are written to; it need not exist yet."""
        ...

    @property
    def transport(self) -> OpenTransport | None:
        """What opens the transport of httpx that the host gives for requests; None where the step sends by its own."""
        ...

    def project_file(self, name: str) -> str:
        """The path of a file of the project, by the name that the step gives it: `./` and `../` from the file of the
        flow, others from the project's root. A file that the run made is found by its path.

        Raises:
            ConfigError: there is no such file in the project.
        """
        ...

    def check_file_name(self, name: str) -> None:
        """Looks whether a step may read a file of this name: with `Limits(files_by_value=False)` the name has to stand
        in the flow. `project_file` does it too.

        Raises:
            ConfigError: it came with an input or another value.
        """
        ...

    def input(self, type: str) -> Any:
        """The value of an input: of the FlowContext path the author gave for its type, else of the key of that name.

        None when it is unset.
        """
        ...

    @property
    def pace(self) -> Pace | None:
        """How fast services may be asked, by all processes that share the journal of the run; None without one."""
        ...

    def hide(self, text: str) -> str:
        """The text with `***` in place of every secret of the run: for names that others will see."""
        ...

    def progress(self, text: str, done: int | None = None, total: int | None = None) -> None:
        """Emit progress: a text, and `done` of `total` units when they can be counted."""
        ...

    def begin(self, index: int, value: Any, done: int, total: int) -> None:
        """Emit that an iteration of a loop begins: its index, from 0, and the value it is about; `done` of `total` have
        ended."""
        ...

    def note(self, code: str, text: str, details: dict[str, Any] | None = None) -> None:
        """Emit a note: something the author should know; the run goes on."""
        ...

    async def name_images(self, images: Sequence[Image], origin: Origin) -> None:
        """Give images that were stored their files with names for people, in this order, and say how they were made.
        What is said without images is said of all that come. What a step stores and does not name is named when it
        ends."""
        ...

    def spend(self, usd: float | None) -> None:
        """Add a cost in USD to the run's; None makes the run's cost unknown."""
        ...

    def allow(self, **facts: Any) -> None:
        """Refuse what the rules of the house do not allow, before anything is reserved or sent: `model`, `service`,
        `vendor`, `host`, `size`, `quality`, `n`, `prompt` and `cost` (the most, in USD) of what the step asks for.

        Raises:
            ConfigError: a rule is broken.
        """
        ...

    async def reserve(self, most_usd: float | None, service: str | None = None) -> Reservation:
        """Set a paid request to a service aside from what the run may spend, before it is sent: the most that it can
        cost in USD, None when that is not known. Settle the reservation with what it cost; release it when nothing was
        bought; leave it when the outcome is unknown.

        Raises:
            LimitExceeded: that is more than is left.
        """
        ...

    def share(self, request: Any) -> float:
        """The share of its price that a paid request, in the sense of `effect`, costs by the way it goes: 1, or less
        where a door of effects takes it through the vendor's batch."""
        ...

    def partial_image(self, request: int, index: int, image: Image) -> None:
        """Emit that an unfinished picture of a request came, with its number from 0: stored with
        `commit(partial=True)`."""
        ...

    def finished_image(
        self,
        request: int,
        image: Image,
        *,
        usage: Mapping[str, Any] | None = None,
        quality: str | None = None,
    ) -> None:
        """Emit that one of several pictures that the step asked for is stored, before the others are there. `usage` and
        `quality` are what the vendor says of it alone."""
        ...

    def request_started(
        self, *, service: str, vendor: str, model: str | None, images: int, most_usd: float | None
    ) -> int:
        """Emit that a paid request is about to be sent; gives its number in the run. Call it after `reserve` and before
        anything is sent: a host that raises at this event ends the run."""
        ...

    def request_finished(
        self,
        request: int,
        outcome: str,
        elapsed_s: float,
        *,
        attempts: int = 1,
        request_id: str | None = None,
        usage: Mapping[str, Any] | None = None,
        cost_usd: float | None = None,
        images: Sequence[Image] = (),
        code: str | None = None,
    ) -> None:
        """Emit that the paid request of that number has ended: `done`, `refused` or `unknown`."""
        ...

    def keeping_paid(self) -> AbstractContextManager[Paid]:
        """For a step that repeats a block after it failed: within `with ctx.keeping_paid() as paid`, what steps of its
        blocks pay for is kept, and after `paid.again()` equal requests get it in place of buying it once more."""
        ...

    def paid_before(self, purchase: Any, request: Any = None) -> Any:
        """The result of an equal purchase, in the sense of `effect`, that was paid for before the block around this
        step was repeated, or, of an equal `request`, before the run was resumed; None when there is none. Ask before it
        is reserved and sent: each result comes once. `flowdsl.ASKED` in place of a result says that the door asks for
        what was sent before: what it can cost is reserved already.

        Raises:
            RunError: it was sent before the run was resumed, and nobody knows what became of it.
        """
        ...

    def write(self, key: str, value: Any) -> None:
        """Set a FlowContext key while the step runs, for steps that run others."""
        ...

    def holding(self, values: list[Any] | dict[Any, Any]) -> AbstractContextManager[None]:
        """Count a list or map that the step fills while it runs others among the values of the run, which have a limit:
        a context manager around the work."""
        ...

    def run_block(self, block: Block | None, *, iteration: int | None = None) -> Awaitable[Signal | None]:
        """Run the steps of a block; the signal that ended it early, if one did. None is an empty block. A step that
        repeats a block counts its iterations, from 0."""
        ...

    def branch(self) -> Branch:
        """A copy of the FlowContext to run blocks on, for work that goes on side by side."""
        ...

    def call_flow(self, *, name: str | None = None, ref: str | None = None) -> Awaitable[Signal | None]:
        """Run a flow of a template's name or of a dot path such as `local.flows.cleanup`."""
        ...

    def evaluate(self, key: str, names: Mapping[str, Any] | None = None) -> Any:
        """The value of an option that is `Deferred`, resolved now; `names` are the values of the names it declares."""
        ...

    def emit(self, name: str, payload: Any) -> None:
        """Emit something to the host's sink."""
        ...

    async def effect(
        self,
        key: str,
        request: Any,
        perform: Callable[[], Awaitable[T]],
        *,
        purchase: Any = None,
        may_be_done: Callable[[], bool] | None = None,
        most_usd: float | None = None,
        sending: Sending | None = None,
    ) -> T:
        """Do something that is paid, or written to the outside: `perform` does it, unless the host replays a
        recording. `key` names its kind (`image`, `http`, `file`), `request` says as JSON values what is asked for. The
        result is of JSON values, bytes, images and blobs; errors are RunErrors. `purchase` tells what is paid from all
        that would buy something else, where `request` does not: a digest of what is sent, keys included, or a function
        that gives it, which is called where a block around the step may be repeated. `may_be_done` says of what is
        broken off whether a service may do it, and bill it, nevertheless; of an `image` its `sending` says so, and
        without one it always may. `most_usd` is what it can cost at most."""
        ...

    async def resource(self, key: Hashable, open: Callable[[], AbstractAsyncContextManager[T]]) -> T:
        """A thing that all steps share, opened once and closed at the end: an HTTP client, a connection."""
        ...


class Paid(Protocol):
    """What the blocks of a step paid for."""

    def again(self) -> None:
        """Another attempt begins: all that was paid for so far is there to be taken, once."""
        ...


class Branch(Protocol):
    """A copy of the FlowContext that blocks run on by themselves."""

    @property
    def context(self) -> StepContext:
        """What a step sees of its run, over the copy."""
        ...

    def changes(self) -> dict[str, Any]:
        """The FlowContext keys that were set to something else than before."""
        ...
