"""SAVE_IMAGES: pictures as files with names of the author's choice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from flowdsl import Deferred, Image, InFile, Port, Reads, Step, StepContext, StepError
from flowdsl.image.formats import EXTENSIONS
from flowdsl.template import to_text
from flowdsl_steps.data.source import read_source, what_is
from flowdsl_steps.io.file_name import directory_parts, file_name
from flowdsl_steps.io.output_files import OutputFile, write_by_effect
from flowdsl_steps.io.output_names import check_output_names


class SaveImages(
    Step,
    name="SAVE_IMAGES",
    category="Files",
    check=check_output_names,
    inputs=(Port("imageList", "The pictures, when there is no `in`.", optional=True, instead=("in",)),),
    outputs=(Port("list", "The paths of the files, in the order of the pictures."),),
    examples=(
        """\
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  instruction: A quiet harbour at dawn
  n: 2
- step: SAVE_IMAGES
  directory: harbour
  filename: "dawn-{{ index }}"
""",
        """\
inputs:
  towns: {type: array, items: {type: string}, default: [Lisbon]}
flow:
  - step: FOR
    var: town
    items: "{{ inputs.towns }}"
    do:
      - step: OPENAI_IMAGE_GENERATION
        model: gpt-image-2
        instruction: "The old town of {{ flowContext.town }}, watercolour"
      - step: SAVE_IMAGES
        directory: towns
        filename: "{{ flowContext.town }}-{{ index }}"
""",
    ),
):
    """Writes pictures as files into the output folder of the run: all of them, or none.

    A name that is taken gets the next number, `dawn-2.png`: no picture is written over another. What a file name
    cannot hold becomes `_`. The extension of the picture's format is added where it is missing.
    """

    writes_files: ClassVar[bool] = True

    in_: Annotated[Any, Reads("image", "images")] = Field(default=None, alias="in")
    """A picture, a list of them, or the FlowContext path that holds either; without it the input `imageList`."""
    directory: Annotated[str | None, InFile("folder")] = None
    """A folder inside the output folder."""
    filename: Annotated[
        str | None,
        Deferred("index", "count", "image", "mime", "extension", "sha256", "width", "height", "prompt"),
        InFile("name", differs=("image", "sha256", "prompt"), numbers=("index", "count")),
    ] = None
    """The name of each file, without folders; without it the one that the run gave the picture, `harbour-1.png`, which
    is not written again where it lies already. It is evaluated for each picture: `index` counts from 1 to `count`,
    `prompt` is the prompt as the service revised it, or empty."""
    overwrite: bool = False
    """Whether a file of that name is replaced; otherwise the new one gets a number."""

    async def run(self, ctx: StepContext) -> dict[str, Any]:
        """Writes the files."""
        images = _images(read_source(self.in_, ctx, type="imageList"), ctx)
        directory = None if self.directory is None else ctx.hide(self.directory)
        files, there = [], {}
        for index, image in enumerate(images, 1):
            name = _name(ctx, image, index, len(images))
            if "filename" not in ctx.given and image.is_named and _lies_in(ctx, directory, image):
                there[index - 1] = image.path
            else:
                files.append(OutputFile(name, image.read, counts="filename" not in ctx.given))
        written = iter(await write_by_effect(ctx, directory, files, overwrite=self.overwrite) if files else ())
        paths = [there[index] if index in there else next(written) for index in range(len(images))]
        ctx.progress("files written", len(paths), len(paths))
        return {"list": paths}


def _images(found: Any, ctx: StepContext) -> list[Image]:
    items = list(found) if isinstance(found, (list, tuple)) else [found]
    for number, item in enumerate(items, 1):
        if not isinstance(item, Image):
            raise StepError(
                f"{ctx.step} writes images, and item {number} is {what_is(item)}",
                code="wrong-type",
                hint="image steps give images; BASE64_TO_BLOB and the output `blob` of REST make them of bytes",
            )
    return items


_FOLDERS = re.compile(r"[/\\:]")


def _lies_in(ctx: StepContext, directory: str | None, image: Image) -> bool:
    """Whether the file of a picture is in the folder that it would be written to."""
    folder = ctx.output_folder.joinpath(*directory_parts(directory or ""))
    path = Path(image.path)
    return path.is_absolute() and path.is_file() and path.parent.resolve() == folder.resolve()


def _name(ctx: StepContext, image: Image, index: int, count: int) -> str:
    extension = EXTENSIONS[image.mime]
    if "filename" not in ctx.given:
        own = _FOLDERS.split(image.path)[-1]
        return file_name(f"image-{index}" if own.startswith(image.sha256) else own, extension)
    name = file_name(ctx.hide(to_text(ctx.evaluate("filename", _names(image, index, count)))), extension)
    if not name:
        raise StepError(f"`filename` is empty for image {index}", code="not-a-file-name")
    return name


def _names(image: Image, index: int, count: int) -> Mapping[str, Any]:
    return {
        "index": index,
        "count": count,
        "image": image,
        "mime": image.mime,
        "extension": EXTENSIONS[image.mime],
        "sha256": image.sha256,
        "width": image.width,
        "height": image.height,
        "prompt": image.revised_prompt or "",
    }
