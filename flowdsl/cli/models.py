"""`flowdsl models`: what is known of the image models, and how old that knowledge is."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from flowdsl.cli.arguments import Parser, add_as_of, flag
from flowdsl.cli.terminal import text_width
from flowdsl.display.width import width
from flowdsl.errors import UsageError
from flowdsl.image.own_models import counting
from flowdsl.nearest import nearest
from flowdsl.services import provider_words, providers
from flowdsl.step.provider import models_of

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.image.known_model import KnownModel, KnownOption
    from flowdsl.image.own_models import OwnModels

EXAMPLES = ("flowdsl models", "flowdsl models gpt-image-2", "flowdsl models --compare openai")
OLD_DAYS = 60
"""Facts that are older are called old: vendors add and end models every few months."""

Found = Mapping[tuple[str, str], "Sequence[KnownModel]"]
"""The name and the title of each vendor → its models."""


def main(arguments: Sequence[str]) -> int:
    """The exit code: 2 when nothing is known of the model."""
    options = parser().parse(arguments)
    with counting(_own()):
        if options.compare is not None:
            return _compared(options.compare)
        found = _known(options.provider, options.as_of)
        if options.name is not None:
            found = _of(options.name, found, options.provider)
    if options.json:
        print(_json(found, options.as_of))
    else:
        print("\n\n".join(_pages(found) if options.name is not None else _lists(found)))
        print(f"\n{_age(found, options.as_of)}")
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("models", COMMANDS["models"], EXAMPLES)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the model to explain")
    parser.add_argument("--provider", metavar="NAME", help="only what this vendor has, such as openai or azure")
    parser.add_argument(
        "--compare", metavar="NAME", help="how this vendor's own client, as it is installed, differs from what is known"
    )
    flag(parser, "--json", help="print all that is known as JSON")
    add_as_of(parser)
    return parser


def _own() -> OwnModels | None:
    """What the project of the working folder says of models."""
    from flowdsl.environment import Environment
    from flowdsl.source import Source

    return Environment().settings_for(Source("", "<models>")).models


def _compared(provider: str) -> int:
    """Prints how what is known differs from what the vendor's own client has that is installed; the exit code is 1
    where something does that nobody has explained."""
    vendor = providers().get(provider)
    compare = getattr(vendor, "compared", None)
    comparison = compare() if callable(compare) else None
    if comparison is None:
        raise UsageError(f"there is no client of a provider `{provider}` to compare with; there is one of openai")
    print(comparison.text)
    return 1 if comparison.differs else 0


def _known(provider: str | None, as_of: date | None) -> Found:
    """The models of one vendor, or of all that have any."""
    vendors = providers()
    known = {(name, vendor.title): models_of(provider_words(name), vendor, as_of) for name, vendor in vendors.items()}
    found = {vendor: models for vendor, models in known.items() if models}
    if not found:
        raise UsageError("no vendor that is installed says which models it has")
    chosen = {vendor: models for vendor, models in found.items() if provider in (None, vendor[0])}
    if not chosen:
        names = [name for name, _ in found]
        near = nearest(str(provider), names)
        meant = f"did you mean {near}? " if near else ""
        raise UsageError(f"no models are known of a provider `{provider}`; {meant}there are {', '.join(names)}")
    return chosen


def _of(name: str, found: Found, provider: str | None) -> Found:
    """What is known of one model, by its own name or that of a snapshot."""
    chosen = _named(name, found)
    if not chosen:
        names = list(dict.fromkeys(model.name for models in found.values() for model in models))
        near = nearest(name, names) or next((known for known in names if name and known.startswith(name)), None)
        hint = f"did you mean {near}?" if near else "`flowdsl models` lists those that are known"
        if name in providers():
            raise UsageError(
                f"`{name}` is a provider, and no model: `flowdsl models --provider {name}` lists what it has"
            )
        elsewhere = ", ".join(vendor for vendor, _ in _named(name, _known(None, None))) if provider else ""
        there = f" of {provider}: it is one of {elsewhere}" if elsewhere else ""
        raise UsageError(f"nothing is known of the model `{name}`{there}; {hint}")
    return chosen


def _named(name: str, found: Found) -> Found:
    """The models of that name, or with a snapshot of it."""
    return {
        vendor: here
        for vendor, models in found.items()
        if (here := [model for model in models if name in (model.name, *model.snapshots)])
    }


def _lists(found: Found) -> Iterator[str]:
    for (name, title), models in found.items():
        rows = [(model.name, _price(model), _end(model)) for model in models]
        wide = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
        lines = (
            "  ".join(cell + " " * (columns - width(cell)) for cell, columns in zip(row, wide, strict=True)).rstrip()
            for row in rows
        )
        yield "\n".join([f"{title} (provider: {name})", *(f"  {line}" for line in lines)])


def _price(model: KnownModel) -> str:
    """The least and the most that a picture costs, over all qualities."""
    if not model.prices:
        return "price unknown"
    least = min(least for least, _ in model.prices.values())
    most = max(most for _, most in model.prices.values())
    return f"{_usd(least, most)} a {model.size} picture"


def _usd(least: float, most: float) -> str:
    shown = [f"${value:.3f}" if value < 1 else f"${value:.2f}" for value in (least, most)]
    return " to ".join(dict.fromkeys(shown))


def _end(model: KnownModel) -> str:
    """What an author must know of the model's life."""
    if model.state == "unknown":
        return f"from {model.released}" if model.released else "days unknown"
    if model.shutdown is None:
        return ""
    if model.state == "dead":
        then = f": use {model.replacement}" if model.replacement else ""
        return f"shut down {model.shutdown}{then}"
    then = f", then {model.replacement}" if model.replacement else ""
    return f"until {model.shutdown}{then}"


