"""Runs that are killed at random points, and resumed until they are done: what the service was asked for is all in the
ledger, what is there is used, and nothing is asked for twice but what somebody let be sent again.

`FLOWDSL_KILLS=200` is the full count, `FLOWDSL_SEED` draws other points.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from counting_service import FLAKY, LOST, CountingService

from flowdsl.journal.journal import Journal
from flowdsl.journal.runs import Request

KILLS = int(os.environ.get("FLOWDSL_KILLS", "10"))
SEED = int(os.environ.get("FLOWDSL_SEED", "7"))
PARTS = 2
MOST_AT_ONCE = 4
_PATIENCE_S = 120


def picture(prompt: str, **more: Any) -> dict[str, Any]:
    asked = {"model": "gpt-image-2", "size": "1024x1024", "quality": "low", **more}
    return {"step": "OPENAI_IMAGE_GENERATION", **asked, "maxRetries": 0, "instruction": prompt}


def loop(prompt: str, end: int, **more: Any) -> dict[str, Any]:
    return {"step": "FOR", "var": "i", "start": 1, "end": end, **more, "do": [picture(prompt)]}


def attempts(*steps: Any, **more: Any) -> dict[str, Any]:
    return {"step": "TRY", "try": list(steps), **more}


FLOW = [
    loop("one of four", 4),
    picture("a pair", n=2),
    picture("in three requests", model="dall-e-3", quality="standard", n=3),
    {"step": "PARALLEL", "steps": [[picture("left"), picture("both")], [picture("both"), picture("right")]]},
    attempts(picture("kept"), picture(FLAKY), retry={"max": 2, "delayMs": 0}),
    attempts(picture("anew"), picture(f"{FLAKY}, anew"), retry={"max": 2, "delayMs": 0, "paid": "again"}),
    attempts(picture(LOST), catch=[picture("instead")]),
    loop("side by side, {{ flowContext.i % 2 }}", 6, concurrency=3),
    {"step": "FOR", "items": ["a", "b"], "var": "j", "concurrency": 2, "do": [loop("{{ flowContext.j }}", 2)]},
]
NEEDED = Counter(
    {"one of four": 4, "a pair": 1, "in three requests": 3, "left": 1, "right": 1, "both": 2, "kept": 1, FLAKY: 1}
    | {f"{FLAKY}, anew": 1, "side by side, 0": 3, "side by side, 1": 3, "a": 2, "b": 2}
)
"""The pictures that a whole run uses, by prompt, however often it is broken off."""


class Killed:
    """One run of the flow in a folder, which is killed and resumed."""

    def __init__(self, folder: Path, service: CountingService, random: Random) -> None:
        folder.mkdir()
        (folder / "all.flow.yaml").write_text(yaml.safe_dump({"flow": FLOW}, sort_keys=False), encoding="utf-8")
        self.folder = folder
        self.state = folder / ".flowdsl"
        self.service = service
        self.random = random
        self.variables = {**os.environ, **service.variables(), "FLOWDSL_STATE": str(self.state)}

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "flowdsl.cli", *arguments]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=self.folder, env=self.variables, **pipes)  # type: ignore[call-overload, no-any-return]

    def killed(self, *arguments: str) -> bool:
        """Whether the command was killed before its end, at a random point of its requests."""
        process = self.start(*arguments)
        number = self.service.count + self.random.randint(0, 26)
        end = time.monotonic() + _PATIENCE_S
        while process.poll() is None and self.service.count < number:
            self.service.wait_for(lambda: self.service.count >= number, 0.05)
            assert time.monotonic() < end
        time.sleep(self.random.choice((0.0, 0.001, 0.005, 0.02, 0.04)))
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate(timeout=_PATIENCE_S)
        assert process.returncode in (0, -signal.SIGKILL), (out, err.decode())
        return process.returncode != 0

    def whole(self, *arguments: str) -> tuple[int, str, str]:
        """The exit code and output of a command that nobody kills."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=_PATIENCE_S)
        return process.returncode, out.decode(), err.decode()

    def ledger(self) -> tuple[str, list[Request]]:
        """How the run stands, and its paid requests; they agree with what the service was asked for."""
        with Journal(self.state) as journal:
            runs = journal.runs.all()
            requests = journal.runs.requests(runs[0].id) if runs else []
        assert len(runs) <= 1
        kept = by_prompt(requests)
        assert not self.service.asked - kept, "asked for, and not in the ledger"
        assert not by_prompt(requests, "ok") - self.service.delivered, "never delivered"
        unsure = by_prompt(requests, "started") + by_prompt(requests, "unknown") + by_prompt(requests, "released")
        assert not kept - self.service.asked - unsure, "never asked for, and not in doubt"
        return runs[0].status if runs else "", requests

    def next_command(self) -> list[str]:
        """What goes on with the run; without any, it is done. What is in doubt is held until somebody lets it go."""
        status, requests = self.ledger()
        if status == "done":
            return []
        if not requests:
            assert self.service.count == 0
            return ["run", "all.flow.yaml", "--json"]
        doubts = [each for each in requests if each.blocks]
        if not doubts:
            return ["resume", "--yes", "--json"]
        before = self.service.count
        code, _, err = self.whole("resume", "--yes", "--json")
        assert (code, self.service.count) == (1, before), err
        assert f"{len(doubts)} request{'s' if len(doubts) > 1 else ''} of the run" in err
        return ["resume", "--yes", "--json", "--resend"]

    def pictures(self) -> Counter[bytes]:
        """The pictures with names for people, by their bytes."""
        return Counter(path.read_bytes() for path in (self.folder / "flowdsl-images").glob("*.gif"))


