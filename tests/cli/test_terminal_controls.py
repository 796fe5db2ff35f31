"""No text that comes from a file, a service or a host steers the terminal it is printed on."""

from __future__ import annotations

import ast
import io
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from flowdsl.cli import main
from flowdsl.cli.progress import LiveProgress
from flowdsl.display.visible import Shown, shown, styled, visible, visible_line
from flowdsl.events import Emitted, Invocation, Note, Progress, StepStarted

ROOT = Path(__file__).parent.parent.parent
HOSTILE = "x\x1b]0;pwn\x07\x1b[31m\x9b2J\u202ey\u2066z\x85\u200f\rq\x7f\ud83d"
"""A title of the window, a colour, an erased screen, turned text, a line of its own, half a character."""
STEERING = frozenset(map(chr, [*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F)]))
STEERING |= set("\u061c\u200e\u200f\u2066\u2067\u2068\u2069")
IN_YAML = json.dumps(HOSTILE.removesuffix("\ud83d"))


def unharmed(captured: Any) -> str:
    """What was printed, with no character in it that steers."""
    text = "".join(captured)
    assert not STEERING & set(text), [char for char in text if char in STEERING]
    return text


FLOWS = {
    "raise": f"- step: RAISE\n  message: {IN_YAML}\n",
    "monitor label": f"- step: SET\n  monitorLabel: {IN_YAML}\n  text: a\n",
    "text": f"- step: SET\n  text: {IN_YAML}\n",
    "name of an output": f"outputs:\n  {IN_YAML}: a\nflow:\n  - step: SET\n    text: a\n",
    "response": f"- step: SHOW_RESPONSE\n  message: {IN_YAML}\n",
    "notification": f"- step: SHOW_NOTIFICATION\n  message: {IN_YAML}\n  title: {IN_YAML}\n",
    "progress": f"- step: SHOW_PROGRESS\n  status: {IN_YAML}\n- step: UPDATE_PROGRESS\n  percentage: 3\n",
    "event": f"- step: EMIT_EVENT\n  name: {IN_YAML}\n  payload: {{{IN_YAML}: {IN_YAML}}}\n",
    "debug": f"- step: SET\n  text: {IN_YAML}\n- step: DEBUG\n",
    "unknown step": f"- step: {IN_YAML}\n",
    "unknown key": f"- step: SET\n  text: a\n- step: IF\n  {IN_YAML}: a\n",
    "key given twice": f"- step: SET\n  {IN_YAML}: a\n  {IN_YAML}: b\n",
    "characters of the file": "- step: SET\n  text: a\u202eb\u2066 {{ nothing }}\n  oops\n",
    "unquoted control": "- step: SET\n  text: a \x9b2J b\n",
    "missing include": "- !include ./\u202egpj.yaml\n",
}


