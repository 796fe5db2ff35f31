"""Whether the options of a request are ones its model accepts, by the catalogue.

Only support is checked here. Types, ranges and words that no model knows are the step's own constraints.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cache

from flowdsl.nearest import nearest
from flowdsl.step.problem import Change, Problem, drop, show, use
from flowdsl_steps.image.catalogue import Catalogue, Model, Parameter, catalogue, parse_size, tidy_size
from flowdsl_steps.image.input_check import WHO_EDITS
from flowdsl_steps.image.model_check import translate_quality
from flowdsl_steps.image.request import ImageRequest, is_edit
from flowdsl_steps.image.resolved_model import ResolvedModel

SVG_KEYS = ("model", "reasoning")
"""What a map of `svg` may hold."""
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""What `svg.reasoning` may ask for as its `effort`."""
INPUT_OPTIONS = ("input_fidelity",)
"""Options that speak of pictures to edit."""
IN_WORDS = {
    "style": "describe the style in the prompt",
    "response_format": "remove it: the image is stored, its `path` and `b64_json` are always there",
}
"""What to do instead of a parameter that a model does not have."""


def option_problems(request: ImageRequest, resolved: ResolvedModel) -> Iterator[Problem]:
    """Every option that the model does not accept, or accepts differently than written."""
    model = resolved.model
    if model is None:
        yield from _generic(request)
    else:
        yield from _size(request, model)
        for name in model.parameters:
            if name not in INPUT_OPTIONS or is_edit(request):
                yield from _parameter(request, resolved, model, name)
        yield from _prompt_length(request, model)
        yield from _count(request, model)
    yield from _across(request, resolved)


def unsent_problems(
    request: ImageRequest, title: str, own_options: Container[str], *, edits: bool = False
) -> Iterator[Problem]:
    """What the images API has no parameter for, whatever the model; `edits` says that the vendor edits pictures."""
    if request.seed is not None:
        yield Problem(
            "seed-not-sent",
            "`seed` is not sent: the Images API has no such parameter, so results are not reproducible",
            "seed",
            "it still tells cached and simulated images apart",
        )
    for name in ("images", "mask", *INPUT_OPTIONS):
        asked = getattr(request, name) or (name == "images" and is_edit(request))
        if asked and not edits:
            message = f"{title} edits no pictures here: `{name}` cannot be sent"
            yield Problem("unsupported-parameter", message, name, WHO_EDITS)
        elif asked and not is_edit(request):
            message = f"`{name}` is not a parameter of image generation: it goes with pictures to edit"
            yield Problem("unsupported-parameter", message, name, "remove it", fixes=drop(name))
    for name in request.extra:
        if name not in own_options and request.extra[name] is not None:
            message = f"`{name}` is not sent: {title} has no such parameter"
            yield Problem("dropped-parameter", message, name, "remove it", fixes=drop(name))


def listed(values: Sequence[str]) -> str:
    """`low`, `medium` or `high`."""
    quoted = [f"`{value}`" for value in values]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _parameter(request: ImageRequest, resolved: ResolvedModel, model: Model, name: str) -> Iterator[Problem]:
    value = request.option(name)
    if value is None or value is False or (name == "partial_images" and value == 0):
        return
    accepted = model.accepts(name, resolved.provider)
    if accepted is False:
        yield _absent_parameter(resolved, model, name, value)
    elif accepted is None:
        yield _unverified(model, name, f"`{name}`")
    elif isinstance(value, str):
        yield from _value(resolved, model, name, value, model.parameters[name])


def _absent_parameter(resolved: ResolvedModel, model: Model, name: str, value: object) -> Problem:
    if name == "response_format":
        if value == "b64_json":
            return Problem(
                "dropped-parameter",
                f"`response_format` is not sent: {show(model.name)} always responds with b64_json",
                name,
                hint="remove it",
                fixes=drop(name),
            )
        message = f"{show(model.name)} cannot respond with a URL: it has no `response_format`"
        return Problem("unsupported-parameter", message, name, hint=IN_WORDS[name], fixes=drop(name))
    others = [
        show(other.name)
        for other in catalogue().alive(resolved.provider, resolved.as_of)
        if other.parameters[name].known
    ]
    hint = IN_WORDS.get(name) or (
        "remove it" + (f", or use a model that has it: {', '.join(others[:2])}" if others else "")
    )
    message = f"{show(model.name)} has no `{name}`"
    return Problem("unsupported-parameter", message, name, hint=hint, fixes=drop(name))


