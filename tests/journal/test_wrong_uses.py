"""What `flowdsl resume` and `flowdsl runs` say when they cannot do what they are asked for: one message, and the
exit code. `tests/golden/resume/messages.txt` is what they say.
"""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flowdsl.cli import main
from flowdsl.journal.journal import Journal

GOLDEN = Path(__file__).parents[1] / "golden" / "resume" / "messages.txt"
PICTURE = "  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: a boat}\n"
FAIL = "  - {step: RAISE, message: not today, code: content-refused}\n"
FLOW = f"flow:\n{PICTURE}{FAIL}"
RUN = ("run", "a.flow.yaml", "--simulate", "-q")
IDS = ("RUN-A", "RUN-B", "RUN-C")


def write(text: str, name: str = "a.flow.yaml") -> None:
    Path(name).write_text(text, encoding="utf-8")


def failed(*more: str, text: str = FLOW) -> None:
    write(text)
    assert main([*RUN, *more]) == 4


def done() -> None:
    write(f"flow:\n{PICTURE}")
    assert main(list(RUN)) == 0


def in_doubt() -> None:
    failed()
    change("UPDATE ledger SET state = 'started', result = NULL")


def change(statement: str) -> None:
    with Journal("state") as journal:
        journal.database.submit(lambda db: db.execute(statement)).result(30)


def ids() -> list[str]:
    with Journal("state") as journal:
        return [row["id"] for row in journal.database.read("SELECT id FROM runs ORDER BY began, id")]


def cancelled() -> None:
    failed()
    assert main(["runs", "cancel", ids()[0]]) == 0


def of_stdin() -> None:
    stdin(FLOW)
    assert main(["run", "-", "--simulate", "-q"]) == 4
    stdin(FLOW)


def stdin(text: str) -> None:
    import sys

    sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode()))


def with_secret() -> None:
    failed(
        "-i",
        "token=abcdef-123456",
        text=f"inputs: {{token: {{type: string, writeOnly: true}}}}\n{FLOW}",
    )


def with_rows() -> None:
    write("name\nplum\n", "rows.csv")
    failed("-i", "rows=@rows.csv", text=f"inputs: {{rows: {{type: array}}}}\n{FLOW}")


def then(*steps: Callable[[], object]) -> Callable[[], None]:
    def all_of_them() -> None:
        for step in steps:
            step()

    return all_of_them


def nothing() -> None:
    pass


