"""What an image step buys, said before it runs: how many requests, of whom, at which price.

The price is what `generate` would reserve at most, and the catalogue's least; where an option is not known, the range
over all that it can be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl import Expected, Purchase
from flowdsl.errors import ConfigError, RunError
from flowdsl.image.image import Image
from flowdsl.step.rules import UNKNOWN
from flowdsl.step.service import Service
from flowdsl_steps.image.capabilities import request_in
from flowdsl_steps.image.catalogue import catalogue
from flowdsl_steps.image.endpoint import named_model
from flowdsl_steps.image.hosts import host_of
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.split import split
from flowdsl_steps.image.stated_prices import stated, sum_in_usd
from flowdsl_steps.image.vendor import Endpoint
from flowdsl_steps.image.vendors import protocol_of, vendor_of

if TYPE_CHECKING:
    from flowdsl_steps.image.vendor import Vendor

PROMPT_BYTES = 2_000
"""As long a prompt is taken to be that only the run knows: a page of text."""
MOST_IMAGES = 10
MOST_RETRIES = 20
MOST_PICTURES = 16
"""As many pictures can be edited at once."""


def purchases(expected: Expected) -> Iterator[Purchase]:
    """What a step with the options of the image steps buys."""
    yield from _prompted(request_in(expected.options), expected)


def edit_purchases(expected: Expected) -> Iterator[Purchase]:
    """What a step buys that edits pictures: of those that only the run knows, as many as can be."""
    given = expected.options.given.get("images")
    if isinstance(given, list):
        number = len(given)
    elif isinstance(given, str):
        number = 1
    else:
        number = expected.counts.get("imageList" if given is None else "images", MOST_PICTURES)
    number = min(number, MOST_PICTURES) + expected.options.has("mask")
    options = expected.options
    kept = {key: value for key, value in options.given.items() if key not in ("images", "mask")}
    request = request_in(options.replaced(kept))
    pictures = tuple(Image(path="", mime="image/png", bytes=0, sha256="") for _ in range(number))
    yield from _prompted(request._replace(images=pictures), expected)


def _prompted(request: ImageRequest, expected: Expected) -> Iterator[Purchase]:
    """The same with the prompt of the input `text` where the options hold none."""
    text = expected.inputs.get("text", UNKNOWN)
    has_own = any(expected.options.has(key) for key in ("instruction", "prompt"))
    if not has_own:
        request = request._replace(prompt=text if isinstance(text, str) else "")
    is_open = "prompt" in request.unknown if has_own else not isinstance(text, str)
    size = max(expected.longest.values(), default=None) if has_own else None
    yield from bought(request, expected, open_prompt=is_open, prompt_bytes=size)


def bought(
    request: ImageRequest, expected: Expected, *, open_prompt: bool, prompt_bytes: int | None = None, least: int = 1
) -> Iterator[Purchase]:
    """The requests that a request becomes. An open prompt is one that only the run knows; it has at most so many bytes,
    where that is known. `least` is 0 for a step that may send nothing."""
    service = expected.options.service
    if service is None:
        return
    try:
        vendor, endpoint, host = _asked(service, request)
    except RunError as error:
        nobody = Purchase(service=service.name, vendor=str(service.provider), host="?", unknown=(error.message,))
        yield nobody._replace(model=request.model, most=None, images=None, least=0)
        return
    opened = request.unknown
    counts = (1, MOST_IMAGES) if "n" in opened else (max(1, request.n), max(1, request.n))
    sends = 1 + _resends(expected) if service.option("onUnknown") in ("resend", UNKNOWN) else 1
    model = None if "model" in opened else endpoint.label
    taken = PROMPT_BYTES if prompt_bytes is None else prompt_bytes
    priced = request._replace(prompt="x" * taken) if open_prompt else request
    low, high = _prices(service, vendor, endpoint, priced, counts)
    requests = tuple(-(-n // max(1, vendor.images_per_request(request.with_count(n), endpoint))) for n in counts)
    each = None if low is None or high is None else (low[0], high[0])
    unknown: list[str] = []
    assumed: list[str] = []
    if high is None:
        unknown.append(_without_price(service, vendor, model))
    elif open_prompt and _is_text_paid(vendor, endpoint, request):
        if prompt_bytes is None:
            unknown.append(
                f"the prompt is not known, and counted as {taken:,} bytes; `| truncate(N)` on what comes from outside "
                "bounds it"
            )
            assumed.append(f"prompts of up to {taken:,} bytes")
        else:
            unknown.append(f"the prompt is not known, and has at most {taken:,} bytes")
    if "n" in opened:
        unknown.append(f"`n` is not known, and counted as up to {MOST_IMAGES}")
    if sends > 1:
        unknown.append(
            f"a request whose outcome is unknown is sent again, up to {sends} times, and may be billed each time"
        )
    yield Purchase(
        service=service.name,
        vendor=vendor.name,
        host=host,
        model=model,
        size=_shown("size", request),
        quality=_shown("quality", request),
        least=least * requests[0],
        most=requests[1] * sends,
        images=counts[1],
        least_usd=0.0 if low is None else low[1] * least,
        most_usd=None if high is None else high[1] * sends,
        usd_each=each,
        prompt=None if open_prompt else request.prompt,
        unknown=tuple(unknown),
        assumed=tuple(assumed),
        asked=() if opened or open_prompt or request.images or host == "?" else _described(request, vendor, endpoint),
        batch_discount=_batch_discount(vendor, endpoint),
    )


def _described(request: ImageRequest, vendor: Vendor, endpoint: Endpoint) -> tuple[Mapping[str, Any], ...]:
    """The requests of a request that is known whole, each as its effect says it."""
    where = {"vendor": vendor.name, "service": endpoint.service, "model": endpoint.label}
    return tuple({**where, "request": each.described()} for each in split(request, vendor, endpoint))


def _batch_discount(vendor: Vendor, endpoint: Endpoint) -> float:
    """What OpenAI's batch takes off the price, where a source says that it does."""
    found = catalogue().find(endpoint.label) if vendor.name == "openai" else None
    return 0.0 if found is None or found.batch_discount is None else found.batch_discount.share


