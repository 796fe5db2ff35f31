"""What a new user is told: all that is missing at once, and nothing that goes without saying is passed over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flowdsl.cli import main

FALLBACK = """\
services:
  SPARE: {provider: openai, endpoint: "https://images.example.test/v1", apiKey: "{{ secret('SPARE_KEY') }}"}
flow:
  - step: TRY
    try: [{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A boat}]
    catch: [{step: OPENAI_IMAGE_GENERATION, service: SPARE, model: gpt-image-2, instruction: A boat}]
"""
ROWS = """\
inputs:
  rows: {type: array, items: {type: object}}
flow:
  - {step: FOR, items: "{{ inputs.rows }}", var: row, do: [{step: SET, a: "{{ flowContext.row.name }}"}]}
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "SPARE_KEY", "OTHER_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_a_run_without_keys_names_those_of_the_service_and_of_its_fallback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("a.flow.yaml").write_text(FALLBACK)
    assert main(["run", "a.flow.yaml", "-q"]) == 4
    said = capsys.readouterr().err
    assert "error: the secret `SPARE_KEY` is not set" in said
    assert "a.flow.yaml:5:18: also missing: Service not configured: OPENAI_IMAGE_GENERATION; set OPENAI_API_KEY" in said
    assert said.count("SPARE_KEY is not set") == 0  # the error has said it


def test_a_run_names_every_secret_that_is_missing_and_not_one_in_each_run(capsys: pytest.CaptureFixture[str]) -> None:
    url = "http://127.0.0.1:9/"
    steps = [
        {"step": "REST", "url": url, "headers": {"X-Key": f"{{{{ secret('{name}_KEY') }}}}"}}
        for name in ("SPARE", "OTHER")
    ]
    Path("a.flow.yaml").write_text("flow:\n" + "".join(f"  - {json.dumps(step)}\n" for step in steps))
    assert main(["run", "a.flow.yaml", "-q"]) == 4
    said = capsys.readouterr().err
    assert "`SPARE_KEY` is not set" in said
    assert "also missing: OTHER_KEY is not set in the environment" in said


def test_a_rehearsal_misses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.flow.yaml").write_text(FALLBACK)
    assert main(["run", "a.flow.yaml", "--simulate", "-q"]) == 0
    assert "also missing" not in capsys.readouterr().err


def test_a_table_without_lines_makes_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.flow.yaml").write_text(ROWS)
    Path("empty.csv").write_text("name,city\n")
    assert main(["run", "a.flow.yaml", "-i", "rows=@empty.csv"]) == 0
    warning = "flowdsl: warning: -i rows: empty.csv holds no items: a loop over them has 0 iterations\n"
    assert warning in capsys.readouterr().err
    assert main(["run", "a.flow.yaml", "-i", "rows=@empty.csv", "-q"]) == 0
    assert capsys.readouterr().err == ""


def test_every_line_of_a_table_that_is_too_short_or_too_long_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.flow.yaml").write_text(ROWS)
    Path("rows.csv").write_text("name,city\na,b\nc\nd,e,f\ng,h\ni\n")
    assert main(["run", "a.flow.yaml", "-i", "rows=@rows.csv"]) == 1
    said = capsys.readouterr().err
    assert [line.split(": error: ")[0] for line in said.splitlines() if ": error: " in line] == [
        "rows.csv:3:1",
        "rows.csv:4:5",
        "rows.csv:6:1",
    ]
    assert "line 3 has 1 cell, and the first line names 2: there is none for `city`" in said
    assert "line 4 has 3 cells, and the first line names 2: no column is named for cell 3" in said
    assert said.count("hint: a text that has a , in it stands in double quotes") == 1
    Path("rows.csv").write_text("name,city\n" + "a\n" * 30)
    assert main(["run", "a.flow.yaml", "-i", "rows=@rows.csv"]) == 1
    said = capsys.readouterr().err
    assert said.count("[csv-syntax]") == 20
    assert "hint: 10 more lines are of another length" in said


def test_a_caught_error_is_a_note_and_no_output(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.flow.yaml").write_text(
        "- {step: TRY, try: [{step: RAISE, message: too dark}], catch: [{step: SET, a: 1}]}\n"
    )
    assert main(["run", "a.flow.yaml", "-q"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[:2] == ["note: an error was caught: too dark (RAISE)", "a: 1"]
    assert main(["run", "a.flow.yaml", "-q", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["error"]["message"] == "too dark"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupted", "terminated"])
def test_the_account_of_a_quiet_run_that_is_broken_off_begins_at_the_margin(number: int) -> None:
    Path("a.flow.yaml").write_text(
        "- {step: FOR, items: [a], var: x, do: "
        "[{step: SET, text: begun}, {step: SHOW_RESPONSE}, {step: SLEEP, delay: 60000}]}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "flowdsl.cli", "run", "a.flow.yaml", "-q"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        said = process.communicate(timeout=30)[1]
    finally:
        process.kill()
    assert said.splitlines()[-2:] == [
        "broken off in iteration 1 of FOR (flow[0]), x: a",
        "interrupted" if number == signal.SIGINT else "terminated",
    ]


def test_every_value_of_an_option_that_is_wrong_is_told_and_not_one_in_each_call(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = ["--timeout", "soon", "--max-usd", "-1", "-i", "city", "--metadata=ful", "--limit", "all", "--overr", "a"]
    assert main(["batch", "a.flow.yaml", *wrong]) == 2
    assert capsys.readouterr().err == (
        "flowdsl batch: 6 arguments are wrong:\n"
        "  argument --timeout: `soon` is not a time in seconds, such as 90\n"
        "  argument --max-usd: `-1` is not a sum in USD, such as 2.50\n"
        "  argument -i: `city` is not NAME=VALUE\n"
        "  argument --metadata: `ful` is not known; did you mean `full`?\n"
        "  argument --limit: `all` is not a whole number from 0 on, such as 20\n"
        "  the following arguments are required: --over, which names the records: a .jsonl, .csv or .tsv file\n"
        "`flowdsl batch --help` explains the command\n"
    )


def test_one_wrong_value_of_an_option_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list", "--limit", "all"]) == 2
    assert capsys.readouterr().err.startswith("flowdsl runs: argument --limit: `all` is not a whole number")
