"""The catalogue of image models: what each takes, when it lives, what it costs.

The facts stand in `models.json`, with their sources.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from flowdsl.image.own_models import OWN_MODELS
from flowdsl.record import Record
from flowdsl_steps.image.catalogue.sizes import Sizes, parse_size, tidy_size

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from flowdsl.image.own_models import OwnModels

__all__ = [
    "DYING_DAYS",
    "SHIPPED",
    "BatchDiscount",
    "Catalogue",
    "EditLimits",
    "Life",
    "Model",
    "Parameter",
    "Sizes",
    "catalogue",
    "catalogue_in",
    "life_of",
    "parameter_of",
    "parse_size",
    "tidy_size",
    "use_catalogue",
]

SHIPPED = f"{os.path.dirname(__file__)}/models.json"  # noqa: PTH120  pathlib is slow to import
"""The facts that come along."""
DYING_DAYS = 90
"""A model whose shutdown is at most this many days away is dying."""


_in_force: str | Path = SHIPPED

State = Literal["alive", "dying", "dead", "unknown"]


class Life(Record):
    """Where a model stands in its life at one provider on one day.

    `shutdown` is the announced first day without it (ISO), `days_left` the days until then (negative when past),
    `replacement` a model that is alive there, given for the dead and the dying.
    """

    state: State
    shutdown: str | None = None
    replacement: str | None = None
    days_left: int | None = None


class Parameter(Record):
    """What is known of one body parameter of a model.

    `known` is True (accepted), False (not a parameter of the model) or None (uncertain). `values` are the ones known
    to work (empty: any), `maybe` those that are uncertain, `remarks` warn about single values.
    """

    known: bool | None
    values: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()
    default: str | None = None
    remarks: Mapping[str, str] = {}


class EditLimits(Record):
    """What a model takes to edit: how many pictures, of which formats, of fewer bytes than that, and of a mask, where
    it takes one. `most_usd` is the most that one of them costs beside what is made, where that is known. `only` is
    whether it draws nothing without a picture, `needs_mask` whether it edits nothing but what a mask marks."""

    images: int
    formats: tuple[str, ...]
    below_bytes: int
    mask_below_bytes: int | None = None
    most_usd: float | None = None
    only: bool = False
    needs_mask: bool = False


class BatchDiscount(Record):
    """The `share` that a vendor's batch takes off the price, known since the day `as_of` (ISO), with its sources."""

    share: float
    as_of: str
    sources: tuple[str, ...]


class Model:
    """One image model: its limits, parameters, life and prices."""

    __slots__ = (
        "_azure_defaults",
        "_home",
        "_life",
        "_n",
        "assumed",
        "batch_discount",
        "edits",
        "family",
        "inputs",
        "name",
        "parameters",
        "prices",
        "prompt_max_chars",
        "sizes",
        "snapshots",
        "sources",
    )

    def __init__(self, name: str, data: Mapping[str, Any], home: Catalogue) -> None:
        family = home.facts["families"][data["family"]]
        self.name = name
        self.family: str = data["family"]
        self.snapshots: tuple[str, ...] = tuple(data.get("snapshots", ()))
        self.prompt_max_chars: int = data.get("prompt_max_chars") or family["prompt_max_chars"]
        self.sizes = Sizes(home.facts["sizes"][data["sizes"]])
        self.parameters = {
            key: parameter_of(value) for key, value in {**family["params"], **data.get("params", {})}.items()
        }
        self.prices: Mapping[str, Any] = data["prices"]
        self.edits: EditLimits | None = limits_of(data.get("edits", family.get("edits")))
        """What it takes to edit; None for a model that edits nothing."""
        self.inputs: Mapping[str, Any] = home.facts["inputs"].get(data.get("inputs"), {})
        """What a picture to edit counts as, in tokens."""
        self.sources: tuple[str, ...] = tuple(data["sources"])
        self.assumed: tuple[str, ...] = tuple(data.get("assumed", ()))
        self.batch_discount: BatchDiscount | None = _discount_of(data.get("batch_discount"))
        """What OpenAI's batch takes off its price; None where no source says it."""
        self._azure_defaults: Mapping[str, str] = data.get("azure_defaults", {})
        self._n: tuple[int, int] = tuple(data.get("n") or family["n"])
        self._life: Mapping[str, Mapping[str, str]] = data["life"]
        self._home = home

    def __repr__(self) -> str:
        return f"Model({self.name!r})"

    def accepts(self, parameter: str, provider: str) -> bool | None:
        """Whether a request body may carry the parameter: True, False, or None when that is not known.

        Source: openai-python 3.57 `ImageGenerateParams`; OpenAPI `CreateImageRequest`.
        """
        if parameter in self._home.never_sent:
            return False
        if parameter in self._home.facts["generic"]["always"]:
            return True
        found = self.parameters.get(parameter)
        if (
            found is not None
            and found.known
            and parameter in self._home.facts["providers"].get(provider, {}).get("unknown", ())
        ):
            return None
        return found.known if found else None

    def default(self, parameter: str, provider: str) -> str | None:
        """What the vendor takes for an absent parameter, or None when there is no default or it is not known."""
        if parameter == "size":
            return self.sizes.default
        if provider == "azure" and self.family == "gpt-image":
            there: Mapping[str, str] = {**self._home.facts["providers"]["azure"]["defaults"], **self._azure_defaults}
            if parameter in there:
                return there[parameter]
        found = self.parameters.get(parameter)
        return found.default if found else None

    def images_per_request(self, output_format: str | None = None) -> int:
        """The most images one request may ask for. Each SVG is drawn alone. Source: openai-python 3.57, `Svg`."""
        return 1 if output_format == "svg" else self._n[1]

    def life(self, provider: str, as_of: date | None = None) -> Life:
        """Where the model stands at a provider on a day (today when absent). For a hub OpenAI's days count."""
        life = self.standing(provider, as_of)
        if life.state not in ("dying", "dead"):
            return life
        alive = [model.name for model in self._home.alive(provider, as_of)]
        named = self._life["openai" if provider == "hub" else provider].get("replacement")
        return life._replace(replacement=named if named in alive else next(iter(alive), None))

    def dates(self, provider: str) -> Mapping[str, str] | None:
        """The days of its life at a provider, by their names in `models.json`, or None where it never was there."""
        return self._life.get("openai" if provider == "hub" else provider)

    def standing(self, provider: str, as_of: date | None = None) -> Life:
        """The life without a replacement: what `life` says, without a look at other models."""
        dates = self.dates(provider)
        return Life("unknown") if dates is None else life_of(dates, as_of)