def _value(resolved: ResolvedModel, model: Model, name: str, value: str, parameter: Parameter) -> Iterator[Problem]:
    refused = _refused_words(resolved, name)
    values = [word for word in parameter.values if word not in refused]
    if value in refused:
        message, hint = f"{resolved.title} does not accept {show(value)} as `{name}`", f"use {listed(values)}"
        yield Problem("unsupported-value", message, name, hint=hint, fixes=use(name, values[0]) if values else ())
    elif value in parameter.maybe:
        yield _unverified(model, name, f"{show(value)} as `{name}`")
    elif value in values:
        if remark := parameter.remarks.get(value):
            better = [
                show(other.name)
                for other in catalogue().alive(resolved.provider, resolved.as_of)
                if _fine(other, name, value)
            ]
            instead = f"use {' or '.join(better[:2])} for it" if better else None
            yield Problem("unstable-value", f"`{name}: {value}` {remark}", name, hint=instead)
    elif values and (name == "quality" or value in _words(name)):
        better_word = translate_quality(value, model) if name == "quality" else None
        near = None if better_word else nearest(value, values)
        advice = f"use {show(better_word)}; " if better_word else f"did you mean {show(near)}? " if near else ""
        hint = f"{advice}supported: {listed(values)}"
        better_word = better_word or near
        yield Problem(
            "unsupported-value",
            f"{show(model.name)} does not accept {show(value)} as `{name}`",
            name,
            hint=hint,
            fixes=use(name, better_word) if better_word else (),
        )


def _fine(model: Model, name: str, value: str) -> bool:
    parameter = model.parameters[name]
    return value in parameter.values and value not in parameter.remarks


def _unverified(model: Model, name: str, what: str) -> Problem:
    message = f"whether {show(model.name)} accepts {what} is not known; it is sent unchanged"
    return Problem("unverified-option", message, name)


def _words(name: str) -> frozenset[str]:
    """Every value that some model accepts or may accept."""
    return _words_in(catalogue(), name)


@cache
def _words_in(known: Catalogue, name: str) -> frozenset[str]:
    parameters = [model.parameters[name] for model in known.models if name in model.parameters]
    return frozenset(word for parameter in parameters for word in (*parameter.values, *parameter.maybe))


def _size(request: ImageRequest, model: Model) -> Iterator[Problem]:
    size = request.size
    if not isinstance(size, str):
        return
    if request.output_format == "gif" and (frame := parse_size(size)):
        if not _any_gif_has(*frame):
            yield _unverified(model, "size", f"a GIF of {show(size)}")
    elif fault := model.sizes.fault(size):
        closest = model.sizes.nearest(size)
        hint = f"{f'use {listed(closest)}; ' if closest else ''}supported: {model.sizes.describe()}"
        message = f"{show(model.name)} does not accept the size {show(size)}: {fault}"
        fixes = tuple(change for closer in closest for change in use("size", closer))
        yield Problem("unsupported-value", message, "size", hint=hint, fixes=fixes)
    elif model.sizes.is_experimental(size):
        message = f"{show(size)} is above 2560x1440 pixels, which the vendor calls experimental"
        yield Problem("experimental-size", message, "size")


def _any_gif_has(width: int, height: int) -> bool:
    """Whether frames of this size are taken, as many as there are: the limits are of the sheet that holds them all.

    Source: measured by third parties, the vendor says nothing of it. A sheet has two to four rows of three or four
    frames and the limits of one picture: edges up to 3840, 655,360 to 8,294,400 pixels.
    """
    multiples = width % 16 == 0 and height % 16 == 0
    return multiples and max(width, height) <= 960 and 81_920 <= width * height <= 518_400


def _across(request: ImageRequest, resolved: ResolvedModel) -> Iterator[Problem]:
    """Rules between options that hold for every model that has them."""
    model = resolved.model
    if model is not None and model.parameters["output_format"].known is False:
        return
    form, form_known = request.output_format, "output_format" not in request.unknown
    if request.background == "transparent" and form not in (None, "png", "webp"):
        fit = _taken(resolved, "png", "webp")
        message = f"`background: transparent` goes with `output_format` {listed(fit)}, and not with {form}"
        if form == "jpeg":
            message = "`background: transparent` needs an `output_format` with transparency, and jpeg has none"
        hint = f"use {listed(fit)} as `output_format`"
        yield _conflict("background", "output_format", message, hint, use("output_format", fit[0]))
    if request.output_compression is not None and form_known and form not in ("jpeg", "webp"):
        fit = _taken(resolved, "jpeg", "webp")
        stands = f"it is {form}" if form else "it is png, the default"
        message = f"`output_compression` goes with `output_format` {listed(fit)}; here {stands}"
        fixes = (*drop("output_compression"), *use("output_format", fit[0]))
        yield _conflict("output_compression", "output_format", message, "remove it, or set `output_format`", fixes)
    if form in ("gif", "svg") and request.stream is True:
        message = f"`output_format: {form}` cannot be streamed"
        yield _conflict("stream", "output_format", message, "remove `stream`", drop("stream"))
    for name, wanted in (("frame_count", "gif"), ("frame_duration_ms", "gif"), ("svg", "svg")):
        if request.option(name) is not None and form_known and form != wanted:
            message = f"`{name}` goes only with `output_format: {wanted}`"
            hint = f"remove it, or set `output_format: {wanted}`"
            yield _conflict(name, "output_format", message, hint, (*drop(name), *use("output_format", wanted)))
    yield from _svg(request)
    if request.partial_images and not request.stream and "stream" not in request.unknown:
        message = "`partial_images` has no effect without `stream: true`"
        fixes = (*use("stream", True), *drop("partial_images"))
        hint = "add `stream: true`, or remove it"
        yield Problem("no-effect", message, "partial_images", hint, fixes=fixes)


