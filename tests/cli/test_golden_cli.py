"""The command line, case by case: `tests/golden/cli.yaml` holds arguments, files and input, and what comes out."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowdsl.cli import main

GOLDEN = Path(__file__).parents[1] / "golden" / "cli.yaml"
HEADER = "# What the command line prints. `pytest tests/cli --update-golden` writes stdout, stderr and exit again.\n"
CASES: list[dict[str, Any]] = yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))
NORMAL = (
    (re.compile(r"^  … .*\n", re.MULTILINE), ""),  # what runs, after some seconds on a slow machine
    (re.compile(r"\b\d+\.\d s\b"), "0.0 s"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"img-[0-9a-f]{8,}"), "img-ID"),
    (re.compile(r'("run": )"[0-9a-f-]{36}"'), r'\g<1>"RUN"'),
    (re.compile(r'("(?:at_s|elapsed_s)": )[\d.e-]+'), r"\g<1>0.0"),
)


def normal(text: str, folder: Path) -> str:
    text = text.replace(str(folder), "DIR")
    for pattern, replacement in NORMAL:
        text = pattern.sub(replacement, text)
    return text


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]).replace(" ", "-"))
def test_the_command_line_prints_exactly_this(
    case: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    update_golden: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable, value in case.get("env", {}).items():
        monkeypatch.setenv(variable, value)
    for name, text in case.get("files", {}).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(case.get("stdin", "").encode())))
    code = main(case["args"])
    printed = capsys.readouterr()
    found = {"stdout": normal(printed.out, tmp_path), "stderr": normal(printed.err, tmp_path), "exit": code}
    if update_golden:
        case.update(found)
        GOLDEN.write_text(HEADER + dump(CASES), encoding="utf-8")
    assert found == {"stdout": case.get("stdout", ""), "stderr": case.get("stderr", ""), "exit": case.get("exit")}


class Blocks(yaml.SafeDumper):
    """Texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text and text.strip("\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Blocks.add_representer(str, _text)


def dump(cases: list[dict[str, Any]]) -> str:
    return "\n".join(
        yaml.dump([case], Dumper=Blocks, allow_unicode=True, sort_keys=False, width=10_000) for case in cases
    )
