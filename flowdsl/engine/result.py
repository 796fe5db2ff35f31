"""What a run gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from flowdsl.events import VERSION
from flowdsl.template.json_values import to_json
from flowdsl.template.taint import PLAIN, rebuilt

if TYPE_CHECKING:
    from flowdsl.events import Invocation
    from flowdsl.image.image import Image


class Result:
    """What a run gives back.

    `outputs` is the flow's `outputs`, or the whole FlowContext when the flow declares none; `context` the
    FlowContext; `images` every picture in the outputs, in order; `cost_usd` what the services charged, None when a
    part is not known; `elapsed_s` the time; `steps` how many steps ran; `run` the id of the run. `made` is every
    picture that the run stored, whether or not an output holds it; `in_doubt` the invocations, one for each request,
    whose work (a picture) a service may have done, and billed, without the run having it. `reused` is how many paid
    requests a repetition did not send again: their results were used; `recovered` the same of a run that was resumed.
    `notes` is code and text of what steps noted, `files` the paths of the files that steps wrote, beside the pictures
    that the run stored. `failed` says what failed of a run that did: the step, the iteration and the values of the
    loop around it, and the loops around that one; None of a run that is done. `tags` is what the host called the run.
    """

    __slots__ = (
        "_hide",
        "context",
        "cost_usd",
        "elapsed_s",
        "failed",
        "files",
        "in_doubt",
        "made",
        "notes",
        "outputs",
        "recovered",
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
        recovered: int = 0,
        failed: dict[str, Any] | None = None,
        notes: Iterable[tuple[str, str]] = (),
        files: Iterable[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.run = run
        self.made = tuple(made)
        self.in_doubt = tuple(in_doubt)
        self.reused = reused
        self.recovered = recovered
        self.failed = failed
        self.notes = tuple(notes)
        self.files = tuple(files)
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
        return _images_in(self.outputs)

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
            "files": list(self.files),
            "in_doubt": [
                {"invocation": doubt.id, "step": doubt.step, "path": doubt.path, "iteration": doubt.iteration}
                for doubt in self.in_doubt
            ],
        }
        figures = {"steps": self.steps, "elapsed_s": round(self.elapsed_s, 6), "cost_usd": self.cost_usd}
        notes = [{"code": code, "text": text} for code, text in self.notes]
        ended = {"reused": self.reused, "recovered": self.recovered, "notes": notes, "failed": self.failed}
        return {"v": VERSION, "run": self.run, "tags": hide(self.tags), **facts, **figures, **ended}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles everything but the secrets, which are hidden: a pickle leaves the process."""
        hide = self._hide or (lambda value: value)
        outputs, context = (rebuilt(hide(value), partial(_safe, hide)) for value in (self.outputs, self.context))
        values = (outputs, context, self.cost_usd, self.elapsed_s, self.steps)
        named = {"run": self.run, "tags": hide(self.tags), "made": self.made, "in_doubt": self.in_doubt}
        named |= {
            "reused": self.reused,
            "recovered": self.recovered,
            "notes": self.notes,
            "failed": self.failed,
            "files": self.files,
        }  # in which no secret is
        return _restored, (values, named)

    def __repr__(self) -> str:
        found = f"outputs={sorted(self.outputs)}, images={len(self.images)}"
        return f"Result({found}, cost_usd={self.cost_usd}, elapsed_s={self.elapsed_s:.3f})"


def _safe(hide: Callable[[Any], Any], value: Any) -> Any:
    """A value as it is pickled: an object that cannot be, or in which a secret stands, becomes its JSON form."""
    if value.__class__ in PLAIN or isinstance(value, (str, bytes, Mapping)):
        return value
    import pickle

    try:
        held = pickle.dumps(value)
    except Exception:  # noqa: BLE001  of a class of the host
        return to_json(value)
    return value if hide(held) == held else to_json(value)


def _restored(values: tuple[Any, ...], named: dict[str, Any]) -> Result:
    return Result(*values, **named)


def _images_in(value: Any) -> list[Image]:
    """The pictures in a value, in order, each once. Each list and map is looked into once, however many hold it."""
    from flowdsl.image.image import Image

    found, waiting, seen = [], [value], set[int]()
    while waiting:
        value = waiting.pop()
        if not isinstance(value, (Image, dict, list, tuple)) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Image):
            found.append(value)
        else:
            waiting += reversed(value.values() if isinstance(value, dict) else value)
    return found
