"""The engine: what happens in which order, what is emitted, and what a step is given and writes."""

from __future__ import annotations

from typing import Any

import pytest
from engine_steps import environment, shown

import flowdsl
from flowdsl import (
    Environment,
    Note,
    Step,
    StepContext,
    StepError,
    StepFailed,
    Written,
)
from flowdsl.testing import Recorder


def test_events_come_in_order_and_say_what_happened() -> None:
    text = (
        "- step: ECHO\n  say: one\n  monitorLabel: 'say {{ 1 + 1 }}'\n"
        "- step: SET\n  steps:\n  - step: WAIT\n    say: two\n"
    )
    events = Recorder()
    result = environment().run(text, on_event=events)
    assert [shown(event) for event in events.events] == [
        ("StepStarted", "ECHO", "flow[0]", "say 2"),
        ("Progress", "ECHO", "flow[0]", "echoing", 1, 2, None),
        ("Note", "ECHO", "flow[0]", "echo", "a note", {"n": 1}),
        ("StepFinished", "ECHO", "flow[0]", ("text",), None),
        ("StepStarted", "SET", "flow[1]", None),
        ("StepStarted", "WAIT", "flow[1].steps[0]", None),
        ("StepFinished", "WAIT", "flow[1].steps[0]", ("text",), None),
        ("StepFinished", "SET", "flow[1]", ("text",), None),
        ("FlowFinished", "done", 3, 0.25, None),
    ]
    times = [event.at_s for event in events.events]
    assert times == sorted(times)
    assert (result.outputs, result.steps, result.cost_usd) == ({"text": "two"}, 3, 0.25)


def test_a_failure_is_reported_with_its_place() -> None:
    events = Recorder()
    with pytest.raises(StepError) as raised:
        environment().run("- step: SET\n  a: 1\n- step: FAIL\n  how: step\n", on_event=events)
    error = raised.value
    assert (str(error), error.hint, error.step, error.path, str(error.span)) == (
        "cannot draw",
        "draw less",
        "FAIL",
        "flow[1]",
        "<text>:3:9",
    )
    assert [shown(event) for event in events.events[-2:]] == [
        ("StepFailed", "FAIL", "flow[1]", error),
        ("FlowFinished", "failed", 1, 0.0, error),
    ]


def test_an_error_in_a_block_is_reported_by_each_step_around_it_and_keeps_its_own_place() -> None:
    events = Recorder()
    with pytest.raises(StepError) as raised:
        environment().run("- step: SET\n  steps:\n  - step: FAIL\n    how: step\n", on_event=events)
    assert (raised.value.step, raised.value.path) == ("FAIL", "flow[0].steps[0]")
    assert [(event.path, event.error) for event in events.events if isinstance(event, StepFailed)] == [
        ("flow[0].steps[0]", raised.value),
        ("flow[0]", raised.value),
    ]


@pytest.mark.parametrize(
    ("how", "message", "cause"),
    [
        ("crash", "FAIL failed: ValueError: no such colour", ValueError),
        ("timeout", "FAIL failed: TimeoutError: too slow", TimeoutError),
    ],
)
def test_a_foreign_exception_is_wrapped_once(how: str, message: str, cause: type[Exception]) -> None:
    with pytest.raises(StepError) as raised:
        environment().run(f"- step: SET\n  steps:\n  - step: FAIL\n    how: {how}\n")
    assert (str(raised.value), raised.value.code, type(raised.value.__cause__)) == (message, "step-crashed", cause)


def test_an_output_that_was_not_declared_is_an_error() -> None:
    with pytest.raises(StepError) as raised:
        environment().run("- step: FAIL\n  how: undeclared\n")
    assert (str(raised.value), raised.value.hint, raised.value.path) == (
        "FAIL returned `image`, which is not among its outputs",
        "declare it: outputs=('text', 'image')",
        "flow[0]",
    )


@pytest.mark.parametrize(("result", "found"), [("done", "a text"), (["done"], "a list"), (3, "a value of type int")])
def test_a_step_that_returns_no_map_is_reported_with_what_to_return(result: Any, found: str) -> None:
    class Odd(Step, name="ODD", outputs=("object",)):
        """Return what it must not."""

        def run(self, ctx: StepContext) -> Written:
            return result  # type: ignore[no-any-return]  # the mistake

    with pytest.raises(StepError) as raised:
        Environment(steps=[Odd]).run("- step: ODD\n")
    assert (str(raised.value), raised.value.hint) == (
        f"ODD returned {found}; return a map from output type to value",
        "for example {'object': …}",
    )


