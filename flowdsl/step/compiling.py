"""What a step class sees of the compiler, for steps that resolve their options themselves (`Step.compile`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from flowdsl.step.signals import Signal

if TYPE_CHECKING:
    from flowdsl.errors import TemplateError
    from flowdsl.step.block import Block
    from flowdsl.syntax.node import Node

Names = Mapping[str, Any]
"""What templates can read beside the FlowContext."""
Resolver = Callable[[dict[str, Any], Names], Any]
"""Gives the value of an option from the FlowContext and the other names."""


class Frame(Protocol):
    """The FlowContext and the names of one branch of a run."""

    @property
    def context(self) -> dict[str, Any]:
        """The FlowContext, to read and to write."""
        ...

    @property
    def names(self) -> Names:
        """What templates can read beside it."""
        ...

    @property
    def check_time(self) -> Callable[[], None] | None:
        """To be called between two things that take time: raises LimitExceeded when the run is past its deadline. None
        when it has none."""
        ...

    def put(self, key: str, value: Any) -> None:
        """Set a key of the FlowContext, within the limit for the values of the run."""
        ...

    def run_block(self, block: Block | None, *, iteration: int | None = None) -> Awaitable[Signal | None]:
        """Run the steps of a block; the signal that ended it early, if one did. `iteration` counts its iterations.

        One block at a time, as they share this FlowContext: what is to run side by side needs branches, which a step's
        `run` has (`StepContext.branch` and `gather`).
        """
        ...


Execute = Callable[[Frame], "Awaitable[Signal | None] | Signal | None"]
"""Runs a step, at once or by an awaitable; gives the signal it ends with, if any."""


class StepCompiler(Protocol):
    """The compiler at the place of one step: makes resolvers and blocks of its options."""

    @property
    def keys(self) -> Mapping[str, Node]:
        """The options that are present, in document order."""
        ...

    def resolver(self, name: str) -> Resolver:
        """The resolver of an option that is present, by what kind of key it is."""
        ...

    def unplaced(self, name: str) -> Resolver:
        """The resolver of an option whose TemplateErrors the caller hands to `locate`: one call less for each value."""
        ...

    def locate(self, key: str, error: TemplateError, names: Names, context: Mapping[str, Any] | None = None) -> None:
        """Completes an error of an option's template with its place in the file, and with what `context`, the
        FlowContext, has in place of what the template reads."""
        ...

    def blocks(self, name: str) -> Any:
        """The blocks of an option that holds steps: one, a list or a map, as the option has them."""
        ...
