"""Pictures that a response only gives the address of, fetched at once and without credentials.

The address comes from outside, so it must not lead into the network behind this machine.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import httpx

from flowdsl.errors import ServiceUnavailable, StepError
from flowdsl.image.store import Image, ImageStore
from flowdsl_steps.http.public_network import refusal
from flowdsl_steps.image.response import LinkedImage

FETCH_TIMEOUT_S = 60.0
"""Deadline of one attempt to fetch a picture."""
FETCH_ATTEMPTS = 3

_PAUSE_S = 0.25


class Refused(Exception):
    """An address that is not fetched from, or content that is not taken; the text says why."""


async def fetch(
    client: httpx.AsyncClient,
    link: LinkedImage,
    store: ImageStore,
    *,
    service: str,
    limit: int,
    allow_private: bool,
    timeout_s: float = FETCH_TIMEOUT_S,
) -> Image:
    """The picture behind a link, stored. `limit` is the most bytes it may have.

    Raises:
        ServiceUnavailable: it could not be had; the picture is paid for, so `details` holds its address.
    """
    problem = ""
    for attempt in range(FETCH_ATTEMPTS):
        if attempt:
            await asyncio.sleep(_PAUSE_S * 2**attempt)
        try:
            reason = refusal(link.url, allow_private)
            if reason is not None:
                raise Refused(reason)
            async with asyncio.timeout(timeout_s):
                return await _fetch_once(client, link, store, limit)
        except Refused as error:
            problem = str(error)
            break
        except httpx.UnsupportedProtocol as error:
            problem = str(error)
            break
        except httpx.InvalidURL:  # httpx reads a `location` even where it does not follow it
            problem = "it redirects to something that is not a web address, which is not followed"
            break
        except TimeoutError:
            problem = f"not complete within {timeout_s:g} s"
        except httpx.HTTPError as error:
            problem = str(error)
            if "private address" in problem:
                break
    raise ServiceUnavailable(
        f"the picture that {service} made cannot be fetched from {urlsplit(link.url).netloc}: {problem}",
        service=service,
        code="image-not-fetched",
        hint="the picture was made and is billed; its address, in the details of this error, lives for an hour",
        charge_possible=True,
        details={"url": link.url},
    )


async def _fetch_once(client: httpx.AsyncClient, link: LinkedImage, store: ImageStore, limit: int) -> Image:
    async with client.stream("GET", link.url, headers={"Accept": "image/*"}) as response:
        if response.is_redirect:
            raise Refused(f"it redirects (status {response.status_code}), which is not followed")
        if response.status_code >= 500 or response.status_code == 429:
            raise httpx.RemoteProtocolError(f"status {response.status_code}")
        if not response.is_success:
            raise Refused(f"status {response.status_code}")
        with store.writer(limit) as writer:
            try:
                async for chunk in response.aiter_bytes():
                    writer.write(chunk)
                return writer.commit(
                    url=link.url, revised_prompt=link.revised_prompt, url_expires_at=link.url_expires_at
                )
            except StepError as error:
                if error.code == "image-unwritable":
                    raise
                raise Refused(error.message) from error
