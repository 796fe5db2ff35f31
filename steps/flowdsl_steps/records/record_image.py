"""RECORD_IMAGE: a picture of each message, as the processor `openai_image_generation` of Redpanda Connect makes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import ConfigDict, Field

from flowdsl import LimitExceeded, Prompt, ServiceError, Step, StepContext, StepError, Verbatim
from flowdsl.step.rules import UNKNOWN, Options
from flowdsl_steps.image.capabilities import check_image, request_in
from flowdsl_steps.image.generate_image import MAX_RETRIES, TIMEOUT_S
from flowdsl_steps.image.options import ImageOptions
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendors.openai import VENDOR
from flowdsl_steps.records.checks import BEGIN, INTERPOLATED, check_record_image, interpolation_of, query_of
from flowdsl_steps.records.record import Record, current

if TYPE_CHECKING:
    from flowdsl import Expected, Image, Purchase
    from flowdsl.step.service import Service

CHARGE_WARNING = "the service may have done, and billed, the work"
_LIFE = ("retired-model", "retiring-model", "unknown-model", "missing-prompt")
"""What is said of the model before the run, and not again for each message. Without a prompt the message is it."""

EXAMPLE = """\
- step: FOR_RECORDS
  do:
    - step: RECORD_IMAGE
      model: gpt-image-2
      prompt: '"A watercolour of " + json("animal")'
      size: '${! json("size").or("1024x1024") }'