@pytest.mark.parametrize(
    ("options", "context"),
    [
        ("", {"text": "hi"}),
        ("key: said", {"said": "hi"}),
        ("outputs: [{type: text, name: said}]", {"said": "hi"}),
        (
            "outputs: [{type: object, name: meta}, {type: text, name: t}]",
            {"t": "hi", "meta": {"asked": ["object", "text"]}},
        ),
        ("outputs: [{type: object, name: meta}]", {"meta": {"asked": ["object"]}}),
    ],
)
def test_outputs_go_where_the_author_wants_them(options: str, context: dict[str, Any]) -> None:
    result = environment().run(f"- step: ECHO\n  say: hi\n  {options}\n")
    assert result.context == context


def test_inputs_come_from_where_the_author_says() -> None:
    text = (
        "- step: SET\n  selected: {titles: [a, b]}\n"
        "- step: ECHO\n  inputs: [{type: text, name: selected.titles.1}]\n  key: said\n"
    )
    assert environment().run(text).context["said"] == "b"


def test_a_templated_option_is_checked_when_it_is_resolved() -> None:
    with pytest.raises(flowdsl.ConfigError) as raised:
        environment().run("- step: ECHO\n  say: '{{ flowContext.k }}'\n", {"k": [1]})
    error = raised.value
    assert (str(error), error.code, error.path, str(error.span)) == (
        "`say` takes a text, not a list of 1",
        "wrong-type",
        "flow[0]",
        "<text>:2:8",
    )


def test_a_template_that_fails_is_reported_at_its_own_characters() -> None:
    with pytest.raises(flowdsl.TemplateError) as raised:
        environment().run("- step: ECHO\n  say: 'x {{ flowContext.a.b.c | json }}'\n", {"a": None})
    assert raised.value.span is not None
    assert (raised.value.step, raised.value.path, raised.value.span.first.line) == ("ECHO", "flow[0]", 2)


def test_a_label_that_fails_is_a_note_whether_or_not_anybody_listens() -> None:
    flow = environment().load("- step: ECHO\n  say: hi\n  monitorLabel: '{{ range(1, 99999999) }}'\n")
    events = Recorder()
    assert flow.run(on_event=events).outputs == flow.run().outputs == {"text": "hi"}
    note, started = events.events[:2]
    assert isinstance(note, Note)
    assert note.text.startswith("the monitorLabel fails: ")
    assert (note.code, shown(started)) == ("label-failed", ("StepStarted", "ECHO", "flow[0]", None))


def test_an_output_that_fails_ends_the_run_as_failed() -> None:
    text = "inputs: {a: {default: [1]}}\noutputs: {x: '{{ range(1, 99999999) }}'}\nflow:\n- step: ECHO\n  say: hi\n"
    events = Recorder()
    with pytest.raises(flowdsl.TemplateError) as raised:
        environment().run(text, on_event=events)
    assert (raised.value.step, raised.value.path) == ("outputs", "outputs")
    assert shown(events.events[-1]) == ("FlowFinished", "failed", 1, 0.25, raised.value)


def test_a_constant_option_that_no_key_rule_sees_fails_with_its_place() -> None:
    class Strict(Step, name="STRICT"):
        """Take whole numbers."""

        numbers: list[int]
        """The numbers."""

        def run(self, ctx: StepContext) -> Written:
            return None

    (found,) = Environment(steps=[Strict]).check("- step: STRICT\n  numbers: [x]\n")
    assert (found.code, str(found.span)) == ("invalid-option", "<text>:2:12")
    assert found.message.startswith("`numbers.0`: ")
    with pytest.raises(flowdsl.ConfigError) as raised:
        Environment(steps=[Strict]).run("- step: SET\n  a: x\n- step: STRICT\n  numbers: ['{{ flowContext.a }}']\n")
    error = raised.value
    assert (error.code, error.step, error.path, str(error.span)) == (
        "invalid-option",
        "STRICT",
        "flow[1]",
        "<text>:4:12",
    )
    assert str(error).startswith("`numbers.0`: ")
