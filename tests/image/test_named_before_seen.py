"""A picture has its name for people before any other step sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from image_pictures import drawn

from flowdsl import Environment, Port, Signal, Step, StepContext, Storage


class Writer(Step, name="WRITER", outputs=(Port("image", optional=True),)):
    """Stores a picture, and writes it itself."""

    ends: bool = False
    """Whether it ends the block."""

    async def run(self, ctx: StepContext) -> Signal | None:
        """Stores it."""
        ctx.write("picture", ctx.store.add(drawn("PNG")))
        return Signal.RETURN if self.ends else None


@pytest.mark.parametrize("ends", ["false", "true"])
def test_the_picture_of_a_step_that_returns_nothing_has_its_name_before_the_next_step_sees_it(
    ends: str, tmp_path: Path
) -> None:
    flow = f"""
inputs: {{picture: {{default: none}}}}
blocks: {{flows: {{paint: [{{step: WRITER, ends: {ends}}}]}}}}
flow:
  - {{step: CALL_FLOW, ref: local.flows.paint}}
  - {{step: SET, seen: "{{{{ flowContext.picture.path }}}}"}}
"""
    result = Environment(steps=[Writer], storage=Storage(images=tmp_path)).run(flow)
    assert Path(result.context["seen"]).name == "image-1.png"
    assert result.context["seen"] == result.made[0].path