def _pages(found: Found) -> Iterator[str]:
    for (_, title), models in found.items():
        for model in models:
            yield "\n".join([f"{model.name} ({title})", *_facts(model)])


def _facts(model: KnownModel) -> Iterator[str]:
    released = f", since {model.released}" if model.released and model.state != "unknown" else ""
    yield _row("life", f"{model.state}{released}{', ' + end if (end := _end(model)) else ''}")
    if model.snapshots:
        yield _row("snapshots", ", ".join(model.snapshots))
    yield _row("sizes", model.sizes)
    for quality, (least, most) in model.prices.items():
        of_quality = "" if quality == "any" else f" of quality {quality}"
        yield _row("price", f"{_usd(least, most)} for a {model.size} picture{of_quality}")
    if not model.prices:
        yield _row("price", "unknown")
    if model.price_note:
        yield _row("price", model.price_note)
    for name, option in model.options.items():
        yield _row("option", f"{name}: {_option(option)}")
    if model.uncertain:
        yield _row("uncertain", f"no source says whether it has {', '.join(model.uncertain)}")
    each = "one image" if model.images_per_request == 1 else f"{model.images_per_request} images"
    prompt = f", {model.prompt_max_chars:,} characters a prompt" if model.prompt_max_chars is not None else ""
    yield _row("limits", f"{each} a request{prompt}")
    if model.edits:
        yield _row("edits", "one picture" if model.edits == 1 else f"up to {model.edits} pictures at once")
    for fact in model.assumed:
        yield _row("assumed", fact)
    for source in model.sources:
        yield _row("source", f"{source.what} ({source.date}, {source.grade})")


def _option(option: KnownOption) -> str:
    parts = [", ".join(option.values) or "any value"]
    parts += [f"perhaps {', '.join(option.maybe)}"] if option.maybe else []
    parts += [f"default {option.default}"] if option.default is not None else []
    return "; ".join(parts)


def _row(name: str, text: str) -> str:
    return textwrap.fill(
        text,
        text_width(sys.stdout),
        initial_indent=f"  {name:<10} ",
        subsequent_indent=" " * 13,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _age(found: Found, as_of: date | None) -> str:
    """How old the facts are; of several catalogues the oldest counts."""
    oldest = min(model.as_of for models in found.values() for model in models)
    days = _days(oldest, as_of)
    if days > OLD_DAYS:
        return (
            f"These facts are {days} days old ({oldest}): models may have come, ended or changed their price since. "
            "A newer flowdsl has newer facts."
        )
    return f"Facts of {oldest}. `flowdsl models NAME` has sizes, prices, options and sources."


def _days(facts: str, as_of: date | None) -> int:
    from datetime import date

    return ((as_of or date.today()) - date.fromisoformat(facts)).days


def _json(found: Found, as_of: date | None) -> str:
    import json

    models = [{"provider": name, **model.to_dict()} for (name, _), models in found.items() for model in models]
    for model in models:
        model["age_days"] = _days(model["as_of"], as_of)
    return json.dumps({"models": models}, indent=2, ensure_ascii=False)
