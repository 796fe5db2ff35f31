"""What is known of an image model, in the words that every vendor shares: what an author chooses a model by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.record import Record

ANY_QUALITY = "any"
"""Stands for the quality in the prices of a model that has none."""


class KnownOption(Record):
    """One option of a model: its values (empty: any), those that may work, and what an absent one stands for."""

    values: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()
    default: str | None = None


class Source(Record):
    """Where a fact is from: what was read, when (a day, a month or a year), and how far it can be trusted."""

    what: str
    date: str
    grade: str


class KnownModel(Record):
    """One model at one vendor, on one day.

    `state` is `alive`, `dying` (its end is within 90 days), `dead` or `unknown`; `released` and `shutdown` are the
    first day with it and the announced first day without it (ISO), `replacement` a model to write for one that ends.
    `sizes` says in words what it accepts, `size` is one of them, `prices` what a picture of that size costs in USD,
    without its prompt: quality → the least and the most (`any` at a model without qualities). `uncertain` are options
    of which no source says whether the model has them, `assumed` names what no authority says, `as_of` is the day of
    the facts. `prompt_max_chars` is None where no source says it. `price_note` is what has to be known of the prices:
    why there is none, or what comes on top of it. `edits` is how many pictures it edits at once at most; 0: none.
    """

    name: str
    state: str
    sizes: str
    size: str
    options: Mapping[str, KnownOption]
    images_per_request: int
    prompt_max_chars: int | None
    prices: Mapping[str, tuple[float, float]]
    as_of: str
    released: str | None = None
    shutdown: str | None = None
    replacement: str | None = None
    snapshots: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    price_note: str | None = None
    edits: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The facts as JSON has them; prices as `{quality: {"least": USD, "most": USD}}`."""
        facts = {name: getattr(self, name) for name in self._fields}
        facts["options"] = {name: option._asdict() for name, option in self.options.items()}
        facts["prices"] = {quality: {"least": least, "most": most} for quality, (least, most) in self.prices.items()}
        facts["sources"] = [source._asdict() for source in self.sources]
        return facts
