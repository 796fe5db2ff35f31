"""DEBUG: a look at the FlowContext."""

from __future__ import annotations

from flowdsl import Step, StepContext


class Debug(
    Step,
    name="DEBUG",
    category="Control",
    examples=(
        """\
- step: SET
  text: A lighthouse in a storm
- step: DEBUG
  id: before-painting
""",
    ),
):
    """Emits the FlowContext and the step's own options to the host's sink, secrets hidden."""

    omitDebugger: bool = False
    """Accepted for flows that also run in a browser; there is no debugger to start here."""

    def run(self, ctx: StepContext) -> None:
        """Emits everything the FlowContext holds."""
        config = {"id": ctx.id, "omitDebugger": self.omitDebugger}
        ctx.emit("DEBUG", {"path": ctx.path, "config": config, "context": dict(ctx.flow_context)})
