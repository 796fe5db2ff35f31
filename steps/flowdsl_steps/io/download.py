"""DOWNLOAD: a value as a file."""

from __future__ import annotations

import mimetypes
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field

from flowdsl import Blob, Image, InFile, Port, Reads, Step, StepContext, StepError
from flowdsl.image.formats import EXTENSIONS
from flowdsl.template import stringify, to_text
from flowdsl_steps.data.source import read_source
from flowdsl_steps.io.file_name import file_name
from flowdsl_steps.io.output_files import OutputFile, write_by_effect
from flowdsl_steps.io.output_names import check_output_names


class Download(
    Step,
    name="DOWNLOAD",
    aliases=("DOWNLOAD_TEXT",),
    category="Files",
    check=check_output_names,
    inputs=(
        Port("blob", "What is written when there is no `in`: a blob or an image.", optional=True, instead=("in",)),
        Port("text", "What is written when there is no `blob` either.", optional=True, instead=("in",)),
    ),
    outputs=(Port("path", "The path of the file.", optional=True),),
    examples=(
        """\
- step: SET
  text: "# A quiet harbour"
- step: DOWNLOAD
  filename: harbour.md
  outputs:
    - {type: path, name: file}
""",
        """\
- step: SET
  captions: [A quiet harbour, A busy market]
- step: DOWNLOAD
  in: captions
  directory: texts
  filename: captions.json
""",
    ),
):
    """Writes a value as a file into the output folder of the run: a text as UTF-8, an image or a blob as its bytes, a
    list or a map as JSON.

    What a file name cannot hold becomes `_`. A name without an extension gets that of the media type.
    """

    writes_files: ClassVar[bool] = True

    filename: Annotated[str, InFile("name")] = Field(min_length=1)
    """The name of the file, without folders."""
    contentType: str | None = None
    """The media type; without it that of the value. A text type asks for the input `text`."""
    in_: Annotated[Any, Reads(), InFile()] = Field(default=None, alias="in")
    """The value, or the FlowContext path that holds it; without it the input `blob`, else `text`."""
    directory: Annotated[str | None, InFile("folder")] = None
    """A folder inside the output folder."""
    overwrite: bool = False
    """Whether a file of that name is replaced; otherwise the new one gets a number, `harbour-2.md`."""

    async def run(self, ctx: StepContext) -> dict[str, Any]:
        """Writes the file."""
        content, kind = _content(self._source(ctx))
        name = _name(ctx.hide(self.filename), self.contentType or kind)
        file = OutputFile(name, content if callable(content) else partial(bytes, content))
        directory = None if self.directory is None else ctx.hide(self.directory)
        paths = await write_by_effect(ctx, directory, [file], overwrite=self.overwrite)
        ctx.progress(f"{name} written", 1, 1)
        return {"path": paths[0]}

    def _source(self, ctx: StepContext) -> Any:
        wants_text = (self.contentType or "").startswith("text/") or ctx.inputs == ("text",)
        has_blob = isinstance(ctx.input("blob"), (Blob, Image))
        return read_source(self.in_, ctx, type="blob" if has_blob and not wants_text else "text")


def _content(value: Any) -> tuple[Any, str]:
    """The bytes of a value, or what reads them, and its media type."""
    if isinstance(value, Image):
        return value.read, value.mime
    if isinstance(value, Blob):
        return value.content, str(value["contentType"])
    if isinstance(value, (dict, list)):
        return f"{stringify(value, 2)}\n".encode("utf-8", "replace"), "application/json"
    return to_text(value).encode("utf-8", "replace"), "text/plain"


def _name(text: str, content_type: str) -> str:
    name = file_name(text)
    if not name:
        raise StepError(f"`filename` is {text!r}, which names no file", code="not-a-file-name")
    if "." in name:
        return name
    kind = content_type.partition(";")[0].strip().lower()
    extension = EXTENSIONS.get(kind) or (mimetypes.guess_extension(kind) or "").removeprefix(".")
    return file_name(name, extension or None)
