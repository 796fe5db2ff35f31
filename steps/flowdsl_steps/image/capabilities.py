"""The capability check of the image steps: everything that can be known to go wrong before a request is paid.

It runs when a flow is checked, and again when the templates are resolved and nothing is unknown any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from flowdsl.diagnostics import SEVERITIES
from flowdsl.step.rules import UNKNOWN, Change, Options, Problem, drop, show, use
from flowdsl_steps.image.catalogue import parse_size
from flowdsl_steps.image.key_check import key_problems
from flowdsl_steps.image.model_check import is_refused, model_problems
from flowdsl_steps.image.option_check import known, listed, on, option_problems
from flowdsl_steps.image.subject import Subject, subject_of

SHORT_TIMEOUT_MS = 30_000
"""A deadline below this, written by the author, gets a note.

The vendor speaks of up to two minutes for complex prompts, yet the step's default of one minute stays silent where
neither the quality nor the size is high: nobody reads a finding that stands on every step.
Source: OpenAI image generation guide.
"""
SLOW_QUALITIES = ("high", "xhigh", "max")
"""Qualities that, when written, ask for a longer deadline than the default."""
SLOW_PIXELS = 2560 * 1440
"""Sizes above this ask for it too. Source: OpenAI image generation guide, which calls them experimental."""


def check_image(options: Options) -> Iterator[Problem]:
    """Every way in which the step's options do not fit its model, at most one for each key, the gravest first kept.

    Options that a template decides are skipped. Source: openai-python 3.52, the OpenAI image generation guide and the
    Azure how-to, as the catalogue quotes them.
    """
    subject = subject_of(options)
    found = [
        *_prompt(options),
        *model_problems(options, subject),
        *option_problems(options, subject),
        *_across(options, subject),
        *_habits(options, subject),
        *_time(options, subject),
        *key_problems(options),
    ]
    if is_refused(options, subject):
        found = [problem for problem in found if problem.code not in ("fan-out", "unverified-option", "short-timeout")]
    yield from _one_per_key(found)


def _one_per_key(problems: list[Problem]) -> Iterator[Problem]:
    spoken: set[str] = set()
    kept: list[int] = []
    for index, problem in sorted(enumerate(problems), key=lambda pair: SEVERITIES.index(pair[1].severity)):
        if problem.key is None or problem.key not in spoken:
            kept.append(index)
            spoken.update(key for key in (problem.key, *problem.covers) if key)
    return (problems[index] for index in sorted(kept))


def _prompt(options: Options) -> Iterator[Problem]:
    if options.reads_text is not False or any(options.value(key) is not None for key in ("instruction", "prompt")):
        return
    inputs = options.given.get("inputs")
    if inputs is UNKNOWN or (
        isinstance(inputs, Iterable)
        and any(isinstance(entry, Mapping) and entry.get("type") == "text" for entry in inputs)
    ):
        return
    yield Problem(
        "missing-prompt",
        "no prompt: the step has no `instruction`, and nothing before it sets `text`",
        hint="add `instruction:`, or a SET step with `text:` before this one",
    )


def _across(options: Options, subject: Subject) -> Iterator[Problem]:
    """Rules between options that hold for every model that has them."""
    model = subject.model
    if model is not None and model.parameters["output_format"].known is False:
        return
    form, given_form = known(options, "output_format"), options.value("output_format")
    if known(options, "background") == "transparent" and form == "jpeg":
        fit = ["png"] if subject.provider == "azure" else ["png", "webp"]
        message = "`background: transparent` needs an `output_format` with transparency, and jpeg has none"
        hint = f"use {listed(fit)} as `output_format`"
        yield _conflict(options, "background", "output_format", message, hint, use("output_format", fit[0]))
    if known(options, "output_compression") is not None and given_form is not UNKNOWN and form not in ("jpeg", "webp"):
        fit = ["jpeg"] if subject.provider == "azure" else ["jpeg", "webp"]
        stands = f"it is {form}" if form else "it is png, the default"
        message = f"`output_compression` goes with `output_format` {listed(fit)}; here {stands}"
        fixes = (*drop("output_compression"), *use("output_format", fit[0]))
        hint = "remove it, or set `output_format`"
        yield _conflict(options, "output_compression", "output_format", message, hint, fixes)
    if form in ("gif", "svg") and known(options, "stream") is True:
        message = f"`output_format: {form}` cannot be streamed"
        yield _conflict(options, "stream", "output_format", message, "remove `stream`", drop("stream"))
    for name, wanted in (("frame_count", "gif"), ("frame_duration_ms", "gif"), ("svg", "svg")):
        if known(options, name) is not None and given_form is not UNKNOWN and form != wanted:
            message = f"`{name}` goes only with `output_format: {wanted}`"
            hint = f"remove it, or set `output_format: {wanted}`"
            fixes = (*drop(name), *use("output_format", wanted))
            yield _conflict(options, name, "output_format", message, hint, fixes)
    if known(options, "partial_images") and options.value("stream") in (None, False):
        message = "`partial_images` has no effect without `stream: true`"
        fixes = (*use("stream", True), *drop("partial_images"))
        yield on(options, "partial_images", "no-effect", message, "add `stream: true`, or remove it", "warning", fixes)


def _conflict(
    options: Options, key: str, other: str, message: str, hint: str, fixes: tuple[Change, ...] = ()
) -> Problem:
    """A problem between two values, at whichever of the two stands later."""
    order = [name for name in options.given if name in (key, other) and options.has(name)]
    place = order[-1] if order else None
    related = tuple((name, "together with this") for name in order[:-1])
    return Problem("conflicting-values", message, place, hint, related=related, covers=tuple(order), fixes=fixes)


def _habits(options: Options, subject: Subject) -> Iterator[Problem]:
    """What the request will do differently than the author may think."""
    if known(options, "seed") is not None:
        yield on(
            options,
            "seed",
            "seed-not-sent",
            "`seed` is not sent: the Images API has no such parameter, so results are not reproducible",
            "it still tells cached and simulated images apart",
            "note",
        )
    retries = known(options, "maxRetries")
    if isinstance(retries, int) and retries < 0:
        message = f"`maxRetries: {retries}` acts as 0"
        fixes = use("maxRetries", 0, safe=True)
        yield on(options, "maxRetries", "acts-as-zero", message, "write `maxRetries: 0`", "warning", fixes)
    for key in ("user", "safety_identifier"):
        value = known(options, key)
        if isinstance(value, str) and _is_email(value):
            message, hint = f"`{key}` looks like an e-mail address", "send a hash or an internal number instead"
            yield on(options, key, "personal-identifier", message, hint, "note")


def _time(options: Options, subject: Subject) -> Iterator[Problem]:
    """A deadline that pictures of this kind may miss: one the author wrote, or the default where nobody wrote one."""
    if subject.model is None or subject.model.family != "gpt-image":
        return
    timeout, hint = options.given.get("timeoutMs"), "`timeoutMs: 180000` is on the safe side"
    charged = "a request that is given up may still be charged"
    if isinstance(timeout, (int, float)) and timeout < SHORT_TIMEOUT_MS:
        message = f"{show(subject.label)} can take up to two minutes, and {charged}"
        yield Problem("short-timeout", message, "timeoutMs", hint, "note", fixes=SAFE_TIMEOUT)
    if timeout is not None or (options.service is not None and options.service.option("timeoutMs") is not None):
        return
    default = options.defaults["timeoutMs"]
    quality, size = known(options, "quality"), known(options, "size")
    pixels = parse_size(size) if isinstance(size, str) else None
    if quality in SLOW_QUALITIES:
        what, key = f"`quality: {quality}`", "quality"
    elif pixels and pixels[0] * pixels[1] > SLOW_PIXELS:
        what, key = f"a picture of {size}", None
    else:
        return
    message = f"{what} can take longer than the {default / 1000:g} s a request has by default, and {charged}"
    at = key if key and options.has(key) else None
    yield Problem("short-timeout", message, at, hint, "note", fixes=SAFE_TIMEOUT)


SAFE_TIMEOUT = use("timeoutMs", 180_000)


def _is_email(text: str) -> bool:
    name, sign, domain = text.partition("@")
    return bool(name and sign and "." in domain.strip(".") and not any(c.isspace() for c in text))
