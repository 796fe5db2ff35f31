"""Progress of loops: how far each is and with which item, on a terminal and without one."""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import pty
import re
import struct
import termios
from pathlib import Path

import pytest
from test_terminal import FRAMES, command, environment, on_a_terminal, run_in_shell, what_stays

import flowdsl
from flowdsl.cli import progress as progress_module
from flowdsl.cli.progress import progress_on
from flowdsl.display.width import clipped
from flowdsl_steps.image.simulator import Simulator

PICTURES = """\
- step: FOR
  var: city
  items: [{name: Lisbon}, Porto, {sku: F-3}]
  do:
    - step: OPENAI_IMAGE_GENERATION
      monitorLabel: drawing {{ flowContext.city_index + 1 }}
      model: gpt-image-2
      instruction: A harbour
  collect: "{{ flowContext.imageList[0] }}"
  collectKey: harbours
"""


def moving(shown: str) -> list[str]:
    return [line[2:] for line in re.split(r"[\r\n]+", shown) if line[:1] in FRAMES]


@pytest.mark.long
def test_a_loop_on_a_terminal_shows_which_item_of_how_many_is_at_work(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(PICTURES, encoding="utf-8")
    with Simulator(faults=["slow,delay_s=0.3"]) as simulator:
        shown, _, code = on_a_terminal(command("run", "a.flow.yaml"), tmp_path, environment(simulator, NO_COLOR="1"))
    rows = {re.sub(r" \d+\.\d s", "", line) for line in moving(shown)}
    assert code == 0
    assert {
        "FOR 0/3 done",
        "FOR 2/3 done",
        "OPENAI_IMAGE_GENERATION 1/3 Lisbon drawing 1",
        "OPENAI_IMAGE_GENERATION 3/3 F-3 drawing 3",
        "OPENAI_IMAGE_GENERATION 2/3 Porto drawing 2 · images ready (1/1)",
    } <= rows
    stays = re.sub(r"\d+\.\d s", "0.0 s", what_stays(shown)).splitlines()
    steps = [f"✓ OPENAI_IMAGE_GENERATION {place} 0.0 s" for place in ("1/3 Lisbon", "2/3 Porto", "3/3 F-3")]
    saving = "2 requests asked for the same as another: `--cache run` buys that once, $0.11 less"
    assert stays == [*steps, "✓ FOR 0.0 s", saving]


CROWD = """\
- step: FOR
  var: kite
  start: 1
  end: 40
  concurrency: 40
  do:
    - {step: SLEEP, delay: 150, monitorLabel: "up\\nin the 空 of the harbour 空空空空空空空空空空空空空空空空空空空空"}
"""


def test_more_rows_than_a_terminal_has_lines_are_counted_and_nothing_of_them_stays() -> None:
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 40, 0, 0))
    os.set_blocking(leader, False)
    screen = ""

    def read() -> str:
        nonlocal screen
        try:
            while chunk := os.read(leader, 65536):
                screen += chunk.decode(errors="replace").replace("\r\n", "\n")
        except BlockingIOError:
            pass
        return screen

    async def run(stream: io.TextIOBase) -> None:
        async with progress_on(stream) as progress:  # type: ignore[arg-type]

            def follow(event: flowdsl.Event) -> None:
                progress(event)
                read()

            await flowdsl.load(CROWD).arun(on_event=follow)

    with os.fdopen(follower, "w", encoding="utf-8") as stream:
        asyncio.run(run(stream))  # type: ignore[arg-type]
        shown = read()
    os.close(leader)
    blocks = re.findall(r"(?:^[^\n✓]*\n)+", re.sub(r"\x1b\[\d+F\x1b\[J", "\x1b\n", shown), re.MULTILINE)
    frames = [block for part in blocks for block in part.split("\x1b\n")]
    assert max(frame.count("\n") for frame in frames) == 10
    assert any("  … and 32 more\n" in frame for frame in frames)
    assert "SLEEP 7/40 " in shown
    assert [line for line in what_stays(shown).splitlines() if not re.search("✓", line)] == []


