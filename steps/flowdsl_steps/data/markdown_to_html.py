"""MARKDOWN_TO_HTML: Markdown as HTML."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Annotated, Any

from flowdsl import Options, Port, Problem, Reads, Step, StepContext, StepError, Written
from flowdsl_steps.data.source import as_text, read_source


def check_markdown(options: Options) -> Iterator[Problem]:
    """Whether the package that does the work is installed."""
    if find_spec("markdown_it") is None:
        message = f"{options.step} needs markdown-it-py, which is not installed"
        yield Problem("missing-extra", message, hint="pip install 'flowdsl[markdown]'")


class MarkdownToHtml(
    Step,
    name="MARKDOWN_TO_HTML",
    category="Data",
    check=check_markdown,
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
