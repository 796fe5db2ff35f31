"""SHOW_RESPONSE: shows a text as a response."""

from __future__ import annotations

from typing import Literal

from flowdsl import Block, Port, Sequence, Signal, Step, StepContext
from flowdsl_steps.data.source import as_text, read_source

EXAMPLE = """\
- step: SET
  text: "# Ready"
- step: SHOW_RESPONSE
  mode: markdown
"""


class ShowResponse(
    Step,
    name="SHOW_RESPONSE",
    aliases=("CTX_SHOW_RESPONSE",),
    category="User interface",
    flow=Sequence(blocks=("inlineSteps",)),
    inputs=(Port("text", "What is shown.", needed=True),),
    examples=(EXAMPLE,),
):
    """Shows the input `text` as a response: the host shows it, without a host it is printed."""

    inlineSteps: Block | None = None
    """Steps that run first, while the host shows that something goes on."""
    mode: Literal["html", "markdown", "text"] | None = None
    """How the text is to be read."""

    async def run(self, ctx: StepContext) -> Signal | None:
        """Runs the inline steps, then emits the text to the host's sink."""
        signal = await ctx.run_block(self.inlineSteps)
        if signal is not None:
            return signal
        message = as_text(read_source(None, ctx, "text"), ctx)
        ctx.emit("SHOW_RESPONSE", {"message": message, "mode": self.mode or "text"})
        return None
