"""Whether the options of an image step are ones its model takes.

Only support is judged here. Types, ranges and words that no model knows are the step's own constraints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from flowdsl.diagnostics import Severity
from flowdsl.nearest import nearest
from flowdsl.step.rules import UNKNOWN, Options, Problem, show
from flowdsl_steps.image.catalogue import Model, Parameter, catalogue, parse_size, tidy_size
from flowdsl_steps.image.model_check import translate_quality
from flowdsl_steps.image.subject import Subject

IN_WORDS = {
    "style": "describe the style in the prompt",
    "response_format": "remove it: the image is stored, its `path` and `b64_json` are always there",
}
"""What to do instead of a parameter that a model does not have."""


def option_problems(options: Options, subject: Subject) -> Iterator[Problem]:
    """Every option that the model does not take, or takes differently than written."""
    model = subject.model
    if model is None:
        yield from _generic(options)
    else:
        yield from _size(options, model)
        for name in model.parameters:
            yield from _parameter(options, subject, model, name)
        yield from _prompt_length(options, model)
        yield from _count(options, model)


def known(options: Options, key: str) -> Any:
    """The value in force, or None when it is absent or a template decides it."""
    value = options.value(key)
    return None if value is UNKNOWN else value


def on(
    options: Options, key: str, code: str, message: str, hint: str | None = None, severity: Severity = "error"
) -> Problem:
    """A problem at a key, or at the step when the value comes from its service."""
    if options.has(key):
        return Problem(code, message, key, hint, severity)
    if options.service is not None and options.service.option(key) is not None:
        message = f"{message} (set by service {show(options.service.name)})"
    return Problem(code, message, None, hint, severity)


def listed(values: Sequence[str]) -> str:
    """`low`, `medium` or `high`."""
    quoted = [f"`{value}`" for value in values]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _parameter(options: Options, subject: Subject, model: Model, name: str) -> Iterator[Problem]:
    value = known(options, name)
    if value is None or value is False or (name == "partial_images" and value == 0):
        return
    accepted = model.accepts(name, subject.provider)
    if accepted is False:
        yield _absent_parameter(options, subject, model, name, value)
    elif accepted is None:
        yield _unverified(options, model, name, f"`{name}`")
    elif isinstance(value, str):
        yield from _value(options, subject, model, name, value, model.parameters[name])


def _absent_parameter(options: Options, subject: Subject, model: Model, name: str, value: object) -> Problem:
    if name == "response_format":
        if value == "b64_json":
            return on(
                options,
                name,
                "dropped-parameter",
                f"`response_format` is not sent: {show(model.name)} always answers with b64_json",
                hint="remove it",
                severity="warning",
            )
        message = f"{show(model.name)} cannot answer with a URL: it has no `response_format`"
        return on(options, name, "unsupported-parameter", message, hint=IN_WORDS[name])
    others = [
        show(other.name) for other in catalogue().alive(subject.provider, options.as_of) if other.parameters[name].known
    ]
    hint = IN_WORDS.get(name) or (
        "remove it" + (f", or use a model that has it: {', '.join(others[:2])}" if others else "")
    )
    return on(options, name, "unsupported-parameter", f"{show(model.name)} has no `{name}`", hint=hint)


def _value(
    options: Options, subject: Subject, model: Model, name: str, value: str, parameter: Parameter
) -> Iterator[Problem]:
    provider = catalogue().facts["providers"].get(subject.provider, {})
    refused = provider.get("unsupported", {}).get(name, ())
    values = [word for word in parameter.values if word not in refused]
    if value in refused:
        title = catalogue().title(subject.provider)
        message, hint = f"{title} does not take {show(value)} as `{name}`", f"use {listed(values)}"
        yield on(options, name, "unsupported-value", message, hint=hint)
    elif value in parameter.maybe:
        yield _unverified(options, model, name, f"{show(value)} as `{name}`")
    elif value in values:
        if remark := parameter.remarks.get(value):
            better = [
                show(other.name)
                for other in catalogue().alive(subject.provider, options.as_of)
                if _fine(other, name, value)
            ]
            instead = f"use {' or '.join(better[:2])} for it" if better else None
            yield on(options, name, "unstable-value", f"`{name}: {value}` {remark}", hint=instead, severity="warning")
    elif values and (name == "quality" or value in _words(name)):
        better_word = translate_quality(value, model) if name == "quality" else None
        near = None if better_word else nearest(value, values)
        advice = f"use {show(better_word)}; " if better_word else f"did you mean {show(near)}? " if near else ""
        hint = f"{advice}supported: {listed(values)}"
        yield on(
            options,
            name,
            "unsupported-value",
            f"{show(model.name)} does not take {show(value)} as `{name}`",
            hint=hint,
        )


def _fine(model: Model, name: str, value: str) -> bool:
    parameter = model.parameters[name]
    return value in parameter.values and value not in parameter.remarks


def _unverified(options: Options, model: Model, name: str, what: str) -> Problem:
    message = f"whether {show(model.name)} takes {what} is not known; it is sent as it stands"
    return on(options, name, "unverified-option", message, severity="note")


@cache
def _words(name: str) -> frozenset[str]:
    """Every value that some model takes or may take."""
    parameters = [model.parameters[name] for model in catalogue().models if name in model.parameters]
    return frozenset(word for parameter in parameters for word in (*parameter.values, *parameter.maybe))


def _size(options: Options, model: Model) -> Iterator[Problem]:
    size = known(options, "size")
    if not isinstance(size, str):
        return
    if known(options, "output_format") == "gif" and (frame := parse_size(size)):
        if not _any_gif_has(*frame):
            yield _unverified(options, model, "size", f"a GIF of {show(size)}")
    elif fault := model.sizes.fault(size):
        closest = model.sizes.nearest(size)
        hint = f"{f'use {listed(closest)}; ' if closest else ''}supported: {model.sizes.describe()}"
        message = f"{show(model.name)} does not take the size {show(size)}: {fault}"
        yield on(options, "size", "unsupported-value", message, hint=hint)
    elif model.sizes.is_experimental(size):
        message = f"{show(size)} is above 2560x1440 pixels, which the vendor calls experimental"
        yield on(options, "size", "experimental-size", message, severity="note")


def _any_gif_has(width: int, height: int) -> bool:
    """Whether frames of this size are taken, as many as there are: the limits are of the sheet that holds them all.

    Source: measured by third parties, the vendor says nothing of it. A sheet has two to four rows of three or four
    frames and the limits of one picture: edges up to 3840, 655,360 to 8,294,400 pixels.
    """
    multiples = width % 16 == 0 and height % 16 == 0
    return multiples and max(width, height) <= 960 and 81_920 <= width * height <= 518_400


def _prompt_length(options: Options, model: Model) -> Iterator[Problem]:
    for key in ("instruction", "prompt"):
        prompt = known(options, key)
        if isinstance(prompt, str) and len(prompt) > model.prompt_max_chars:
            most = f"{show(model.name)} takes at most {model.prompt_max_chars:,}"
            message = f"the prompt has {len(prompt):,} characters, {most}"
            yield on(options, key, "too-long", message, hint="shorten the prompt")


def _count(options: Options, model: Model) -> Iterator[Problem]:
    """What `n` means when it is more than one. How it goes with `stream` is documented nowhere."""
    n, form = known(options, "n"), known(options, "output_format")
    if not isinstance(n, int) or isinstance(n, bool) or n < 2:
        return
    most = model.images_per_request(form if isinstance(form, str) else None)
    if n > most:
        each = "one image" if most == 1 else f"at most {most} images"
        who = "an SVG is drawn alone" if form == "svg" else f"{show(model.name)} takes no more in one"
        message = f"`n: {n}` is sent as {-(-n // most)} requests of {each}: {who}"
        yield on(options, "n", "fan-out", message, severity="note")
    elif known(options, "stream") is True:
        message = f"how `stream` goes with `n: {n}` is not documented; it is sent as it stands"
        yield on(options, "stream", "unverified-option", message, severity="note")


def _generic(options: Options) -> Iterator[Problem]:
    """What can be said of any model: a warning for words that no known model takes."""
    quality, size = known(options, "quality"), known(options, "size")
    if isinstance(quality, str) and quality not in _words("quality"):
        message = f"no known image model takes {show(quality)} as `quality`"
        yield on(options, "quality", "unsupported-value", message, severity="warning")
    if isinstance(size, str) and size != "auto" and parse_size(size) is None:
        message = f"no known image model takes the size {show(size)}: it is neither WIDTHxHEIGHT nor auto"
        tidy = tidy_size(size)
        hint = f"write `{tidy}`" if tidy else None
        yield on(options, "size", "unsupported-value", message, hint, severity="warning")
