"""What a vendor with a file of its own offers, with what a project says of its models beside it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowdsl.image.own_models import OwnModels

_ANY = "*"
_SOURCE = "own"


def own_offer_facts(facts: dict[str, Any], vendor: str, own: OwnModels) -> dict[str, Any]:
    """The facts of a vendor's file with the entries of a project that are of its models, or name it: new models first,
    as newer ones are. A new model that is like none has the rules for one that is not known."""
    models: dict[str, Any] = dict(facts["models"])
    sizes: dict[str, Any] = dict(facts.get("sizes", {}))
    added: dict[str, Any] = {}
    for name, entry in own.entries.items():
        like = str(entry.get("like", name))
        if like not in models and vendor not in entry["life"]:
            continue
        data = deepcopy(models[like]) if like in models else {"sources": [], **deepcopy(facts["other"])}
        if name not in models:
            data |= {"life": {}, "names": [], "assumed": [f"all that is not said is as of {like}"], "sources": []}
        _add(data, entry, vendor)
        if "sizes" in entry:
            sizes[f"own {name}"] = _sizes(entry["sizes"], sizes.get(data.get("sizes", ""), {}))
            data["sizes"] = f"own {name}"
        data["sources"] = [*data["sources"], _SOURCE]
        (models if name in models else added)[name] = data
    sources = {**facts.get("sources", {}), _SOURCE: {"what": own.where, "date": "not dated", "grade": "own"}}
    return {**facts, "sizes": sizes, "models": {**added, **models}, "sources": sources}


def _add(data: dict[str, Any], entry: Mapping[str, Any], vendor: str) -> None:
    """Puts what an entry says into the facts of its model."""
    for provider in (_ANY, vendor):
        data["life"] = {**data.get("life", {}), **entry["life"].get(provider, {})}
    prices = dict(data.get("prices", {}))
    if "rates" in entry:
        prices["rates"] = {**prices.get("rates", {}), **entry["rates"]}
    if "prices" in entry:  # a price of the project's own counts before what tokens would cost
        prices = {"image": {size: _of_any(each) for size, each in entry["prices"].items()}}
        prices = {"image": _of_any(prices["image"]), "stated": True}
    data["prices"] = prices
    if "snapshots" in entry:
        data["names"] = [*data.get("names", ()), *entry["snapshots"]]
    if "qualities" in entry:
        default = "auto" if "auto" in entry["qualities"] else None
        quality = {"values": entry["qualities"], "default": default}
        data["options"] = {**data.get("options", {}), "quality": quality}


def _sizes(accepted: list[str], table: Mapping[str, Any]) -> dict[str, Any]:
    """A table of sizes, each with what the vendor's requests say for it where that is known."""
    words, values = table.get("values"), [size for size in accepted if size != "auto"]
    known: Any = {size: words.get(size, {}) for size in values} if isinstance(words, Mapping) else values
    return {"values": known, "default": values[0] if values else "auto", "auto": "auto" in accepted}


def _of_any(table: Mapping[str, Any]) -> Any:
    """What stands for any word alone, else the table."""
    return table[_ANY] if set(table) == {_ANY} else table