def _asked(service: Service, request: ImageRequest) -> tuple[Vendor, Endpoint, str]:
    """Whose prices count, what is asked, and at which host; where the entry lacks a key, as with one.

    Raises:
        ConfigError: there is no such vendor.
    """
    vendor, protocol = vendor_of(service), protocol_of(service)
    settings = {key: value for key, value in service.settings.items() if value is not UNKNOWN}
    try:
        endpoint = protocol.endpoint(_with(service, settings), request)
        return vendor, endpoint, endpoint.host
    except ConfigError:
        given = settings.get("endpoint")
        host = host_of(given) if isinstance(given, str) else _own_host(vendor)
    filled = {**protocol.simulate("http://127.0.0.1:9", "planned"), **settings}
    try:
        return vendor, protocol.endpoint(_with(service, filled), request), host
    except ConfigError:
        return vendor, Endpoint(service.name, "", {}, named_model(request, service) or "?"), host


def _with(service: Service, settings: Mapping[str, Any]) -> Service:
    return Service(service.name, settings, service.origins, service.secret, service.endpoints, service.moved)


def _own_host(vendor: Vendor) -> str:
    return vendor.hosts[0].lstrip(".") if vendor.hosts else "an address that nothing names yet"


def _prices(
    service: Service, vendor: Vendor, endpoint: Endpoint, request: ImageRequest, counts: tuple[int, int]
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """The least and the most, each for one picture and for all of them; None where nobody says it."""
    if "model" in request.unknown:
        return None, None
    ranges = [_range(service, vendor, endpoint, each, counts) for each in _possible(request, endpoint)]
    lows = [low for low, _ in ranges if low is not None]
    highs = [high for _, high in ranges if high is not None]
    low = (min(each for each, _ in lows), min(whole for _, whole in lows)) if lows else None
    complete = highs and len(highs) == len(ranges)
    return low, (max(each for each, _ in highs), max(whole for _, whole in highs)) if complete else None


def _range(
    service: Service, vendor: Vendor, endpoint: Endpoint, request: ImageRequest, counts: tuple[int, int]
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    models = (endpoint.label, request.model, service.get("model"))
    found = stated(service, models, request.size, request.quality)
    one, few, many = (request.with_count(n) for n in (1, *counts))
    if found is not None:
        exact = found[0] == found[1]
        low = (found[0], found[0] * few.n) if exact else (0.0, 0.0)
        return low, (found[1], found[1] * many.n)
    most_one, most = sum_in_usd(vendor.most(one, endpoint)), sum_in_usd(vendor.most(many, endpoint))
    high = None if most_one is None or most is None else (most_one, most)
    return (vendor.least(one, endpoint), vendor.least(few, endpoint)), high


def _possible(request: ImageRequest, endpoint: Endpoint) -> Iterator[ImageRequest]:
    """What a request may turn out to be where the run decides its size or its quality: the dearest and the cheapest of
    them."""
    request = request._replace(quality="auto") if "quality" in request.unknown else request
    if "size" not in request.unknown:
        yield request
        return
    model = catalogue().find(endpoint.label)
    for size in ("auto", *(model.sizes.extremes() if model is not None else ())):
        yield request._replace(size=size)


def _resends(expected: Expected) -> int:
    value = expected.options.value("maxRetries")
    return MOST_RETRIES if value is UNKNOWN or not isinstance(value, int) else max(0, value)


def _is_text_paid(vendor: Vendor, endpoint: Endpoint, request: ImageRequest) -> bool:
    long, short = (vendor.most(request._replace(prompt=text), endpoint) for text in ("xx", ""))
    return long != short


def _shown(name: str, request: ImageRequest) -> str | None:
    return "?" if name in request.unknown else request.option(name)


def _without_price(service: Service, vendor: Vendor, model: str | None) -> str:
    if model is None:
        return "the model is not known, so its price is not either"
    return (
        f"nobody says what {model} costs at most: say what a picture does, `{_as_a_rule(vendor, model)}` as the "
        f"`prices` of the service entry {service.name}, or its prices below [models] in flowdsl.toml"
    )


def _as_a_rule(vendor: Vendor, model: str) -> str:
    """A sum that is enough for a picture as a rule: half as much again as the known part of its price."""
    known = next((each for each in vendor.models() if model in (each.name, *each.snapshots)), None)
    prices = [most for _, most in known.prices.values()] if known is not None else []
    return f"{max([0.05, *(math.ceil(150 * each) / 100 for each in prices)]):g}"
