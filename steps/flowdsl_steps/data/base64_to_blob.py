"""BASE64_TO_BLOB: base64 text as bytes."""

from __future__ import annotations

import binascii
from typing import Any

from pydantic import Field

from flowdsl import Blob, Port, Step, StepContext, StepError, Written
from flowdsl_steps.data.source import as_text, read_source


class Base64ToBlob(
    Step,
    name="BASE64_TO_BLOB",
    category="Data",
    inputs=(Port("text", "The base64 text, when there is no `in`.", optional=True),),
    outputs=(Port("blob", "The bytes; an image when they are one."),),
    examples=(
        """\
- step: SET
  text: aGVsbG8=
- step: BASE64_TO_BLOB
  contentType: text/plain
""",
    ),
):
    """Decodes base64, with or without a `data:` prefix. Bytes that are an image are stored and become an image."""

    in_: Any = Field(default=None, alias="in")
    """The text, or the FlowContext path that holds it; without it the input `text`."""
    contentType: str | None = None
    """The media type; without it that of the `data:` prefix, else `application/octet-stream`."""

    def run(self, ctx: StepContext) -> Written:
        """The bytes as a blob, or as an image in the store."""
        import pybase64

        text = "".join(as_text(read_source(self.in_, ctx), ctx).split())
        prefix, comma, data = text.partition(",")
        if not (comma and prefix.startswith("data:") and prefix.endswith(";base64")):
            prefix, data = "", text
        try:
            content = pybase64.b64decode(data + "=" * (-len(data) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise StepError("this is not base64", code="not-base64", hint=f"it starts with {text[:30]!r}") from None
        kind = self.contentType or prefix.removeprefix("data:").removesuffix(";base64") or "application/octet-stream"
        if len(content) > ctx.limits.image_bytes:
            raise StepError(
                f"the blob has {len(content):,} bytes, more than {ctx.limits.image_bytes:,}", code="too-large"
            )
        if kind.startswith("image/"):
            return {"blob": ctx.store.add(content)}
        return {"blob": Blob(content, kind)}
