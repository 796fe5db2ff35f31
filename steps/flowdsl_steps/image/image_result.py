"""What is known of pictures that were made: the step's output `object`, and their cost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

from flowdsl.errors import ServiceError
from flowdsl.image.formats import is_cut
from flowdsl.image.image import Image
from flowdsl.image.origin import Origin
from flowdsl.image.store import ImageStore
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.sender import Response
from flowdsl_steps.image.usage import added
from flowdsl_steps.image.vendor import Endpoint

_SVG = "image/svg+xml"
_ACTIVE = re.compile(r"<script\b|<foreignObject\b|<iframe\b|\bon[a-z]+(?=\s*=)|javascript:", re.IGNORECASE)
_SEARCHED = 4 * 1024 * 1024
_NAMED = 5


class Purchase(NamedTuple):
    """One request that succeeded, its pictures stored, and what it cost in USD (None when nothing says it). `again`: it
    was paid for before, and its result is used again."""

    request: ImageRequest
    response: Response
    images: tuple[Image, ...]
    usd: float | None
    again: bool = False


class Generated(NamedTuple):
    """What came of an `ImageRequest`: its pictures, what is known of them (the output `object`), and the Unix time in
    seconds at which the vendor says that they were made, None where it does not."""

    images: list[Image]
    facts: dict[str, Any]
    created: int | None


def origin_of(request: ImageRequest, endpoint: Endpoint) -> Origin:
    """What a request says of how its pictures are made."""
    return Origin(
        prompt=request.prompt,
        model=endpoint.label,
        service=endpoint.service,
        size=request.size,
        quality=request.quality,
        seed=request.seed,
        edited=bool(request.images),
    )


def unexpected(request: ImageRequest, images: Iterable[Image]) -> Iterator[str]:
    """What is odd about pictures: another format than was asked for, and scripts in one."""
    wanted = f"image/{request.output_format}" if request.output_format else None
    for image in images:
        is_svg = image.mime == _SVG
        scripts = _scripts(image) if is_svg else ()
        other = not (is_svg and request.output_format == "svg") and (
            is_svg or (wanted is not None and image.mime != wanted)
        )
        held = f"it holds {', '.join(scripts)}: open it only where scripts do not run" if scripts else ""
        if other:
            asked = (
                f"{request.output_format.upper()} was asked for" if request.output_format else "No SVG was asked for"
            )
            came = image.mime.partition("/")[2].partition("+")[0].upper()
            yield f"{asked}, and {came} came{'; ' if held else ''}{held}"
        elif held:
            yield f"the SVG is active: {held}"


def missing(asked: int, got: int, service: str, bought: Sequence[Image]) -> ServiceError:
    """The error for fewer pictures than were asked for; those that were bought are in its details."""
    text = f"{service} was asked for {asked} pictures and sent {got}"
    error = ServiceError(text, code="images-missing", service=service, charge_possible=True)
    error.details["images"] = [*bought]
    return error


def incomplete(images: Iterable[Image]) -> Iterator[str]:
    """Which pictures came without the end of their file. They are kept: much of one can be seen.

    Raises:
        StepError: somebody has removed one since it came.
    """
    for image in images:
        try:
            with Path(image.original).open("rb") as file:
                cut = is_cut(image.mime, file)
        except OSError as error:
            raise image.unreadable(error) from error
        if cut:
            yield f"{Path(image.path).name} is incomplete: the end of the file did not come"


def misplaced(images: Sequence[Image], store: ImageStore, service: str) -> ServiceError | None:
    """What ends a step whose pictures are not all in their folder: whoever has to make room does so before more is
    bought. None when they are."""
    elsewhere = [*filter(store.spare.holds, images)]
    if not elsewhere:
        return None
    number = "1 picture is" if len(elsewhere) == 1 else f"{len(elsewhere)} pictures are"
    kept = f"{number} kept in {Path(elsewhere[0].path).parent}"
    return ServiceError(
        f"{store.folder} takes no more pictures: {store.spare.reason}; {kept}",
        code="image-unwritable",
        service=service,
        hint="make room, or name a folder on another disk with `--out`, or the host's Storage(images=…); temporary "
        "files do not last",
        charge_possible=True,
    )


def _scripts(image: Image) -> tuple[str, ...]:
    """What an SVG holds that runs, or loads something, when a browser shows it; each kind once."""
    text = image.read()[:_SEARCHED].decode("utf-8", "replace")
    return tuple(dict.fromkeys(f"`{found}`" for found in map(str.lower, _ACTIVE.findall(text))))[:_NAMED]


def described(purchases: Sequence[Purchase], label: str, attempts: int) -> dict[str, Any]:
    """The output `object`: what is known of the keys it may have. `label` is the model's name."""
    request, response = purchases[0].request, purchases[0].response
    received = response.received
    sizes = {f"{image.width}x{image.height}" for each in purchases for image in each.images if image.width}
    prices = [each.usd for each in purchases]
    known = [price for price in prices if price is not None]
    found = {
        "model": label,
        "size": sizes.pop() if len(sizes) == 1 else received.size or request.size,
        "quality": received.quality or request.quality,
        "attemptCount": attempts,
        "usage": reduce(added, [each.response.received.usage for each in purchases]),
        "requestId": response.request_id,
        "cost": sum(known) if len(known) == len(prices) else None,
        "finishReason": received.finish_reason,
    }
    asked, got = sum(each.request.n for each in purchases), sum(len(each.images) for each in purchases)
    if got < asked:
        found |= {"asked": asked, "got": got}
    return {key: value for key, value in found.items() if value is not None}
