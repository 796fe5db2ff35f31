"""The step GENERATE_IMAGE: the task `generate_image` of a task gateway, with its parameters and its result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field

from flowdsl import Image, InFile, Port, Problem, Prompt, Step, StepContext
from flowdsl.image.formats import EXTENSIONS
from flowdsl.image.named_file import as_given
from flowdsl.step.rules import Options
from flowdsl_steps.image.capabilities import check_image, of_endpoint
from flowdsl_steps.image.options import ImageOptions, option
from flowdsl_steps.image.request import DEFAULT_MODEL, ImageRequest
from flowdsl_steps.image.vendors.openai import VENDOR
from flowdsl_steps.io.file_name import file_name

if TYPE_CHECKING:
    from flowdsl import Expected, Purchase
    from flowdsl.step.service import Service
    from flowdsl_steps.image.image_result import Generated

TIMEOUT_S = 180.0
"""The deadline of an attempt, as the task has no parameter for it: complex prompts take up to two minutes."""
MAX_RETRIES = 2
_OWN = ("filename", "disable_model_response")
"""Keys that are not asked of the vendor."""
_PICTURES = frozenset((*EXTENSIONS.values(), "jpeg"))

EXAMPLE = """\
- step: GENERATE_IMAGE
  prompt: A white cat sitting on a red sports car.
  model: gpt-image-2
  filename: cat-on-car
  outputs:
    - type: imageList
      name: pictures
    - type: object
      name: payload
- step: SET
  address: "{{ flowContext.payload.response.data[0].url }}"
"""


def check_generate_image(options: Options) -> Iterator[Problem]:
    """What `check_image` finds, and a `filename` that names no file.

    At an endpoint that is not the vendor's own, a model that the vendor has shut down is the endpoint's business: the
    task's default is one, and most files name none.
    """
    asked = options.replaced({key: value for key, value in options.given.items() if key not in _OWN})
    yield from of_endpoint(check_image(asked))
    name = options.given.get("filename")
    if isinstance(name, str) and not _stem(name):
        yield Problem("not-a-file-name", f"`filename` is {name!r}, which names no file", key="filename")
    elif isinstance(name, str) and ("/" in name or "\\" in name):
        message = "`filename` is the name of a file: the separator of folders in it becomes `_`"
        hint = "pictures are put into the folder of the run: `--out`, or the host's Storage(images=…)"
        yield Problem("not-a-file-name", message, key="filename", hint=hint, severity="warning")


class GenerateImage(
    Step,
    name="GENERATE_IMAGE",
    category="Image",
    service="OPENAI_IMAGE_GENERATION",
    provider="openai",
    environment=VENDOR.environment,
    check=check_generate_image,
    outputs=(
        Port("imageList", "The generated image, in a list."),
        Port("object", "`request` and `response` as the task's result has them under `payload`.", optional=True),
    ),
    examples=(EXAMPLE,),
):
    """Generate an image from a prompt as the task `generate_image` does: its parameters, and its result.

    A file of that task runs as it is. Without a `model` it is the task's default, which OpenAI has shut down.
    """

    model_config = ConfigDict(defer_build=True)

    prompt: Annotated[str, Prompt()] = Field(min_length=1)
    """The text prompt to generate the image from."""
    model: str = DEFAULT_MODEL
    """The model."""
    filename: Annotated[str | None, InFile("name")] = None
    """The name of the image's file, without folders. The ending of its format is put in place of another one, and what
    no file name can hold becomes `_`. A name that is taken gets a number: no picture is written over another."""
    size: str | None = None
    """`WIDTHxHEIGHT`, as far as the model has it; dall-e-3 has 1024x1024, 1024x1792 and 1792x1024."""
    quality: str | None = None
    """In the words of the model: `standard` or `hd` for dall-e-3, `low`, `medium` or `high` for its successors."""
    disable_model_response: bool = False
    """Whether the image is not shown as a response. It is in the outputs either way."""

    @classmethod
    def require(cls, service: Service, given: Mapping[str, Any]) -> None:
        """Looks whether a request could be addressed: the endpoint and the key."""
        ImageOptions.require(service, given)

    @classmethod
    def buys(cls, expected: Expected) -> Iterable[Purchase]:
        """The request for its picture."""
        from flowdsl_steps.image.purchases import purchases

        asked = {key: value for key, value in expected.options.given.items() if key not in _OWN}
        return purchases(expected._replace(options=expected.options.replaced(asked)))

    async def run(self, ctx: StepContext) -> dict[str, Any]:
        """Generates the image, shows it as a response, and returns `imageList` and `object`."""
        from flowdsl_steps.image.cheaper import with_cheaper
        from flowdsl_steps.image.generate import generate

        named = "model" in ctx.given or ctx.service.option("model") is not None
        request = ImageRequest(
            prompt=self.prompt,
            model=str(option(self, ctx, "model")) if named else None,
            size=option(self, ctx, "size"),
            quality=option(self, ctx, "quality"),
        )
        name = _stem(ctx.hide(self.filename or "")) or _made_name(request, ctx)
        timeout_ms, retries = ctx.service.option("timeoutMs"), ctx.service.option("maxRetries")
        with with_cheaper(request):
            found = await generate(
                request,
                ctx,
                TIMEOUT_S if timeout_ms is None else timeout_ms / 1000,
                MAX_RETRIES if retries is None else max(0, retries),
                name,
            )
        payload = payload_of(request, found, name, ctx.service)
        if not self.disable_model_response:
            for image in payload["response"]["data"]:
                ctx.emit("SHOW_RESPONSE", {"message": _markdown(image), "mode": "markdown"})
        return {"imageList": found.images, "object": payload}


def payload_of(request: ImageRequest, found: Generated, name: str, service: Service) -> dict[str, Any]:
    """`request` and `response` of the task's result. What the request leaves open is what the vendor made of it."""
    import time

    from flowdsl_steps.image.catalogue import catalogue

    facts, model = found.facts, catalogue().find(str(found.facts["model"]))
    default = model.default("quality", service.provider or "openai") if model is not None else None
    return {
        "request": {
            "prompt": request.prompt,
            "size": request.size or facts.get("size"),
            "model": facts["model"],
            "quality": request.quality or facts.get("quality") or default,
            "n": request.n,
        },
        "response": {
            "created": int(time.time()) if found.created is None else found.created,
            "data": [_described(image, name) for image in found.images],
        },
    }


