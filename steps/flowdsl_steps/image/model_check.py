"""Whether the model of a request is known and alive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowdsl.nearest import nearest
from flowdsl.step.problem import Change, Problem, show, use
from flowdsl_steps.image.catalogue import Life, Model, catalogue
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.resolved_model import ResolvedModel

QUALITY_TRANSLATION = {"hd": "high", "standard": "medium", "xhigh": "high", "max": "high"}
"""A quality of one family in the words of another, where the names differ."""


def model_problems(request: ImageRequest, resolved: ResolvedModel) -> Iterator[Problem]:
    """At most one problem on the model."""
    model = resolved.model
    if model is None:
        if resolved.label is not None:
            yield _unknown(resolved, resolved.label)
        return
    life = model.life(resolved.provider, resolved.as_of)
    if life.state == "dead":
        yield _retired(request, resolved, model, life)
    elif life.state == "dying":
        yield _retiring(request, resolved, life)


def is_refused(resolved: ResolvedModel) -> bool:
    """Whether nothing would be sent, because the vendor no longer has the model."""
    model = resolved.model
    return resolved.own and model is not None and model.standing(resolved.provider, resolved.as_of).state == "dead"


def translate_quality(quality: str, model: Model) -> str | None:
    """The quality of the model that comes closest to one it does not have, or None."""
    values = model.parameters["quality"].values
    back = {"high": "hd", "medium": "standard", "low": "standard", "xhigh": "hd", "max": "hd", "auto": "standard"}
    for word in (QUALITY_TRANSLATION.get(quality), back.get(quality)):
        if word in values:
            return word
    return None


def key_of(resolved: ResolvedModel) -> str | None:
    """The key of the step that names the model, if it is the step that does."""
    return "model" if resolved.origin == "step" else None


def in_words(resolved: ResolvedModel) -> str:
    """The model, and who names it where that is not the step."""
    name = show(resolved.label)
    if resolved.origin == "default":
        return f"the step's default model {name}"
    if resolved.origin == "step" or resolved.service is None:
        return name
    what = "model" if resolved.origin == "service" else "deployment"
    return f"the {what} {name} of service {show(resolved.service.name)}"


def _retired(request: ImageRequest, resolved: ResolvedModel, model: Model, life: Life) -> Problem:
    message = f"{in_words(resolved)} was shut down by {resolved.title} on {life.shutdown}"
    advice = _advice(request, resolved, life.replacement)
    if resolved.own:
        fixes = _replacement(request, resolved, life.replacement)
        return Problem("retired-model", message, key=key_of(resolved), hint=advice, fixes=fixes)
    return Problem(
        "retired-model",
        f"{message}; this endpoint may still serve it",
        key=key_of(resolved),
        hint=f"if it does not, {advice}" if advice else None,
        severity="warning",
        fixes=_replacement(request, resolved, life.replacement),
    )


def _replacement(request: ImageRequest, resolved: ResolvedModel, replacement: str | None) -> tuple[Change, ...]:
    """The model that takes another's place, where it is the step that names it or nobody does, with the options of this
    request in its terms."""
    new = catalogue().find(replacement) if replacement else None
    if new is None or resolved.origin not in ("step", "default") or resolved.provider == "azure":
        return ()
    values = tuple((key, value) for _, key, value in _translated(request, resolved, new))
    (change,) = use("model", new.name)
    title = f"{change.title} and its options" if values else change.title
    return (change._replace(title=title, values=(*change.values, *values)),)


def _retiring(request: ImageRequest, resolved: ResolvedModel, life: Life) -> Problem:
    days = f"{life.days_left} day{'' if life.days_left == 1 else 's'}"
    advice = _advice(request, resolved, life.replacement)
    return Problem(
        "retiring-model",
        f"{in_words(resolved)} will be shut down by {resolved.title} on {life.shutdown}, in {days}",
        key=key_of(resolved),
        hint=f"before that day, {advice}" if advice else None,
        severity=None if resolved.own else "note",
        fixes=_replacement(request, resolved, life.replacement),
    )


def _advice(request: ImageRequest, resolved: ResolvedModel, replacement: str | None) -> str | None:
    """The replacement, with the options of this request in its terms."""
    new = catalogue().find(replacement) if replacement else None
    if new is None:
        return None
    if resolved.deployment_setting is not None:
        also = "" if resolved.origin == "deployment" else f" and set `model: {new.name}`"
        base = f"name a deployment of {show(new.name)} in the service's `{resolved.deployment_setting}`{also}"
    elif resolved.origin == "service":
        base = f"set the service's `model: {new.name}`"
    else:
        base = f"set `model: {new.name}`"
    changes = [words for words, _, _ in _translated(request, resolved, new)]
    return f"{base}, {', '.join(changes)}" if changes else base


def _translated(request: ImageRequest, resolved: ResolvedModel, new: Model) -> Iterator[tuple[str, str, Any]]:
    """What changes with the model: in words, the option and its value, None for one that goes."""
    quality, size = request.quality, request.size
    if isinstance(quality, str) and quality not in new.parameters["quality"].values:
        better = translate_quality(quality, new)
        yield f"`quality: {better}` for {show(quality)}" if better else "without `quality`", "quality", better
    if isinstance(size, str) and new.sizes.fault(size):
        near = new.sizes.nearest(size)
        if near:
            yield f"`size: {near[0]}` for {show(size)}", "size", near[0]
        else:
            yield "with another `size`", "size", None
    if request.style is not None and new.accepts("style", resolved.provider) is False:
        yield "the style as words in the prompt instead of `style`", "style", None
    if request.response_format is not None and new.accepts("response_format", resolved.provider) is False:
        yield "without `response_format`", "response_format", None


def _nearest_alive(resolved: ResolvedModel, label: str) -> str | None:
    """The model that a name most likely means: one that the provider still has, where there is one near."""
    found = catalogue().nearest(label)
    model = catalogue().find(found) if found is not None else None
    if model is None or model.standing(resolved.provider, resolved.as_of).state == "alive":
        return found
    alive = [each.name for each in catalogue().alive(resolved.provider, resolved.as_of)]
    return nearest(label, alive) or model.life(resolved.provider, resolved.as_of).replacement or found


def _unknown(resolved: ResolvedModel, label: str) -> Problem:
    hint: str | None
    meant = _nearest_alive(resolved, label)
    if resolved.origin == "deployment":
        name = resolved.service.name if resolved.service else ""
        message = f"the deployment {show(label)} does not say which model is behind it: only general rules are checked"
        hint = f"add `model:` with the model's name to the step or to service {show(name)}"
    else:
        message = f"{in_words(resolved)} is not a known image model: only general rules are checked"
        alive = [show(model.name) for model in catalogue().alive(resolved.provider, resolved.as_of)[:3]]
        hint = f"known and alive: {', '.join(alive)}" if resolved.own else None
        hint = f"did you mean {show(meant)}?" if meant else hint
    fixes = use("model", meant) if meant and resolved.origin == "step" else ()
    if resolved.own and resolved.origin != "deployment":  # nobody else can serve it under that name
        return Problem("unknown-model", message, key=key_of(resolved), hint=hint, severity="warning", fixes=fixes)
    return Problem("unknown-model", message, key=key_of(resolved), hint=hint, fixes=fixes)
