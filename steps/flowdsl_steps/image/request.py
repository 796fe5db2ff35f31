"""What an image step does when it runs: from its options to stored pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from flowdsl.errors import ConfigError, RunError, ServiceError
from flowdsl.image import Image
from flowdsl.services import Service
from flowdsl.step import StepContext
from flowdsl_steps.image import cost
from flowdsl_steps.image.answer import Answer, LinkedImage
from flowdsl_steps.image.body import Order, named_model, order_of
from flowdsl_steps.image.delivery import Channel, Courier, Delivered, Terms, open_channel
from flowdsl_steps.image.destination import Destination
from flowdsl_steps.image.fetch import fetch, is_private_host, open_fetcher
from flowdsl_steps.image.options import ImageOptions, option
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
    for text in destination.notes:
        ctx.note("endpoint-changed", text)
    if len(order.counts) > 1:
        each = "one picture" if order.counts[0] == 1 else f"at most {order.counts[0]} pictures"
        total = sum(order.counts)
        ctx.note("fan-out", f"`n: {total}` is sent as {len(order.counts)} requests: {order.model_name} takes {each} each")
    generation = _Generation(step, ctx, destination, order, await _channel(ctx.service, ctx))
    return await generation.result()


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


class _Generation:
    """The requests of one run of a step, and what came of them."""

    def __init__(
        self, step: ImageOptions, ctx: StepContext, destination: Destination, order: Order, channel: Channel
    ) -> None:
        self.step, self.ctx, self.destination, self.order = step, ctx, destination, order
        service = ctx.service
        terms = Terms(
            timeout_s=option(step, ctx, "timeout_ms") / 1000,
            max_retries=max(0, option(step, ctx, "max_retries")),
            resend_unknown=service.option("onUnknown") == "resend",
            image_bytes=ctx.limits.image_bytes,
            answer_bytes=ctx.limits.answer_bytes,
        )
        self.courier = Courier(channel, destination, ctx.store, terms, self._on_retry, self._on_partial)
        self.images: list[Image] = []
        self.attempts = 0

    async def result(self) -> dict[str, Any]:
        """The step's outputs, when every request succeeded."""
        parts = await asyncio.gather(*map(self._part, self.order.counts), return_exceptions=True)
        failures = [part for part in parts if isinstance(part, BaseException)]
        if failures:
            raise self._failure(failures, [part for part in parts if not isinstance(part, BaseException)])
        done = [part for part in parts if not isinstance(part, BaseException)]
        images = [image for part in done for image in part[1]]
        first = done[0][0]
        details = self._object(first.answer.payload, images)
        details["cost"] = self._spend([part[0] for part in done])
        details["usage"] = _usage([part[0].answer.payload.get("usage") for part in done])
        details["requestId"] = first.request_id
        return {"imageList": images, "object": {key: value for key, value in details.items() if value is not None}}

    async def _part(self, count: int) -> tuple[Delivered, list[Image]]:
        """One of the requests, its pictures fetched where the answer only links them."""
        body = {**self.order.body, "n": count} if count > 1 else self.order.body
        delivered = await self.courier.deliver(body)
        images = await self._stored(delivered.answer)
        self.images += images
        self.ctx.progress("image ready", len(self.images), sum(self.order.counts))
        return delivered, images

    async def _stored(self, answer: Answer) -> list[Image]:
        links = [image for image in answer.images if isinstance(image, LinkedImage)]
        if not links:
            return [image for image in answer.images if isinstance(image, Image)]
        allow = await is_private_host(self.destination.host_name)
        client = await self.ctx.resource(("image-fetcher", allow), lambda: open_fetcher(allow))
        limit = self.ctx.limits.image_bytes
        found: list[Image] = []
        for image in answer.images:
            if isinstance(image, LinkedImage):
                image = await fetch(
                    client, image, self.ctx.store, service=self.destination.service, limit=limit, allow_private=allow
                )
            found.append(image)
            self.images.append(image)
        return found

    def _object(self, payload: Mapping[str, Any], images: Sequence[Image]) -> dict[str, Any]:
        sizes = {f"{image.width}x{image.height}" for image in images if image.width}
        return {
            "model": self.order.model_name,
            "size": sizes.pop() if len(sizes) == 1 else payload.get("size") or self.order.body.get("size"),
            "quality": payload.get("quality") or self.order.body.get("quality"),
            "attemptCount": self.attempts,
            "finishReason": "stop",
        }

    def _spend(self, delivered: Sequence[Delivered]) -> float | None:
        """Adds what the requests cost to the run's cost and returns it; None where nothing tells."""
        model, body = self.order.model, self.order.body
        total: float | None = 0.0
        for part, count in zip(delivered, self.order.counts, strict=True):
            payload = part.answer.payload
            size, quality = payload.get("size") or body.get("size"), payload.get("quality") or body.get("quality")
            usd = cost.actual(model, payload.get("usage"), size, quality, count) if model is not None else None
            self.ctx.spend(None if part.charged_before else usd)
            total = None if usd is None or total is None else total + usd
        return total

    def _failure(self, failures: Sequence[BaseException], done: Sequence[tuple[Delivered, list[Image]]]) -> BaseException:
        """The failure to raise, with every picture that was bought in its details."""
        self._spend_on_failure(failures, done)
        first = next((f for f in failures if not isinstance(f, RunError)), failures[0])
        if isinstance(first, ServiceError):
            bought = [*self.images]
            for failure in failures:
                if isinstance(failure, ServiceError):
                    bought += failure.details.get("images", [])  # type: ignore[arg-type]  # put there as a list
                    first.charge_possible = first.charge_possible or failure.charge_possible
            first.attempts = self.attempts
            if bought:
                first.details["images"] = bought
                first.charge_possible = True
        return first