def _described(image: Image, name: str) -> dict[str, Any]:
    """A picture as an item of `data`: `filename` is the name of its file, `originalname` the one that was asked for."""
    import uuid

    original = f"{name}.{EXTENSIONS[image.mime]}"
    file = {
        "filename": PurePath(image.path).name if image.is_named else original,
        "originalname": original,
        "fileuuid": str(uuid.uuid5(uuid.NAMESPACE_OID, image.sha256)),
        "contentType": image.mime,
        "revised_prompt": image.revised_prompt,
    }
    return {"revised_prompt": image.revised_prompt, "url": address_of(image), "image": file}


def address_of(image: Image) -> str:
    """Where a picture can be had: the vendor's address where that stays, else the stored file's. A vendor whose address
    ends within the hour has nothing to keep."""
    if image.url is not None and image.url_expires_at is None:
        return image.url
    path = Path(image.path)
    return path.as_uri() if path.is_absolute() else image.path  # a store of the host's gives addresses of its own


def _stem(filename: str) -> str:
    """A file name that every file system takes, without the ending of a picture; empty when nothing is left of it."""
    name = PurePath(file_name(filename))
    stem = name.stem if name.suffix[1:].lower() in _PICTURES else name.name
    return as_given(stem)(1) if stem else ""


def _made_name(request: ImageRequest, ctx: StepContext) -> str:
    """A name as the task makes it: the day, a UUID (of the request), and the name of the task."""
    import uuid
    from datetime import UTC, datetime

    asked = ctx.hide(json.dumps(request.described(), sort_keys=True))
    return f"{datetime.now(UTC):%Y-%m-%d}_{uuid.uuid5(uuid.NAMESPACE_OID, asked)}_generate_image"


def _markdown(item: Mapping[str, Any]) -> str:
    name = item["image"]["filename"].replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return f"![{name}]({item['url']})"
