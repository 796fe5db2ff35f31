"""The command line as a process: on a terminal, interrupted, and with a reader that leaves."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import pytest

import flowdsl
from flowdsl.cli import main
from flowdsl.cli.progress import progress_on
from flowdsl_steps.image.simulator import Simulator

pytestmark = pytest.mark.long  # processes on pseudo-terminals

FRAMES = tuple("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

FLOW = """\
- step: SET
  text: A harbour at dawn
- step: OPENAI_IMAGE_GENERATION
  monitorLabel: drawing
  model: gpt-image-2
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "flowdsl.cli", *arguments]


def environment(simulator: Simulator | None = None, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    service = {"OPENAI_BASE_URL": simulator.openai_base_url, "OPENAI_API_KEY": simulator.key} if simulator else {}
    return {**kept, "TERM": "xterm-256color", **service, **more}


def on_a_terminal(arguments: list[str], folder: Path, env: dict[str, str]) -> tuple[str, str, int]:
    """What a process writes to a pseudo-terminal as stderr, its stdout, and its exit code."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=follower, cwd=folder, env=env, text=True)
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 65536):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    out, _ = process.communicate(timeout=30)
    return shown.decode().replace("\r\n", "\n"), out, process.returncode


def what_stays(shown: str) -> str:
    """The screen after all erasing: a small terminal that knows the two sequences progress uses."""
    lines = [""]
    for part in re.split(r"(\x1b\[\d+F\x1b\[J|\n)", shown):
        if part == "\n":
            lines.append("")
        elif erased := re.fullmatch(r"\x1b\[(\d+)F\x1b\[J", part):
            lines = [*lines[: -1 - int(erased[1])], ""]
        else:
            lines[-1] += part
    return "\n".join(lines)


def test_progress_on_a_terminal_lives_and_leaves_one_line_for_each_step(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    with Simulator(faults=["slow,delay_s=0.8"]) as simulator:
        shown, out, code = on_a_terminal(command("run", "a.flow.yaml"), tmp_path, environment(simulator))
    assert code == 0
    drawing = re.findall(rf"([{''.join(FRAMES)}]) OPENAI_IMAGE_GENERATION (\d+\.\d) s drawing\n", shown)
    assert [len({*each}) >= 3 for each in zip(*drawing, strict=True)] == [True, True]  # marks, and times
    stays = re.sub(r"\d+\.\d s", "0.0 s", what_stays(shown))
    assert stays == "\x1b[32m✓\x1b[0m SET 0.0 s\n\x1b[32m✓\x1b[0m OPENAI_IMAGE_GENERATION 0.0 s\n"
    assert re.search(r"^flowdsl-images/a-1\.png  1024x1024  PNG\n", out)


EMITTING = """\
- {step: SHOW_PROGRESS, status: Painting, autoHide: true}
- {step: UPDATE_PROGRESS, percentage: 50, status: Half}
- {step: SLEEP, delay: 300}
- {step: SHOW_NOTIFICATION, notificationType: warning, message: Paper is low}
- {step: SET, text: Ready}
- {step: SHOW_RESPONSE}
- {step: UPDATE_PROGRESS, percentage: 100}
"""


CONCURRENT = """\
- step: FOR
  var: n
  start: 1
  end: 12
  concurrency: 4
  do:
    - step: SLEEP
      delay: "{{ flowContext.n % 5 * 7 }}"
"""


def test_the_lines_of_a_concurrent_loop_are_as_many_as_steps_run_at_each_moment() -> None:
    """The screen is read back after each event, and compared with the invocations that are running then."""
    leader, follower = pty.openpty()
    os.set_blocking(leader, False)
    screen = ""
    counts: list[tuple[int, int]] = []

    def read() -> str:
        nonlocal screen
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(leader, 65536):
                screen += chunk.decode().replace("\r\n", "\n")
        return screen

    async def run(stream: TextIO) -> None:
        running: set[int] = set()
        async with progress_on(stream) as progress:

            def follow(event: flowdsl.Event) -> None:
                progress(event)
                if isinstance(event, flowdsl.StepStarted):
                    running.add(event.invocation.id)
                elif isinstance(event, flowdsl.StepFinished):
                    running.remove(event.invocation.id)
                moving = [line for line in what_stays(read()).splitlines() if line[:1] in FRAMES]
                counts.append((len(moving), len(running)))

            await flowdsl.load(CONCURRENT).arun(on_event=follow)

    with os.fdopen(follower, "w", encoding="utf-8") as stream:
        asyncio.run(run(stream))
        stayed = what_stays(read())
    os.close(leader)
    assert [shown for shown, _ in counts] == [running for _, running in counts]
    assert max(shown for shown, _ in counts) == 5  # the loop, and four of its iterations
    assert len(counts) == 39  # each of the twelve items is announced
    assert [line for line in stayed.splitlines() if line[:1] in FRAMES] == []
    assert stayed.count("SLEEP") == 12


def test_a_progress_bar_moves_below_the_lines_that_stay_and_goes_away(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(EMITTING, encoding="utf-8")
    shown, out, code = on_a_terminal(command("run", "a.flow.yaml"), tmp_path, environment(NO_COLOR="1"))
    assert (code, out.splitlines()[0]) == (0, "Ready")
    assert re.search(r"SLEEP \d\.\d s\n██████████░░░░░░░░░░ 50 % Half\n", shown)
    assert "█" * 20 not in shown
    steps = ["SHOW_PROGRESS", "UPDATE_PROGRESS", "SLEEP", "SHOW_NOTIFICATION", "SET", "SHOW_RESPONSE"]
    steps.append("UPDATE_PROGRESS")
    expected = [f"✓ {step} 0.0 s" for step in steps]
    expected.insert(3, "  warning: Paper is low")
    assert re.sub(r"\d+\.\d s", "0.0 s", what_stays(shown)).splitlines() == expected


def test_colours_are_for_terminals_that_do_not_ask_for_none(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text("- step: SETT\n", encoding="utf-8")
    coloured, _, _ = on_a_terminal(command("run", "a.flow.yaml"), tmp_path, environment())
    plain, _, _ = on_a_terminal(command("run", "a.flow.yaml"), tmp_path, environment(NO_COLOR="1"))
    assert coloured.startswith("\x1b[1ma.flow.yaml:1:9\x1b[0m: \x1b[1;31merror\x1b[0m: ")
    assert plain.startswith("a.flow.yaml:1:9: error: Step not found: SETT [unknown-step]\n")


def test_help_asks_the_terminal_how_wide_it_is(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 62, 0, 0))
    process = subprocess.Popen(command("run", "--help"), stdout=follower, cwd=tmp_path, env=environment())
    os.close(follower)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while chunk := os.read(leader, 65536):
            shown += chunk
    os.close(leader)
    lines = shown.decode().partition("examples:")[0].splitlines()
    assert process.wait(timeout=20) == 0
    assert 50 < max(map(len, lines)) <= 62


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def test_a_disk_that_takes_no_picture_ends_the_run_at_once_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(FLOW, encoding="utf-8")

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    with Simulator() as simulator:
        found = subprocess.run(
            command("run", "a.flow.yaml", "--quiet", "--no-journal"),
            cwd=tmp_path,
            env=environment(simulator, PYTHONDONTWRITEBYTECODE="1"),
            capture_output=True,
            text=True,
            timeout=20,
            preexec_fn=small_disk,
            check=False,
        )
    assert found.returncode == 4
    assert f"the image cannot be stored in {tmp_path}/flowdsl-images/.originals: File too large" in found.stderr
    assert [path.name for path in (tmp_path / "flowdsl-images").rglob("*")] == [".originals"]


TWO_PICTURES = """\
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  instruction: A harbour at dawn
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  instruction: A storm at sea
  outputKey: second
"""
ENDS = {
    "ctrl-c": (signal.SIGINT, 130, "interrupted"),
    "sigterm": (signal.SIGTERM, 143, "terminated"),
    "sighup": (signal.SIGHUP, 129, "terminated"),
}


@pytest.mark.parametrize(("number", "code", "word"), ENDS.values(), ids=ENDS)
def test_a_run_that_is_ended_names_its_pictures_and_what_may_be_billed(
    number: signal.Signals, code: int, word: str, tmp_path: Path
) -> None:
    (tmp_path / "a.flow.yaml").write_text(TWO_PICTURES, encoding="utf-8")
    with Simulator(faults=["hang,when=storm"]) as simulator:
        process = subprocess.Popen(
            command("run", "a.flow.yaml", "--quiet"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=environment(simulator),
            text=True,
        )
        wait_for(lambda: simulator.request_count == 2)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        requests = simulator.request_count
    (picture,) = (tmp_path / "flowdsl-images").glob("*.png")
    assert (process.returncode, out, requests) == (code, "", 2)
    assert err == (
        f"flowdsl-images/{picture.name}  1024x1024  PNG\n1 image made, cost unknown\n"
        "the service may have done, and billed, the work of 1 request\n"
        f"`flowdsl resume` goes on from here: what is paid for is not bought again\n{word}\n"
    )


def run_in_shell(line: str, folder: Path, simulator: Simulator) -> subprocess.CompletedProcess[str]:
    """What a shell makes of `flowdsl run a.flow.yaml` with redirections."""
    run = " ".join(command("run", "a.flow.yaml"))
    return subprocess.run(
        ["sh", "-c", f"{run} {line}"],
        cwd=folder,
        env=environment(simulator),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("-q --json >/dev/full", 4, "flowdsl: stdout cannot be written to: No space left on device\n"),
        ("-q >/dev/full", 4, "flowdsl: stdout cannot be written to: No space left on device\n"),
        ("-q --events >/dev/full", 4, "flowdsl: stdout cannot be written to: No space left on device\n"),
        ("-q --json >&-", 4, "flowdsl: stdout is closed\n"),
        ("-q --events | true", 0, "made, cost $0.0527\n"),
    ],
    ids=["full, json", "full, text", "full, events", "closed", "no reader"],
)
def test_a_result_that_stdout_does_not_take_is_told_on_stderr(line: str, code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    with Simulator() as simulator:
        found = run_in_shell(line, tmp_path, simulator)
    (picture,) = (tmp_path / "flowdsl-images").glob("*.png")
    assert (found.returncode, found.stdout) == (code, "")
    assert found.stderr.startswith(f"flowdsl-images/{picture.name}  1024x1024  PNG\n1 image made, cost $")
    assert found.stderr.endswith(said)


@pytest.mark.parametrize("line", ["2>/dev/full", "2>&-", "--json 2>/dev/full"], ids=["full", "closed", "json"])
def test_a_stderr_that_cannot_be_written_to_costs_no_result(line: str, tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    with Simulator() as simulator:
        found = run_in_shell(line, tmp_path, simulator)
    (picture,) = (tmp_path / "flowdsl-images").glob("*.png")
    assert found.returncode == 0
    assert picture.name in found.stdout


def test_a_failed_run_names_its_pictures_and_json_has_them(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(TWO_PICTURES, encoding="utf-8")
    with Simulator(faults=["server_error:*,when=storm"]) as simulator:
        found = run_in_shell("-q --json", tmp_path, simulator)
    told = json.loads(found.stdout)
    (image,) = told["images"]
    assert (found.returncode, told["error"]["step"], told["in_doubt"]) == (4, "OPENAI_IMAGE_GENERATION", 1)
    assert Path(image["path"]).is_file()
    assert "1 image made" in found.stderr


def test_a_runaway_loop_ends_at_the_limit_of_paid_requests(tmp_path: Path) -> None:
    loop = "- step: WHILE\n  condition: '{{ true }}'\n  do:\n" + "".join(
        f"    {line}\n" for line in TWO_PICTURES.splitlines()[:3]
    )
    (tmp_path / "a.flow.yaml").write_text(loop, encoding="utf-8")
    (tmp_path / "flowdsl.toml").write_text("max_requests = 1\n", encoding="utf-8")
    for line, sent in (("-q", 1), ("-q --max-requests 3", 3), ("-q --max-usd 0.01", 0)):
        with Simulator() as simulator:
            found = run_in_shell(line, tmp_path, simulator)
        assert (found.returncode, simulator.request_count) == (4, sent)
        assert "hint: raise the limit: `--max-" in found.stderr


def test_a_bug_of_ours_after_a_picture_does_not_leave_it_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def show(event: flowdsl.Event) -> None:
        if isinstance(event, flowdsl.StepFinished) and event.step == "OPENAI_IMAGE_GENERATION":
            raise RuntimeError("a bug")

    (tmp_path / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("flowdsl.cli.run._quiet", lambda options: show)
    assert main(["run", "a.flow.yaml", "--simulate", "-q"]) == 3
    (picture,) = (tmp_path / "flowdsl-images").glob("*.png")
    assert f"flowdsl-images/{picture.name}" in capsys.readouterr().err


def test_a_run_past_its_deadline_says_what_may_be_billed(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(TWO_PICTURES, encoding="utf-8")
    for limit_s in (2, 6, 20):  # as long as this machine needs to come to the second picture, which hangs
        with Simulator(faults=["hang,when=storm"]) as simulator:
            found = run_in_shell(f"-q --timeout {limit_s}", tmp_path, simulator)
        assert found.returncode == 4
        assert f"the run took longer than {limit_s} s" in found.stderr
        if simulator.request_count == 2:
            break
    assert "the service may have done, and billed, the work" in found.stderr
    assert "1 image made, cost unknown" in found.stderr


def test_a_simulator_serves_until_ctrl_c_and_says_what_to_set(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("simulate", "--key", "sk-here"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(6)]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert [re.sub(r":\d+", ":PORT", line) for line in lines] == [
        "simulated images API: http://127.0.0.1:PORT\n",
        "export OPENAI_BASE_URL=http://127.0.0.1:PORT/v1\n",
        "export OPENAI_API_KEY=sk-here\n",
        "export AZURE_OPENAI_ENDPOINT=http://127.0.0.1:PORT\n",
        "export AZURE_OPENAI_API_KEY=sk-here\n",
        "Ctrl-C ends it.\n",
    ]
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("arguments", [["validate", "."], ["run", "a.flow.yaml", "--events"]], ids=["validate", "run"])
def test_a_reader_that_leaves_is_no_reason_to_complain(tmp_path: Path, arguments: list[str]) -> None:
    steps = "".join(f"- step: SET\n  nmae_{i}: '{{{{ flowContext.x{i} }}}}'\n" for i in range(300))
    (tmp_path / "a.flow.yaml").write_text(
        "- step: SET\n  text: hello\n" * 300 if arguments[0] == "run" else steps, encoding="utf-8"
    )
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment()
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=20), err) == (4, b"")
