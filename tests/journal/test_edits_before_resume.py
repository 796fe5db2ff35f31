"""What is used again and what is bought after an edit between a run that failed and its resume: the table is
`tests/golden/resume/edits.txt`. What is bought is what the service was asked for.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from flowdsl.cli import main
from flowdsl.journal.journal import Journal

sys.path.append(str(Path(__file__).parents[1] / "verify"))
from counting_service import CountingService

GOLDEN = Path(__file__).parents[1] / "golden" / "resume" / "edits.txt"
HEAD = """\
What a resumed run uses again, and what it buys, after an edit of the flow or of what it reads. The run had bought
  {all}
and then failed. `pytest -n 0 tests/journal/test_edits_before_resume.py --update-golden` writes this.
"""
FLOW = "main.flow.yaml"
FAIL = "- {step: IF, condition: \"{{ kv('stop') }}\", then: [{step: RAISE, message: not today}]}\n"
RUN = ("run", FLOW, "--quiet", "-i", "rows=@rows.csv")
Edit = tuple[str, str, str]


def picture(prompt: str, model: str = "gpt-image-2", size: str = "1024x1024") -> str:
    return f'{{step: OPENAI_IMAGE_GENERATION, model: {model}, size: {size}, quality: low, instruction: "{prompt}"}}'


BOAT = f"- {picture('a boat')}\n"
KITES = f"- {{step: FOR, var: colour, items: [red, green], do: [{picture('a {{ flowContext.colour }} kite')}]}}\n"
LAMPS = f"- {{step: FOR, var: i, start: 1, end: 4, do: [{picture('a lamp')}]}}\n"
ROWS = f"- {{step: FOR, var: row, items: '{{{{ inputs.rows }}}}', do: [{picture('a {{ flowContext.row.name }}')}]}}\n"
ROOF = "- {step: CALL_FLOW, ref: local.flows.roof}\n"
DOOR = "- {step: CALL_FLOW, ref: imports.doors.flows.door}\n"
WORDS = "- {step: SET, words: !include words.yaml}\n"
MAP = f"- {picture('{{ flowContext.words }} of {{ inputs.city }}')}\n"
HEADER = f"""\
imports: [{{from: doors.module.yaml, as: doors}}]
inputs: {{rows: {{type: array}}, city: {{type: string, default: Lisbon}}}}
blocks: {{flows: {{roof: [{picture("a roof")}]}}}}
flow:
"""
FILES = {
    FLOW: HEADER + BOAT + KITES + LAMPS + ROWS + ROOF + DOOR + WORDS + MAP + FAIL,
    "doors.module.yaml": f"blocks: {{flows: {{door: [{picture('a door')}]}}}}\n",
    "words.yaml": "a map\n",
    "rows.csv": "name\npear\nplum\n",
}
TRY_BOAT = f"- {{step: TRY, try: [{picture('a boat')}]}}\n"
SIDE_BY_SIDE = f"- {{step: PARALLEL, steps: [[{picture('a boat')}], [{picture('a red kite')}]]}}\n"
EDITS: dict[str, list[Edit]] = {
    "nothing but what failed": [],
    "a step before all others": [(FLOW, BOAT, f"- {picture('a moon')}\n{BOAT}")],
    "a step that pays for nothing before all others": [(FLOW, BOAT, f"- {{step: SET, x: 1}}\n{BOAT}")],
    "a step at the end": [(FLOW, MAP, f"{MAP}- {picture('a moon')}\n")],
    "a step removed": [(FLOW, BOAT, "")],
    "two steps in the other order": [(FLOW, BOAT + KITES, KITES + BOAT)],
    "a step with an id": [(FLOW, BOAT, BOAT.replace("{step", "{id: vessel, step"))],
    "another prompt": [(FLOW, "a boat", "a ship")],
    "another model": [(FLOW, BOAT, f"- {picture('a boat', model='gpt-image-1-mini')}\n")],
    "another size": [(FLOW, BOAT, f"- {picture('a boat', size='1536x1024')}\n")],
    "another quality of the kites": [(FLOW, KITES, KITES.replace(": low", ": medium"))],
    "an option that asks for the same": [(FLOW, BOAT, BOAT.replace("quality: low", "quality: low, n: 1"))],
    "two pictures in place of one": [(FLOW, BOAT, BOAT.replace("quality: low", "quality: low, n: 2"))],
    "an item at the beginning of a loop": [(FLOW, "[red, green]", "[blue, red, green]")],
    "an item of a loop removed": [(FLOW, "[red, green]", "[green]")],
    "items of a loop in the other order": [(FLOW, "[red, green]", "[green, red]")],
    "an item of a loop changed": [(FLOW, "[red, green]", "[red, blue]")],
    "a fifth lamp": [(FLOW, "end: 4", "end: 5")],
    "three lamps in place of four": [(FLOW, "end: 4", "end: 3")],
    "lamps side by side": [(FLOW, "end: 4,", "end: 4, concurrency: 4,")],
    "the called flow": [(FLOW, "a roof", "a chimney")],
    "the step itself in place of a call": [(FLOW, ROOF, f"- {picture('a roof')}\n")],
    "a call twice": [(FLOW, ROOF, ROOF + ROOF)],
    "the module": [("doors.module.yaml", "a door", "a gate")],
    "a rename in the module": [("doors.module.yaml", "door:", "gate:"), (FLOW, "flows.door", "flows.gate")],
    "the included file": [("words.yaml", "a map", "a plan")],
    "a row of the CSV changed": [("rows.csv", "plum", "fig")],
    "a row of the CSV added in front": [("rows.csv", "pear", "fig\npear")],
    "the default of an input": [(FLOW, "default: Lisbon", "default: Porto")],
    "TRY around a step": [(FLOW, BOAT, TRY_BOAT)],
    "side by side in place of one after the other": [(FLOW, BOAT, SIDE_BY_SIDE), (FLOW, "[red, green]", "[green]")],
    "an IF around a step": [(FLOW, BOAT, f"- {{step: IF, condition: '{{{{ true }}}}', then: [{BOAT[2:-1]}]}}\n")],
    "comments and blank lines": [(FLOW, BOAT, f"# a boat\n\n{BOAT}")],
}


def words(prompts: Counter[str]) -> str:
    return ", ".join(f"{count} × {name}" if count > 1 else name for name, count in prompts.items()) or "nothing"


def bought(state: Path) -> list[tuple[str, list[str]]]:
    """The prompt of each request that is paid for, and the files that came of it."""
    with Journal(state) as journal:
        (run,) = journal.runs.all()
        return [(each.request["prompt"], each.files) for each in journal.runs.requests(run.id) if each.state == "ok"]


def told(folder: Path, edits: list[Edit], service: CountingService, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a resume after these edits uses again and buys, and what it says of the steps."""
    state = folder / "state"
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "flowdsl.toml").write_text("[kv]\nstop = true\n", encoding="utf-8")
    assert main(RUN) == 4
    before = bought(state)
    (folder / "flowdsl.toml").write_text("[kv]\nstop = false\n", encoding="utf-8")
    for name, old, new in edits:
        text = (folder / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old)
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    asked = Counter(service.asked)
    capsys.readouterr()
    code = main(["resume", "--yes", "--events"])
    out, err = capsys.readouterr()
    assert code == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    (end,) = [event for event in events if event["event"] == "FlowFinished"]
    made = {image["path"] for image in end["images"]}
    again = Counter(prompt for prompt, files in before if made.issuperset(files))
    anew = service.asked - asked
    left = Counter(prompt for prompt, files in before) - again
    assert len(made) == again.total() + sum(len(files) for _, files in bought(state)[len(before) :])
    said = [
        line.strip()
        for line in err.splitlines()
        if line.startswith(("  used again:", "  changed:", "  new:", "  gone:", "  other"))
    ]
    return [
        *([f"  used again: {words(again)}"] if left else ["  used again: all"]),
        *([f"  left over:  {words(left)}"] if left else []),
        f"  bought:     {words(anew)}",
        *(f"  said:       {line}" for line in said),
    ]


@pytest.mark.long
def test_the_table_of_edits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], update_golden: bool
) -> None:
    lines = []
    with CountingService() as service:
        for name, value in service.variables().items():
            monkeypatch.setenv(name, value)
        for number, (name, edits) in enumerate(EDITS.items()):
            folder = tmp_path / str(number)
            folder.mkdir()
            monkeypatch.chdir(folder)
            monkeypatch.setenv("FLOWDSL_STATE", str(folder / "state"))
            lines += ["", name, *told(folder, edits, service, capsys)]
        every = words(Counter(prompt for prompt, _ in bought(tmp_path / "0" / "state")))
    text = HEAD.format(all=every) + "\n".join(lines) + "\n"
    if update_golden:
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
