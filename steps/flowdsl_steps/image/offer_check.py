"""Whether the options of a request are ones that a vendor takes, by the file of what it offers."""

from __future__ import annotations

from collections.abc import Iterator

from flowdsl.nearest import nearest
from flowdsl.step.problem import Change, Problem, drop, show, use
from flowdsl_steps.image.catalogue import Parameter, parse_size, tidy_size
from flowdsl_steps.image.catalogue.offer import Offer, OfferedModel
from flowdsl_steps.image.input_check import offered_edit_problems
from flowdsl_steps.image.model_check import in_words, key_of
from flowdsl_steps.image.option_check import IN_WORDS, listed
from flowdsl_steps.image.request import ImageRequest, is_edit
from flowdsl_steps.image.resolved_model import ResolvedModel

_MOST_LISTED = 12
"""So many sizes are listed where one of them is meant; of more, only those that are near."""
_SHOWN_MODELS = 3


def offer_problems(request: ImageRequest, resolved: ResolvedModel, title: str, offer: Offer) -> Iterator[Problem]:
    """Everything of a request that the vendor would refuse, drop or do otherwise."""
    yield from _model(request, resolved, title, offer)
    model = offer.model(resolved.label)
    who = show(model.name) if model.name is not None else title
    for name, value in request.options():
        if name != "n" and value is not False and not (name == "partial_images" and value == 0):
            yield from _option(model, who, name, value)
    yield from offered_edit_problems(request, model.edits, who, key_of(resolved))
    yield from _prompt_length(request, model, who)
    yield from _count(request, model, who)


def _model(request: ImageRequest, resolved: ResolvedModel, title: str, offer: Offer) -> Iterator[Problem]:
    alive = [name for name in offer.alive(resolved.as_of) if _does(offer.model(name), request)]
    if resolved.origin == "default":
        hint = f"add `model: {alive[0]}`" if alive else "add `model:` with the name that it has there"
        yield Problem("missing-key", f"`model` is missing: {title} has no default model", hint=hint)
    elif resolved.label is not None:
        model = offer.find(resolved.label)
        if model is None:
            yield from _unknown(resolved, resolved.label, title, offer, alive)
        else:
            yield from _life(resolved, model, title)


def _does(model: OfferedModel, request: ImageRequest) -> bool:
    """Whether a model edits, where that is asked for, or else draws from a prompt alone."""
    return model.edits is not None if is_edit(request) else model.edits is None or not model.edits.only


def _unknown(resolved: ResolvedModel, label: str, title: str, offer: Offer, alive: list[str]) -> Iterator[Problem]:
    near = offer.nearest(label)
    if not offer.models or (near is None and not offer.complete):
        return
    message = f"{in_words(resolved)} is not a model that is known of {title}: only general rules are checked"
    hint = f"did you mean {show(near)}?" if near else f"known and alive: {', '.join(map(show, alive[:_SHOWN_MODELS]))}"
    fixes = use("model", near) if near and resolved.origin == "step" else ()
    key = key_of(resolved)
    if resolved.own and offer.complete:  # nobody else can serve it under that name
        yield Problem("unknown-model", message, key, hint, severity="warning", fixes=fixes)
    else:
        yield Problem("unknown-model", message, key, hint, fixes=fixes)


def _life(resolved: ResolvedModel, model: OfferedModel, title: str) -> Iterator[Problem]:
    life = model.life(resolved.as_of)
    if life.state not in ("dead", "dying"):
        return
    setting = f"`model: {life.replacement}`"
    advice = None if life.replacement is None else f"set {setting}"
    if advice and resolved.origin == "service":
        advice = f"set the service's {setting}"
    fixes: tuple[Change, ...] = use("model", life.replacement) if advice and resolved.origin == "step" else ()
    key, named = key_of(resolved), in_words(resolved)
    if life.state == "dying":
        days = f"{life.days_left} day{'' if life.days_left == 1 else 's'}"
        message = f"{named} will be shut down by {title} on {life.shutdown}, in {days}"
        yield Problem(
            "retiring-model",
            message,
            key,
            f"before that day, {advice}" if advice else None,
            severity=None if resolved.own else "note",
            fixes=fixes,
        )
        return
    message = f"{named} was shut down by {title} on {life.shutdown}"
    if resolved.own:
        yield Problem("retired-model", message, key, advice, fixes=fixes)
    else:
        message += "; this endpoint may still serve it"
        hint = f"if it does not, {advice}" if advice else None
        yield Problem("retired-model", message, key, hint, severity="warning", fixes=fixes)


