"""Control steps of a third party are checked along every path and run exactly as the standard ones."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest

import flowdsl
from flowdsl import Assign, Block, Call, Choice, Exit, Loop, Parallel, Sequence, Signal, Step, Switch, Try
from flowdsl.testing import Recorder

PACKAGE = Path(__file__).parent.parent / "packages" / "plugin_steps"


def plugin() -> ModuleType:
    """The module of the test package, without its folder on the path, where other tests would find its steps."""
    spec = importlib.util.spec_from_file_location("plugin_control", PACKAGE / "plugin_steps" / "control.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["plugin_control"] = module
    spec.loader.exec_module(module)
    return module


STEPS = [v for v in vars(plugin()).values() if isinstance(v, type) and issubclass(v, Step) and v.declared.get("name")]
ENVIRONMENT = flowdsl.Environment(steps=STEPS)


def findings(flow: str) -> list[tuple[str, int, str]]:
    return [(found.code, found.span.first.line, found.message) for found in ENVIRONMENT.check(flow)]


def codes(flow: str) -> list[tuple[str, int]]:
    return [(code, line) for code, line, _ in findings(flow)]


def outputs(flow: str) -> dict[str, Any]:
    assert [found for found in ENVIRONMENT.check(flow) if found.severity == "error"] == []
    return dict(ENVIRONMENT.run(flow).outputs)


EACH = """\
- step: EACH
  values: [1, 2, 3]
  as: thing
  body:
    - step: SET
      double: "{{ flowContext.thing * 2 }}"
"""


def test_a_misspelt_variable_in_the_body_is_found() -> None:
    assert codes(EACH.replace("flowContext.thing", "flowContext.thin")) == [("undefined-variable", 6)]


def test_the_item_is_no_variable_before_the_loop() -> None:
    assert codes("- step: SET\n  early: '{{ flowContext.thing }}'\n" + EACH)[0] == ("undefined-variable", 2)


def test_a_variable_of_the_body_is_known_after_the_loop() -> None:
    flow = EACH + "- step: SET\n  copy: '{{ flowContext.double }} {{ flowContext.thing }}'\n"
    assert findings(flow) == []
    assert outputs(flow) == {"thing": 3, "double": 6, "copy": "6 3"}


def test_a_variable_of_the_body_may_be_unset_when_the_values_may_be_none() -> None:
    flow = EACH.replace("[1, 2, 3]", "'{{ inputs.some }}'") + "- step: SET\n  copy: '{{ flowContext.double }}'\n"
    flow = "inputs: {some: {type: array}}\nflow:\n" + flow
    message = "`flowContext.double` may be unset: the loop at 3 may run no iteration"
    assert findings(flow) == [("maybe-undefined", 10, message)]


def test_a_loop_without_items_never_runs() -> None:
    assert ("loop-never-runs", 2) in codes(EACH.replace("[1, 2, 3]", "[]"))


def test_a_step_after_stop_is_unreachable_and_does_not_run() -> None:
    flow = "- step: SET\n  a: 1\n- step: STOP\n- step: SET\n  b: 2\n"
    assert findings(flow) == [("unreachable-step", 4, "this SET never runs: the STOP at 3 ends the run before it")]
    assert outputs(flow) == {"a": 1}


@pytest.mark.parametrize("leave", ["BREAK", "LEAVE"], ids=["standard", "plugin"])
@pytest.mark.parametrize(
    "loop",
    [EACH, EACH.replace("EACH", "FOR").replace("values", "items").replace("as:", "var:").replace("body:", "do:")],
    ids=["in-plugin-loop", "in-standard-loop"],
)
def test_a_loop_can_be_left(loop: str, leave: str) -> None:
    condition = "condition" if leave == "BREAK" else "full"
    flow = loop + f"    - step: {leave}\n      {condition}: '{{{{ flowContext.thing == 2 }}}}'\n"
    assert findings(flow) == []
    assert outputs(flow)["thing"] == 2


SPREAD = """\
- step: SET
  total: 0
- step: SPREAD
  over: [1, 2, 3]
  task:
    - step: SET
      square: "{{ flowContext.it * flowContext.it }}"
