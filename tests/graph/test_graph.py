"""Flows as pictures: what is drawn, that nothing lies over anything else, and that no text of a flow becomes markup."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest

import flowdsl
from flowdsl.cli import main
from flowdsl.graph.drawing import Drawing, drawing
from flowdsl.graph.mermaid import mermaid
from flowdsl.graph.page import page
from flowdsl.graph.run_state import run_states
from flowdsl.graph.svg import svg

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "graph"
EXAMPLES = sorted((ROOT / "examples").glob("*.flow.yaml"))
HOSTILE = """\
title: "a <b> & \\"c\\" ]] --> x ; %%{init}%% `md`"
flow:
  - step: IF
    id: odd
    condition: "{{ '<script>alert(1)</script>' == '#quot;\\n]]>' }}"
    then:
      - {step: SET, monitorLabel: "\\"); end\\n<!-- \\e[2J 日本語 🦊", "a": 1}
  - step: SWITCH
    condition: "{{ '1' }}"
    cases:
      "</g><script>": [{step: SET, b: 1}]
      "end": [{step: SET, b: 1}]
"""


def drawn(text: str | Path, **environment: object) -> Drawing:
    return drawing(flowdsl.Environment(**environment).load(text).document)  # type: ignore[arg-type]


def rectangles(root: ElementTree.Element, tag: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of boxes, or of texts, whose width the picture fixes."""
    found = []
    for each in root.iter(f"{{http://www.w3.org/2000/svg}}{tag}"):
        x, y = float(each.get("x", "")), float(each.get("y", ""))
        if tag == "text":
            found.append((x, y - 11, x + float(each.get("textLength", "")), y + 3))
        else:
            found.append((x, y, x + float(each.get("width", "")), y + float(each.get("height", ""))))
    return found


def check_picture(text: str) -> None:
    """Looks over a picture: no text lies over another, each in a box, and boxes are in each other or apart."""
    root = ElementTree.fromstring(text)
    assert root.find("{*}title") is not None and root.find("{*}desc") is not None
    _, _, right, bottom = map(float, root.get("viewBox", "").split())
    texts, boxes = rectangles(root, "text"), rectangles(root, "rect")
    for index, (left, top, end, under) in enumerate(texts):
        assert left >= 0 and top >= 0 and end <= right and under <= bottom
        for other in texts[index + 1 :]:
            assert end <= other[0] or other[2] <= left or under <= other[1] or other[3] <= top, (texts[index], other)
    for text_box in texts[1:]:
        assert any(
            b[0] <= text_box[0] and b[1] <= text_box[1] and b[2] >= text_box[2] and b[3] >= text_box[3] for b in boxes
        )
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            within = one[0] <= other[0] and one[1] <= other[1] and one[2] >= other[2] and one[3] >= other[3]
            assert apart or within, (one, other)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name.partition(".")[0])
def test_the_picture_of_an_example_is_whole_and_nothing_lies_over_anything_else(path: Path) -> None:
    check_picture(svg(drawn(path)))


def test_the_mermaid_text_of_a_flow_shows_branches_loops_and_what_an_error_leads_to(update_golden: bool) -> None:
    path = ROOT / "examples" / "gentle-prompt.flow.yaml"
    found = mermaid(drawn(path))
    if update_golden:
        (GOLDEN / "gentle-prompt.mmd").write_text(found, encoding="utf-8")
    assert found == (GOLDEN / "gentle-prompt.mmd").read_text(encoding="utf-8")


def test_what_a_flow_says_is_no_markup_in_any_form() -> None:
    found = drawn(HOSTILE)
    picture = svg(found)
    check_picture(picture)
    assert "<script" not in picture and "\x1b" not in picture
    root = ElementTree.fromstring(picture)
    assert root.findtext("{*}title") == 'a <b> & "c" ]] --> x ; %%{init}%% `md`'
    text = mermaid(found)
    for line in text.splitlines()[4:]:
        label = re.search(r'"(.*)"', line)
        assert label is None or not re.search(r'["`<>{}\[\]]', label[1].replace("<br/>", "")), line
    html = page(found)
    assert "<script" not in html and "onerror" not in html


