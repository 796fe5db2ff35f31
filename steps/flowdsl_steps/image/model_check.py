"""Whether the model of an image step is known and alive."""

from __future__ import annotations

from collections.abc import Iterator

from flowdsl.step.rules import UNKNOWN, Options, Problem, show
from flowdsl_steps.image.catalogue import Life, Model, catalogue
from flowdsl_steps.image.subject import Subject

QUALITY_TRANSLATION = {"hd": "high", "standard": "medium", "xhigh": "high", "max": "high"}
"""A quality of one family in the words of another, where the names differ."""


def model_problems(options: Options, subject: Subject) -> Iterator[Problem]:
    """At most one problem on the model, and one on an Azure API version that is older than the model."""
    model = subject.model
    if model is None:
        if subject.label is not None:
            yield _unknown(options, subject, subject.label)
        return
    life = model.life(subject.provider, options.as_of)
    if life.state == "dead":
        yield _retired(options, subject, model, life)
    elif life.state == "dying":
        yield _retiring(options, subject, life)
    yield from _api_version(options, subject, model)


def is_refused(options: Options, subject: Subject) -> bool:
    """Whether nothing would be sent, because the vendor no longer has the model."""
    return bool(
        subject.own and subject.model and subject.model.standing(subject.provider, options.as_of).state == "dead"
    )


def translate_quality(quality: str, model: Model) -> str | None:
    """The quality of the model that comes closest to one it does not have, or None."""
    values = model.parameters["quality"].values
    back = {"high": "hd", "medium": "standard", "low": "standard", "xhigh": "hd", "max": "hd", "auto": "standard"}
    for word in (QUALITY_TRANSLATION.get(quality), back.get(quality)):
        if word in values:
            return word
    return None


def _key(subject: Subject) -> str | None:
    return "model" if subject.origin == "step" else None


def _named(options: Options, subject: Subject) -> str:
    name = show(subject.label)
    if subject.origin == "default":
        return f"the step's default model {name}"
    if subject.origin == "step" or options.service is None:
        return name
    what = "model" if subject.origin == "service" else "deployment"
    return f"the {what} {name} of service {show(options.service.name)}"


def _retired(options: Options, subject: Subject, model: Model, life: Life) -> Problem:
    message = f"{_named(options, subject)} was shut down by {catalogue().title(subject.provider)} on {life.shutdown}"
    advice = _advice(options, subject, life.replacement)
    if subject.own:
        return Problem("retired-model", message, key=_key(subject), hint=advice)
    return Problem(
        "retired-model",
        f"{message}; this endpoint may still serve it",
        key=_key(subject),
        hint=f"if it does not, {advice}" if advice else None,
        severity="warning",
    )


def _retiring(options: Options, subject: Subject, life: Life) -> Problem:
    days = f"{life.days_left} day{'' if life.days_left == 1 else 's'}"
    title = catalogue().title(subject.provider)
    advice = _advice(options, subject, life.replacement)
    return Problem(
        "retiring-model",
        f"{_named(options, subject)} will be shut down by {title} on {life.shutdown}, in {days}",
        key=_key(subject),
        hint=f"before that day, {advice}" if advice else None,
        severity="warning" if subject.own else "note",
    )


def _advice(options: Options, subject: Subject, replacement: str | None) -> str | None:
    """The replacement, with the options of this step in its terms."""
    new = catalogue().find(replacement) if replacement else None
    if new is None:
        return None
    if subject.provider == "azure":
        also = "" if subject.origin == "deployment" else f" and set `model: {new.name}`"
        base = f"name a deployment of {show(new.name)} in the service's `deploymentId`{also}"
    elif subject.origin == "service":
        base = f"set the service's `model: {new.name}`"
    else:
        base = f"set `model: {new.name}`"
    changes = list(_translated(options, subject, new))
    return f"{base}, {', '.join(changes)}" if changes else base


def _translated(options: Options, subject: Subject, new: Model) -> Iterator[str]:
    quality, size = options.value("quality"), options.value("size")
    if isinstance(quality, str) and quality not in new.parameters["quality"].values:
        better = translate_quality(quality, new)
        yield f"`quality: {better}` for {show(quality)}" if better else "without `quality`"
    if isinstance(size, str) and new.sizes.fault(size):
        nearest = new.sizes.nearest(size)
        yield f"`size: {nearest[0]}` for {show(size)}" if nearest else "with another `size`"
    if options.value("style") not in (None, UNKNOWN) and new.accepts("style", subject.provider) is False:
        yield "the style as words in the prompt instead of `style`"
    if (
        options.value("response_format") not in (None, UNKNOWN)
        and new.accepts("response_format", subject.provider) is False
    ):
        yield "without `response_format`"


def _unknown(options: Options, subject: Subject, label: str) -> Problem:
    hint: str | None
    nearest = catalogue().nearest(label)
    if subject.origin == "deployment":
        name = options.service.name if options.service else options.step
        message = f"the deployment {show(label)} does not tell which model is behind it: only general rules are checked"
        hint = f"add `model:` with the model's name to the step or to service {show(name)}"
    else:
        message = f"{_named(options, subject)} is not a known image model: only general rules are checked"
        alive = [show(model.name) for model in catalogue().alive(subject.provider, options.as_of)[:3]]
        hint = f"known and alive: {', '.join(alive)}" if subject.own else None
        hint = f"did you mean {show(nearest)}?" if nearest else hint
    return Problem("unknown-model", message, key=_key(subject), hint=hint, severity="note")


def _api_version(options: Options, subject: Subject, model: Model) -> Iterator[Problem]:
    """Source: MicrosoftDocs/azure-ai-docs, API version lifecycle: GPT image models since 2025-04-01-preview."""
    version = options.service.get("apiVersion") if options.service else None
    first = catalogue().facts["providers"]["azure"]["api_version"].get(model.family)
    if subject.provider == "azure" and first and isinstance(version, str) and version[:1].isdigit() and version < first:
        yield Problem(
            "old-api-version",
            f"the API version {show(version)} is older than {show(model.name)} and does not know it",
            hint=f"set the service's `apiVersion` to `{first}-preview` or later, or to `preview`",
            severity="warning",
        )