"""


def test_iterations_side_by_side_run_on_copies_that_are_merged_in_order() -> None:
    assert findings(SPREAD) == []
    assert outputs(SPREAD) == {"total": 0, "it": 3, "square": 9}


def test_iterations_side_by_side_lose_what_they_add_up() -> None:
    added = SPREAD + "      total: '{{ flowContext.total + flowContext.square }}'\n"
    assert codes(added) == [("parallel-write-conflict", 8)]
    assert [found.hint for found in ENVIRONMENT.check(added)] == ["set `lanes: 1`"]
    assert codes(added.replace("  over", "  lanes: 1\n  over")) == []


def test_iterations_side_by_side_cannot_be_broken() -> None:
    broken = SPREAD + "    - step: BREAK\n"
    assert ("break-in-concurrent-loop", 8) in codes(broken)
    assert [found.hint for found in ENVIRONMENT.check(broken) if found.code == "break-in-concurrent-loop"] == [
        "set `lanes: 1`, or write CONTINUE to end this iteration only"
    ]


def test_an_exit_of_a_plugin_needs_a_loop_around_it() -> None:
    assert codes("- step: LEAVE\n") == [("outside-loop", 1)]


def test_an_option_that_a_loop_resolves_when_it_likes_reads_what_an_iteration_sets() -> None:
    flow = """\
- step: UNTIL
  enough: "{{ flowContext.squares > 10 }}"
  keep: "{{ flowContext.squares }}"
  kept: all
  again:
    - step: SET
      squares: "{{ flowContext.turn * flowContext.turn }}"
- step: SET
  last: "{{ flowContext.all | last }} {{ flowContext.turn }}"
"""
    assert findings(flow) == []
    assert outputs(flow) == {"turn": 4, "squares": 16, "all": [0, 1, 4, 9, 16], "last": "16 4"}
    assert codes(flow.replace('keep: "{{ flowContext.squares', 'keep: "{{ flowContext.square')) == [
        ("undefined-variable", 3)
    ]


GUARD = """\
- step: GUARD
  risky:
    - step: SET
      a: 1
    - step: RAISE
      message: broken
  rescue:
    - step: SET
      b: "{{ flowContext.trouble.message }}"
  tidy:
    - step: SET
      c: done
- step: SET
  d: "{{ flowContext.b }} {{ flowContext.c }}"
"""


def test_an_error_is_caught_under_the_key_of_the_shape() -> None:
    assert findings(GUARD) == []
    assert outputs(GUARD)["d"] == "broken done"
    assert codes(GUARD.replace("trouble.message", "error.message")) == [("undefined-variable", 9)]


def test_an_option_that_a_step_resolves_after_its_blocks_reads_what_they_set() -> None:
    flow = GUARD.replace("- step: SET\n  d", "  report: '{{ flowContext.c }}'\n- step: SET\n  d")
    assert findings(flow) == []
    recorder = Recorder()
    ENVIRONMENT.run(flow, on_event=recorder)
    assert [event.payload for event in recorder.events if isinstance(event, flowdsl.Emitted)] == ["done"]
    assert codes(flow.replace("flowContext.c }}'", "flowContext.e }}'")) == [("undefined-variable", 13)]


def test_what_a_body_sets_may_be_unset_where_its_error_is_caught() -> None:
    flow = GUARD.replace("flowContext.trouble.message", "flowContext.a")
    found = "`flowContext.a` may be unset: the GUARD at 1 can fail before it sets it"
    assert findings(flow) == [("maybe-undefined", 9, found)]


BOTH = """\
- step: BOTH
  left:
    - step: SET
      a: 1
  right:
    - step: SET
      b: 2
- step: SET
  c: "{{ flowContext.a + flowContext.b }} {{ flowContext.list | join }}"
"""


def test_blocks_side_by_side_are_merged_and_outputs_are_written() -> None:
    assert findings(BOTH) == []
    assert outputs(BOTH)["c"] == "3 leftright"
    assert codes(BOTH.replace("b: 2", "b: '{{ flowContext.a }}'")) == [("undefined-variable", 7)]


def test_blocks_side_by_side_must_not_write_the_same_key() -> None:
    assert ("parallel-write-conflict", 7) in codes(BOTH.replace("b: 2", "a: 2"))


COIN = """\
inputs: {side: {type: string}}
flow:
  - step: COIN
    shows: "{{ inputs.side == 'heads' }}"
    heads:
      - step: SET
        won: true
  - step: SET
    text: "{{ flowContext.won }}"
