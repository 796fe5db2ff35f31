"""PLATFORM: the block for where the flow runs."""

from __future__ import annotations

from collections.abc import Awaitable

from flowdsl import AtLeastOne, Block, Signal, Step, StepContext, Switch


class Platform(
    Step,
    name="PLATFORM",
    rules=(AtLeastOne("swing", "prime", "standalone", "default"),),
    flow=Switch(blocks=("swing", "prime", "standalone", "default"), chosen="standalone", default="default"),
    category="Control",
    examples=(
        """\
- step: PLATFORM
  swing:
    - step: SET
      width: 300
  default:
    - step: SET
      width: 1200
""",
    ),
):
    """Runs the block of the platform the flow runs on; here that is always `standalone`, else `default`."""

    swing: Block | None = None
    """Steps for the editor Swing; never run here."""
    prime: Block | None = None
    """Steps for the editor Prime; never run here."""
    standalone: Block | None = None
    """Steps for a flow that runs by itself."""
    default: Block | None = None
    """Steps for every platform that has none of its own."""

    def run(self, ctx: StepContext) -> Awaitable[Signal | None]:
        """Runs `standalone`, else `default`."""
        return ctx.run_block(self.standalone if self.standalone is not None else self.default)
