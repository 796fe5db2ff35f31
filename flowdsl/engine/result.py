"""What a run gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.events import VERSION
from flowdsl.template.json_values import to_json

if TYPE_CHECKING:
    from flowdsl.events import Invocation
    from flowdsl.image.image import Image


class Result:
    """What a run gives back.

    `outputs` is the flow's `outputs`, or the whole FlowContext when the flow declares none; `context` the FlowContext;
    `images` every picture in the outputs, in order; `cost_usd` what the services charged, None when a part is not
    known; `elapsed_s` the time; `steps` how many steps ran; `run` the id of the run. `made` is every picture that the
    run stored, whether or not an output holds it; `in_doubt` the invocations, one for each request, whose work (a
    picture) a service may have done, and billed, without the run having it. `reused` is how many paid requests a
    repetition did not send again: their results were used. `notes` is code and text of what steps noted. `failed` says
    what failed of a run that did: the step, the iteration and the values of the loop around it, and the loops around
    that one; None of a run that is done. `tags` is what the host called the run.
    """

    __slots__ = (
        "_hide",
        "context",
        "cost_usd",
        "elapsed_s",
        "failed",
        "in_doubt",
        "made",
        "notes",
        "outputs",
        "reused",
        "run",
        "steps",
        "tags",
    )

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
        reused: int = 0,
        failed: dict[str, Any] | None = None,
        notes: Iterable[tuple[str, str]] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.run = run
        self.made = tuple(made)
        self.in_doubt = tuple(in_doubt)
        self.reused = reused
        self.failed = failed
        self.notes = tuple(notes)
        self.tags = dict(tags or {})
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

    def to_dict(self) -> dict[str, Any]:
        """All but the FlowContext as JSON values, secrets hidden; schemas/result.schema.json describes it."""
        hide = self._hide or (lambda value: value)
        facts = {
            "outputs": self.to_json(),
            "images": [image.to_json() for image in self.images],
            "made": [image.to_json() for image in self.made],
            "in_doubt": [
                {"invocation": doubt.id, "step": doubt.step, "path": doubt.path, "iteration": doubt.iteration}
                for doubt in self.in_doubt
            ],
        }
        figures = {"steps": self.steps, "elapsed_s": round(self.elapsed_s, 6), "cost_usd": self.cost_usd}
        notes = [{"code": code, "text": text} for code, text in self.notes]
        ended = {"reused": self.reused, "notes": notes, "failed": self.failed}
        return {"v": VERSION, "run": self.run, "tags": hide(self.tags), **facts, **figures, **ended}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles everything but the secrets, which are hidden: a pickle leaves the process."""
        hide = self._hide or (lambda value: value)
        values = (hide(self.outputs), hide(self.context), self.cost_usd, self.elapsed_s, self.steps)
        named = {"run": self.run, "tags": hide(self.tags), "made": self.made, "in_doubt": self.in_doubt}
        named |= {"reused": self.reused, "notes": self.notes, "failed": self.failed}  # in which no secret is
        return _restored, (values, named)

    def __repr__(self) -> str:
        found = f"outputs={sorted(self.outputs)}, images={len(self.images)}"
        return f"Result({found}, cost_usd={self.cost_usd}, elapsed_s={self.elapsed_s:.3f})"


def _restored(values: tuple[Any, ...], named: dict[str, Any]) -> Result:
    return Result(*values, **named)


def _collect_images(value: Any, found: dict[int, Image]) -> None:
    from flowdsl.image.image import Image

    if isinstance(value, Image):
        found.setdefault(id(value), value)
    elif isinstance(value, dict):
        for item in value.values():
            _collect_images(item, found)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _collect_images(item, found)
