"""The catalogue with what a project says of models beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flowdsl.nearest import nearest

if TYPE_CHECKING:
    from flowdsl.image.own_models import OwnModels


class Named(Protocol):
    """A model of a catalogue."""

    name: str


class Catalogue(Protocol):
    """What is asked of a catalogue here."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Its facts, as its file has them."""
        ...

    def find(self, name: str) -> Named | None:
        """The model of a name."""
        ...

    def nearest(self, name: str) -> str | None:
        """The name that was likely meant."""
        ...


def own_facts(known: Catalogue, own: OwnModels) -> dict[str, Any]:
    """The facts of a catalogue with entries of a project: new models first, as newer ones are.

    Raises:
        UsageError: an entry is of a model that nothing is known of, and does not say which known one it is like.
    """
    facts = {**known.facts, "sizes": dict(known.facts["sizes"])}
    models: dict[str, Any] = dict(known.facts["models"])
    added: dict[str, Any] = {}
    for name, entry in own.entries.items():
        model = _base(known, name, entry, own)
        if model is None:
            continue  # of a vendor with a catalogue of its own
        data = deepcopy(known.facts["models"][model])
        if name not in models:
            data |= {"life": {}, "snapshots": [], "assumed": [f"all that is not said is as of {model}"]}
        _add(data, entry, name, facts["sizes"])
        data["sources"] = [*data["sources"], _SOURCE] if name in models else [_SOURCE]
        (models if name in models else added)[name] = data
    facts["models"] = {**added, **models}
    facts["sources"] = {**known.facts["sources"], _SOURCE: {"what": own.where, "date": "not dated", "grade": "own"}}
    return facts


_SOURCE = "own"


def _base(known: Catalogue, name: str, entry: Mapping[str, Any], own: OwnModels) -> str | None:
    """The model whose facts an entry begins with."""
    found = known.find(entry["like"]) if "like" in entry else known.find(name)
    if found is not None:
        return found.name
    names = _names_of_others()
    if set(entry["life"]) - {"*", "openai", "azure"} or entry.get("like", name) in names:
        return None
    if "like" in entry:
        near = known.nearest(entry["like"]) or nearest(entry["like"], names)
        said = f"nothing is known of `{entry['like']}`, which models.{name} is like"
        hint = f"did you mean `{near}`?" if near else "`flowdsl models` lists those that are known"
        raise own.mistake(entry["file"], ("models", name, "like"), said, hint)
    said = f"models.{name}: say which known model it is like"
    hint = f'add `like = "{next(iter(known.facts["models"]))}"`'
    raise own.mistake(entry["file"], ("models", name), said, hint, of_key=True)


def _names_of_others() -> list[str]:
    """The models of vendors with a file of their own."""
    files = Path(__file__).parent.glob("*.json")
    return [name for file in files if file.name != "models.json" for name in json.loads(file.read_bytes())["models"]]


def _add(data: dict[str, Any], entry: Mapping[str, Any], name: str, sizes: dict[str, Any]) -> None:
    """Puts what an entry says into the facts of its model."""
    life: dict[str, Any] = data["life"]
    for provider in () if "*" not in entry["life"] else life or ("openai",):
        life[provider] = {**life.get(provider, {}), **entry["life"]["*"]}
    for provider, days in entry["life"].items():
        if provider != "*":
            life[provider] = {**life.get(provider, {}), **days}
    if not life:
        life["openai"] = {}
    if "rates" in entry:
        data["prices"] = {**data["prices"], "rates": {**data["prices"].get("rates", {}), **entry["rates"]}}
    if "prices" in entry:
        data["prices"] = {"images": entry["prices"]}
    if "snapshots" in entry:
        data["snapshots"] = [*data.get("snapshots", ()), *entry["snapshots"]]
    if "sizes" in entry:
        auto = "auto" in entry["sizes"]
        values = [size for size in entry["sizes"] if size != "auto"]
        sizes[f"own {name}"] = {"values": values, "default": "auto" if auto else values[0], "auto": auto}
        data["sizes"] = f"own {name}"
    if "qualities" in entry:
        quality = {"values": entry["qualities"], "default": "auto" if "auto" in entry["qualities"] else None}
        data["params"] = {**data.get("params", {}), "quality": quality}
