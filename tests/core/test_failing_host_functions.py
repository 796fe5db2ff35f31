"""What functions of the host raise is the failure of a run, with all that it made and cost, wherever it is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import flowdsl
from flowdsl import Environment, FlowFinished, Host, Limits, Note, StepStarted
from flowdsl.testing import run_step


class Paying(flowdsl.Step, name="PAYING"):
    """Pays."""

    def run(self, ctx: flowdsl.StepContext) -> None:
        """Spends a quarter."""
        ctx.spend(0.25)


def failing(error: Callable[[], Exception], **options: Any) -> Environment:
    def boom(*arguments: Any) -> None:
        raise error()

    return Environment(
        host=Host(objects={"boom": boom}, secrets={"KEY": "sk-0123456789"}.get), steps=[Paying], **options
    )


OUTPUTS = "flow: [{step: PAYING}]\noutputs: {x: '{{ boom() }}'}\n"


@pytest.mark.parametrize("limits", [Limits(), Limits(timeout_s=60)], ids=["no deadline", "a deadline"])
@pytest.mark.parametrize("error", [ValueError, TimeoutError])
def test_a_host_function_that_fails_in_outputs_keeps_the_result_and_its_cost(
    error: type[Exception], limits: Limits
) -> None:
    events: list[flowdsl.Event] = []
    with pytest.raises(flowdsl.TemplateError) as raised:
        failing(lambda: error("no database"), limits=limits).run(OUTPUTS, on_event=events.append)
    found = raised.value
    assert (found.code, found.step, found.path) == ("template-failed", "outputs", "outputs")
    assert found.message == f"`boom` failed: {error.__name__}: no database"
    assert isinstance(found.__cause__, error)
    assert found.result.cost_usd == 0.25
    finished = events[-1]
    assert isinstance(finished, FlowFinished)
    assert (finished.status, finished.error) == ("failed", found)


def test_a_secret_in_what_fails_in_outputs_is_hidden() -> None:
    flow = "flow: [{step: SET, key: \"{{ secret('KEY') }}\"}]\noutputs: {x: '{{ boom() }}'}\n"
    with pytest.raises(flowdsl.TemplateError) as raised:
        failing(lambda: ValueError("sk-0123456789 is refused")).run(flow)
    assert raised.value.message == "`boom` failed: ValueError: *** is refused"
    assert raised.value.__cause__ is None and raised.value.__suppress_context__


def test_a_label_that_fails_in_a_host_function_is_a_note_and_the_run_goes_on() -> None:
    events: list[flowdsl.Event] = []
    flow = "- {step: SET, a: \"{{ secret('KEY') }}\"}\n- {step: SET, b: 1, monitorLabel: '{{ boom(1) }}'}\n"
    result = failing(lambda: ValueError("sk-0123456789 is no label")).run(flow, on_event=events.append)
    text = "the monitorLabel fails: `boom` failed: ValueError: *** is no label"
    assert [(event.code, event.text) for event in events if isinstance(event, Note)] == [("label-failed", text)]
    assert result.notes == (("label-failed", text),)
    assert [event.label for event in events if isinstance(event, StepStarted)] == [None, None]
    assert result.outputs["b"] == 1


def test_the_error_of_a_run_has_no_other_error_in_its_traceback() -> None:
    with pytest.raises(flowdsl.StepError) as raised:
        flowdsl.run("- {step: RAISE, message: no}\n")
    assert raised.value.__context__ is None

    class Refuse(flowdsl.Step, name="REFUSE"):
        """Fails."""

        def run(self, ctx: flowdsl.StepContext) -> None:
            """Fails."""
            raise flowdsl.StepError("no")

    with pytest.raises(flowdsl.StepError) as alone:
        run_step(Refuse())
    assert alone.value.__context__ is None
