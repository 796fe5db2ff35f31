"""The request body, derived from the step class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from flowdsl.errors import StepError
from flowdsl.step.step import StepContext
from flowdsl_steps.image.catalogue import Model, catalogue
from flowdsl_steps.image.destination import Destination
from flowdsl_steps.image.options import ImageOptions, option, sent_fields

_ONLY_STREAMED = ("partial_images",)


class Order(NamedTuple):
    """What a step asks for: the body of one request, and how many pictures each of the requests is for."""

    body: Mapping[str, Any]
    counts: tuple[int, ...]
    model_name: str
    model: Model | None


def prompt_of(step: ImageOptions, ctx: StepContext) -> str:
    """The prompt: `instruction`, else the input `text`.

    Raises:
        StepError: neither is there.
    """
    text = step.instruction if step.instruction is not None else ctx.input("text")
    if text is None or not str(text).strip():
        raise StepError(
            f"{ctx.step} has no prompt: `instruction` is absent and the input `text` is empty",
            code="missing-prompt",
            hint='add `instruction: "…"`, or a SET step with `text` before',
        )
    return str(text)


def named_model(step: ImageOptions, ctx: StepContext) -> str | None:
    """The model that the author or the service entry names; None when only the default is left."""
    named = "model" in ctx.given or ctx.service.option("model") is not None
    return str(option(step, ctx, "model")) if named else None


def order_of(step: ImageOptions, ctx: StepContext, destination: Destination) -> Order:
    """What the step asks for, without the parameters that the model is known not to have, and never with `seed`.

    Raises:
        StepError: there is no prompt.
        ConfigError: an option from the service entry is not valid.
    """
    label = named_model(step, ctx) or destination.deployment or step.model
    model = catalogue().find(label)
    body: dict[str, Any] = {"prompt": prompt_of(step, ctx)}
    if destination.model is not None:
        body["model"] = destination.model
    for name in sent_fields(type(step)):
        value = option(step, ctx, name)
        if value is not None and value is not False and _accepts(model, name, destination.provider):
            body[name] = value
    if not body.get("stream"):
        for name in _ONLY_STREAMED:
            body.pop(name, None)
    n = int(body.pop("n", 1))
    most = n if model is None else model.images_per_request(body.get("output_format"))
    counts = tuple(min(most, n - start) for start in range(0, n, most))
    return Order(body, counts, label, model)


def _accepts(model: Model | None, name: str, provider: str) -> bool:
    return model is None or name == "n" or model.accepts(name, provider) is not False
