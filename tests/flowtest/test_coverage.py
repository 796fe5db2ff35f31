"""Coverage beside what a person counts: ten flows, with the points that there are, and those that a run comes to."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import flowdsl
from flowdsl.flowtest.coverage import Coverage, Tracker, points

PLUGIN = Path(__file__).parents[1] / "packages" / "plugin_steps" / "plugin_steps" / "control.py"


def plugin() -> ModuleType:
    """The steps of the test package, without its folder on the path, where other tests would find them."""
    spec = importlib.util.spec_from_file_location("plugin_control", PLUGIN)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["plugin_control"] = module
    spec.loader.exec_module(module)
    return module


STEPS = [
    step
    for step in vars(plugin()).values()
    if isinstance(step, type) and issubclass(step, flowdsl.Step) and step.declared.get("name")
]


class Counted(NamedTuple):
    """A flow, its runs (the inputs of each), and the shares that were counted by hand: steps, branches, catch blocks,
    iterations; `missing` is what did not run, as it is shown."""

    flow: str
    runs: list[dict[str, Any]]
    steps: str
    branches: str
    catches: str
    iterations: str
    missing: list[str]


FLOWS = {
    "steps in a row": Counted("- {step: SET, a: 1}\n- {step: SET, b: 2}\n", [{}], "2/2", "0/0", "0/0", "0/0", []),
    "a condition that was never false": Counted(
        "- step: IF\n  condition: '{{ flowContext.on }}'\n  then:\n    - {step: SET, a: 1}\n",
        [{"on": True}],
        "2/2",
        "1/2",
        "0/0",
        "0/0",
        ["1 IF: no block"],
    ),
    "both ways of a condition": Counted(
        "- step: IF\n  condition: '{{ flowContext.on }}'\n  then:\n    - {step: SET, a: 1}\n"
        "  else:\n    - {step: SET, a: 2}\n",
        [{"on": True}, {"on": False}],
        "3/3",
        "2/2",
        "0/0",
        "0/0",
        [],
    ),
    "a case that nobody chose": Counted(
        "- step: SWITCH\n  condition: '{{ flowContext.on }}'\n  cases:\n    red:\n      - {step: SET, a: 1}\n"
        "    blue:\n      - {step: SET, a: 2}\n",
        [{"on": "red"}, {"on": "green"}],
        "2/3",
        "2/3",
        "0/0",
        "0/0",
        ["1 SWITCH: cases.blue", "7 SET"],
    ),
    "a loop that went round many times only": Counted(
        "- step: FOR\n  var: x\n  items: '{{ flowContext.on }}'\n  do:\n    - {step: SET, a: '{{ flowContext.x }}'}\n",
        [{"on": [1, 2, 3]}],
        "2/2",
        "0/0",
        "0/0",
        "1/3",
        ["1 FOR: 0 iterations", "1 FOR: 1 iteration"],
    ),
    "a list that is written down, and a condition in the loop": Counted(
        "- step: FOR\n  var: x\n  items: [1, 2]\n  do:\n    - step: IF\n      condition: '{{ flowContext.x > 1 }}'\n"
        "      then:\n        - {step: SET, a: 1}\n",
        [{}],
        "3/3",
        "2/2",
        "0/0",
        "1/1",
        [],
    ),
    "an error that was never caught": Counted(
        "- step: TRY\n  try:\n    - {step: SET, a: 1}\n  catch:\n    - {step: SET, a: 2}\n",
        [{}],
        "2/3",
        "1/1",
        "0/1",
        "0/0",
        ["1 TRY: catch", "5 SET"],
    ),
    "an error that is caught, and one that goes on": Counted(
        "- step: TRY\n  try:\n    - {step: RAISE, code: '{{ flowContext.on }}', message: no}\n"
        "  when: \"{{ flowContext.error.code == 'a' }}\"\n  catch:\n    - {step: SET, a: 2}\n",
        [{"on": "a"}, {"on": "b"}],
        "3/3",
        "1/2",
        "1/1",
        "0/0",
        ["1 TRY: no error"],
    ),
    "a loop that is left, at its last step": Counted(
        "- step: FOR\n  var: x\n  items: [1, 2, 3]\n  do:\n    - {step: SET, a: 1}\n"
        "    - {step: BREAK, condition: '{{ flowContext.x == 3 }}'}\n- {step: END, condition: '{{ flowContext.on }}'}\n"
        "- {step: SET, b: 1}\n",
        [{"on": True}],
        "4/5",
        "3/4",
        "0/0",
        "1/1",
        ["7 END: does not end", "8 SET"],
    ),
    "a flow that is called, one that is not, and onError": Counted(
        "blocks:\n  flows:\n    used:\n      - {step: RAISE, message: '{{ flowContext.on }}'}\n"
        "    idle:\n      - {step: SET, a: 1}\n"
        "flow:\n  - {step: CALL_FLOW, ref: local.flows.used}\nonError:\n  - {step: SET, b: 1}\n",
        [{"on": "x"}],
        "3/3",
        "0/0",
        "1/1",
        "0/0",
        [],
    ),
    "steps of somebody else": Counted(
        "- step: EACH\n  values: '{{ flowContext.on }}'\n  as: x\n"
        "  body:\n    - step: COIN\n      shows: '{{ flowContext.x == 1 }}'\n"
        "      heads:\n        - {step: SET, a: 1}\n    - {step: LEAVE, full: '{{ flowContext.x == 2 }}'}\n"
        "- step: GUARD\n  risky:\n    - step: PICK\n      by: a\n      of:\n        a:\n          - {step: STOP}\n"
        "        rest:\n          - {step: SET, c: 1}\n  rescue:\n    - {step: SET, d: 1}\n",
        [{"on": [1, 2, 3]}, {"on": [1]}],
        "7/9",
        "6/7",
        "0/1",
        "2/3",
        ["1 EACH: 0 iterations", "10 GUARD: rescue", "12 PICK: of.rest", "18 SET", "20 SET"],
    ),
}


def covered(flow: Path, runs: list[dict[str, Any]], **environment: Any) -> Coverage:
    """The coverage of some runs of a flow."""
    coverage = Coverage()
    for inputs in runs:
        loaded = flowdsl.Environment(**environment).load(flow, declare=inputs)
        tracker = Tracker(loaded.document)
        with contextlib.suppress(flowdsl.RunError):
            loaded.run(inputs, on_event=tracker)
        coverage.add(points(loaded.document), tracker.hit)
    return coverage


@pytest.mark.parametrize("name", FLOWS)
def test_coverage_is_what_a_person_counts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    counted = FLOWS[name]
    (tmp_path / "a.flow.yaml").write_text(counted.flow, encoding="utf-8")
    coverage = covered(Path("a.flow.yaml"), counted.runs, steps=STEPS)
    assert coverage.hit <= coverage.points
    shares = ["{}/{}".format(*coverage.share((kind,))) for kind in ("steps", "branches", "catches", "iterations")]
    assert shares == [counted.steps, counted.branches, counted.catches, counted.iterations]
    assert [point.text() for point in coverage.missing("a.flow.yaml")] == counted.missing


def test_a_module_counts_once_where_it_stands_whoever_imports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flow = "imports: [{{from: ./m.module.yaml, as: {name}}}]\n"
    flow += "flow:\n  - {{step: CALL_FLOW, ref: imports.{name}.flows.one}}\n"
    Path("m.module.yaml").write_text(
        "blocks:\n  flows:\n    one:\n      - step: IF\n        condition: '{{ flowContext.on }}'\n        then:\n"
        "          - {step: SET, a: 1}\n",
        encoding="utf-8",
    )
    coverage = Coverage()
    for name, on in (("a", True), ("b", False)):
        path = Path(f"{name}.flow.yaml")
        path.write_text(flow.format(name=name), encoding="utf-8")
        one = covered(path, [{"on": on}])
        coverage.add(one.points, one.hit)
    assert coverage.paths == ["a.flow.yaml", "b.flow.yaml", "m.module.yaml"]
    assert coverage.share(path="m.module.yaml") == (4, 4)
    assert coverage.percent == 100


def test_coverage_as_json_has_every_point_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(
        "- step: END_IF\n  condition: '{{ flowContext.on }}'\n- {step: SET, a: 1}\n", "utf-8"
    )
    found = covered(Path("a.flow.yaml"), [{"on": True}]).to_dict()
    assert found["percent"] == 50.0
    assert found["totals"]["branches"] == {"ran": 1, "all": 2}
    assert found["files"]["a.flow.yaml"]["points"][0] == {
        "kind": "branches",
        "line": 1,
        "col": 9,
        "step": "END_IF",
        "way": "does not end",
        "ran": False,
    }
