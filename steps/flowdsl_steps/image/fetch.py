"""Pictures that a response only gives the address of, fetched at once and without credentials.

The address comes from outside, so it must not lead into the network behind this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from flowdsl.errors import RunError, ServiceError, StepError
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl.step.service import PORTS
from flowdsl_steps.http.connect import RefusedAddress
from flowdsl_steps.http.deadline import deadline
from flowdsl_steps.http.public_network import refused
from flowdsl_steps.http.redirect import MAX_REDIRECTS, leaves_https, next_address
from flowdsl_steps.http.response_body import Unpacker
from flowdsl_steps.http.transport import Client
from flowdsl_steps.image.received import LinkedImage
from flowdsl_steps.image.unfetched import not_fetched

FETCH_TIMEOUT_S = 60.0
"""Deadline of one attempt to fetch a picture."""
FETCH_ATTEMPTS = 3
FETCHED_AT_ONCE = 8
"""So many links of a response are fetched side by side."""
FETCH_ALL_S = 300.0
"""Deadline for all links of a response: dead ones are not waited for one after the other."""

_PAUSE_S = 0.25
_NOT_YET = frozenset({403, 404, 408, 409, 425, 429})
"""With these a store of pictures may say that one has not arrived there yet, so it is asked again, as after a 5xx."""
_NOT_FOLLOWED = "which is not followed"


class Refused(Exception):
    """An address that is not fetched from, or content that is not taken; the text says why."""


class Unfetched(Exception):
    """A picture that could not be had; the text says why."""


async def fetch(
    client: Client,
    link: LinkedImage,
    store: ImageStore,
    *,
    service: str,
    limit: int,
    allow_private: bool,
    timeout_s: float = FETCH_TIMEOUT_S,
) -> Image:
    """The picture behind a link of a response, stored. `limit` is the most bytes it may have.

    Raises:
        ServiceUnavailable: it could not be had; the picture is paid for, so `details` holds its address.
    """
    try:
        return await fetched(client, link, store, limit=limit, allow_private=allow_private, timeout_s=timeout_s)
    except Unfetched as error:
        raise not_fetched(link, service, str(error)) from error.__cause__


async def fetched(
    client: Client,
    link: LinkedImage,
    store: ImageStore,
    *,
    limit: int,
    allow_private: bool,
    timeout_s: float = FETCH_TIMEOUT_S,
    partial: bool = False,
) -> Image:
    """The picture behind any link, stored; one that is `partial` does not count among what was made.

    Raises:
        Unfetched: it could not be had.
    """
    problem = ""
    for attempt in range(FETCH_ATTEMPTS):
        if attempt:
            await asyncio.sleep(_PAUSE_S * 2**attempt)
        try:
            async with deadline(timeout_s):
                return await _followed(client, link, store, limit, allow_private, partial)
        except Refused as error:
            problem = str(error)
            break
        except httpx.UnsupportedProtocol as error:
            problem = str(error)
            break
        except TimeoutError:
            problem = f"not complete within {timeout_s:g} s"
        except httpx.HTTPError as error:
            problem = str(error)
            if isinstance(error, RefusedAddress):
                break
        except ValueError:  # what clients raise for addresses that each of them reads in its own way
            problem = "it is not a web address"
            break
    raise Unfetched(problem)


async def fetch_all(
    found: Sequence[Image | LinkedImage],
    fetch_one: Callable[[LinkedImage], Awaitable[Image]],
    tell_of: Callable[[Iterable[LinkedImage]], None],
    service: str,
) -> tuple[list[Image], list[ServiceError]]:
    """The pictures of a response in order, its links fetched side by side, and the failures of those that cannot be had
    or do not come in time; none stops another. `tell_of` takes the links that something else ends."""
    links = {at: image for at, image in enumerate(found) if isinstance(image, LinkedImage)}
    came: dict[int, Image | ServiceError] = {at: image for at, image in enumerate(found) if isinstance(image, Image)}
    waiting = iter(links.items())
    if not links:
        return [image for image in found if isinstance(image, Image)], []

    async def fetch_next() -> None:
        for at, link in waiting:
            try:
                came[at] = await fetch_one(link)
            except ServiceError as error:
                came[at] = error
            except RunError as error:  # TLS that cannot be had, a full disk: the next one may come nevertheless
                came[at] = not_fetched(link, service, error.message)

    workers = [asyncio.ensure_future(fetch_next()) for _ in range(min(FETCHED_AT_ONCE, len(links)))]
    try:
        async with deadline(FETCH_ALL_S) as limit:
            await asyncio.gather(*workers)
    except BaseException as error:
        if not (isinstance(error, TimeoutError) and limit.expired()):
            tell_of(link for at, link in links.items() if not isinstance(came.get(at), Image))
            raise
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    for at in links.keys() - came.keys():
        came[at] = not_fetched(links[at], service, f"not complete within {FETCH_ALL_S:g} s")
    ordered = [came[at] for at in range(len(found))]
    return (
        [each for each in ordered if isinstance(each, Image)],
        [each for each in ordered if isinstance(each, ServiceError)],
    )


async def _followed(
    client: Client, link: LinkedImage, store: ImageStore, limit: int, allow_private: bool, partial: bool
) -> Image:
    """The picture at the end of the redirects. Each address on the way is judged as the first one was."""
    url = link.url
    for _ in range(MAX_REDIRECTS + 1):
        reason = await refused(url, allow_private)
        if reason is None and urlsplit(url).username is not None:
            reason = "it holds a login, and pictures are fetched without credentials"
        if reason is not None:
            raise Refused(reason)
        found = await _fetch_once(client, url, link, store, limit, partial)
        if isinstance(found, Image):
            return found
        url = _next(url, found, allow_private)
    raise Refused(f"it redirects more than {MAX_REDIRECTS} times, {_NOT_FOLLOWED}")


class _Redirect(NamedTuple):
    """Where a response sends us instead."""

    status: int
    location: str


def _next(url: str, found: _Redirect, allow_private: bool) -> str:
    """The address that a redirect names.

    Raises:
        Refused: it is none, leads out of https, or leads from an endpoint of this network to another host.
    """
    target = next_address(url, found.location)
    if not target:
        raise Refused(f"it redirects to something that is not a web address, {_NOT_FOLLOWED}")
    if leaves_https(url, target) or (allow_private and _origin(url) != _origin(target)):
        raise Refused(f"it redirects (status {found.status}), {_NOT_FOLLOWED}")
    return target


def _origin(url: str) -> tuple[str | None, int | None]:
    """Host and port; those that http and https have by default are the same."""
    parts = urlsplit(url)
    return parts.hostname, None if parts.port == PORTS.get(parts.scheme) else parts.port


async def _fetch_once(
    client: Client, url: str, link: LinkedImage, store: ImageStore, limit: int, partial: bool
) -> Image | _Redirect:
    async with client.stream("GET", url, headers={"Accept": "image/*", "Accept-Encoding": "identity"}) as response:
        if response.is_redirect and "location" in response.headers:
            return _Redirect(response.status_code, response.headers["location"])
        if response.status_code >= 500 or response.status_code in _NOT_YET:
            raise httpx.RemoteProtocolError(f"status {response.status_code}")
        if not response.is_success:
            raise Refused(f"status {response.status_code}")
        with store.writer(limit) as writer:
            try:
                unpacker = Unpacker(response)
                async for chunk in response.aiter_raw():
                    for piece in unpacker.feed(chunk):
                        writer.write(piece)
                unpacker.finish()
                return writer.commit(
                    url=link.url,
                    revised_prompt=link.revised_prompt,
                    url_expires_at=link.url_expires_at,
                    partial=partial,
                )
            except StepError as error:
                if error.code == "image-unwritable":
                    raise
                raise Refused(error.message) from error
