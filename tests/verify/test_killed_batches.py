"""Batches that are killed again and again: the service that counts is the only judge.

`FLOWDSL_KILLS` says how often, and there are records for all of them; `make soak` asks for 300. Every second kill comes
when the service is silent, and each record that is worked on waits for it: what it delivered before is stored then, and
just these requests are in doubt.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from counting_service import CountingService

from flowdsl.batches.running import CONCURRENCY
from flowdsl.journal.journal import Journal

KILLS = int(os.environ.get("FLOWDSL_KILLS", "15"))
MORE = 4
"""So many requests at most come after the one at which a batch is to be killed, and those that are under way then."""
CARD = """\
inputs: {name: {type: string}}
flow:
  - step: TRY
    retry: {max: 1, delayMs: 0}
    try:
      - step: OPENAI_IMAGE_GENERATION
        model: gpt-image-2
        instruction: "A card for {{ inputs.name }}"
        size: 1024x1024
        quality: low
        maxRetries: 0
outputs: {card: "{{ flowContext.imageList }}"}
"""
_PATIENCE_S = 120


class Killed:
    """A batch in a folder that is killed and resumed. `in_doubt` are the prompts of which nobody knows what became."""

    def __init__(self, folder: Path, service: CountingService, records: int) -> None:
        (folder / "card.flow.yaml").write_text(CARD, encoding="utf-8")
        (folder / "a.csv").write_text("name\n" + "".join(f"P{n}\n" for n in range(records)), encoding="utf-8")
        self.folder = folder
        self.service = service
        self.in_doubt: set[str] = set()
        self._stored: set[str] = set()

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "flowdsl.cli", *command],
            cwd=self.folder,
            env={**os.environ, **self.service.variables(), "FLOWDSL_STATE": str(self.folder / "state")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def whole(self, *command: str) -> tuple[int, str]:
        """The exit code and what was printed of a command that nobody kills."""
        process = self.start(*command)
        out, err = process.communicate(timeout=_PATIENCE_S)
        assert "Traceback" not in out + err
        return process.returncode, out

    def kill(self, process: subprocess.Popen[str], after: int, *, silent: bool) -> None:
        """Kills a batch after so many further requests, and looks at what it leaves; `silent`: when all that it works
        on waits for a response."""
        service = self.service
        before, wanted = Counter(service.asked), service.count + after
        service.silent_from = wanted if silent else wanted + MORE
        number = CONCURRENCY if silent else 0
        is_there = service.wait_for(
            lambda: service.count >= wanted and service.under_way.total() >= number, _PATIENCE_S
        )
        waiting = set(+service.under_way)
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
        assert is_there, out + err
        assert process.returncode == -signal.SIGKILL, out + err
        assert service.wait_for(lambda: not service.under_way.total(), _PATIENCE_S)
        service.silent_from = None
        self._look(set(service.asked - before), waiting if silent else None)

    def _look(self, asked: set[str], waiting: set[str] | None) -> None:
        """Compares the journal with what the service was asked for in the life that has ended, and has delivered."""
        stored, doubts = self._ledger()
        assert set(self.service.asked) <= stored | doubts, "asked for, and not in the ledger"
        assert stored <= set(self.service.delivered), "never delivered"
        assert self._stored <= stored, "stored once, and not any more"
        assert self.in_doubt <= doubts, "in doubt once, and decided by nobody"
        new = doubts - self.in_doubt
        assert asked - set(self.service.delivered) <= new, "never delivered, and not in doubt"
        assert len(new) <= CONCURRENCY, "in doubt, and stored before the next record was begun"
        if waiting is not None:
            assert new == waiting, "in doubt, and its response was delivered and stored"
        self._stored, self.in_doubt = stored, doubts

    def _ledger(self) -> tuple[set[str], set[str]]:
        """The prompts whose responses are stored, and those in doubt."""
        with Journal(self.folder / "state") as journal:
            (batch,) = journal.batches.all()
            requests = [request for _, _, request in journal.runs.of_batch(batch.id)]
        stored = {each.request["prompt"] for each in requests if each.state == "ok"}
        return stored, {each.request["prompt"] for each in requests if each.blocks}

    def lines(self, name: str) -> list[dict[str, object]]:
        path = self.folder / "cards" / name
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def held(self) -> set[int]:
        """The records in doubt, as the command shows them."""
        _, out = self.whole("runs", "list")
        _, out = self.whole("runs", "show", out.split()[0], "--json")
        return set(json.loads(out)["held"])


def test_a_batch_that_is_killed_again_and_again_loses_nothing_and_buys_nothing_twice(tmp_path: Path) -> None:
    chance = random.Random(7)
    after = [chance.randrange(1, 30) for _ in range(KILLS)]
    records = sum(after) + KILLS * (MORE + CONCURRENCY) + CONCURRENCY  # so that none is the last one's
    with CountingService(7, (0.0, 0.04)) as service:
        at = Killed(tmp_path, service, records)
        process = at.start("batch", "card.flow.yaml", "--over", "a.csv", "--out", "cards", "--quiet")
        kills = 0
        for number in after:
            at.kill(process, number, silent=kills % 2 == 1)
            kills += 1
            process = at.start("resume", "--yes", "--quiet")
        out, err = process.communicate(timeout=_PATIENCE_S)
        assert "Traceback" not in out + err
        assert kills == KILLS
        assert max(service.asked.values()) == 1  # nothing twice
        done = {line["record"] for line in at.lines("results.jsonl")}
        assert not at.lines("failed.jsonl")
        held = at.held()
        assert {f"A card for P{number}" for number in held} == at.in_doubt  # what the kills left, and nothing else
        assert done.isdisjoint(held)
        assert len(done) + len(held) == records  # nothing lost
        sent = at.in_doubt & set(service.asked)  # others were killed between the journal and the connection
        code, out = at.whole("resume", "--yes", "--resend", "--quiet")
        assert code == (0 if held else 2), out
        assert {prompt for prompt, count in service.asked.items() if count > 1} == sent
        assert max(service.asked.values()) <= 2
    results = at.lines("results.jsonl")
    assert sorted(int(str(line["record"])) for line in results) == list(range(records))
    images = [image for line in results for image in line["images"]]  # type: ignore[attr-defined]
    assert len(images) == records
    assert all(Path(image["path"]).is_file() for image in images)
    print(f"{kills} kills of a batch of {records:,} records, {len(held)} of them in doubt")
