"""What an image step does when it runs: from its options to stored pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

from flowdsl.errors import ConfigError, ServiceError
from flowdsl.image.store import Image
from flowdsl.step.service import Service
from flowdsl.step.step import StepContext
from flowdsl_steps.http.public_network import is_private_host, open_fetcher
from flowdsl_steps.image.answer import LinkedImage
from flowdsl_steps.image.body import Order, named_model, order_of
from flowdsl_steps.image.delivery import Channel, Courier, Terms, open_channel
from flowdsl_steps.image.destination import Destination
from flowdsl_steps.image.fetch import fetch
from flowdsl_steps.image.options import ImageOptions, option
from flowdsl_steps.image.outcome import Part, described, usd_of
from flowdsl_steps.image.providers import provider

_NO_CHANNEL = "the `caPem` or `clientPem` of the service {name} cannot be used: {problem}"


async def generate(step: ImageOptions, ctx: StepContext) -> dict[str, Any]:
    """`imageList` and `object` for an image step.

    Raises:
        ConfigError: the service entry lacks or breaks something.
        StepError: there is no prompt, or the store cannot write.
        ServiceError: a request failed. `details["images"]` holds the pictures that were bought nevertheless.
    """
    destination = destination_of(step, ctx)
    order = order_of(step, ctx, destination)
    ctx.store.prepare()
    for text in destination.notes:
        ctx.note("endpoint-changed", text)
    if len(order.counts) > 1:
        each = "one picture" if order.counts[0] == 1 else f"at most {order.counts[0]} pictures"
        total = sum(order.counts)
        ctx.note(
            "fan-out", f"`n: {total}` is sent as {len(order.counts)} requests: {order.model_name} takes {each} each"
        )
    courier = Courier(
        await _channel(ctx.service, ctx), destination, ctx.store, _terms(step, ctx), _on_retry(ctx), _on_partial(ctx)
    )
    return await _Generation(ctx, destination, order, courier).result()


def destination_of(step: ImageOptions, ctx: StepContext) -> Destination:
    """Where the requests of a step go.

    Raises:
        ConfigError: the service entry lacks or breaks something.
    """
    service = ctx.service
    chosen = provider(service.provider or "openai")
    named = named_model(step, ctx)
    model = named if service.provider == "azure" else named or step.model
    return chosen.destination(service, model, getattr(step, "target", None))


async def _channel(service: Service, ctx: StepContext) -> Channel:
    """The channel to a service, shared by all steps that use the same entry."""
    pem = service.get("caPem"), service.get("clientPem")
    pace = service.get("concurrency"), service.get("rateLimit")
    key = ("image-channel", service.name, service.endpoint, *pem, *pace)
    try:
        return await ctx.resource(key, lambda: open_channel(*pem, *pace))
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise ConfigError(_NO_CHANNEL.format(name=service.name, problem=problem), code="invalid-certificate") from error


def _terms(step: ImageOptions, ctx: StepContext) -> Terms:
    return Terms(
        timeout_s=option(step, ctx, "timeout_ms") / 1000,
        max_retries=max(0, option(step, ctx, "max_retries")),
        resend_unknown=ctx.service.option("onUnknown") == "resend",
        image_bytes=ctx.limits.image_bytes,
        answer_bytes=ctx.limits.answer_bytes,
    )


def _on_retry(ctx: StepContext) -> Callable[[ServiceError, float], None]:
    def tell(error: ServiceError, pause_s: float) -> None:
        details = {"status": error.status, "code": error.code, "charge_possible": error.charge_possible}
        ctx.note("retry", f"{error.message}; sent again in {pause_s:.1f} s", details)

    return tell


def _on_partial(ctx: StepContext) -> Callable[[int], None]:
    return lambda index: ctx.progress(f"partial image {index + 1}")


class _Generation:
    """The requests of one run of a step, and the pictures bought so far."""

    def __init__(self, ctx: StepContext, destination: Destination, order: Order, courier: Courier) -> None:
        self._ctx = ctx
        self._destination = destination
        self._order = order
        self._courier = courier
        self._bought: list[Image] = []

    async def result(self) -> dict[str, Any]:
        """The step's outputs, when every request succeeded. All of them settle before one that failed is reported."""
        settled = await asyncio.gather(*map(self._part, self._order.counts), return_exceptions=True)
        parts = [part for part in settled if isinstance(part, Part)]
        failures = [part for part in settled if isinstance(part, BaseException)]
        for part in parts:
            self._ctx.spend(None if part.delivered.charged_before else usd_of(part, self._order))
        if failures:
            raise self._failure(failures)
        images = [image for part in parts for image in part.images]
        return {"imageList": images, "object": described(parts, self._order, self._courier.attempts)}

    async def _part(self, count: int) -> Part:
        """One of the requests, its pictures fetched where the answer only links them."""
        body = {**self._order.body, "n": count} if count > 1 else self._order.body
        delivered = await self._courier.deliver(body)
        self._bought += [image for image in delivered.answer.images if isinstance(image, Image)]
        images = [await self._fetched(i) if isinstance(i, LinkedImage) else i for i in delivered.answer.images]
        self._ctx.progress("images ready", len(self._bought), sum(self._order.counts))
        return Part(delivered, tuple(images), count)

    async def _fetched(self, link: LinkedImage) -> Image:
        allow = await is_private_host(self._destination.host_name)
        client = await self._ctx.resource(("image-fetcher", allow), lambda: open_fetcher(allow))
        image = await fetch(
            client,
            link,
            self._ctx.store,
            service=self._destination.service,
            limit=self._ctx.limits.image_bytes,
            allow_private=allow,
        )
        self._bought.append(image)
        return image

    def _failure(self, failures: Sequence[BaseException]) -> BaseException:
        """The first failure, with every picture that was bought nevertheless in its details."""
        services = [failure for failure in failures if isinstance(failure, ServiceError)]
        if len(services) < len(failures):
            self._ctx.spend(None)  # a disk that takes no more, or a cancellation: the work may be done and billed
            return next(failure for failure in failures if not isinstance(failure, ServiceError))
        first = services[0]
        salvaged = [image for failure in services for image in cast("list[Image]", failure.details.pop("images", []))]
        first.attempts = self._courier.attempts
        first.charge_possible = any(failure.charge_possible for failure in services)
        if first.charge_possible:
            self._ctx.spend(None)
        if self._bought or salvaged:
            first.details["images"] = [*self._bought, *salvaged]
        return first
