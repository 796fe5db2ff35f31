"""The options that the edit steps share: those of the image steps, and the pictures they work on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict

from flowdsl import StepContext
from flowdsl.errors import ConfigError, StepError
from flowdsl.step.marks import ProjectFile
from flowdsl.step.spec import Port
from flowdsl.step.step import Written
from flowdsl_steps.image.options import INPUTS, ImageOptions, Sent, request_of
from flowdsl_steps.image.request import EDIT_MODEL, ImageRequest

if TYPE_CHECKING:
    from flowdsl import Expected, Purchase

EDIT_INPUTS = (
    *INPUTS,
    Port("imageList", "The pictures to edit, when the step has no `images`.", optional=True, instead=("images",)),
)
OLD_KEYS = {"prompt": "instruction", "image": "images"}


class EditOptions(ImageOptions):
    """What the edit steps take.

    Source: OpenAI API reference, Create image edit; openai-python 3.57 `ImageEditParams`.
    """

    model_config = ConfigDict(defer_build=True)

    model: str = EDIT_MODEL
    """The image model. On Azure the deployment decides, and this names the model behind it."""
    images: Annotated[Any, ProjectFile()] = None
    """The pictures to edit, 1 to 16: one, or a list. A text is the path of a file of the project (`./` and `../` from
    the flow's file, others from the project's root) or an address; a template gives pictures of steps before, whole
    imageLists, or blobs. Without it the input `imageList`."""
    mask: Annotated[Any, ProjectFile()] = None
    """Where to edit: a PNG as large as the first picture, which is edited where the mask is fully transparent."""
    input_fidelity: Annotated[Literal["high", "low"] | None, Sent()] = None
    """How closely the pictures are kept, faces above all."""

    @classmethod
    def buys(cls, expected: Expected) -> Iterable[Purchase]:
        """The requests for its pictures, with those that they are made of."""
        from flowdsl_steps.image.purchases import edit_purchases

        return edit_purchases(expected)

    async def run(self, ctx: StepContext) -> Written:
        """Edits the pictures and returns `imageList` and `object`."""
        from flowdsl_steps.image.gathered_pictures import gathered

        request = request_of(self, ctx)
        images = await gathered(ctx.input("imageList") if self.images is None else self.images, ctx)
        if not images:
            raise StepError(
                f"{ctx.step} has no picture to edit: `images` is absent and the input `imageList` is empty",
                code="missing-input",
                hint="add `images:`, or an image step before",
            )
        mask = await gathered(self.mask, ctx)
        request = request._replace(images=images, mask=mask[0] if mask else None)
        _refuse(request, ctx)
        return await self.made(request, ctx)


def _refuse(request: ImageRequest, ctx: StepContext) -> None:
    """Raises ConfigError, before anything is sent, when the pictures are not ones that the model takes: now all is
    known of them."""
    from datetime import date

    from flowdsl_steps.image.resolve import resolve_model
    from flowdsl_steps.image.vendors import known_vendor, vendor_of

    vendor = vendor_of(ctx.service)
    resolved = resolve_model(vendor, ctx.service, request.model, EDIT_MODEL, date.today())
    for problem in (known_vendor(resolved.provider) or vendor).supports(request, resolved):
        if problem.severity == "error" and problem.key in ("images", "mask"):
            raise ConfigError(problem.message, code=problem.code, hint=problem.hint)
