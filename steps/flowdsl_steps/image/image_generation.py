"""The step IMAGE_GENERATION: Kestra's task of that name, with its properties and its outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field

from flowdsl import ContentRefused, Port, Problem, Prompt, Secrets, ServiceError, Step, StepContext
from flowdsl.step.rules import UNKNOWN, Options
from flowdsl_steps.image.capabilities import check_image
from flowdsl_steps.image.generate_image import address_of
from flowdsl_steps.image.model_providers import provider_problems, settings_of
from flowdsl_steps.image.options import ImageOptions
from flowdsl_steps.image.request import ImageRequest

if TYPE_CHECKING:
    from flowdsl import Expected, Purchase
    from flowdsl.step.service import Service

TIMEOUT_MS = 180_000
MAX_RETRIES = 2
_REASONS = {
    "STOP": "STOP",
    "LENGTH": "LENGTH",
    "MAX_TOKENS": "LENGTH",
    "TOOL_CALLS": "TOOL_EXECUTION",
    "TOOL_EXECUTION": "TOOL_EXECUTION",
    **dict.fromkeys(("CONTENT_FILTER", "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "SPII"), "CONTENT_FILTER"),
    **dict.fromkeys(("PROHIBITED_CONTENT", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT"), "CONTENT_FILTER"),
    **dict.fromkeys(("IMAGE_RECITATION", "MODEL_ARMOR"), "CONTENT_FILTER"),
}
"""Why an answer ended, in the words of vendors, and in those of the task. Source: langchain4j's FinishReasonMapper."""
_TOKENS = {
    "inputTokenCount": ("input_tokens", "prompt_tokens", "promptTokenCount"),
    "outputTokenCount": ("output_tokens", "completion_tokens", "candidatesTokenCount"),
    "totalTokenCount": ("total_tokens", "totalTokenCount"),
}
_METRICS = {
    "input.token.count": "inputTokenCount",
    "output.token.count": "outputTokenCount",
    "total.token.count": "totalTokenCount",
}

EXAMPLE = """\
- step: IMAGE_GENERATION
  prompt: A four-panel comic about a data engineer who ships a workflow
  provider:
    type: io.kestra.plugin.ai.provider.OpenAI
    apiKey: "{{ secret('OPENAI_API_KEY') }}"
    modelName: gpt-image-2
  outputs:
    - {type: object, name: comic}
- step: SET
  address: "{{ flowContext.comic.imageUrl }}"
"""


def check_image_generation(options: Options) -> Iterator[Problem]:
    """What is wrong with the provider, then what `check_image` finds of its model, told at `modelName`.

    At an address of the file's own, a model that its vendor has shut down is the business of that address.
    """
    values = options.given.get("provider")
    wrong = list(provider_problems(values))
    yield from wrong
    if not isinstance(values, Mapping) or any(each.severity == "error" for each in wrong) or options.service is None:
        return
    if options.service.provider is UNKNOWN or values.get("type") is UNKNOWN:
        return
    given: dict[str, Any] = {"prompt": options.given.get("prompt", UNKNOWN)}
    is_named = options.service.provider != "azure"
    if is_named:
        given["model"] = values.get("modelName")
    for problem in check_image(options.replaced(given)):
        yield from _told(problem, is_named)


def _told(problem: Problem, is_named: bool) -> Iterator[Problem]:
    if problem.key == "model":
        problem = problem._replace(key="provider", inside=("modelName",), covers=())
    if problem.hint is not None and is_named:
        problem = problem._replace(hint=problem.hint.replace("`model: ", "`modelName: "))
    changes = [
        each._replace(
            title=each.title.replace("`model: ", "`modelName: "),
            values=tuple(("modelName" if key == "model" else key, value) for key, value in each.values),
        )
        for each in problem.fixes
    ]
    problem = problem._replace(fixes=tuple(changes))
    if problem.code == "retired-model" and problem.severity == "warning":
        problem = problem._replace(severity="note")
    yield problem


