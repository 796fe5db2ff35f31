"""`flowdsl resume` asks on a terminal before it pays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("it has no pseudo-terminals", allow_module_level=True)

import pty

sys.path.append(str(Path(__file__).parents[1] / "verify"))
from counting_service import CountingService

pytestmark = pytest.mark.long

FLOW = """\
- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: a boat}
- {step: IF, condition: "{{ kv('stop') }}", then: [{step: RAISE, message: not today}]}
- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: a ship}
"""


@pytest.mark.parametrize(
    ("typed", "code", "count"),
    [("\n", 0, 2), ("y\n", 0, 2), ("n\n", 0, 1), ("what\n", 0, 1), ("\x04", 0, 1), ("\x03", 130, 1)],
    ids=["enter", "yes", "no", "another word", "the end", "an interrupt"],
)
def test_it_goes_on_when_it_is_told_to(typed: str, code: int, count: int, tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    command = [sys.executable, "-m", "flowdsl.cli"]
    with CountingService() as service:
        env = {**os.environ, **service.variables(), "FLOWDSL_STATE": str(tmp_path / "state")}
        for stop in ("true", "false"):
            (tmp_path / "flowdsl.toml").write_text(f"[kv]\nstop = {stop}\n", encoding="utf-8")
            if stop == "true":
                run = [*command, "run", "a.flow.yaml", "-q"]
                ran = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, timeout=60, check=False)
                assert ran.returncode == 4, ran.stderr
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [*command, "resume"],
            cwd=tmp_path,
            env=env,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # the terminal is its own
        )
        os.close(follower)
        shown = b""
        while b"go on? [Y/n]" not in shown:
            shown += os.read(leader, 65536)
        os.write(leader, typed.encode())
        try:
            while chunk := os.read(leader, 65536):
                shown += chunk
        except OSError:  # the other end is closed
            pass
        os.close(leader)
        assert process.wait(60) == code, shown.decode()
        assert service.count == count
    assert b"Traceback" not in shown
    assert b"1 request is paid for, $0.0059" in shown
