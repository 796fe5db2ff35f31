"""What variables, loops and conditions come to that need no picture is followed before the first picture is paid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowdsl import Environment, Host, Limits, Result, RunError, Storage
from flowdsl.engine.foreseen_options import ForeseenOptions
from flowdsl_steps.image.simulator import Simulator

INPUTS: dict[str, Any] = {
    "products": [{"sku": "one", "w": 1024}, {"sku": "two", "w": 1024}, {"sku": " . ", "w": 3000}],
    "folder": "a",
    "none": [],
    "yes": True,
}
PICTURE = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A paper boat}\n"
SAVE = "- step: SAVE_IMAGES\n"
MODULE = """\
blocks:
  constants: {up: ..}
  vars: {outside: "{{ local.constants.up }}/{{ inputs.folder }}"}
  flows:
    keep:
      - {step: SET, place: "{{ flowContext.start }}/x"}
      - {step: SAVE_IMAGES, directory: "{{ flowContext.place }}"}
    begin:
      - {step: SET, start: ".."}
    quiet:
      - {step: SET, folder: "b"}
"""


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as server:
        yield server


def indented(flow: str, by: int = 4) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in flow.splitlines())


def loop(body: str, items: str = "inputs.products", more: str = "") -> str:
    return f'- step: FOR\n  var: p\n  items: "{{{{ {items} }}}}"\n{more}  do:\n{indented(body)}'


def chosen(condition: str, then: str, other: str = "") -> str:
    otherwise = f"  else:\n{indented(other)}" if other else ""
    return f'- step: IF\n  condition: "{{{{ {condition} }}}}"\n  then:\n{indented(then)}{otherwise}'


def run(folder: Path, flow: str, simulator: Simulator, **more: Any) -> Result:
    (folder / "module.yaml").write_text(MODULE, encoding="utf-8")
    head = "".join(f"  {name}: {{}}\n" for name in INPUTS)
    blocks = 'blocks:\n  constants: {up: ".."}\n  vars:\n    outside: "{{ local.constants.up }}/x"\n'
    blocks += '    seen: "{{ flowContext.s }}"\n'
    text = f"imports:\n  - {{from: ./module.yaml, as: m}}\ninputs:\n{head}{blocks}flow:\n{indented(flow, 2)}"
    (folder / "flow.yaml").write_text(text, encoding="utf-8")
    storage = Storage(images=folder / "images", output=folder / "output")
    service = {"endpoint": f"{simulator.url}/v1", "apiKey": simulator.key}
    environment = Environment(services={"OPENAI_IMAGE_GENERATION": service}, storage=storage, **more)
    return environment.run(str(folder / "flow.yaml"), INPUTS)


NAMED = SAVE + '  filename: "{{ flowContext.p.sku }}"\n'
UP = '- {step: SET, place: "../{{ inputs.folder }}"}\n'
THERE = SAVE + '  directory: "{{ flowContext.place }}"\n'
KEEP = "- {step: CALL_FLOW, ref: imports.m.flows.keep}\n"
SIZED = PICTURE.replace("}", ', size: "{{ flowContext.p.w }}x9"}')

FOUND = {
    "a variable": (PICTURE + UP + THERE, "outside-output", None),
    "a variable set before": (UP + PICTURE + THERE, "outside-output", None),
    "a variable of a variable": (
        PICTURE + UP + '- {step: SET, place: "{{ flowContext.place }}/b"}\n' + THERE,
        "outside-output",
        None,
    ),
    "two variables of a step": (
        PICTURE + '- {step: SET, up: "..", place: "{{ flowContext.up }}/b"}\n' + THERE,
        "outside-output",
        None,
    ),
    "the older form": (
        PICTURE + "- {step: SET, name: place, expression: \"'../' ~ inputs.folder\"}\n" + THERE,
        "outside-output",
        None,
    ),
    "a text that is no template": (
        PICTURE + "- {step: SET, name: place, raw_text: ../x}\n" + THERE,
        "outside-output",
        None,
    ),
    "a variable that fails": (
        PICTURE + '- {step: SET, x: "{{ inputs.products[9].sku }}"}\n',
        "undefined-variable",
        None,
    ),
    "a constant": (PICTURE + SAVE + '  directory: "{{ local.constants.up }}/x"\n', "outside-output", None),
    "a var": (PICTURE + SAVE + '  directory: "{{ local.vars.outside }}"\n', "outside-output", None),
    "a var of a module": (PICTURE + SAVE + '  directory: "{{ imports.m.vars.outside }}"\n', "outside-output", None),
    "a var that reads a variable": (
        PICTURE + '- {step: SET, s: ".."}\n' + SAVE + '  directory: "{{ local.vars.seen }}"\n',
        "outside-output",
        None,
    ),
    "a variable that a called flow sets": (
        PICTURE + "- {step: CALL_FLOW, ref: imports.m.flows.begin}\n" + KEEP,
        "outside-output",
        None,
    ),
    "a name in the loop of the picture": (loop(PICTURE + NAMED), "not-a-file-name", 2),
    "a name in a loop behind it": (PICTURE + loop(NAMED), "not-a-file-name", 2),
    "a name in a loop side by side": (PICTURE + loop(NAMED, more="  concurrency: 2\n"), "not-a-file-name", 2),
    "a name in the loop side by side of the picture": (
        loop(PICTURE + NAMED, more="  concurrency: 2\n"),
        "not-a-file-name",
        2,
    ),
    "a variable in a loop": (
        PICTURE
        + loop('- {step: SET, n: "{{ flowContext.p.sku | trim }}"}\n' + SAVE + '  filename: "{{ flowContext.n }}"\n'),
        "not-a-file-name",
        2,
    ),
    "a size in a loop": (loop(PICTURE + SIZED), "unsupported-value", 0),
    "numbers": (
        PICTURE
        + "- step: FOR\n  var: i\n  start: 0\n  end: 3\n  do:\n"
        + indented(SAVE + '  filename: "{{ inputs.products[flowContext.i].sku }}"\n'),
        "not-a-file-name",
        2,
    ),
    "numbers backwards": (
        PICTURE
        + "- step: FOR\n  var: i\n  start: 1\n  end: -1\n  do:\n"
        + indented(SAVE + '  filename: "x{{ inputs.products[flowContext.i].sku }}"\n'),
        "undefined-variable",
        2,
    ),
    "items that are none": (PICTURE + loop(NAMED, "inputs.folder"), "wrong-type", None),
    "items of a variable": (
        PICTURE + '- {step: SET, all: "{{ inputs.products | reverse }}"}\n' + loop(NAMED, "flowContext.all"),
        "not-a-file-name",
        0,
    ),
    "what a loop collects": (
        PICTURE
        + loop("- {step: SET, z: 1}\n", more='  collect: "{{ flowContext.p.sku }}"\n  collectKey: names\n')
        + loop(SAVE + '  filename: "{{ flowContext.p }}"\n', "flowContext.names"),
        "not-a-file-name",
        2,
    ),
    "the item that is left": (PICTURE + loop("- {step: SET, z: 1}\n") + NAMED, "not-a-file-name", None),
    "a condition that holds": (PICTURE + chosen("inputs.yes", UP + THERE), "outside-output", None),
    "a condition that does not": (PICTURE + chosen("not inputs.yes", SAVE, UP + THERE), "outside-output", None),
    "a condition in a loop": (PICTURE + loop(chosen("flowContext.p.w > 2000", NAMED)), "not-a-file-name", 2),
    "behind a condition that holds not": (
        PICTURE + '- {step: END, condition: "{{ not inputs.yes }}"}\n' + UP + THERE,
        "outside-output",
        None,
    ),
    "beside the picture in a branch": (
        chosen("inputs.yes", PICTURE + UP + THERE),
        "outside-output",
        None,
    ),
    "behind a skipped item": (
        PICTURE + loop("- {step: CONTINUE, condition: \"{{ flowContext.p.sku == 'two' }}\"}\n" + NAMED),
        "not-a-file-name",
        2,
    ),
    "behind an item that may be skipped": (
        PICTURE + loop('- {step: CONTINUE, condition: "{{ flowContext.imageList | length > 5 }}"}\n') + UP + THERE,
        "outside-output",
        None,
    ),
    "behind a loop that may be left": (
        PICTURE + loop('- {step: BREAK, condition: "{{ flowContext.imageList | length > 5 }}"}\n') + UP + THERE,
        "outside-output",
        None,
    ),
    "side by side": (
        PICTURE + "- step: PARALLEL\n  steps:\n    -\n" + indented(UP + THERE, 6) + "    -\n" + indented(SAVE, 6),
        "outside-output",
        None,
    ),
    "at last": (
        f"- step: TRY\n  try:\n{indented(PICTURE)}  finally:\n{indented(UP + THERE)}",
        "outside-output",
        None,
    ),
    "a loop in a loop": (
        loop(loop(PICTURE, "[1]").replace("var: p", "var: q") + NAMED),
        "not-a-file-name",
        2,
    ),
    "a service in a loop": (PICTURE + loop(PICTURE.replace("}", ", service: GATEWAY}")), "service-not-configured", 0),
    "a secret in a loop": (
        PICTURE + loop("- {step: EMIT_EVENT, name: x, payload: {k: \"{{ secret('SECOND_KEY') }}\"}}\n"),
        "secret-not-set",
        0,
    ),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_needs_no_picture_is_followed_before_the_first(case: str, simulator: Simulator, tmp_path: Path) -> None:
    flow, code, iteration = FOUND[case]
    before = simulator.request_count
    with pytest.raises(RunError) as failed:
        run(tmp_path, flow, simulator, host=Host(secrets={}.get))
    assert (failed.value.code, simulator.request_count) == (code, before), str(failed.value)
    assert failed.value.span is not None
    assert failed.value.result.failed["iteration"] == iteration


CALLED = "- {step: CALL_FLOW, ref: imports.m.flows.quiet}\n"
FOLDER = SAVE + '  directory: "{{ flowContext.folder }}"\n'
TRIED = f"- step: TRY\n  try:\n{indented(PICTURE + UP + THERE)}  catch:\n    - {{step: SET, z: 1}}\n"
MAYBE = "flowContext.imageList | length > 5"
LEFT_ALONE = {
    "a variable of a picture": PICTURE + '- {step: SET, place: "{{ flowContext.imageList[0].width }}"}\n' + THERE,
    "a variable of chance": PICTURE
    + "- {step: SET, n: \"{{ ['x', 'y'] | random }}\"}\n"
    + SAVE
    + '  filename: "{{ flowContext.n }}"\n',
    "a variable that a branch sets anew": UP.replace("../", "")
    + PICTURE
    + UP.replace("../", "b/..")
    + chosen("flowContext.imageList | length > 0", '- {step: SET, place: "c"}\n')
    + THERE,
    "a variable that a call sets anew": '- {step: SET, folder: ".."}\n' + PICTURE + CALLED + FOLDER,
    "a branch that is not taken": PICTURE + chosen("not inputs.yes", UP + THERE),
    "a branch of which nobody knows": PICTURE + chosen(MAYBE, UP + THERE),
    "a loop over nothing": PICTURE + loop(UP + THERE, "inputs.none"),
    "a loop over pictures": PICTURE + loop(SAVE + '  filename: "{{ flowContext.p.width }}"\n', "flowContext.imageList"),
    "an item that is skipped": PICTURE
    + loop("- {step: CONTINUE, condition: \"{{ flowContext.p.sku == ' . ' }}\"}\n" + NAMED),
    "an item that may be skipped": PICTURE
    + loop(
        '- {step: CONTINUE, condition: "{{ flowContext.imageList | length == flowContext.p_index - 1 }}"}\n' + NAMED
    ),
    "an item behind the end of its loop": PICTURE
    + loop("- {step: BREAK, condition: \"{{ flowContext.p.sku == ' . ' }}\"}\n" + NAMED),
    "an item that the picture's loop does not reach": loop(
        PICTURE + NAMED + '- {step: BREAK, condition: "{{ flowContext.imageList | length == 1 }}"}\n'
    ),
    "behind an end": PICTURE + '- {step: END, condition: "{{ inputs.yes }}"}\n' + UP + THERE,
    "behind an end that may come": PICTURE
    + '- {step: END, condition: "{{ flowContext.imageList | length == 1 }}"}\n'
    + UP
    + THERE,
    "behind an end in a loop": PICTURE
    + loop('- {step: END, condition: "{{ flowContext.imageList | length == 1 }}"}\n')
    + UP
    + THERE,
    "what a try catches around the picture": TRIED,
    "what a try catches": PICTURE + TRIED.replace(indented(PICTURE), ""),
    "a variable that changes its kind": '- {step: SET, c: "{{ cycler(1, 2) }}"}\n'
    + loop(PICTURE, "[1, 2]")
    + SAVE
    + '  filename: "{{ inputs.products[flowContext.c.next() - 1].sku }}"\n',
    "a filter of the host": PICTURE + SAVE + '  directory: "{{ inputs.folder | once }}"\n',
    "what another branch sets": "- {step: SET, place: b}\n"
    + "- step: PARALLEL\n  steps:\n    -\n"
    + indented(PICTURE + THERE, 6)
    + "    -\n"
    + indented(UP, 6),
    "numbers that are none": PICTURE + "- {step: FOR, var: i, start: 0.5, end: 1.5, do: [{step: SET, z: 1}]}\n",
    "a loop that sets its own items anew": "- {step: SET, all: [1]}\n"
    + loop(
        '- {step: SET, all: "{{ inputs.products }}"}\n' + PICTURE,
        "flowContext.all",
        '  collect: "{{ flowContext.imageList[0] }}"\n  collectKey: posters\n',
    )
    + SAVE
    + '  in: posters\n  filename: "{{ inputs.products[index - 1].sku }}"\n',
    "a loop that works on its own items": '- {step: SET, all: "{{ inputs.products }}"}\n'
    + loop("- {step: SET, all: []}\n" + PICTURE + SAVE + "  filename: x\n", "flowContext.all"),
}


def once(value: str) -> str:
    """Gives a folder the first time, and none the second."""
    ASKED.append(value)
    return "b" if len(ASKED) == 1 else ".."


ASKED: list[str] = []


@pytest.mark.parametrize("case", LEFT_ALONE)
def test_what_depends_on_a_picture_or_does_not_come_is_left_alone(
    case: str, simulator: Simulator, tmp_path: Path
) -> None:
    before = simulator.request_count
    ASKED.clear()
    run(tmp_path, LEFT_ALONE[case], simulator, filters={"once": once})
    assert simulator.request_count > before


def test_a_try_around_the_picture_does_not_pay_around_what_a_variable_comes_to(
    simulator: Simulator, tmp_path: Path
) -> None:
    tried = f"- step: TRY\n  retry: {{max: 2, delayMs: 0}}\n  try:\n{indented(PICTURE)}  catch:\n{indented(PICTURE)}"
    before = simulator.request_count
    with pytest.raises(RunError) as failed:
        run(tmp_path, loop(tried) + UP + THERE, simulator)
    assert (failed.value.code, failed.value.path, simulator.request_count) == ("outside-output", "flow[2]", before)
    assert failed.value.result.failed["iteration"] is None  # the loop around the picture has nothing to do with it


def test_a_picture_in_a_called_flow_is_not_paid_before_what_its_caller_does_wrong(
    simulator: Simulator, tmp_path: Path
) -> None:
    flow = f"""\
