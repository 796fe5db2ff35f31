"""The deadline of a run counts between the options of one step, its assignments, and the outputs too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ConfigDict

import flowdsl
from flowdsl import Environment, LimitExceeded, Limits, Step, StepContext

SLOW = "{% for i in range(30000) %}{% set x = i %}{% endfor %}"
"""A template that takes a while, far below its own limit."""


FLOWS = {
    "assignments": "- step: SET\n" + "".join(f'  k{number}: "{SLOW}"\n' for number in range(100)),
    "outputs": "flow: [{step: SET, a: 1}]\noutputs:\n" + "".join(f'  k{number}: "{SLOW}"\n' for number in range(100)),
}


class ManyOptions(Step, name="MANY_OPTIONS", category="Test", examples=("- step: MANY_OPTIONS\n",)):
    """Has options."""

    model_config = ConfigDict(extra="forbid")

    a: str = ""
    """One."""
    b: str = ""
    """Another."""

    async def run(self, ctx: StepContext) -> dict[str, Any]:
        """Writes nothing."""
        return {}


@pytest.mark.parametrize("name", FLOWS)
def test_the_deadline_ends_a_step_with_many_slow_templates(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.flow.yaml"
    path.write_text(FLOWS[name])
    flow = flowdsl.load(path, environment=Environment(limits=Limits(timeout_s=0.1)))
    with pytest.raises(LimitExceeded) as caught:
        flow.run()
    assert caught.value.code == "deadline"
    assert caught.value.result is not None
    assert "k99" not in caught.value.result.context


def test_the_deadline_counts_between_two_options(tmp_path: Path) -> None:
    path = tmp_path / "a.flow.yaml"
    path.write_text(f'- step: MANY_OPTIONS\n  a: "{SLOW}"\n  b: "{{{{ flowContext.nobody.at.all }}}}"\n')
    environment = Environment(steps=[ManyOptions], limits=Limits(timeout_s=0.001))
    flow = flowdsl.load(path, environment=environment, declare=["nobody"])
    with pytest.raises(LimitExceeded) as caught:
        flow.run()
    assert (caught.value.code, caught.value.step) == ("deadline", "MANY_OPTIONS")