CASES: dict[str, tuple[Callable[[], None], str]] = {
    "no journal at all: resume": (nothing, "resume"),
    "no journal at all: resume one": (nothing, "resume 01a2"),
    "no journal at all: list": (nothing, "runs list"),
    "no journal at all: show": (nothing, "runs show 01a2"),
    "no journal at all: gc": (nothing, "runs gc"),
    "no run is unfinished": (done, "resume"),
    "no run of this id": (failed, "resume ffff"),
    "an id with signs of patterns": (failed, "resume %"),
    "an empty id": (failed, "resume ''"),
    "the beginning of two": (then(failed, failed), "resume 0"),
    "a run that is done": (done, "resume RUN-A"),
    "a run that was given up": (cancelled, "resume RUN-A"),
    "a run that a host has made": (then(failed, lambda: change("UPDATE runs SET given = '{}'")), "resume RUN-A"),
    "the flow is gone": (then(failed, lambda: Path("a.flow.yaml").unlink()), "resume --yes"),
    "the flow is wrong now": (then(failed, lambda: write("flow:\n  - {step: NOTHING}\n")), "resume --yes"),
    "the flow has no steps now": (then(failed, lambda: write("")), "resume --yes"),
    "the file of an input is gone": (then(with_rows, lambda: Path("rows.csv").unlink()), "resume --yes"),
    "an input that held a secret": (with_secret, "resume --yes"),
    "an input that the flow has not": (failed, "resume --yes -i colour=red"),
    "stdin is empty now": (then(of_stdin, lambda: stdin("")), "resume --yes"),
    "in doubt": (in_doubt, "resume"),
    "in doubt, as JSON": (in_doubt, "resume --json"),
    "in doubt, of one that asks for events": (in_doubt, "resume --events"),
    "nobody to ask": (then(failed, lambda: change("UPDATE runs SET simulated = 0")), "resume"),
    "a run that is not there, as JSON": (failed, "resume ffff --json"),
    "release where nothing is in doubt": (failed, "runs release RUN-A"),
    "release of a request that is not there": (in_doubt, "runs release RUN-A ffff"),
    "hold where nothing was released": (failed, "runs hold RUN-A"),
    "cancel of a run that is done": (done, "runs cancel RUN-A"),
    "cancel twice": (cancelled, "runs cancel RUN-A"),
    "show without a run": (failed, "runs show"),
    "show of a run that is not there": (failed, "runs show ffff"),
    "an action that is none": (failed, "runs realease RUN-A"),
    "a run in the place of an action": (failed, "runs RUN-A"),
    "gc of a negative age": (failed, "runs gc --older-than -1"),
    "gc of an age that is none": (failed, "runs gc --older-than soon"),
    "gc of a very great age": (failed, "runs gc --older-than 99999999999"),
    "gc of everything": (done, "runs gc --older-than 0"),
    "list of none": (failed, "runs list --limit 0"),
    "list of a negative number": (failed, "runs list --limit -3"),
    "a request where none is taken": (failed, "runs show RUN-A ffff"),
    "a run where none is taken": (failed, "runs list RUN-A"),
    "a damaged journal": (then(failed, lambda: Path("state/journal.sqlite").write_text("x" * 9999)), "resume"),
    "a damaged journal: list": (then(failed, lambda: Path("state/journal.sqlite").write_text("x" * 9999)), "runs"),
    "its working folder is gone": (failed, "resume --yes"),
}


def normal(text: str, folder: Path, runs: list[str]) -> str:
    for name, run in zip(IDS, runs, strict=False):
        text = text.replace(run, name).replace(run[:13], name)
    text = text.replace(str(folder), "DIR").replace(str(folder.resolve()), "DIR")
    text = re.sub(r'"(id|began|ended)": [^,\n]+', r'"\1": "…"', text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "DATE", text)
    text = re.sub(r"\b[0-9a-f]{8}  \d\d:\d\d:\d\d", "REQUEST  TIME", text)
    return re.sub(r"\b\d+\.\d s\b", "0.0 s", text)


def said(folder: Path, prepare: Callable[[], None], line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The command with what it printed and its exit code."""
    prepare()
    runs = ids() if Path("state/journal.sqlite").exists() and "damaged" not in folder.name else []
    for name, run in zip(IDS, runs, strict=False):
        line = line.replace(name, run)
    capsys.readouterr()
    code = main(["" if word == "''" else word for word in line.split()])
    out, err = capsys.readouterr()
    shown = "".join(f"{mark} {each}\n" for mark, text in (("|", out), (":", err)) for each in text.splitlines())
    assert "Traceback" not in shown, shown
    return normal(f"$ flowdsl {line}\n{shown}exit {code}\n", folder, runs)


@pytest.mark.long
def test_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], update_golden: bool
) -> None:
    found = ["What is said of wrong uses: `|` is stdout, `:` is stderr.\n"]
    for number, (name, (prepare, line)) in enumerate(CASES.items()):
        folder = tmp_path / f"{number}{' damaged' if 'damaged' in name else ''}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setenv("FLOWDSL_STATE", str(folder / "state"))
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
        if "working folder" in name:
            inner = folder / "inner"
            inner.mkdir()
            monkeypatch.chdir(inner)
            monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path / "state"))
            failed()
            monkeypatch.chdir(folder)
            shutil.rmtree(inner)
            prepare = nothing
        found.append(f"{name}\n{said(folder, prepare, line, capsys)}")
    text = "\n".join(found)
    if update_golden:
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