"""


def test_a_choice_without_its_other_block_leaves_a_key_unset() -> None:
    message = "`flowContext.won` may be unset: the COIN at 3 has no `tails`"
    assert findings(COIN) == [("maybe-undefined", 9, message)]
    assert findings(COIN.replace("  - step: SET\n    text", "    tails: [{step: STOP}]\n  - step: SET\n    text")) == []
    assert ENVIRONMENT.run(COIN, {"side": "heads"}).outputs["text"] is True


def test_a_choice_with_its_other_block_alone_may_run_nothing() -> None:
    flow = COIN.replace("COIN", "IF").replace("shows:", "condition:").replace("heads:", "else:")
    message = "`flowContext.won` may be unset: the IF at 3 has no `then`"
    assert findings(flow) == [("maybe-undefined", 9, message)]
    assert (
        findings(flow.replace("- step: SET\n        won: true", "- step: STOP").replace("flowContext.won", "1")) == []
    )


PICK = """\
inputs: {size: {type: string}}
flow:
  - step: PICK
    by: "{{ inputs.size }}"
    of:
      small:
        - step: SET
          width: 100
      rest:
        - step: SET
          width: 900
  - step: SET
    text: "{{ flowContext.width }}"
"""


def test_a_switch_is_complete_with_its_default() -> None:
    assert findings(PICK) == []
    assert ENVIRONMENT.run(PICK, {"size": "small"}).outputs["text"] == 100
    message = "`flowContext.width` may be unset: the PICK at 3 has no `rest`"
    assert findings(PICK.replace("rest:", "large:")) == [("maybe-undefined", 13, message)]


CALLED = """\
blocks:
  flows:
    twice:
      - step: SET
        b: "{{ flowContext.a * 2 }}"
flow:
  - step: SET
    a: 4
  - step: GOTO
    flow: local.flows.twice
  - step: SET
    c: "{{ flowContext.b }}"
"""


def test_a_called_flow_is_followed_with_what_is_set_there() -> None:
    assert findings(CALLED) == []
    assert outputs(CALLED)["c"] == 8
    assert codes(CALLED.replace("    a: 4", "    x: 4"))[0] == ("undefined-variable", 5)
    assert ("unknown-flow", 10) in codes(CALLED.replace("flow: local.flows.twice", "flow: local.flows.twce"))


def test_a_sequence_ends_where_its_first_block_does() -> None:
    flow = """\
- step: FIRST_THEN
  first:
    - step: STOP
  second:
    - step: SET
      a: 1
"""
    assert codes(flow) == [("unreachable-step", 5)]
    assert outputs(flow) == {}
    assert outputs(flow.replace("STOP", "DEBUG")) == {"a": 1}


def test_what_a_plugin_assigns_is_known_and_what_it_does_not_is_not() -> None:
    flow = """\
- step: LET
  the: half
  from:
    - step: PUT
      found: 21
- step: PUT
  loud: true
  whole: "{{ flowContext.half * 2 }}"
  word: ahoy
- step: SET
  text: "{{ flowContext.word }} {{ flowContext.whole }}"