class ImageGeneration(
    Step,
    name="IMAGE_GENERATION",
    category="Image",
    service="IMAGE_GENERATION",
    provider="openai",
    environment={},
    check=check_image_generation,
    entry=settings_of,
    outputs=(
        Port("object", "`imageUrl`, `finishReason` and `tokenUsage`; without `imageUrl` where nothing was drawn."),
        Port("imageList", "The generated image, in a list; an empty one where nothing was drawn.", optional=True),
        Port("metrics", "How many tokens were counted, where the vendor says it.", optional=True),
    ),
    examples=(EXAMPLE,),
):
    """Generate an image from a prompt as Kestra's task `ImageGeneration` does: its properties, and its outputs.

    A flow of Kestra runs as it is. A prompt or a picture that moderation refuses is no failure: `finishReason` is
    CONTENT_FILTER then, LENGTH or OTHER where the model ends without a picture for another reason.
    """

    model_config = ConfigDict(defer_build=True)

    prompt: Annotated[str, Prompt()] = Field(min_length=1)
    """The input prompt for the image generation model."""
    provider: Annotated[dict[str, Any], Secrets()] = Field(min_length=1)
    """The provider: its `type`, by the full name of its class or its short one, `modelName`, and what else it needs,
    such as `apiKey`."""
    timeout_ms: int = Field(default=TIMEOUT_MS, alias="timeoutMs", ge=1000, le=900_000)
    """Deadline of one attempt in milliseconds."""

    @classmethod
    def require(cls, service: Service, given: Mapping[str, Any]) -> None:
        """Looks whether a request could be addressed, where nothing of the entry is left to the run."""
        if all(value is not UNKNOWN for value in service.settings.values()):
            ImageOptions.require(service, {"model": service.get("model") or ""})

    @classmethod
    def buys(cls, expected: Expected) -> Iterable[Purchase]:
        """The request for its picture."""
        from flowdsl_steps.image.purchases import purchases

        service = expected.options.service
        asked = {"prompt": expected.options.given.get("prompt", UNKNOWN)}
        model = None if service is None else service.get("model")
        if model is not None:
            asked["model"] = model
        return purchases(expected._replace(options=expected.options.replaced(asked)))

    async def run(self, ctx: StepContext) -> dict[str, Any]:
        """Generates the image, and returns `object`, `imageList` and `metrics`."""
        from flowdsl_steps.image.generate import generate

        model, retries = ctx.service.get("model"), ctx.service.option("maxRetries")
        request = ImageRequest(prompt=self.prompt, model=None if model is None else str(model))
        times = MAX_RETRIES if retries is None else max(0, int(retries))
        try:
            found = await generate(request, ctx, self.timeout_ms / 1000, times)
        except ServiceError as error:
            ended = _ended(error)
            if ended is None:
                raise
            ctx.note("no-picture", f"{error.message}: `finishReason` is {ended}")
            return {"object": {"finishReason": ended, "tokenUsage": None}, "imageList": [], "metrics": {}}
        usage = token_usage(found.facts.get("usage"))
        reason = found.facts.get("finishReason")
        told = {
            "imageUrl": address_of(found.images[0]),
            "finishReason": "STOP" if reason is None else _reason(reason),
            "tokenUsage": usage,
        }
        metrics = {} if usage is None else {name: usage[count] or 0 for name, count in _METRICS.items()}
        return {"object": told, "imageList": found.images, "metrics": metrics}


def _ended(error: ServiceError) -> str | None:
    """The `finishReason` of a request that ended without a picture; None where it failed."""
    if isinstance(error, ContentRefused):
        return "CONTENT_FILTER"
    reason = error.details.get("finish_reason")
    said = None if reason is None else _reason(reason)
    return "OTHER" if said == "STOP" else said  # a model that stopped, and only spoke


def _reason(said: object) -> str:
    return _REASONS.get(str(said).upper(), "OTHER")


def token_usage(usage: Any) -> dict[str, int | None] | None:
    """What a vendor's `usage` counts, by the names of the task; None where it counts no tokens."""
    if not isinstance(usage, Mapping):
        return None
    found = {
        name: next((value for key in keys if isinstance(value := usage.get(key), int)), None)
        for name, keys in _TOKENS.items()
    }
    return None if all(value is None for value in found.values()) else found
