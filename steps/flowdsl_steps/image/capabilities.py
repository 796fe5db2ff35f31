"""The capability check of the image steps: everything that can be known to go wrong before a request is paid.

It runs when a flow is checked, and again when the templates are resolved and nothing is unknown any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from flowdsl.diagnostics import gravity
from flowdsl.errors import ConfigError
from flowdsl.step.common_keys import COMMON_KEYS
from flowdsl.step.problem import Change, Problem, show, use
from flowdsl.step.rules import UNKNOWN, Options
from flowdsl_steps.image.catalogue import parse_size
from flowdsl_steps.image.input_check import WHO_EDITS
from flowdsl_steps.image.key_check import key_problems
from flowdsl_steps.image.model_check import is_refused
from flowdsl_steps.image.request import OPTIONS, ImageRequest
from flowdsl_steps.image.resolve import resolve_model
from flowdsl_steps.image.resolved_model import ResolvedModel
from flowdsl_steps.image.vendor import Vendor
from flowdsl_steps.image.vendors import known_vendor, protocol_of, vendor_for, vendor_named

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

_PROMPT_KEYS = ("instruction", "prompt")
_NOT_ASKED = frozenset((*COMMON_KEYS, *_PROMPT_KEYS, "model", "timeoutMs", "maxRetries", "outputKey"))
"""Keys of an image step that are no option of the request."""


def check_image(options: Options) -> Iterator[Problem]:
    """Every way in which the step's options do not fit its vendor and model; for each key only the gravest, or first.

    Options that a template decides are skipped. Source: openai-python 3.57, the OpenAI image generation guide and the
    Azure how-to, as the catalogue quotes them.
    """
    return check_request(request_in(options), options)


def check_request(request: ImageRequest, options: Options) -> Iterator[Problem]:
    """The same for the request that the options ask for."""
    try:
        vendor = _vendor(options)
    except ConfigError:  # its entry says so; what it takes, nobody knows
        yield from _prompt(options)
        return
    resolved = resolve_model(
        vendor, options.service, options.given.get("model"), options.defaults.get("model"), options.as_of
    )
    rules = known_vendor(resolved.provider) or vendor
    found = [
        *_prompt(options),
        *(_placed(_named(problem, rules, options), options) for problem in rules.supports(request, resolved)),
        *_habits(options),
        *_time(options, resolved),
        *key_problems(options, vendor),
    ]
    if is_refused(resolved):
        found = [problem for problem in found if problem.code not in ("fan-out", "unverified-option", "short-timeout")]
        found = list(_of_replacement(found, request, options, vendor, resolved))
    if any(problem.key == "size" and problem.code == "unsupported-value" for problem in found):
        found = [problem for problem in found if problem.code != "short-timeout"]  # of a picture that is never drawn
    yield from _one_per_key(found)


def _named(problem: Problem, vendor: Vendor, options: Options) -> Problem:
    """A problem; where a model cannot edit, with those that can."""
    if problem.hint != WHO_EDITS:
        return problem
    from flowdsl_steps.image.who_edits import who_edits

    return problem._replace(hint=who_edits(vendor, options.as_of))


def of_endpoint(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems; a model that the vendor has shut down is only noted at an endpoint that is not the vendor's."""
    for problem in problems:
        if problem.code == "retired-model" and problem.severity == "warning":
            key, hint, fixes = problem.key, problem.hint, problem.fixes
            yield Problem("retired-model", problem.message, key, hint, severity="note", fixes=fixes)
        else:
            yield problem


def _of_replacement(
    found: Iterable[Problem], request: ImageRequest, options: Options, vendor: Vendor, resolved: ResolvedModel
) -> Iterator[Problem]:
    """Problems of a model that is gone, where those of its values are judged by the model that takes its place: what
    that one accepts is no second mistake, and what it does not is told with what it accepts."""
    name = resolved.model.life(resolved.provider, resolved.as_of).replacement if resolved.model is not None else None
    if name is None:
        yield from found
        return
    instead = resolve_model(vendor, options.service, name, None, options.as_of)
    rules = known_vendor(instead.provider) or vendor
    others = [_placed(problem, options) for problem in rules.supports(request, instead)]
    values = {problem.key: problem for problem in others if problem.code == "unsupported-value"}
    for problem in found:
        if problem.code != "unsupported-value":
            yield problem
        elif problem.key in values:
            yield values[problem.key]


def _vendor(options: Options) -> Vendor:
    """The vendor that the service names, else the one that the step is named after.

    Raises:
        ConfigError: there is no such vendor, or its `protocol` is nobody's.
    """
    service = options.service
    named = service.provider if service is not None else None
    if not isinstance(named, str):
        return vendor_for(options.step) or vendor_named("openai")
    if service is not None and isinstance(service.get("protocol"), str):
        protocol_of(service)
    return vendor_named(named)