@pytest.mark.parametrize(
    ("text", "columns", "kept"),
    [
        ("harbour", 4, "harb"),
        ("空空空", 4, "空空"),
        ("空空空", 5, "空空"),
        ("e\u0301e\u0301e", 2, "e\u0301e\u0301"),
        ("", 3, ""),
    ],
    ids=["ascii", "even", "odd", "combining", "empty"],
)
def test_a_line_is_cut_by_the_columns_it_takes(text: str, columns: int, kept: str) -> None:
    assert clipped(text, columns) == kept


NESTED = """\
- step: FOR
  var: city
  items: [Lisbon, Porto]
  do:
    - step: FOR
      var: hour
      start: 1
      end: 2
      concurrency: 2
      do:
        - {step: SLEEP, delay: 60, monitorLabel: waiting}
- step: WHILE
  condition: "{{ not flowContext.over }}"
  do:
    - {step: SET, over: "{{ true }}"}
"""


def plain(flow: str, monkeypatch: pytest.MonkeyPatch, silence_s: float = 5.0) -> list[str]:
    """What progress writes where there is no terminal, times taken out."""
    monkeypatch.setattr(progress_module, "SILENCE_S", silence_s)
    stream = io.StringIO()

    async def run() -> None:
        async with progress_on(stream) as progress:
            await flowdsl.load(flow).arun(on_event=progress)

    asyncio.run(run())
    return re.sub(r"\d+\.\d s", "N s", stream.getvalue()).splitlines()


def test_without_a_terminal_each_line_names_the_items_of_the_loops_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for line in plain(NESTED, monkeypatch) if not line.startswith("  … ")]
    assert lines[:5] == [
        "  SLEEP 1/2 Lisbon, 1/2: waiting",
        "  SLEEP 1/2 Lisbon, 2/2: waiting",
        "✓ SLEEP 1/2 Lisbon, 1/2 N s",
        "✓ SLEEP 1/2 Lisbon, 2/2 N s",
        "✓ FOR 1/2 Lisbon N s",
    ]
    assert lines[-3:] == ["✓ FOR N s", "✓ SET 1 N s", "✓ WHILE N s"]


def test_without_a_terminal_there_is_no_long_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = CROWD.replace("40", "5").replace("150", "350").replace("up\\n", "")
    lines = [line for line in plain(flow, monkeypatch, 0.1) if line.startswith("  … ")]
    assert lines[3] == "  … and 2 more"
    assert lines[2].startswith("  … SLEEP 5/5 N s in the 空")


def test_a_quiet_run_says_nothing_of_its_progress(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(PICTURES, encoding="utf-8")
    with Simulator() as simulator:
        found = run_in_shell("-q", tmp_path, simulator)
    assert (found.returncode, found.stderr) == (0, "")


def test_an_item_that_is_a_secret_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARBOUR_KEY", "harbour-key-0123456789")
    flow = "- step: FOR\n  var: key\n  items: [\"{{ secret('HARBOUR_KEY') }}\", 'x']\n  do:\n    - {step: SET, a: b}\n"
    assert plain(flow, monkeypatch)[:2] == ["✓ SET 1/2 *** N s", "✓ SET 2/2 x N s"]
    events: list[flowdsl.Event] = []
    flowdsl.run(flow, on_event=events.append)
    (first, _) = (event for event in events if isinstance(event, flowdsl.Progress))
    assert (first.text, first.done, first.total, first.item) == ("***", 0, 2, 0)


def test_an_event_says_how_many_iterations_have_ended_when_one_begins() -> None:
    events: list[flowdsl.Event] = []
    flowdsl.run(CROWD.replace("concurrency: 40", "concurrency: 3").replace("150", "1"), on_event=events.append)
    begun = [event for event in events if isinstance(event, flowdsl.Progress)]
    assert [event.item for event in begun] == list(range(40))
    assert [event.done for event in begun][:3] == [0, 0, 0]
    assert all(max(0, index - 2) <= (event.done or 0) <= index for index, event in enumerate(begun))
