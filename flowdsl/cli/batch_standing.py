"""How a batch stands, by its files and its journal: its records, those that failed, and how these are run again."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.cli.arguments import count
from flowdsl.cli.batch_account import near
from flowdsl.cli.batch_taken import check_same
from flowdsl.cli.record_files import FAILED, LINES, count_records, read_records, wanted_records
from flowdsl.display.visible import visible_line
from flowdsl.errors import UsageError
from flowdsl.secrets.plain import HIDDEN

if TYPE_CHECKING:
    from flowdsl.journal.batches import KeptBatch

MOST_SHOWN = 10
"""So many records that failed are shown with the reason."""
_OF_ITS_OWN = ("--over", "--out", "--limit", "--sample", "--fault")
"""Options, each with a value, that a batch of the records that failed has not, or other ones."""
_AGAIN = re.compile(r"-again(-\d+)?$")
_FLAGS = ("--json", "--quiet", "-q", "--yes", "-y", "--open")


class Standing(NamedTuple):
    """How many records of a batch are `done`, `failed`, `in_doubt`, or `waiting`: not ended, also those that go on, or
    are at a vendor (None: the file of the records is gone, or another one). `failures` are the first that failed, and
    `again` is the command that runs all of these, None where none failed."""

    done: int
    failed: int
    in_doubt: int
    waiting: int | None
    failures: list[dict[str, Any]]
    again: str | None

    def to_dict(self) -> dict[str, Any]:
        """It as JSON values."""
        counts = {"done": self.done, "failed": self.failed, "in_doubt": self.in_doubt, "waiting": self.waiting}
        return {"records": counts, "failures": self.failures, "run_failed_again": self.again}

    def lines(self, batch: KeptBatch) -> Iterator[str]:
        """It for people."""
        said = [f"{self.done:,} record{'' if self.done == 1 else 's'} done"]
        said += [f"{self.failed:,} failed"] if self.failed else []
        said += [f"{self.in_doubt:,} in doubt"] if self.in_doubt else []
        left = {"running": "under way or waiting", "dropped": "not worked on to an end"}.get(batch.status, "waiting")
        said += [f"{self.waiting:,} {left}"] if self.waiting else []
        said += ["how many wait is not known, as their file is gone or another one"] if self.waiting is None else []
        yield f"  {', '.join(said)}"
        for each in self.failures:
            yield f"  failed: record {each['record']:,} (line {each['line']:,}): {visible_line(str(each['message']))}"
        if (more := self.failed - len(self.failures)) > 0:
            yield f"  failed: {more:,} more, in {near(Path(batch.folder) / 'failed.jsonl')}"
        if self.again is not None:
            given = f", with the values in place of {HIDDEN}" if HIDDEN in self.again else ""
            yield f"  `{self.again}` runs those that failed again{given}"


def standing(batch: KeptBatch, held: set[int], begun: set[int]) -> Standing | None:
    """How a batch stands, of which these records are `begun`, and `held` where a request is in doubt; None where the
    folder of its results is gone."""
    folder = Path(batch.folder)
    if not folder.is_dir() and begun - held:
        return None
    done = {line.get("record") for line in _lines(folder / "results.jsonl")}
    failed, failures = 0, list[dict[str, Any]]()
    for line in _lines(folder / "failed.jsonl"):
        failed += 1
        if len(failures) < MOST_SHOWN:
            failures.append(_failure(line.get(FAILED) or {}))
    in_doubt = 0 if batch.status == "running" else len(held - done)
    total = len(done) + failed + in_doubt if batch.status == "done" else _wanted(batch)
    waiting = None if total is None else max(0, total - len(done) - failed - in_doubt)
    again = _again(batch, folder / "failed.jsonl") if failed and "argv" in batch.given else None
    return Standing(len(done), failed, in_doubt, waiting, failures, again)


def _failure(said: dict[str, Any]) -> dict[str, Any]:
    error = said.get("error") or {}
    facts = {name: said.get(name) for name in ("record", "line", "run")}
    return {**facts, "code": error.get("code"), "message": error.get("message")}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a file that may be written to just now."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if text.endswith(b"\n") and isinstance(line, dict):
                yield line


def _wanted(batch: KeptBatch) -> int | None:
    """How many records it is to run; None where nobody knows that any more."""
    given, _ = _parted(batch.given.get("argv", ()))
    if "--over" not in given:
        return None
    over = os.path.join(batch.given.get("cwd") or "", given["--over"])  # noqa: PTH118
    try:
        check_same(over, batch)
        is_lines = over.lower().endswith(LINES)
        total = count_records(over) if is_lines else sum(1 for _ in read_records(over, {}))
    except (UsageError, OSError):
        return None
    limit, sample = (count(given[name]) if name in given else None for name in ("--limit", "--sample"))
    return wanted_records(total, limit, sample)


def _again(batch: KeptBatch, failed: Path) -> str:
    """The command that runs the records that failed, as a batch of its own: what it was told but for which records."""
    given, words = _parted(batch.given["argv"])
    cwd = batch.given.get("cwd") or os.getcwd()  # noqa: PTH109
    is_here = cwd == os.getcwd()  # noqa: PTH109
    near_by = os.path.relpath(failed)
    own = ["--out", _beside(given["--out"], cwd)] if "--out" in given else []
    own += ["--over", near_by if is_here and not near_by.startswith(os.pardir) else str(failed)]
    end = words.index("--") if "--" in words else len(words)
    command = " ".join(map(_as_shell_word, ("flowdsl", *words[:end], *own, *words[end:])))
    return command if is_here else f"cd {_as_shell_word(cwd)} && {command}"


def _beside(out: str, cwd: str) -> str:
    """A folder that is not there yet, beside that of a batch, which takes no other one."""
    stem = _AGAIN.sub("", out.rstrip("/")) + "-again"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(name for name in names if not os.path.lexists(os.path.join(cwd, name)))  # noqa: PTH118


def _as_shell_word(word: str) -> str:
    """A word of a command that a shell takes for what it is, in one line: what a terminal does not show is spelt."""
    if visible_line(word) == word:
        return quote(word)
    spelt = (_spelt(sign) for sign in word)
    return f"$'{''.join(spelt)}'"


def _spelt(sign: str) -> str:
    if sign in "\\'":
        return f"\\{sign}"
    return sign if visible_line(sign) == sign else "".join(f"\\x{byte:02x}" for byte in os.fsencode(sign))


def _parted(argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The arguments of a batch that are its own, by their options, and those that another one of the same flow has."""
    own: dict[str, str] = {}
    others: list[str] = []
    left = iter(argv)
    for word in left:
        name, sign, value = word.partition("=")
        if name in _OF_ITS_OWN:
            own[name] = value if sign else next(left, "")
        elif word not in _FLAGS:
            others.append(word)
    return own, others
