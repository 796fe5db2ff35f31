"""BASE64_TO_BLOB: base64 text as bytes."""

from __future__ import annotations

import binascii
from typing import Annotated, Any

from pydantic import Field

from flowdsl import Port, Reads, Step, StepContext, StepError, Written
from flowdsl_steps.data.bytes_value import ANY_BYTES, bytes_value
from flowdsl_steps.data.source import as_text, read_source

_URL_SAFE = str.maketrans("-_", "+/")


class Base64ToBlob(
    Step,
    name="BASE64_TO_BLOB",
    category="Data",
    inputs=(Port("text", "The base64 text, when there is no `in`.", optional=True, instead=("in",)),),
    outputs=(Port("blob", "The bytes; an image when they are one."),),
    examples=(
        """\
- step: SET
  text: aGVsbG8=
- step: BASE64_TO_BLOB
  contentType: text/plain
""",
        """\
- step: BASE64_TO_BLOB
  in: data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=
- step: SAVE_IMAGES
  in: blob
  filename: dot
""",
    ),
):
    """Decodes base64, with or without a `data:` prefix. Bytes that are an image are stored and become an image."""

    in_: Annotated[Any, Reads("text", "number", "boolean")] = Field(default=None, alias="in")
    """The text, or the FlowContext path that holds it; without it the input `text`."""
    contentType: str | None = None
    """The media type; without it that of the `data:` prefix, else `application/octet-stream`."""

    def run(self, ctx: StepContext) -> Written:
        """The bytes as a blob, or as an image in the store."""
        import pybase64

        text = "".join(as_text(read_source(self.in_, ctx), ctx).split())
        prefix, comma, data = text.partition(",")
        if not (comma and prefix[:5].lower() == "data:" and prefix[-7:].lower() == ";base64"):
            prefix, data = "", text
        limit = ctx.limits.image_bytes
        if len(data) // 4 * 3 > limit:
            raise StepError(f"the blob has more than {limit:,} bytes", code="too-large")
        data = data.translate(_URL_SAFE)
        try:
            content = pybase64.b64decode(data + "=" * (-len(data) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise StepError("this is not base64", code="not-base64", hint=f"it starts with {text[:30]!r}") from None
        if not content:
            raise StepError("this is not base64: it is empty", code="not-base64")
        return {"blob": bytes_value(content, self.contentType or prefix[5:-7] or ANY_BYTES, ctx)}
