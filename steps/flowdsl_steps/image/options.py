"""The options that all image steps share: one class that validation, docs and the request body come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field

from flowdsl.errors import ConfigError, StepError
from flowdsl.step.marks import Prompt, Verbatim
from flowdsl.step.rules import Conflicts, Limit
from flowdsl.step.spec import IDENTIFIER, Port
from flowdsl.step.step import Step, Written, spec_of
from flowdsl.step.step_context import StepContext
from flowdsl_steps.image.request import DEFAULT_MODEL, ImageRequest
from flowdsl_steps.image.request import OPTIONS as REQUEST_OPTIONS

if TYPE_CHECKING:
    from flowdsl import Expected, Purchase
    from flowdsl.step.service import Service


class Sent:
    """Marks a field that is asked of the vendor, as the option of its name of an `ImageRequest`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Sent()"


RULES = (
    Conflicts("style", "output_format"),
    Conflicts("response_format", "output_format", "background", "seed"),
    Limit("n", 4, "api"),
)
INPUTS = (Port("text", "The prompt, when the step has no `instruction`.", optional=True, instead=("instruction",)),)
OUTPUTS = (
    Port("imageList", "The generated images, stored under `outputKey`.", counted_by="n"),
    Port(
        "object",
        "What is known of the generation: model, size, quality, attemptCount, usage, requestId, cost, finishReason.",
        optional=True,
    ),
)


class ImageOptions(Step):
    """What the image steps take.

    Source: OpenAI API reference, Create image; openai-python 3.57 `ImageGenerateParams`.
    """

    model_config = ConfigDict(defer_build=True)  # each of the steps below makes a validator of its own, this one none

    model: str = DEFAULT_MODEL
    """The image model. On Azure the deployment decides, and this names the model behind it."""
    instruction: Annotated[str | None, Prompt()] = Field(default=None, min_length=1)
    """The prompt; without it the input `text` is."""
    size: Annotated[str | None, Sent()] = None
    """`WIDTHxHEIGHT` or `auto`, as far as the model has it."""
    quality: Annotated[str | None, Sent()] = None
    """How finely the picture is drawn, in the words of the model."""
    n: Annotated[int, Sent()] = Field(default=1, ge=1, le=10)
    """How many pictures. More than the model accepts in one request are asked for in several."""
    style: Annotated[Literal["natural", "vivid"] | None, Sent()] = None
    """The look of pictures by dall-e-3."""
    response_format: Annotated[Literal["url", "b64_json"] | None, Sent()] = None
    """How DALL·E sends its pictures; other models always send the bytes."""
    output_format: Annotated[Literal["png", "jpeg", "webp", "gif", "svg"] | None, Sent()] = None
    """The file format of the pictures."""
    background: Annotated[Literal["transparent", "opaque", "auto"] | None, Sent()] = None
    """What is behind the subject."""
    seed: Annotated[int | None, Sent()] = Field(default=None, ge=0)
    """Tells cached and simulated pictures apart. It is sent to vendors that have it: OpenAI's API does not."""
    user: Annotated[str | None, Sent()] = None
    """A name for the end user, for the vendor's monitoring of abuse; `safety_identifier` is its successor."""
    moderation: Annotated[Literal["low", "auto"] | None, Sent()] = None
    """How strictly the vendor filters."""
    output_compression: Annotated[int | None, Sent()] = Field(default=None, ge=0, le=100)
    """Compression of JPEG and WebP in percent."""
    stream: Annotated[bool | None, Sent()] = None
    """Whether the picture is sent as a stream, which shows it growing."""
    partial_images: Annotated[int | None, Sent()] = Field(default=None, ge=0, le=3)
    """How many unfinished pictures a stream shows; each is billed as 100 output tokens."""
    complexity: Annotated[Literal["low", "medium", "high"] | None, Sent()] = None
    """How much planning goes into the picture."""
    safety_identifier: Annotated[str | None, Sent()] = None
    """A stable, hashed name for the end user, for the vendor's monitoring of abuse."""
    frame_count: Annotated[int | None, Sent()] = Field(default=None, ge=2, le=16)
    """Frames of a GIF."""
    frame_duration_ms: Annotated[int | None, Sent()] = Field(default=None, ge=1)
    """How long a frame of a GIF is shown, in milliseconds."""
    svg: Annotated[dict[str, Any] | None, Sent()] = None
    """Who writes an SVG: its `model`, and how much that one thinks, `reasoning`."""
    timeout_ms: int = Field(default=60_000, alias="timeoutMs", ge=1000, le=900_000)
    """Deadline of one attempt in milliseconds, from its start to the last byte of the response."""
    max_retries: int = Field(default=2, alias="maxRetries", le=20)
    """How often a request is sent again that was refused before work began; below 0 acts as 0."""
    output_key: Annotated[str, Verbatim()] = Field(
        default="imageList", alias="outputKey", min_length=1, pattern=IDENTIFIER
    )
    """The FlowContext key for the pictures."""

    @classmethod
    def require(cls, service: Service, given: Mapping[str, Any]) -> None:
        """Looks whether a request could be addressed: endpoint, key, certificates, and on Azure the deployment."""
        from flowdsl_steps.image.endpoint import refuse_other_operation
        from flowdsl_steps.image.key_check import goes_astray, refuse_odd_key
        from flowdsl_steps.image.pem_check import refuse_odd_pem
        from flowdsl_steps.image.vendors import protocol_of, vendor_of

        refuse_odd_key(service)
        asked = ImageRequest(prompt="", model=given.get("model", ""))
        try:
            endpoint = protocol_of(service).endpoint(service, asked)
        except ConfigError as error:
            if error.code == "service-not-configured":  # what is said and cannot be comes before what is missing
                refuse_odd_pem(service)
            raise
        refuse_other_operation(service, endpoint.url)
        has_pem = service.get("caPem") or service.get("clientPem")
        if has_pem and not goes_astray(service, vendor_of(service), endpoint.url):  # else that is said first
            refuse_odd_pem(service)

    @classmethod
    def buys(cls, expected: Expected) -> Iterable[Purchase]:
        """The requests for its pictures."""
        from flowdsl_steps.image.purchases import purchases

        return purchases(expected)

    async def run(self, ctx: StepContext) -> Written:
        """Generates the images and returns `imageList` and `object`."""
        return await self.made(request_of(self, ctx), ctx)

    async def made(self, request: ImageRequest, ctx: StepContext) -> Written:
        """Makes the pictures of a request, with the deadline and the resends of the step."""
        from flowdsl_steps.image.cheaper import with_cheaper
        from flowdsl_steps.image.generate import generate

        timeout_s = option(self, ctx, "timeout_ms") / 1000
        with with_cheaper(request):
            found = await generate(request, ctx, timeout_s, max(0, option(self, ctx, "max_retries")))
        return {"imageList": found.images, "object": found.facts}


