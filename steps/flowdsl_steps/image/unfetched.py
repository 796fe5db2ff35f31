"""Pictures that are paid for and did not come: what is said of them, so that somebody can fetch them by hand."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from typing import cast
from urllib.parse import urlsplit

from flowdsl.errors import RunError, ServiceError, ServiceUnavailable
from flowdsl.image.image import Image
from flowdsl_steps.image.received import LinkedImage

_LONGEST_ADDRESS = 8192


def not_fetched(link: LinkedImage, service: str, problem: str) -> ServiceUnavailable:
    """The error for a picture that is paid for and cannot be had."""
    url = link.said or link.url
    return ServiceUnavailable(
        f"the picture that {service} made cannot be fetched from {_host(url)}: {problem}",
        service=service,
        code="image-not-fetched",
        hint=where(link),
        charge_possible=True,
        details={"url": shortened(url)},
    )


def where(link: LinkedImage) -> str:
    """Where a picture is that was not fetched, and until when, if that is known."""
    until = ""
    if link.url_expires_at is not None:
        with contextlib.suppress(ValueError, OverflowError, OSError):  # a number that is no time
            until = time.strftime(" lives until %Y-%m-%d %H:%M UTC", time.gmtime(link.url_expires_at))
    return f"the picture was made and is billed; its address{until}: {shown(link.said or link.url)}"


def keep(error: ServiceError, images: Sequence[Image], lost: Sequence[ServiceError]) -> None:
    """Puts pictures that are paid for into the details of an error, and the addresses of those that did not come."""
    if images:
        error.details["images"] = list(images)
    if lost:
        own = [error.details["url"]] if "url" in error.details else []
        error.details["urls"] = [*own, *(failure.details["url"] for failure in lost)]
    if images or lost:
        error.charge_possible = True


def urls_of(failure: ServiceError) -> list[str]:
    """The addresses of pictures that are paid for and did not come."""
    own = [failure.details["url"]] if "url" in failure.details else []
    return list(dict.fromkeys(map(str, [*own, *cast("list[object]", failure.details.get("urls", []))])))


def say_where(error: RunError, urls: Iterable[str]) -> None:
    """Adds to the hint of an error where pictures are that were not fetched, as far as it does not say so."""
    hint = error.hint or ""
    if left := [shown(url) for url in urls if shown(url) not in hint]:
        error.hint = f"{hint}{'; ' if hint else ''}billed and not fetched: {', '.join(left)}"


def shown(url: str) -> str:
    """An address as a message may show it: without a login, and of a data: address only the beginning."""
    scheme, slashes, rest = shortened(url).partition("://")
    host, slash, path = rest.partition("/")
    host = f"***@{host.rpartition('@')[2]}" if "@" in host else host
    return "".join(each if each.isprintable() else "?" for each in f"{scheme}{slashes}{host}{slash}{path}")


def shortened(url: str) -> str:
    """An address whole, except for a data: address, which holds the picture, and one that is longer than any is."""
    if url[:16].lstrip().lower().startswith("data:"):
        return f"{url[:32]}…"
    return url if len(url) <= _LONGEST_ADDRESS else f"{url[:_LONGEST_ADDRESS]}…"


def _host(url: str) -> str:
    """Host and port of an address, or what stands there instead."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or shown(url)[:60]
    except ValueError:
        return shown(url)[:60]
