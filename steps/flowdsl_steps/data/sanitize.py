"""SANITIZE: a text without what models like to put around and into it."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field

from flowdsl import Port, Reads, Step, StepContext, Written
from flowdsl_steps.data.source import as_text, read_source
from flowdsl_steps.data.xml_repair import well_formed

_FENCE = re.compile(r"[ \t]{0,3}(?:```[^`\n]*|~~~[^\n]*)")
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys(
            "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "
        ),
        **dict.fromkeys("\u200b\u2060\ufeff\u00ad", ""),
        "…": "...",
    }
)


class Sanitize(
    Step,
    name="SANITIZE",
    category="Data",
    inputs=(Port("text", "The text, when there is no `in`.", optional=True, instead=("in",)),),
    outputs=(Port("text", "The cleaned text."),),
    examples=(
        """\
- step: SET
  text: "“A quiet harbour” — at dawn…"
- step: SANITIZE
  normalizeCharacters: true
""",
    ),
):
    """Cleans a text of what models put around and into it, in this order: Markdown code fences, typographic characters,
    XML. It makes no markup safe: scripts and event attributes stay, so never show the text of strangers as HTML."""

    in_: Annotated[Any, Reads("text", "number", "boolean")] = Field(default=None, alias="in")
    """The text, or the FlowContext path that holds it; without it the input `text`."""
    stripMarkdown: bool = False
    """Remove the lines that open and close Markdown code fences, and keep what is inside."""
    normalizeCharacters: bool = False
    """Replace typographic quotes, dashes and spaces by plain ones; remove invisible characters that join nothing."""
    validateAndRepairXml: bool = False
    """Make XML well-formed: close what is open, drop what closes nothing, escape what must be."""

    def run(self, ctx: StepContext) -> Written:
        """The cleaned text, without white space around it."""
        text = as_text(read_source(self.in_, ctx), ctx)
        if self.stripMarkdown:
            text = "".join(line for line in text.splitlines(True) if not _FENCE.fullmatch(line.rstrip()))
        if self.normalizeCharacters:
            text = text.translate(_PLAIN)
        if self.validateAndRepairXml:
            text = well_formed(text)
        return {"text": text.strip()}