def request_in(options: Options) -> ImageRequest:
    """The request that the options ask for, as far as it is known."""
    given = {name: options.value(name) for name in OPTIONS}
    prompt, model = (
        next((v for v in map(options.value, _PROMPT_KEYS) if v is not None), None),
        options.given.get("model"),
    )
    own = {name: options.value(name) for name in options.given if name not in OPTIONS and name not in _NOT_ASKED}
    everything = {**given, **own, "prompt": prompt, "model": model}
    unknown = frozenset(name for name, value in everything.items() if value is UNKNOWN)
    known = {name: value for name, value in given.items() if value is not None and name not in unknown}
    return ImageRequest(
        prompt=prompt if isinstance(prompt, str) else "",
        model=model if isinstance(model, str) else None,
        extra={name: value for name, value in own.items() if name not in unknown},
        unknown=unknown,
        **known,
    )


def _placed(problem: Problem, options: Options) -> Problem:
    """A problem of a request at the key of the step that asks for it; at none when the value is the service's."""
    if problem.covers:
        return _at_the_later(problem, options)
    key = problem.key
    if key == "prompt":
        key = next((name for name in _PROMPT_KEYS if options.has(name)), "prompt")
    if key is None or options.has(key):
        return problem._replace(key=key)
    return problem._replace(key=None, message=problem.message + _origin(options, key), fixes=())


def _origin(options: Options, key: str) -> str:
    """Who set an option that the step does not name, in words."""
    from_service = options.service is not None and options.service.option(key) is not None
    return f" (set by service {show(options.service.name)})" if from_service and options.service is not None else ""


def _at_the_later(problem: Problem, options: Options) -> Problem:
    """A problem between two values, at whichever of the two stands later."""
    order = [name for name in options.given if name in problem.covers and options.has(name)]
    related = tuple((name, "together with this") for name in order[:-1])
    return problem._replace(key=order[-1] if order else None, related=related, covers=tuple(order))


def _one_per_key(problems: list[Problem]) -> Iterator[Problem]:
    spoken: set[str] = set()
    kept: list[int] = []
    for index, problem in sorted(enumerate(problems), key=lambda pair: gravity(pair[1].severity)):
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


def known(options: Options, key: str) -> object:
    """The value in force, or None when it is absent or a template decides it."""
    value = options.value(key)
    return None if value is UNKNOWN else value


def on(
    options: Options,
    key: str,
    code: str,
    message: str,
    hint: str | None = None,
    fixes: tuple[Change, ...] = (),
) -> Problem:
    """A problem at a key, or at the step when the value comes from its service."""
    return _placed(Problem(code, message, key, hint, fixes=fixes), options)


def _habits(options: Options) -> Iterator[Problem]:
    """What the request will do differently than the author may think."""
    retries = known(options, "maxRetries")
    if isinstance(retries, int) and retries < 0:
        message = f"`maxRetries: {retries}` acts as 0"
        fixes = use("maxRetries", 0, safe=True)
        yield on(options, "maxRetries", "acts-as-zero", message, "write `maxRetries: 0`", fixes=fixes)
    for key in ("user", "safety_identifier"):
        value = known(options, key)
        if isinstance(value, str) and _is_email(value):
            message, hint = f"`{key}` looks like an e-mail address", "send a hash or an internal number instead"
            yield on(options, key, "personal-identifier", message, hint)


def _time(options: Options, resolved: ResolvedModel) -> Iterator[Problem]:
    """A deadline that pictures of this kind may miss: one the author wrote, or the default where nobody wrote one."""
    if resolved.model is None or resolved.model.family != "gpt-image":
        return
    if "timeoutMs" not in options.defaults:  # a step whose deadline nobody writes
        return
    timeout, hint = options.given.get("timeoutMs"), "`timeoutMs: 180000` is on the safe side"
    charged = "a request that is given up may still be charged"
    if isinstance(timeout, (int, float)) and timeout < SHORT_TIMEOUT_MS:
        message = f"{show(resolved.label)} can take up to two minutes, and {charged}"
        yield Problem("short-timeout", message, "timeoutMs", hint, fixes=SAFE_TIMEOUT)
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
    yield Problem("short-timeout", message, at, hint, fixes=SAFE_TIMEOUT)


SAFE_TIMEOUT = use("timeoutMs", 180_000)


def _is_email(text: str) -> bool:
    name, sign, domain = text.partition("@")
    return bool(name and sign and "." in domain.strip(".") and not any(c.isspace() for c in text))
