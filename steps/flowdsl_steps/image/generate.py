"""From an `ImageRequest` to stored pictures: split into requests, sent, links fetched, money counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, filterfalse
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from flowdsl import ASKED, Sending
from flowdsl.errors import ConfigError, RunError, ServiceError
from flowdsl.image.image import Image
from flowdsl_steps.http.excerpt import unbroken
from flowdsl_steps.http.public_network import is_public, is_same_host, open_fetcher
from flowdsl_steps.image.connection import connection_to
from flowdsl_steps.image.fetch import fetch, fetch_all
from flowdsl_steps.image.house_rules import allow
from flowdsl_steps.image.image_result import (
    Generated,
    Purchase,
    described,
    incomplete,
    misplaced,
    missing,
    origin_of,
    unexpected,
)
from flowdsl_steps.image.key_check import refuse_stray_key
from flowdsl_steps.image.received import LinkedImage, Received
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.sender import RequestPolicy, Response, Sender
from flowdsl_steps.image.split import split
from flowdsl_steps.image.stated_prices import Prices
from flowdsl_steps.image.told import FinishedPictures, on_partial, on_retry
from flowdsl_steps.image.unfetched import keep, say_where, urls_of, where
from flowdsl_steps.image.vendor import Endpoint, Vendor
from flowdsl_steps.image.vendors import protocol_of, vendor_of

if TYPE_CHECKING:
    from flowdsl import Reservation, StepContext


async def generate(
    request: ImageRequest, ctx: StepContext, timeout_s: float, max_retries: int, name: str | None = None
) -> Generated:
    """The pictures for a request; `name` is what their files are called, without the ending, where the author says it.

    Raises:
        ConfigError: the service entry lacks or breaks something.
        StepError: the store cannot write.
        ServiceError: a request failed. `details["images"]` holds the pictures that were bought nevertheless.
    """
    vendor, protocol = vendor_of(ctx.service), protocol_of(ctx.service)
    endpoint = protocol.endpoint(ctx.service, request)
    refuse_stray_key(ctx.service, vendor, endpoint.url)
    requests = split(request, vendor, endpoint)
    ctx.store.prepare()
    await ctx.name_images((), origin_of(request, endpoint)._replace(name=name))
    for text in endpoint.notes:
        ctx.note("endpoint-changed", text)
    if len(requests) > 1:
        most = requests[0].n
        each = "one picture" if most == 1 else f"at most {most} pictures"
        text = f"`n: {request.n}` is sent as {len(requests)} requests: {endpoint.label} accepts {each} each"
        ctx.note("fan-out", text)
    policy = RequestPolicy(
        timeout_s=timeout_s,
        max_retries=max_retries,
        resend_unknown=ctx.service.option("onUnknown") == "resend",
        image_bytes=ctx.limits.image_bytes,
        response_bytes=ctx.limits.response_bytes,
    )
    connection = await connection_to(ctx.service, ctx)
    peers: set[str] = set()
    finished = FinishedPictures(ctx, endpoint, requests)

    def sender(number: int) -> Sender:
        """What sends the request of this number of the invocation. An order is named at once: a process that is killed
        says nothing afterwards."""
        told = on_retry(ctx), on_partial(ctx, number, finished), lambda order: ctx.progress(order.described(endpoint))
        return Sender(protocol, connection, endpoint, ctx.store, policy, *told, peers, ctx.pace)

    sends = 1 + max_retries if policy.resend_unknown else 1
    return await _Generation(ctx, vendor, endpoint, requests, sender, finished, peers, sends, name).result()


def _release(reserved: Iterable[Reservation]) -> None:
    for each in reserved:
        each.release()


class _Generation:
    """The HTTP requests of one `ImageRequest`, and the pictures bought so far."""

    def __init__(
        self,
        ctx: StepContext,
        vendor: Vendor,
        endpoint: Endpoint,
        requests: Sequence[ImageRequest],
        sender: Callable[[int], Sender],
        finished: FinishedPictures,
        peers: set[str],
        sends: int,
        name: str | None,
    ) -> None:
        self._ctx = ctx
        self._vendor = vendor
        self._endpoint = endpoint
        self._requests = requests
        self._sender = sender
        self._finished = finished
        self._peers = peers
        self._sends = sends
        self._name = name
        self._asking = sender(0)
        self._described = [*map(self._asking.described, requests)]
        self._prices = Prices(ctx, vendor, endpoint, ctx.share(self._described[0]))
        self._bought: list[Image] = []
        self._purchases: list[Purchase] = []  # also those at whose events a listener fails

    async def result(self) -> Generated:
        """What came, when every request succeeded. All of them end before one that failed is reported."""
        asking = self._asking
        for request in self._requests:
            asking.encoded(request)  # what cannot be is told before anything is reserved
        bought = [partial(asking.purchase, request, self._ctx.service) for request in self._requests]
        before = [*map(self._ctx.paid_before, bought, self._described)]
        allow(self._ctx, self._vendor, self._endpoint, self._requests, self._prices, self._sends)
        sendings = [Sending() for _ in self._requests]
        reserved = await self._reserved(before, sendings)
        before = [None if each is ASKED else each for each in before]
        numbers = self._announced(before, reserved)
        try:
            ended = await asyncio.gather(
                *map(self._purchase, self._requests, self._described, bought, reserved, before, numbers, sendings),
                return_exceptions=True,
            )
        except BaseException as ending:  # a cancellation
            for number, held in zip(numbers, reserved, strict=True):
                if held:  # of one that had no turn yet
                    _release(held)
                    self._ended_badly(number, 0.0, ending, is_out=False)
            raise
        purchases = [each for request in self._requests for each in self._purchases if each.request is request]
        failures = [each for each in ended if isinstance(each, BaseException)]
        attempts = sum(each.response.attempts for each in purchases)
        for each in purchases:
            own = None if each.usd is None else each.usd / len(each.images)
            origin = origin_of(each.request, self._endpoint)
            origin = origin._replace(request_id=each.response.request_id, cost_usd=own, name=self._name)
            await self._ctx.name_images(each.images, origin)
        images = [image for each in purchases for image in each.images]
        for text in incomplete(images):
            self._ctx.note("picture-incomplete", text)
        if failures:
            first = self._failure(failures, attempts)
            if isinstance(first, ServiceError) and (left := first.details.get("images")):
                origin = origin_of(self._requests[0], self._endpoint)._replace(name=self._name)
                await self._ctx.name_images(cast("list[Image]", left), origin)  # in order, whichever came first
            raise first
        for text in dict.fromkeys(text for each in purchases for text in each.response.received.notes):
            self._ctx.note("plugin-fault", text)
        for each in purchases:
            for text in unexpected(each.request, each.images):
                self._ctx.note("other-format", text)
        if (asked := sum(each.n for each in self._requests)) > len(images):
            error = missing(asked, len(images), self._endpoint.service, self._bought)
            if not self._ctx.limits.fewer_images:
                raise error
            self._ctx.note("fewer-images", error.message, {"asked": asked, "got": len(images)})
        if (failure := misplaced(images, self._ctx.store, self._endpoint.service)) is not None:
            failure.attempts = attempts
            failure.details["images"] = list(self._bought)
            raise failure
        created = purchases[0].response.received.payload.get("created")
        facts = described(purchases, self._endpoint.label, attempts)
        return Generated(images, facts, created if isinstance(created, int) else None)

    async def _reserved(self, before: Sequence[Any], sendings: Sequence[Sending]) -> list[list[Reservation]]:
        """What is set aside for each request that was not paid for before, nor asked for, or for none of them: a step
        sends all of its requests or nothing. One that is sent again after an unknown outcome may be billed as often as
        it is sent.

        Raises:
            LimitExceeded: the run may not spend so much.
        """
        reserved: list[list[Reservation]] = [[] for _ in self._requests]
        try:
            for request, own, came, sending in zip(self._requests, reserved, before, sendings, strict=True):
                with sending.reserving():
                    for _ in range(self._sends if came is None else 0):
                        own.append(await self._ctx.reserve(self._prices.most(request), self._endpoint.service))
        except BaseException:  # also where somebody gives up meanwhile
            _release(chain(*reserved))
            raise
        return reserved

    def _announced(self, before: Sequence[Any], reserved: Sequence[Sequence[Reservation]]) -> list[int]:
        """Tells the host of every request before the first is sent, so that it can refuse them; gives their numbers."""
        numbers = []
        try:
            for request, came in zip(self._requests, before, strict=True):
                if came is not None:
                    numbers.append(0)
                    continue
                number = self._ctx.request_started(
                    service=self._endpoint.service,
                    vendor=self._vendor.name,
                    model=self._endpoint.label,
                    images=request.n,
                    most_usd=self._most(request),
                )
                numbers.append(number)
        except BaseException:
            _release(chain(*reserved))
            raise
        return numbers

    def _most(self, request: ImageRequest) -> float | None:
        """What a request can cost with every time it may be sent again."""
        most = self._prices.most(request)
        return None if most is None else most * self._sends

    async def _purchase(
        self,
        request: ImageRequest,
        described: Mapping[str, Any],
        digest: Callable[[], str],
        given: list[Reservation],
        before: Any,
        number: int,
        sending: Sending,
    ) -> Purchase:
        """One of the requests, by the door for what is paid, unless what has this digest was paid `before`. What was
        reserved for it goes back where it was refused, and stays where its outcome is unknown."""
        came, began = before, perf_counter()
        reserved, given[:] = [*given], []
        try:
            if came is None:
                came = await self._ctx.effect(
                    "image",
                    described,
                    lambda: self._performed(request, number, sending),
                    purchase=digest,
                    most_usd=self._most(request),
                    sending=sending,
                )
        except (ConfigError, ServiceError) as error:
            if not error.charge_possible:
                _release(reserved)
            self._ended_badly(number, perf_counter() - began, error)
            raise
        except BaseException as error:
            if sending.is_out:
                self._ctx.spend(None)  # a disk that takes no more, or a cancellation: the work may be done and billed
            else:
                _release(reserved)
            self._ended_badly(number, perf_counter() - began, error, is_out=sending.is_out)
            raise
        images: tuple[Image, ...] = tuple(came["images"])
        self._bought += images
        facts = came["facts"]
        received = Received(images, **{**facts, "notes": tuple(facts.get("notes", ()))})
        response = Response(received, came["attempts"], came["requestId"], came["chargedBefore"])
        usd = came["usd"] if "usd" in came else self._prices.cost(request, received)
        purchase = Purchase(request, response, images, usd, again=before is not None)
        self._purchases.append(purchase)
        if reserved and not response.charged_before:
            reserved[0].settle(usd)
            _release(reserved[1:])
        if before is None:
            cost = None if response.charged_before else usd
            self._ctx.spend(cost)
            self._ctx.request_finished(
                number,
                "done",
                perf_counter() - began,
                attempts=response.attempts,
                request_id=response.request_id,
                usage=received.usage,
                cost_usd=cost,
                images=images,
            )
            self._finished.of_request(number, received)
        self._ctx.progress("images ready", len(self._bought), sum(each.n for each in self._requests))
        return purchase

    def _ended_badly(self, number: int, elapsed_s: float, error: BaseException, *, is_out: bool = True) -> None:
        """Tells the host of a request that failed or was broken off."""
        service = error if isinstance(error, ServiceError) else None
        is_free = not is_out or (isinstance(error, (ConfigError, ServiceError)) and not error.charge_possible)
        self._ctx.request_finished(
            number,
            "refused" if is_free else "unknown",
            elapsed_s,
            attempts=1 if service is None else service.attempts,
            request_id=None if service is None else service.request_id,
            images=() if service is None else cast("list[Image]", service.details.get("images", [])),
            code=error.code if isinstance(error, RunError) else None,
        )

    async def _performed(self, request: ImageRequest, number: int, sending: Sending) -> dict[str, Any]:
        """What a request brought, its links fetched: the one thing here that is paid for, and all of it."""
        came: list[Image | LinkedImage] = []
        sender = self._sender(number)
        try:
            response = await sender.perform(request, came, sending)
        except ServiceError as error:
            images, lost = await self._all_fetched(came)
            keep(error, images, lost)
            raise
        except BaseException:
            self._tell_of(came)
            if sender.order is not None:
                self._ctx.note("image-left", sender.order.described(self._endpoint))
            raise
        for failure in (await self._all_fetched(came))[1]:  # of attempts before the one that succeeded
            self._ctx.note("image-left", str(failure.hint))
        images, lost = await self._all_fetched(response.received.images)
        if lost:
            first, *others = lost
            keep(first, images, others)
            first.attempts = response.attempts
            raise first
        return {
            "images": images,
            "facts": response.received.facts(),
            "attempts": response.attempts,
            "requestId": response.request_id,
            "chargedBefore": response.charged_before,
            "usd": self._prices.cost(request, response.received),
        }

    async def _all_fetched(self, found: Sequence[Image | LinkedImage]) -> tuple[list[Image], list[ServiceError]]:
        """The pictures in order, and the failures of those links that cannot be fetched."""
        whole = [image if isinstance(image, Image) else self._linked(image) for image in found]
        images, lost = await fetch_all(whole, self._fetched, self._tell_of, self._endpoint.service)
        for image in images:
            image.hide(lambda text: text and unbroken(text, self._endpoint.secrets))
        return images, lost

    def _tell_of(self, found: Iterable[Image | LinkedImage]) -> None:
        """Says where pictures are that are paid for, before something ends that would have fetched them."""
        for image in found:
            if isinstance(image, LinkedImage):
                self._ctx.note("image-left", where(self._linked(image)))

    def _linked(self, image: LinkedImage) -> LinkedImage:
        """With its whole address, and how that is told."""
        whole = image.absolute(self._endpoint.url)
        return whole._replace(said=unbroken(whole.url, self._endpoint.secrets))

    async def _fetched(self, link: LinkedImage) -> Image:
        # What stands in the endpoint's own network is not for links of a response: only the endpoint itself is, where
        # its requests really went there. What its name resolves to by now may be somebody else's.
        own = is_same_host(link.url, self._endpoint.host_name)
        peers = frozenset(filterfalse(is_public, self._peers if own else ()))
        client = await self._ctx.resource(
            ("image-fetcher", peers), lambda: open_fetcher(peers=peers, open_transport=self._ctx.transport)
        )
        return await fetch(
            client,
            link,
            self._ctx.store,
            service=self._endpoint.service,
            limit=self._ctx.limits.image_bytes,
            allow_private=bool(peers),
        )

    def _failure(self, failures: Sequence[BaseException], attempts: int) -> BaseException:
        """The first failure, with every picture that was bought nevertheless in its details."""
        services = [failure for failure in failures if isinstance(failure, ServiceError)]
        others = [failure for failure in failures if not isinstance(failure, ServiceError)]
        urls = list(dict.fromkeys(url for failure in services for url in urls_of(failure)))
        if others:
            if isinstance(others[0], RunError):
                say_where(others[0], urls)
            else:
                self._tell_of(LinkedImage(url, None, None) for url in urls)
            return others[0]
        first = services[0]
        say_where(first, urls)
        salvaged = [image for failure in services for image in cast("list[Image]", failure.details.pop("images", []))]
        first.attempts = attempts + sum(failure.attempts for failure in services)
        first.charge_possible = any(failure.charge_possible for failure in services)
        if first.charge_possible:
            self._ctx.spend(None)
        if any("urls" in failure.details for failure in services) or len(urls) > 1:
            first.details["urls"] = urls
        if self._bought or salvaged:
            first.details["images"] = [*self._bought, *salvaged]
        return first
