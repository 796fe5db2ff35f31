"""The catalogue in the words that every vendor shares, for who chooses a model."""

from __future__ import annotations

from datetime import date

from flowdsl.image.known_model import ANY_QUALITY, KnownModel, KnownOption, Source
from flowdsl_steps.image import cost
from flowdsl_steps.image.catalogue import Catalogue, Model, catalogue
from flowdsl_steps.image.catalogue.offer import Offer, OfferedModel

_PRICED_SIZE = "1024x1024"
"""The size that every model has so far, so that prices can be compared."""


def known_models(provider: str, as_of: date | None = None) -> tuple[KnownModel, ...]:
    """The models that are or were at a provider by a day (today when absent), newest first."""
    home = catalogue()
    return tuple(_known(model, provider, home, as_of) for model in home.models if model.dates(provider) is not None)


def _known(model: Model, provider: str, home: Catalogue, as_of: date | None) -> KnownModel:
    dates, life = model.dates(provider) or {}, model.life(provider, as_of)
    size = _PRICED_SIZE if model.sizes.fault(_PRICED_SIZE) is None else model.sizes.default
    there = home.facts["providers"].get(provider, {})
    options = {name: _option(model, name, provider, there) for name in sorted(model.parameters)}
    prices = {word: cost.estimate(model, provider, size, word) for word in model.parameters["quality"].values}
    return KnownModel(
        name=model.name,
        state=life.state,
        sizes=model.sizes.describe(),
        size=size,
        options={name: option for name, option in options.items() if model.accepts(name, provider)},
        images_per_request=model.images_per_request(),
        prompt_max_chars=model.prompt_max_chars,
        prices={word: price for word, price in prices.items() if price is not None and word != "auto"},
        as_of=home.facts["as_of"],
        released=dates.get("released"),
        shutdown=life.shutdown,
        replacement=life.replacement,
        snapshots=model.snapshots,
        uncertain=tuple(name for name in options if model.accepts(name, provider) is None),
        assumed=(*model.assumed, *there.get("assumed", ())),
        sources=tuple(Source(**home.facts["sources"][tag]) for tag in model.sources),
        edits=0 if model.edits is None else model.edits.images,
    )


def _option(model: Model, name: str, provider: str, there: dict[str, dict[str, list[str]]]) -> KnownOption:
    parameter = model.parameters[name]
    missing = there.get("unsupported", {}).get(name, ())
    values = tuple(value for value in parameter.values if value not in missing)
    maybe = tuple(value for value in parameter.maybe if value not in missing)
    return KnownOption(values, maybe, model.default(name, provider))


def offered_models(offer: Offer, as_of: date | None = None) -> tuple[KnownModel, ...]:
    """The models of a vendor with a file of its own, newest first."""
    return tuple(_offered(model, offer, as_of) for model in offer.models)


def _offered(model: OfferedModel, offer: Offer, as_of: date | None) -> KnownModel:
    life, sizes = model.life(as_of), model.sizes
    size = _PRICED_SIZE if sizes is None or sizes.fault(_PRICED_SIZE) is None else sizes.default
    quality = model.options.get("quality")
    words = quality.values if quality is not None and quality.values else (ANY_QUALITY,)
    prices = {word: model.price(size, None if word == ANY_QUALITY else word) for word in words if word != "auto"}
    return KnownModel(
        name=str(model.name),
        state=life.state,
        sizes="WIDTHxHEIGHT" if sizes is None else sizes.describe(),
        size=size,
        options={
            name: KnownOption(option.values, option.maybe, option.default)
            for name, option in sorted(model.options.items())
            if option.known
        },
        images_per_request=model.images_per_request,
        prompt_max_chars=model.prompt_max_chars,
        prices={word: price for word, price in prices.items() if price is not None},
        as_of=offer.as_of,
        released=model.released,
        shutdown=life.shutdown,
        replacement=life.replacement,
        snapshots=model.names,
        uncertain=tuple(name for name, option in sorted(model.options.items()) if option.known is None),
        assumed=model.assumed,
        sources=tuple(Source(**offer.sources[tag]) for tag in model.sources),
        price_note=model.price_note,
        edits=0 if model.edits is None else model.edits.images,
    )
