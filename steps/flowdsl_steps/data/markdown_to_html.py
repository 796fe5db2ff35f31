"""MARKDOWN_TO_HTML: Markdown as HTML."""

from __future__ import annotations

from typing import Annotated, Any

from flowdsl import Port, Reads, Step, StepContext, StepError, Written
from flowdsl_steps.data.source import as_text, read_source


class MarkdownToHtml(
    Step,
    name="MARKDOWN_TO_HTML",
    category="Data",
    inputs=(Port("text", "The Markdown, when there is no `text`.", optional=True, instead=("text",)),),
    outputs=(Port("text", "The HTML."),),
    examples=(
        """\
- step: MARKDOWN_TO_HTML
  text: "**Dawn** over the bay"
""",
    ),
):
    """Turns Markdown (CommonMark with tables and strikethrough) into HTML. Raw HTML in it is escaped."""

    text: Annotated[Any, Reads("text", "number", "boolean")] = None
    """The Markdown, or the FlowContext path that holds it; without it the input `text`."""

    def run(self, ctx: StepContext) -> Written:
        """The HTML."""
        try:
            from markdown_it import MarkdownIt
        except ImportError:
            raise StepError(
                "MARKDOWN_TO_HTML needs markdown-it-py, which is not installed",
                code="missing-extra",
                hint="pip install 'flowdsl[markdown]'",
            ) from None
        markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
        return {"text": str(markdown.render(as_text(read_source(self.text, ctx, "text"), ctx)))}