class Catalogue:
    """All models that are known, newest first, and the facts of the providers in `facts`."""

    __slots__ = ("_names", "facts", "models")

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self.models = tuple(Model(name, data, self) for name, data in facts["models"].items())
        self._names = {name: model for model in self.models for name in (model.name, *model.snapshots)}

    @property
    def never_sent(self) -> Collection[str]:
        """Parameters that no body may carry, whatever the model."""
        names: Collection[str] = self.facts["generic"]["never"]
        return names

    def find(self, name: str) -> Model | None:
        """The model of exactly this name, or the model a dated snapshot belongs to."""
        return self._names.get(name)

    def nearest(self, name: str) -> str | None:
        """The name that was likely meant: a longer one that starts with it (newest first), else a near one, or None."""
        from flowdsl.nearest import nearest

        if "/" in name or name in self._names:
            return None
        tidy = name.strip().lower()
        if tidy in self._names:
            return tidy
        longer = [model.name for model in self.models if model.name.startswith(f"{tidy}-")]
        return longer[0] if longer else nearest(name, self._names)

    def alive(self, provider: str, as_of: date | None = None) -> list[Model]:
        """The models a provider serves on a day with no end within sight, newest first."""
        return [model for model in self.models if model.standing(provider, as_of).state == "alive"]


@cache
def catalogue_in(file: str | Path) -> Catalogue:
    """The catalogue in a file, read once.

    Raises:
        OSError: the file cannot be read.
    """
    with open(file, "rb") as opened:  # noqa: PTH123
        return Catalogue(json.load(opened))


def catalogue() -> Catalogue:
    """The catalogue in force: the one that comes along, or what `use_catalogue` put in its place; with what the project
    of a flow says beside it, while the flow is checked and run.

    Raises:
        UsageError: the project says what cannot be.
    """
    own = OWN_MODELS.get()
    return catalogue_in(_in_force) if own is None else _with_own(_in_force, own.key, own)


_extended: dict[tuple[str | Path, str], Catalogue] = {}


def _with_own(file: str | Path, key: str, own: OwnModels) -> Catalogue:
    found = _extended.get((file, key))
    if found is None:
        from flowdsl_steps.image.catalogue.own import own_facts

        if len(_extended) >= _MOST_PROJECTS:
            _extended.clear()
        found = _extended[file, key] = Catalogue(own_facts(catalogue_in(file), own))
    return found


_MOST_PROJECTS = 64


def use_catalogue(file: str | Path) -> None:
    """Takes another file's facts from now on, in this process: those of tests that name models do not change."""
    global _in_force
    _in_force = file


def limits_of(value: Any) -> EditLimits | None:
    """What an entry says of edits."""
    return EditLimits(**{**value, "formats": tuple(value["formats"])}) if value else None


def _discount_of(value: Any) -> BatchDiscount | None:
    return BatchDiscount(**{**value, "sources": tuple(value["sources"])}) if value else None


def life_of(dates: Mapping[str, str], as_of: date | None = None) -> Life:
    """The life that days of an entry mean on a day (today when absent), without a replacement."""
    day = _day(as_of)
    if day < dates.get("released", ""):
        return Life("unknown")
    shutdown = dates.get("shutdown")
    if shutdown is None:
        return Life("alive")
    left = _days_between(day, shutdown)
    state: State = "alive" if left > DYING_DAYS else "dying" if left > 0 else "dead"
    return Life(state, shutdown, None, left)


def parameter_of(value: Any) -> Parameter:
    """What an entry says of a parameter."""
    if not isinstance(value, dict):
        return Parameter(value)
    return Parameter(
        True, tuple(value["values"]), tuple(value.get("maybe", ())), value.get("default"), value.get("remarks", {})
    )


def _day(as_of: date | None) -> str:
    if as_of is None:
        from datetime import date

        as_of = date.today()
    return as_of.isoformat()[:10]


def _days_between(day: str, later: str) -> int:
    from datetime import date

    return (date.fromisoformat(later) - date.fromisoformat(day)).days