def _svg(request: ImageRequest) -> Iterator[Problem]:
    """What a map of `svg` holds. Source: openai-python 3.57, `Svg`."""
    if not isinstance(request.svg, Mapping):
        return
    for key in request.svg:
        if key not in SVG_KEYS:
            message = f"{show(key)} is not a key of `svg`"
            yield Problem("unknown-key", message, "svg", "there are `model` and `reasoning`", inside=(key,))
    reasoning = request.svg.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, Mapping) else reasoning
    if reasoning is not None and (not isinstance(reasoning, Mapping) or set(reasoning) - {"effort"}):
        hint = f"write `reasoning: {{effort: {effort if effort in REASONING_EFFORTS else 'medium'}}}`"
        yield Problem(
            "wrong-type", "`reasoning` of `svg` is a map with an `effort`", "svg", hint, inside=("reasoning",)
        )
    elif effort is not None and effort not in REASONING_EFFORTS:
        message = f"{show(effort)} is no `effort` of `reasoning`"
        yield Problem("unsupported-value", message, "svg", f"use {listed(REASONING_EFFORTS)}", inside=("reasoning",))
    if request.svg.get("model") is None:
        yield Problem("missing-key", "`svg` needs a `model`, which writes it", "svg", "add `model:` with a text model")


def _taken(resolved: ResolvedModel, *formats: str) -> list[str]:
    """Those of the file formats that the vendor takes."""
    return [form for form in formats if form not in _refused_words(resolved, "output_format")]


def _refused_words(resolved: ResolvedModel, name: str) -> Sequence[str]:
    """Values of an option that the vendor refuses although its models know them."""
    facts = catalogue().facts["providers"].get(resolved.provider, {})
    refused: Sequence[str] = facts.get("unsupported", {}).get(name, ())
    return refused


def _conflict(key: str, other: str, message: str, hint: str, fixes: tuple[Change, ...]) -> Problem:
    """A problem between the values of two options."""
    return Problem("conflicting-values", message, key, hint, covers=(key, other), fixes=fixes)


def _prompt_length(request: ImageRequest, model: Model) -> Iterator[Problem]:
    if len(request.prompt) > model.prompt_max_chars:
        most = f"{show(model.name)} accepts at most {model.prompt_max_chars:,}"
        message = f"the prompt has {len(request.prompt):,} characters, {most}"
        yield Problem("too-long", message, "prompt", hint="shorten the prompt")


def _count(request: ImageRequest, model: Model) -> Iterator[Problem]:
    """What `n` means when it is more than one. How it goes with `stream` is documented nowhere."""
    n, form = request.n, request.output_format
    if not isinstance(n, int) or isinstance(n, bool) or n < 2:
        return
    most = model.images_per_request(form if isinstance(form, str) else None)
    if n > most:
        each = "one image" if most == 1 else f"at most {most} images"
        who = "an SVG is drawn alone" if form == "svg" else f"{show(model.name)} accepts no more in one"
        message = f"`n: {n}` is sent as {-(-n // most)} requests of {each}: {who}"
        yield Problem("fan-out", message, "n")
    elif request.stream is True:
        message = f"how `stream` goes with `n: {n}` is not documented; it is sent unchanged"
        yield Problem("unverified-option", message, "stream")


def _generic(request: ImageRequest) -> Iterator[Problem]:
    """What can be said of any model: a warning for words that no known model accepts."""
    quality, size = request.quality, request.size
    if isinstance(quality, str) and quality not in _words("quality"):
        message = f"no known image model accepts {show(quality)} as `quality`"
        yield Problem("unsupported-value", message, "quality", severity="warning")
    if isinstance(size, str) and size != "auto" and parse_size(size) is None:
        message = f"no known image model accepts the size {show(size)}: it is neither WIDTHxHEIGHT nor auto"
        tidy = tidy_size(size)
        hint = f"write `{tidy}`" if tidy else None
        fixes = use("size", tidy) if tidy else ()
        yield Problem("unsupported-value", message, "size", hint, severity="warning", fixes=fixes)