def test_a_page_is_one_file_that_asks_nobody() -> None:
    html = page(drawn(EXAMPLES[0]))
    assert "http" not in html.replace("http-equiv", "")
    assert not re.search(r"\b(src|href|url|import)\b\s*[=(:]", html)
    assert "default-src 'none'" in html
    assert html.count("<svg") == 1


def plugin() -> ModuleType:
    """The steps of the test package."""
    path = ROOT / "tests" / "packages" / "plugin_steps" / "plugin_steps" / "control.py"
    spec = importlib.util.spec_from_file_location("plugin_control", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["plugin_control"] = module
    spec.loader.exec_module(module)
    return module


def test_steps_of_somebody_else_are_drawn_by_their_shapes() -> None:
    steps = [each for each in vars(plugin()).values() if isinstance(each, type) and issubclass(each, flowdsl.Step)]
    steps = [each for each in steps if each.declared.get("name")]
    flow = (
        "- step: EACH\n  values: [1, 2]\n  as: x\n  body:\n    - {step: LEAVE, full: '{{ flowContext.x > 1 }}'}\n"
        "- step: GUARD\n  risky:\n    - {step: SET, a: 1}\n  rescue:\n    - {step: STOP}\n"
        "- step: COIN\n  shows: '{{ flowContext.a }}'\n  heads:\n    - {step: STOP}\n  tails:\n    - {step: STOP}\n"
    )
    found = drawn(flow, steps=steps)
    check_picture(svg(found))
    text = mermaid(found)
    assert 'n1{{"EACH<br/>for each x in #91;1, 2#93;"}}' in text
    assert '-->|"each"| n2' in text and 'n2 -.->|"next"| n1' in text
    assert '|"rescue, after an error"|' in text
    assert "end0" in text.partition("n5")[0] or "n4 --> n6" in text
    assert not re.search(r"n5 -->", text), "nothing comes behind STOP"


def test_a_called_flow_is_drawn_once_and_one_that_calls_itself_ends() -> None:
    flow = (
        "blocks:\n  flows:\n    more:\n      - step: IF\n        condition: '{{ flowContext.n > 0 }}'\n        then:\n"
        "          - {step: CALL_FLOW, ref: local.flows.more}\nflow:\n  - {step: SET, n: 0}\n"
        "  - {step: CALL_FLOW, ref: local.flows.more}\n  - {step: CALL_FLOW, ref: local.flows.more}\n"
        "onError:\n  - {step: SET, n: 1}\n"
    )
    found = drawn(flow)
    assert [section.name for section in found.sections] == ["flow", "onError", "local.flows.more"]
    assert mermaid(found).count("-. calls .->") == 3
    check_picture(svg(found))


def test_the_run_shows_over_the_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flow = (
        "- step: TRY\n  try:\n"
        "    - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: A kite}\n"
        "    - {step: RAISE, message: no}\n  catch:\n    - {step: SET, a: 1}\n"
        "- step: IF\n  condition: '{{ flowContext.a > 1 }}'\n  then:\n    - {step: SET, b: 1}\n"
    )
    Path("a.flow.yaml").write_text(flow, encoding="utf-8")
    assert main(["run", "a.flow.yaml", "--simulate", "--events"]) == 0
    Path("events.jsonl").write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["graph", "a.flow.yaml", "--events", "events.jsonl"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"n2\[\"OPENAI_IMAGE_GENERATION<br/>.*done: .*\$0\.0", text)
    assert "class n3 failed" in text and "class n6 idle" in text
    for name in ("a.svg", "a.html"):
        assert main(["graph", "a.flow.yaml", "--events", "events.jsonl", "--output", name]) == 0
    check_picture(Path("a.svg").read_text(encoding="utf-8"))
    assert "not run" in Path("a.html").read_text(encoding="utf-8")


def test_what_a_step_costs_stands_in_its_box_and_counts_for_its_size() -> None:
    path = Path("examples") / "skyline.flow.yaml"
    document = flowdsl.Environment().load(ROOT / path).document
    key = f"{ROOT / path}:4", "OPENAI_IMAGE_GENERATION"
    found = drawing(document, {key: ["2 requests, at most $0.1 each, whatever comes of them"]})
    check_picture(svg(found))
    assert "2 requests, at most $0.1 each" in mermaid(found)


COSTS = """\
inputs: {names: {type: array}}
flow:
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, size: 1024x1024, quality: low, instruction: A kite}
  - step: FOR
    var: n
    items: "{{ inputs.names }}"
    do:
      - step: OPENAI_IMAGE_GENERATION
        model: gpt-image-2
        size: 1024x1024
        quality: low
        instruction: "{{ flowContext.n }}"
  - {step: OPENAI_IMAGE_GENERATION, model: our-own, instruction: A kite}
"""


@pytest.mark.parametrize("form", ["mermaid", "svg", "html"])
def test_each_step_that_buys_says_what_it_will_cost(
    form: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    update_golden: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("costs.flow.yaml").write_text(COSTS, encoding="utf-8")
    assert main(["graph", "costs.flow.yaml", "--format", form]) == 0
    found = capsys.readouterr().out
    for said in ("costs $0.0059", "costs at most len(names) × $0.0160", "cost not known"):
        assert said in found
    if form == "mermaid":
        if update_golden:
            (GOLDEN / "costs.mmd").write_text(found, encoding="utf-8")
        assert found == (GOLDEN / "costs.mmd").read_text(encoding="utf-8")
        return
    assert "A run: 2 + len(names) paid requests" in found and "for prompts of up to 2,000 bytes" in found
    if form == "svg":
        check_picture(found)


def test_events_of_a_run_that_stopped_in_the_middle_show_what_was_running() -> None:
    lines = [
        json.dumps({"event": "StepStarted", "path": "flow[0]"}),
        json.dumps({"event": "RequestFinished", "path": "flow[0]", "cost_usd": 0.5}),
        "",
    ]
    states = run_states(lines, "e.jsonl")
    assert (states["flow[0]"].word, states["flow[0]"].cost_usd) == ("running", 0.5)


WRONG = [
    ("", "e.jsonl holds no events: `flowdsl run FILE --events > e.jsonl` writes them"),
    ("text\n", "e.jsonl:1 is no event: a line of JSON, as `flowdsl run --events` prints it"),
    ("[]\n", "e.jsonl:1 is no event: it has no `event`"),
    (
        '{"event": "StepStarted", "path": "flow[7]"}\n',
        "e.jsonl holds no event of a step of this flow: is it of another one?",
    ),
]


@pytest.mark.parametrize(("events", "said"), WRONG, ids=["empty", "no JSON", "no event", "another flow"])
def test_events_that_are_none_are_one_message(
    events: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text("- {step: SET, a: 1}\n", encoding="utf-8")
    Path("e.jsonl").write_text(events, encoding="utf-8")
    assert main(["graph", "a.flow.yaml", "--events", "e.jsonl"]) == 2
    assert capsys.readouterr().err == f"flowdsl: {said}\n"


@pytest.mark.long
def test_everything_in_the_repository_that_runs_can_be_drawn() -> None:
    count = 0
    for path in sorted(
        [*ROOT.glob("examples/**/*.*"), *ROOT.glob("tests/golden/ok/*"), *ROOT.glob("tests/golden/systems/**/*.*")]
    ):
        if path.suffix not in (".yaml", ".yml", ".json") or ".test." in path.name:
            continue
        try:
            file = flowdsl.Environment().examined(path).file
        except flowdsl.FlowError:
            continue
        for document in file.documents if file is not None else ():
            found = drawing(document)
            check_picture(svg(found))
            assert mermaid(found) and page(found)
            count += 1
    assert count > 40
