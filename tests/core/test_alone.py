"""A step that runs alone, in a test: it sees what it would see in a flow."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field

from flowdsl import Environment, Step, StepContext, UsageError, Written
from flowdsl.testing import StubContext, run_step


class Seen(Step, name="SEEN", outputs=("object",)):
    """Return what the context says of the keys."""

    in_: str | None = Field(default=None, alias="in")
    """A key whose field has another name."""
    other: int = 1
    """Another key."""

    def run(self, ctx: StepContext) -> Written:
        ctx.progress("looking", 1, 2)
        ctx.note("seen", "a note", {"n": 1})
        ctx.emit("seen", {"in": self.in_})
        ctx.spend(0.5)
        return {"object": {"step": ctx.step, "path": ctx.path, "given": sorted(ctx.given)}}


@pytest.mark.parametrize(
    ("options", "text"),
    [({"in": "x"}, "  in: x\n"), ({"in": "x", "other": 2}, "  in: x\n  other: 2\n"), ({}, "")],
    ids=["one key", "both keys", "none"],
)
def test_given_holds_keys_as_they_stand_in_the_file(options: dict[str, Any], text: str) -> None:
    alone = run_step(Seen(**options))["object"]
    flow = Environment(steps=[Seen]).run(f"- step: SEEN\n{text}  outputs: [{{type: object, name: object}}]\n")
    assert alone == flow.context["object"]
    assert alone["given"] == sorted(options)


def test_what_a_step_emits_alone_is_remembered() -> None:
    context = StubContext({"a": 1})
    run_step(Seen(), context)
    assert context.progressed == [("looking", 1, 2)]
    assert context.notes == [("seen", "a note", {"n": 1})]
    assert context.emitted == [("seen", {"in": None})]
    assert context.spent == [0.5]
    assert context.flow_context == {"a": 1}


def test_blocks_and_called_flows_need_a_flow() -> None:
    context = StubContext()
    for call in (lambda: context.run_block(None), context.branch, lambda: context.call_flow(name="x")):
        with pytest.raises(UsageError, match=r"^a StubContext runs no other steps"):
            call()