@cache
def sent_fields(cls: type[Step]) -> tuple[str, ...]:
    """The names of the fields that are asked of the vendor."""
    return tuple(name for name, field in cls.model_fields.items() if any(isinstance(m, Sent) for m in field.metadata))


def request_of(step: ImageOptions, ctx: StepContext) -> ImageRequest:
    """What the step asks for.

    Raises:
        StepError: there is no prompt.
        ConfigError: an option from the service entry is not valid.
    """
    values = {name: option(step, ctx, name) for name in sent_fields(type(step))}
    named = "model" in ctx.given or ctx.service.option("model") is not None
    return ImageRequest(
        prompt=prompt_of(step, ctx),
        model=str(option(step, ctx, "model")) if named else None,
        extra={name: value for name, value in values.items() if name not in REQUEST_OPTIONS},
        **{name: value for name, value in values.items() if name in REQUEST_OPTIONS},
    )


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


def option(step: Step, ctx: StepContext, name: str) -> Any:
    """The value in force of a field: what the author wrote, else the service entry's, else the default.

    Raises:
        ConfigError: the service entry's value breaks the option's own rule.
    """
    own = getattr(step, name)
    key = type(step).model_fields[name].alias or name
    if key in ctx.given and own is not None:
        return own
    value = ctx.service.option(key)
    if value is None:
        return own
    problem = spec_of(type(step)).keys[key].problem(value)
    if problem is not None:
        raise ConfigError(
            f"{problem.message} (set by service {ctx.service.name})", code=problem.code, hint=problem.hint
        )
    return value