def _option(model: OfferedModel, who: str, name: str, value: object) -> Iterator[Problem]:
    parameter = model.options.get(name)
    if name == "size" and parameter is None:
        yield from _size(model, who, value)
        return
    if parameter is None or parameter.known is False:
        yield _absent(who, name, value)
    elif parameter.known is None:
        message = f"whether {who} accepts `{name}` is not known; it is sent unchanged"
        yield Problem("unverified-option", message, name)
    elif isinstance(value, str):
        yield from _value(parameter, who, name, value)


def _absent(who: str, name: str, value: object) -> Problem:
    if name == "seed":
        message = f"`seed` is not sent: {who} has no such parameter, so results are not reproducible"
        return Problem("seed-not-sent", message, name, "it still tells cached and simulated images apart")
    if name == "response_format" and value == "b64_json":
        message = f"`response_format` is not sent: {who} has one way to respond"
        return Problem("dropped-parameter", message, name, "remove it", fixes=drop(name))
    return Problem(
        "unsupported-parameter",
        f"{who} has no `{name}`",
        name,
        IN_WORDS.get(name, "remove it"),
        fixes=drop(name),
    )


def _value(parameter: Parameter, who: str, name: str, value: str) -> Iterator[Problem]:
    if value in parameter.maybe:
        message = f"whether {who} accepts {show(value)} as `{name}` is not known; it is sent unchanged"
        yield Problem("unverified-option", message, name)
    elif parameter.values and value not in parameter.values:
        near = nearest(value, parameter.values)
        hint = f"{f'did you mean {show(near)}? ' if near else ''}supported: {listed(parameter.values)}"
        message = f"{who} does not accept {show(value)} as `{name}`"
        yield Problem("unsupported-value", message, name, hint, fixes=use(name, near) if near else ())


def _size(model: OfferedModel, who: str, size: object) -> Iterator[Problem]:
    if not isinstance(size, str):
        return
    sizes = model.sizes
    if sizes is None:
        if parse_size(size) is None:
            tidy = tidy_size(size)
            hint = f"write `{tidy}`" if tidy else "write WIDTHxHEIGHT in pixels, or leave it out"
            message = f"{who} does not accept the size {show(size)}: it is not WIDTHxHEIGHT"
            yield Problem("unsupported-value", message, "size", hint, fixes=use("size", tidy) if tidy else ())
    elif fault := sizes.fault(size):
        closest = sizes.nearest(size)
        some = f"use {listed(closest or [sizes.default])}; "
        few = f"supported: {sizes.describe()}"
        many = f"`flowdsl models{f' {model.name}' if model.name else ''}` lists all {len(sizes.values)}"
        hint = some + (few if len(sizes.values) <= _MOST_LISTED else many)
        message = f"{who} does not accept the size {show(size)}: {fault}"
        fixes = tuple(change for closer in closest for change in use("size", closer))
        yield Problem("unsupported-value", message, "size", hint, fixes=fixes)


def _prompt_length(request: ImageRequest, model: OfferedModel, who: str) -> Iterator[Problem]:
    most = model.prompt_max_chars
    if most is not None and len(request.prompt) > most:
        message = f"the prompt has {len(request.prompt):,} characters, {who} accepts at most {most:,}"
        yield Problem("too-long", message, "prompt", hint="shorten the prompt")


def _count(request: ImageRequest, model: OfferedModel, who: str) -> Iterator[Problem]:
    n, most = request.n, model.images_per_request
    if isinstance(n, int) and not isinstance(n, bool) and n > most:
        each = "one image" if most == 1 else f"at most {most} images"
        message = f"`n: {n}` is sent as {-(-n // most)} requests of {each}: {who} accepts no more in one"
        if request.seed is None or not model.takes("seed"):
            yield Problem("fan-out", message, "n")
            return
        message = f"{message}, and the same `seed` draws the same in each"
        yield Problem("conflicting-values", message, "seed", "remove `seed` or `n`", covers=("n",), fixes=drop("seed"))