"""
    assert findings(flow) == []
    assert outputs(flow)["text"] == "AHOY 42"
    assert codes(flow.replace("flowContext.word", "flowContext.loud")) == [("undefined-variable", 11)]
    assert codes(flow.replace("flowContext.half", "flowContext.the")) == [("undefined-variable", 8)]


@pytest.mark.long
def test_the_command_line_finds_the_steps_by_their_entry_point(tmp_path: Path) -> None:
    path = tmp_path / "each.flow.yaml"
    path.write_text(EACH + "- step: STOP\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}

    def flowdsl_command(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flowdsl.cli", *arguments]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    validated = flowdsl_command("validate", "--strict", str(path))
    assert validated.returncode == 0, validated.stderr
    ran = flowdsl_command("run", str(path), "--json")
    assert ran.returncode == 0, ran.stderr
    assert '"double": 6' in ran.stdout
    path.write_text(EACH.replace("flowContext.thing", "flowContext.thin"), encoding="utf-8")
    assert "did you mean `flowContext.thing`?" in flowdsl_command("validate", str(path)).stdout
    assert "Runs `body` for each of `values`" in flowdsl_command("docs", "--out", "docs").stdout + (
        tmp_path / "docs" / "EACH.md"
    ).read_text(encoding="utf-8")
    assert flowdsl_command("schema", "--out", "schemas").returncode == 0
    assert '"body"' in (tmp_path / "schemas" / "steps" / "EACH.schema.json").read_text(encoding="utf-8")


def declare(flow: Any = None, **fields: Any) -> type[Step]:
    """A step class DO with these fields and, unless it is None, this shape."""
    declared = {"name": "DO"} if flow is None else {"name": "DO", "flow": flow}

    def run(self: Step, ctx: flowdsl.StepContext) -> None: ...

    namespace = {"__annotations__": dict(fields), "run": run, "__module__": __name__}
    return type(Step)("Do", (Step,), namespace, **declared)


def test_a_block_that_no_shape_names_is_refused_at_class_creation() -> None:
    with pytest.raises(flowdsl.PluginError) as raised:
        declare(body=Block)
    assert str(raised.value) == (
        "DO: no shape says when the steps in `body` run; add it to the class, for example "
        'flow=Loop(body="body") or flow=Sequence(blocks=("body",))'
    )


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        ("loop", "DO: flow takes a shape, for example flow=Loop(body=\"do\"), not 'loop'"),
        (
            Loop(body="bdy"),
            "DO: `body` of Loop names the key `bdy`, which the step does not have; did you mean `body",
        ),
        (Loop(body="size"), "DO: `body` of Loop takes a list of steps, and the key `size` takes a whole number"),
        (Loop(body="body", items="size"), "DO: `items` of Loop takes a list, and the key `size` takes a whole number"),
        (Loop(body="body", item="size"), "DO: `item` of Loop takes a text, and the key `size` takes a whole number"),
        (Loop(body="body", index="{as}_index"), "DO: `index` of Loop names the key `as`, which the step does not have"),
        (Loop(body="body", numbers=("size",)), "DO: `numbers` of Loop takes the keys of the first number"),
        (Loop(body="body", collect=("size",)), "DO: `collect` of Loop takes the key of the value and the key"),
        (Loop(body="body", on="size"), 'DO: `on` of Loop takes a tuple of keys: on=("size",)'),  # type: ignore[arg-type]
        (Loop(body=3), "DO: `body` of Loop takes the name of a key, not 3"),  # type: ignore[arg-type]
        (Sequence(blocks="body"), 'DO: `blocks` of Sequence takes a tuple of keys: blocks=("body",)'),  # type: ignore[arg-type]
        (Sequence(blocks=()), "DO: Sequence names no key"),
        (Parallel(blocks=("body", "size")), "DO: `blocks` of Parallel takes a list of steps, and the key `size` takes"),
        (
            Choice(then="body", otherwise="els"),
            "DO: `otherwise` of Choice names the key `els`, which the step",
        ),
        (Switch(cases="cases", as_text="on"), "DO: `as_text` of Switch is True or False, not 'on'"),  # type: ignore[arg-type]
        (Switch(), "DO: Switch takes either `cases` or `blocks`"),
        (Switch(cases="body"), "DO: `cases` of Switch takes a map from value to a list of steps, and the key `body`"),
        (Try(body="body", when="wen"), "DO: `when` of Try names the key `wen`, which the step does not have"),
        (Call(), "DO: Call names no key"),
        (Exit("end"), "DO: `signal` of Exit takes a flowdsl.Signal or None, not 'end'"),  # type: ignore[arg-type]
        (Exit(Signal.END), "DO: no shape says when the steps in `body` run"),
        (Assign(keys="all"), 'DO: `keys` of Assign is "others" or nothing'),  # type: ignore[arg-type]
    ],
    ids=lambda value: None if isinstance(value, str) else type(value).__name__,
)
def test_a_shape_that_does_not_fit_its_class_is_refused_at_class_creation(flow: Any, message: str) -> None:
    with pytest.raises(flowdsl.PluginError) as raised:
        declare(flow, body=Block, size=int)
    assert str(raised.value).startswith(message)


def test_a_deferred_field_without_a_default_is_refused_at_class_creation() -> None:
    with pytest.raises(flowdsl.PluginError, match="the field `late` is Deferred, and needs a default"):
        declare(late=Annotated[Any, flowdsl.Deferred()])


def test_every_shape_comes_back_from_an_index() -> None:
    import json

    from flowdsl.step.flow_shapes import from_plain, to_plain
    from flowdsl.step.registry import installed
    from flowdsl.step.step import spec_of

    registry = installed()
    shapes = [spec_of(step).flow for step in STEPS] + [flow for _, flow in registry.shapes()]
    assert {type(shape).__name__ for shape in shapes} == {
        "Leaf", "Sequence", "Choice", "Switch", "Loop", "Try", "Parallel", "Call", "Exit", "Assign",
    }  # fmt: skip
    for shape in shapes:
        found = from_plain(json.loads(json.dumps(to_plain(shape))))
        assert (type(found), found) == (type(shape), shape)