inputs: {{folder: {{}}}}
blocks:
  flows:
    paint:
{indented(PICTURE, 6)}
flow:
  - {{step: SET, place: "../{{{{ inputs.folder }}}}"}}
  - {{step: CALL_FLOW, ref: local.flows.paint}}
{indented(THERE, 2)}"""
    service = {"endpoint": f"{simulator.url}/v1", "apiKey": simulator.key}
    storage = Storage(images=tmp_path / "images", output=tmp_path / "output")
    before = simulator.request_count
    with pytest.raises(RunError) as failed:
        Environment(services={"OPENAI_IMAGE_GENERATION": service}, storage=storage).run(flow, {"folder": "x"})
    assert (failed.value.code, simulator.request_count) == ("outside-output", before)


@pytest.mark.long
@pytest.mark.parametrize(
    "body",
    [NAMED, '- {step: SET, n: "{{ flowContext.p }}"}\n', loop(NAMED, "inputs.products").replace("var: p", "var: q")],
    ids=["a step", "a variable", "a loop in it"],
)
def test_a_long_loop_is_not_gone_through_twice(
    body: str, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    check = ForeseenOptions.check

    def counting(self: Any, step: Any, *rest: Any, **more: Any) -> None:
        looked.append(step.path)
        check(self, step, *rest, **more)

    monkeypatch.setattr(ForeseenOptions, "check", counting)
    flow = f"inputs: {{products: {{}}}}\nflow:\n{indented(PICTURE + loop(body), 2)}"
    service = {"endpoint": f"{simulator.url}/v1", "apiKey": simulator.key}
    storage = Storage(images=tmp_path / "images", output=tmp_path / "output")
    with pytest.raises(RunError, match="more than 3 steps"):
        Environment(services={"OPENAI_IMAGE_GENERATION": service}, storage=storage, limits=Limits(steps=3)).run(
            flow, {"products": [{"sku": f"s{number}"} for number in range(100_000)]}
        )
    assert len(looked) < 6_000


def test_nothing_is_looked_at_where_nothing_is_paid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("flowdsl.engine.look_ahead.look_ahead", refuse)
    flow = "inputs: {products: {}}\nflow:\n" + indented(loop('- {step: SET, n: "{{ flowContext.p }}"}\n'), 2)
    Environment(storage=Storage(output=tmp_path)).run(flow, {"products": [1, 2]})
