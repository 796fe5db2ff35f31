"""RAISE: an error of the author's own."""

from __future__ import annotations

from pydantic import Field

from flowdsl import Exit, Step, StepContext, StepError


class Raise(
    Step,
    name="RAISE",
    flow=Exit(None),
    category="Control",
    examples=(
        """\
- step: SET
  names: [Ada]
- step: IF
  condition: "{{ flowContext.names | length == 0 }}"
  then:
    - step: RAISE
      message: There is nobody to paint
      code: no-names
""",
    ),
):
    """Fails with a message, as a step of its own; a TRY around it catches it."""

    message: str = Field(min_length=1)
    """What is wrong."""
    code: str = Field(default="raised", min_length=1)
    """A stable word for it, which a `when` can compare."""

    def run(self, ctx: StepContext) -> None:
        """Raises the error."""
        raise StepError(self.message, code=self.code)