"""


class RecordImage(
    Step,
    name="RECORD_IMAGE",
    category="Records",
    service="OPENAI_IMAGE_GENERATION",
    provider="openai",
    environment=VENDOR.environment,
    check=check_record_image,
    examples=(EXAMPLE,),
):
    """Makes a picture of each message of FOR_RECORDS: the message becomes its bytes, and keeps its metadata.

    What it is asked for and what comes back is that of the processor `openai_image_generation` of Redpanda Connect. A
    message for which that fails stays as it is, and is marked.
    """

    model_config = ConfigDict(defer_build=True)

    model: str
    """The model."""
    prompt: Annotated[str | None, Verbatim(), Prompt()] = Field(default=None, min_length=1)
    """The prompt, as a mapping of Bloblang: `'"A " + this.animal'`. Without it the message itself is."""
    size: str | None = None
    """`WIDTHxHEIGHT`, as far as the model has it; it may have `${! … }` in it."""
    quality: str | None = None
    """In the words of the model; it may have `${! … }` in it."""
    style: str | None = None
    """`natural` or `vivid`, of dall-e-3 alone; it may have `${! … }` in it."""

    @classmethod
    def require(cls, service: Service, given: Mapping[str, Any]) -> None:
        """Looks whether a request could be addressed: the endpoint and the key."""
        ImageOptions.require(service, given)

    @classmethod
    def buys(cls, expected: Expected) -> Iterable[Purchase]:
        """The request for a picture of a message, or none for one that is marked."""
        from flowdsl_steps.image.purchases import bought

        given = {
            name: UNKNOWN if name in INTERPOLATED and isinstance(value, str) and BEGIN in value else value
            for name, value in expected.options.given.items()
        }
        options = expected.options.replaced({**given, "prompt": UNKNOWN})
        return bought(request_in(options), expected._replace(options=options), open_prompt=True, least=0)

    async def run(self, ctx: StepContext) -> None:
        """Makes the picture, or marks the message."""
        record = current(ctx)
        if record.is_skipped:
            return
        try:
            await self._paint(ctx, record)
        except LimitExceeded:
            raise
        except (ServiceError, StepError) as error:
            billed = f" ({CHARGE_WARNING})" if error.charge_possible else ""
            record.fail(f"{error.message}{billed}", ctx)

    async def _paint(self, ctx: StepContext, record: Record) -> None:
        from flowdsl_steps.image.generate import generate

        values: dict[str, str | None] = {}
        for name in INTERPOLATED:
            text = getattr(self, name)
            values[name] = None if text is None else _interpolated(name, text, record) or None
        prompt = self._prompt(record)
        if not prompt.strip():
            what = "the prompt" if self.prompt is not None else "the message"
            raise StepError(f"{what} is empty, so there is nothing to draw", code="missing-prompt")
        for name, text in {"prompt": prompt, **values}.items():
            _check_whole(name, text or "")
        self._judge({"prompt": prompt, "model": self.model, **values}, ctx)
        request = ImageRequest(prompt=prompt, model=self.model)._replace(**values)
        timeout_ms, retries = ctx.service.option("timeoutMs"), ctx.service.option("maxRetries")
        timeout_s = TIMEOUT_S if timeout_ms is None else timeout_ms / 1000
        try:
            found = await generate(request, ctx, timeout_s, MAX_RETRIES if retries is None else max(0, retries))
        except ServiceError as error:
            record.pictures += _told(cast("list[Image]", error.details.get("images", [])), {"model": self.model})
            raise
        record.pictures += _told(found.images, found.facts)
        if len(found.images) != 1:
            raise StepError(f"expected single generated image in response, got: {len(found.images)}")
        record.become_image(found.images[0])

    def _prompt(self, record: Record) -> str:
        from flowdsl_steps.expressions.bloblang import Interpolation, QueryFailed

        if self.prompt is None and record.image is not None:
            raise StepError("the message is a picture already, and no prompt", code="missing-prompt")
        if self.prompt is None:
            return _text(record.content)
        query = query_of(self.prompt)
        try:
            if isinstance(query, Interpolation):
                return query.text_for(record)
            mapped = query.apply(record)
        except QueryFailed as error:
            raise StepError(f"prompt execution error: {error.message}", code="query-failed") from None
        content = record.content if mapped.content is None else mapped.content
        text = content if isinstance(content, str) else _text(content)
        return "" if mapped.is_dropped or mapped.is_null else text

    def _judge(self, given: dict[str, Any], ctx: StepContext) -> None:
        """Refuses what the model does not accept before it is sent: a prompt that is too long, a size it has not.

        Raises:
            StepError: the first of it.
        """
        known = {name: value for name, value in given.items() if value is not None}
        options = Options(ctx.step, known, {}, ctx.service)
        for problem in check_image(options):
            if problem.severity == "error" and problem.code not in _LIFE:
                hint = f": {problem.hint}" if problem.hint else ""
                raise StepError(f"{problem.message}{hint}", code=problem.code)


def _told(images: Iterable[Image], facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Pictures as JSON, each with its model and size, and what it cost, None where that is not known."""
    cost = facts.get("cost")
    for image in (given := [*images]):
        size = f"{image.width}x{image.height}" if image.width else facts.get("size")
        told = {"path": image.path, "sha256": image.sha256, "mime": image.mime, "model": facts["model"], "size": size}
        yield {**told, "cost_usd": None if cost is None else cost / len(given)}


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise StepError("the prompt is no UTF-8 text", code="not-utf8") from None


def _check_whole(name: str, text: str) -> None:
    """Looks whether a text can be sent.

    Raises:
        StepError: it cannot: JSON has a word for half a character, and UTF-8 has none.
    """
    half = next((char for char in text if 0xD800 <= ord(char) <= 0xDFFF), None) if not text.isascii() else None
    if half is not None:
        said = f"`{name}` has half a character in it, \\u{ord(half):04x}"
        raise StepError(said, code="invalid-option", hint="leave it out, or write the whole one")


def _interpolated(name: str, text: str, record: Record) -> str:
    if BEGIN not in text:
        return text
    from flowdsl_steps.expressions.bloblang import QueryFailed

    try:
        return interpolation_of(text).text_for(record)
    except QueryFailed as error:
        raise StepError(f"{name} interpolation error: {error.message}", code="query-failed") from None
