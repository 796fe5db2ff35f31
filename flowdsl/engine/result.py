"""What a run gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flowdsl.template.json_values import to_json

if TYPE_CHECKING:
    from flowdsl.events import Invocation
    from flowdsl.image.store import Image


class Result:
    """What a run gives back.

    `outputs` is the flow's `outputs`, or the whole FlowContext when the flow declares none; `context` the FlowContext;
    `images` every picture in the outputs, in order; `cost_usd` what the services charged, None when a part is not
    known; `elapsed_s` the time; `steps` how many steps ran; `run` the id of the run. `made` is every picture that the
    run stored, whether or not an output holds it; `in_doubt` the invocations, one for each request, whose picture a
    vendor may have made, and billed, without the run having it. `notes` is code and text of what steps noted.
    """

    __slots__ = ("_hide", "context", "cost_usd", "elapsed_s", "in_doubt", "made", "notes", "outputs", "run", "steps")

    def __init__(
        self,
        outputs: dict[str, Any],
        context: dict[str, Any],
        cost_usd: float | None,
        elapsed_s: float,
        steps: int,
        hide: Callable[[Any], Any] | None = None,
        *,
        run: str = "",
        made: Iterable[Image] = (),
        in_doubt: Iterable[Invocation] = (),
        notes: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.run = run
        self.made = tuple(made)
        self.in_doubt = tuple(in_doubt)
        self.notes = tuple(notes)
        self.outputs = outputs
        self.context = context
        self.cost_usd = cost_usd
        self.elapsed_s = elapsed_s
        self.steps = steps
        self._hide = hide

    @property
    def images(self) -> list[Image]:
        """Every picture in the outputs, in order, each once."""
        found: dict[int, Image] = {}
        _collect_images(self.outputs, found)
        return list(found.values())

    def to_json(self) -> Any:
        """The outputs as JSON values: pictures as maps with path, mime, width, height and sha256, secrets hidden."""
        values = to_json(self.outputs)
        return values if self._hide is None else self._hide(values)

    def __repr__(self) -> str:
        found = f"outputs={sorted(self.outputs)}, images={len(self.images)}"
        return f"Result({found}, cost_usd={self.cost_usd}, elapsed_s={self.elapsed_s:.3f})"


def _collect_images(value: Any, found: dict[int, Image]) -> None:
    from flowdsl.image.store import Image

    if isinstance(value, Image):
        found.setdefault(id(value), value)
    elif isinstance(value, dict):
        for item in value.values():
            _collect_images(item, found)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _collect_images(item, found)