def by_prompt(requests: list[Request], *states: str) -> Counter[str]:
    """How many requests there are of each prompt."""
    return Counter(each.request["prompt"] for each in requests if not states or each.state in states)


def run_until_done(at: Killed, kills: int) -> int:
    """Kills a run so often, unless it is done before, and resumes it each time; gives how often it was killed."""
    command, count = at.next_command(), 0
    while command and count < kills and at.killed(*command):
        count += 1
        command = at.next_command()
    if command and count == kills:
        code, out, err = at.whole(*command)
        assert code == 0, err
        assert json.loads(out)["imageList"]
    return count


def check_done(at: Killed, kills: int) -> None:
    """A run that is done has each picture that it needs, once, and every picture that it paid for. Each kill may have
    come between files with names for people and the journal, which then names those pictures anew."""
    status, requests = at.ledger()
    assert status == "done"
    bought = by_prompt(requests, "ok")
    assert {prompt: bought[prompt] for prompt in NEEDED} == NEEDED
    assert 1 <= bought["anew"] <= 2
    assert bought[LOST] or bought["instead"] == 1
    files = [file for each in requests if each.state == "ok" for file in each.files]
    assert len(files) == len({Path(file).read_bytes() for file in files}) == sum(each.images for each in requests)
    pictures = at.pictures()
    assert {Path(file).read_bytes() for file in files} <= pictures.keys()
    assert pictures.total() - len(pictures) <= kills * MOST_AT_ONCE, "a picture has two names"
    lines = json.loads((at.folder / "flowdsl-images" / "manifest.json").read_text(encoding="utf-8"))["images"]
    assert len({line["file"] for line in lines}) == len(lines)
    assert {Path(file).name for file in files} <= {line["file"] for line in lines}


@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_that_is_killed_again_and_again_loses_nothing_and_buys_nothing_twice(part: int, tmp_path: Path) -> None:
    random, kills, flows = Random(SEED * 100 + part), 0, 0
    while kills < KILLS // PARTS:
        with CountingService(random.randrange(1000), (0.0, random.choice((0.005, 0.05)))) as service:
            at = Killed(tmp_path / str(flows), service, random)
            killed = run_until_done(at, min(random.randint(1, 6), KILLS // PARTS - kills))
            check_done(at, killed)
        kills += killed
        flows += 1
    print(f"{kills} kills of {flows} runs")
