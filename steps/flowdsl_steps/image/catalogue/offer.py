"""What one vendor offers: its models, by a file of its own beside this one, `NAME.json`.

What a vendor with an API of its own says of a model is less than what the images API has, and other: so these files are
smaller than `models.json`. A file has

- `as_of`, the day of its facts, and `sources`: tag → what was read, when, and how far it can be trusted;
- `complete`: whether every model that the vendor has is meant to be in it;
- `sizes`: name → `values`, `default`, `auto`, and limits where any size within them is taken. `values` is a list, or a
  map of a size to what the vendor's requests say instead of it. In place of all that, the name of the file that has it;
- `models`, newest first: `sizes` (a name; absent: any), `options` (absent: the model has none of that name; true: any
  value; null: not known; `{"values": …, "default": …}`; `size` is there unless it is false), `n` (pictures a request),
  `prompt_max_chars`, `life` (`released`, `shutdown`, `replacement`), `prices`, `names` (others that it has), `edits`
  (a name under the file's `edits`, which has the fields of `EditLimits`; absent: it edits nothing), `partners` (who
  else runs it → what it is called there), `assumed`, `sources`;
- `other`: the same for a model that is not known.

`prices` are in USD: `image`, what one picture costs (a number, or that by size, and further by quality), under another
name of the size where `by` says which word of the vendor's it is; or `area`, what it costs by its pixels: `each`, with
`first` for the first `unit` of them and `more` for every further one that is begun; `rates` for a million tokens of
`text_in`, `text_out` and `image_out`, where what is thought and written beside a picture is paid too: no source says
how much that can be, so nobody knows what such a request costs at most; `stated`, whether the project said it, which
then is all that a picture costs, those that are edited for it included; `note`, what has to be known of all that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from flowdsl.image.own_models import OWN_MODELS
from flowdsl_steps.image.catalogue import EditLimits, Life, Parameter, life_of, limits_of, parameter_of
from flowdsl_steps.image.catalogue.sizes import Sizes, parse_size

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.image.own_models import OwnModels

_FOLDER = os.path.dirname(__file__)  # noqa: PTH120  pathlib is slow to import
_MILLION = 1_000_000
_NOTHING: Mapping[str, Any] = {}
_ON_TOP = "what is thought and written beside a picture is paid too, and no source says how much that is at most"


class OfferedModel:
    """One model of a vendor, or (`name` is None) what counts for those that are not known.

    `sizes` is None where any size is taken, `words` has what a request says for a size.
    """

    __slots__ = (
        "_days",
        "_prices",
        "assumed",
        "edits",
        "images_per_request",
        "name",
        "names",
        "options",
        "partners",
        "prompt_max_chars",
        "sizes",
        "sources",
        "words",
    )

    def __init__(
        self, name: str | None, data: Mapping[str, Any], sizes: Mapping[str, Any], edits: Mapping[str, Any] = _NOTHING
    ) -> None:
        self.name = name
        self.edits: EditLimits | None = limits_of(edits[data["edits"]]) if "edits" in data else None
        self.names: tuple[str, ...] = tuple(data.get("names", ()))
        table = sizes[data["sizes"]] if "sizes" in data else None
        values = table["values"] if table is not None else ()
        self.sizes = None if table is None else Sizes(table)
        self.words: Mapping[str, Mapping[str, Any]] = values if isinstance(values, dict) else _NOTHING
        self.options: Mapping[str, Parameter] = {
            key: parameter_of(value) for key, value in data.get("options", {}).items()
        }
        self.images_per_request: int = data.get("n", 1)
        self.partners: Mapping[str, str] = data.get("partners", _NOTHING)
        self.prompt_max_chars: int | None = data.get("prompt_max_chars")
        self.assumed: tuple[str, ...] = tuple(data.get("assumed", ()))
        self.sources: tuple[str, ...] = tuple(data.get("sources", ()))
        self._days: Mapping[str, str] = data.get("life", _NOTHING)
        self._prices: Mapping[str, Any] = data.get("prices", _NOTHING)

    def __repr__(self) -> str:
        return f"OfferedModel({self.name!r})"

    def takes(self, option: str) -> bool:
        """Whether the model has an option, or may have it."""
        known = self.options.get(option)
        return option == "size" if known is None else known.known is not False

    @property
    def released(self) -> str | None:
        """The first day with it, where that is known."""
        return self._days.get("released")

    def life(self, as_of: date | None = None) -> Life:
        """Where the model stands in its life on a day (today when absent)."""
        life = life_of(self._days, as_of)
        return life._replace(replacement=self._days.get("replacement")) if life.shutdown else life

    def price(self, size: str | None = None, quality: str | None = None) -> tuple[float, float] | None:
        """The least and the most that one picture costs in USD, or None when that is not known.

        An absent size or quality is what the model takes for it, `auto` any.
        """
        if size is None and self.sizes is not None:
            size = self.sizes.default
        if quality is None and "quality" in self.options:
            quality = self.options["quality"].default
        by = self._prices.get("by")
        if by is not None and size is not None:
            size = self.words.get(size, _NOTHING).get(by)
        if (area := self._prices.get("area")) is not None:
            found = [*_price_of_area(area, parse_size(size or ""))]
        else:
            found = [*_prices_in(self._prices.get("image"), size, quality)]
        return (min(found), max(found)) if found else None

    def most(self, size: str | None, quality: str | None, n: int) -> float | None:
        """The most that a request can cost in USD, without pictures to edit, or None when that is not known."""
        found = None if "rates" in self._prices else self.price(size, quality)
        return None if found is None else float(found[1] * n)

    @property
    def price_note(self) -> str | None:
        """What has to be known of its prices: why there is none, or what comes on top of it."""
        note: str | None = self._prices.get("note", _ON_TOP if "rates" in self._prices else None)
        return note

    @property
    def edit_usd(self) -> float | None:
        """The most that a picture to edit adds, for each that is made of it; None when that is not known."""
        if self._prices.get("stated"):
            return 0.0
        return None if self.edits is None else self.edits.most_usd

    def least(self, size: str | None, quality: str | None, n: int) -> float:
        """The least that a request costs in USD; 0 when that is not known."""
        found = None if "rates" in self._prices else self.price(size, quality)
        return 0.0 if found is None else float(found[0] * n)

    def cost(self, usage: Mapping[str, Any] | None, size: str | None, quality: str | None, n: int) -> float | None:
        """What a request cost in USD: by the tokens of its usage, else by the price of a picture; None when neither
        says it."""
        if usage is not None and "rates" in self._prices and usage.get("output_tokens") is not None:
            details = usage.get("output_tokens_details") or _NOTHING
            output = usage["output_tokens"]
            image = details.get("image_tokens", output)
            text = output - image + (details.get("thought_tokens") or 0)
            told = (usage.get("input_tokens") or 0) * self._rate("text_in") + image * self._rate("image_out")
            return float(told + text * self._rate("text_out")) / _MILLION
        found = self.price(size, quality)
        return found[0] * n if found is not None and found[0] == found[1] else None

    def _rate(self, name: str) -> float:
        return float(self._prices.get("rates", _NOTHING).get(name, 0.0))


class Offer:
    """The models of one vendor, the newest first; `other` is what counts for those that are not known."""

    __slots__ = ("_names", "as_of", "complete", "models", "other", "sources")

    def __init__(self, facts: Mapping[str, Any]) -> None:
        sizes = facts.get("sizes", _NOTHING)
        self.as_of: str = facts["as_of"]
        self.complete: bool = facts["complete"]
        self.sources: Mapping[str, Mapping[str, str]] = facts.get("sources", _NOTHING)
        self.models = tuple(
            OfferedModel(name, data, sizes, facts.get("edits", _NOTHING)) for name, data in facts["models"].items()
        )
        self.other = OfferedModel(None, facts["other"], sizes, facts.get("edits", _NOTHING))
        self._names = {name: model for model in self.models for name in (str(model.name), *model.names)}

    def find(self, name: str | None) -> OfferedModel | None:
        """The model of exactly this name, or None."""
        return None if name is None else self._names.get(name)

    def model(self, name: str | None) -> OfferedModel:
        """The model of this name, or what counts for one that is not known."""
        return self.find(name) or self.other

    def nearest(self, name: str) -> str | None:
        """The model that was likely meant by a name that none has: one that is alive, where there is one near."""
        from flowdsl.nearest import nearest

        return nearest(name, self.alive()) or nearest(name, self._names)

    def alive(self, as_of: date | None = None) -> list[str]:
        """The names of the models with no end within sight on a day, the newest first."""
        return [str(model.name) for model in self.models if model.life(as_of).state == "alive"]


def offer_of(vendor: str) -> Offer:
    """What a vendor offers, by the file of its name, read once; with what the project of a flow says beside it, while
    the flow is checked and run.

    Raises:
        OSError: there is no such file.
    """
    own = OWN_MODELS.get()
    return _shipped(vendor) if own is None else _with_own(vendor, own.key, own)


@cache
def _shipped(vendor: str) -> Offer:
    return Offer(_read(vendor))


_extended: dict[tuple[str, str], Offer] = {}
_MOST_PROJECTS = 64


def _with_own(vendor: str, key: str, own: OwnModels) -> Offer:
    found = _extended.get((vendor, key))
    if found is None:
        from flowdsl_steps.image.catalogue.own_offer import own_offer_facts

        if len(_extended) >= _MOST_PROJECTS:
            _extended.clear()
        found = _extended[vendor, key] = Offer(own_offer_facts(_read(vendor), vendor, own))
    return found


def _read(name: str) -> dict[str, Any]:
    with open(f"{_FOLDER}/{name}.json", "rb") as opened:  # noqa: PTH123
        found: dict[str, Any] = json.load(opened)
    if isinstance(found.get("sizes"), str):
        found["sizes"] = _read(found["sizes"])["sizes"]
    return found


def _price_of_area(area: Mapping[str, float], pair: tuple[int, int] | None) -> Iterator[float]:
    """The price by the area of a picture, where its size is known."""
    if pair is not None:
        units = -(-pair[0] * pair[1] // int(area["unit"]))
        yield area.get("each", 0.0) + area["first"] + area["more"] * (units - 1)


def _prices_in(table: Any, *words: str | None) -> Iterator[float]:
    """The prices in a table of tables that go with words, each None or `auto` where it may be any."""
    if isinstance(table, (int, float)):
        yield float(table)
    elif isinstance(table, Mapping) and words:
        word, *others = words
        found = [table[each] for each in (word, "*") if each in table][:1]
        chosen = table.values() if word in (None, "auto") else found
        for each in chosen:
            yield from _prices_in(each, *others)