@pytest.mark.parametrize("flow", FLOWS.values(), ids=[name.replace(" ", "-") for name in FLOWS])
@pytest.mark.parametrize(
    "command",
    [
        ("validate",),
        ("validate", "--format", "json"),
        ("validate", "--color", "never"),
        ("run", "--out", "out"),
        ("run", "--json"),
        ("run", "--events"),
        ("run", "-q"),
        ("explain",),
    ],
    ids=lambda words: "-".join(words).replace("--", ""),
)
def test_what_a_flow_says_steers_no_terminal(
    flow: str, command: tuple[str, ...], tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("\u202eok.flow.yaml").write_text(flow, encoding="utf-8")
    main([*command, "\u202eok.flow.yaml" + (":1" if command == ("explain",) else "")])
    unharmed(capsys.readouterr())


def test_json_shows_controls_as_escapes_and_stays_the_same_json(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(FLOWS["text"], encoding="utf-8")
    assert main(["run", "a.flow.yaml", "--json"]) == 0
    assert json.loads(unharmed((capsys.readouterr().out,)))["text"] == json.loads(IN_YAML)


@pytest.mark.parametrize("arguments", [(HOSTILE,), ("run", HOSTILE), ("validate", HOSTILE), ("steps", HOSTILE)])
def test_arguments_steer_no_terminal(arguments: tuple[str, ...], capsys: Any) -> None:
    assert main([*arguments]) != 0
    unharmed(capsys.readouterr())


def test_what_a_service_answers_steers_no_terminal(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    body = json.dumps({"error": {"message": "x\u001b]0;pwn\u0007\u202e\u009b2J"}}).encode()

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(400)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        Path("a.flow.yaml").write_text(
            "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A paper boat\n", encoding="utf-8"
        )
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-placeholder-0123456789")
        for options in ((), ("--json",), ("--events",)):
            assert main(["run", "a.flow.yaml", *options]) == 4
            assert "pwn" in unharmed(capsys.readouterr())
        server.shutdown()


def test_a_live_display_steers_with_its_own_sequences_only() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    display = LiveProgress(stream)
    step: Any = StepStarted(
        run="r", id=1, parent=Invocation(id=0), step=HOSTILE, path="flow[0]", iteration=None, at_s=0.0, label=HOSTILE
    )
    rest: dict[str, Any] = {"run": "r", "invocation": step, "at_s": 0.0}
    for event in (
        step,
        Progress(**rest, text=HOSTILE, done=1, total=2),
        Note(**rest, code="x", text=HOSTILE),
        Emitted(**rest, name="SHOW_PROGRESS", payload={"status": HOSTILE}),
        Emitted(**rest, name="SHOW_NOTIFICATION", payload={"message": HOSTILE}),
        Emitted(**rest, name=HOSTILE, payload=HOSTILE),
    ):
        display(event)
    for own in ("\x1b[1F\x1b[J", "\x1b[2F\x1b[J", "\x1b[33m", "\x1b[34m", "\x1b[0m"):
        stream = io.StringIO(stream.getvalue().replace(own, ""))
    unharmed((stream.getvalue(),))


def test_only_text_of_our_own_making_steers() -> None:
    assert visible("a\x1b[2Jb\u202e\ttab\nline") == "a\\u001b[2Jb\\u202e\ttab\nline"
    assert visible_line("a\nb\tc") == "a\\u000ab\\u0009c"
    assert "x\x1b" + styled("31", "a\x1b") + "\x1b" == "x\\u001b\x1b[31ma\\u001b\x1b[0m\\u001b"
    assert shown(styled("1", "a"), "\x9b") == "\x1b[1ma\x1b[0m\\u009b"
    assert type(f"{styled('31', 'a')} \x1b") is str
    assert isinstance(str(styled("31", "a")), Shown)
    assert visible("👩🏽‍🚀 日本語 é\u0301") == "👩🏽‍🚀 日本語 é\u0301"


STREAMS = {"stdout", "stderr", "__stdout__", "__stderr__"}
OUTSIDE = {
    "flowdsl/cli/streams.py",  # the place itself
    "flowdsl/engine/state.py",  # a host without a sink, where no command line runs: made visible there
    "steps/flowdsl_steps/image/simulator/__main__.py",  # a command of its own, which prints an address
}


@pytest.mark.long
def test_nothing_writes_to_a_stream_beside_the_one_place_for_it() -> None:
    """Print and `sys.stdout.write` go through `steady_streams`; whatever goes around it, or steers, is found here."""
    found = []
    for path in [*(ROOT / "flowdsl").rglob("*.py"), *(ROOT / "steps").rglob("*.py")]:
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            around = isinstance(node, ast.Attribute) and (
                node.attr in ("__stdout__", "__stderr__", "buffer")
                and not (node.attr == "buffer" and ast.unparse(node.value) == "sys.stdin")
            )
            if isinstance(node, ast.Attribute) and node.attr in STREAMS and not name.startswith("flowdsl/cli/"):
                around = ast.unparse(node).startswith("sys.")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "input"):
                around = not name.startswith("flowdsl/cli/")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Shown":
                around = name not in ("flowdsl/display/visible.py", "flowdsl/cli/progress.py")
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\x1b[" in node.value:
                around = name not in ("flowdsl/display/visible.py", "flowdsl/cli/progress.py")
            if around and name not in OUTSIDE:
                found.append(f"{name}:{node.lineno} {ast.unparse(node)}")
    assert found == []
