"""`flowdsl validate --baseline FILE`: only what is new is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowdsl.cli import main

WRONG = "- step: SOT\n- step: SET\n  a: 1\n  text: '{a}'\n- step: SOT\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("flows").mkdir()
    Path("flows/a.flow.yaml").write_text(WRONG, encoding="utf-8")
    assert main(["validate", ".", "--write-baseline", "ci/known.json"]) == 0
    assert capsys.readouterr().out == "1 file: 2 errors, 1 warning, written to ci/known.json\n"
    return tmp_path


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[tuple[str, int]], str]:
    code = main(["validate", *arguments, "--format", "json", "--baseline", "ci/known.json"])
    printed = capsys.readouterr()
    return code, [(row["code"], row["line"]) for row in json.loads(printed.out)], printed.err


def test_what_is_known_is_not_reported_wherever_it_stands_now(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checked(capsys, ".") == (0, [], "")
    Path("flows/a.flow.yaml").write_text(f"# a\n\n{WRONG}", encoding="utf-8")
    assert checked(capsys, ".") == (0, [], "")
    monkeypatch.chdir(project / "flows")
    assert main(["validate", "a.flow.yaml", "--baseline", "../ci/known.json", "--strict"]) == 0


def test_what_is_new_is_reported_one_more_of_a_known_kind_too(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("flows/a.flow.yaml").write_text(f"{WRONG}- step: SUT\n- step: SOT\n", encoding="utf-8")
    assert checked(capsys, ".") == (1, [("unknown-step", 6), ("unknown-step", 7)], "")
    Path("flows/b.flow.yaml").write_text("- step: SOT\n", encoding="utf-8")
    assert len(checked(capsys, ".")[1]) == 3


def test_what_is_no_longer_found_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("flows/a.flow.yaml").write_text("- step: SOT\n- step: SET\n  a: 1\n  text: '{a}'\n", encoding="utf-8")
    said = (
        "flowdsl: the baseline knows what is no longer found: ../flows/a.flow.yaml: unknown-step: Step not found: SOT\n"
    )
    assert checked(capsys, ".") == (0, [], said)
    Path("flows/b.flow.yaml").write_text("- step: SET\n  text: a\n", encoding="utf-8")
    assert checked(capsys, "flows/b.flow.yaml") == (0, [], "")  # what is not checked is not told
    Path("flows/a.flow.yaml").unlink()
    assert checked(capsys, ".")[2].count("no longer found") == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file or directory; `--write-baseline ci/known.json` writes one"),
        ("findings: []\n", "it is no baseline: it is not JSON"),
        ("[]", "it is no baseline that is known here: it has no `flowdsl_baseline`"),
        ('{"flowdsl_baseline": 2}', "it is of the version 2, not 1"),
        ('{"flowdsl_baseline": 1}', "what `findings` holds is no list of findings"),
        ('{"flowdsl_baseline": 1, "findings": {"a": [{"code": 3}]}}', "what `a` holds is no list of findings"),
        ("\udcff", "it is no baseline: it is not JSON"),
    ],
)
def test_a_file_that_is_no_baseline_is_told(
    text: str | None, said: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "ci" / "known.json"
    path.unlink()
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert main(["validate", ".", "--baseline", "ci/known.json"]) == 2
    assert said in capsys.readouterr().err


def test_a_baseline_shows_no_secret(project: Path) -> None:
    key = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
    Path("flows/a.flow.yaml").write_text(f"- step: REST\n  url: https://a.example\n  {key}: 1\n", encoding="utf-8")
    assert main(["validate", ".", "--write-baseline", "known.json"]) == 0
    assert key[:16] not in Path("known.json").read_text(encoding="utf-8")


def test_a_baseline_is_not_written_and_read_at_once(project: Path) -> None:
    assert main(["validate", ".", "--baseline", "ci/known.json", "--write-baseline", "ci/known.json"]) == 2
    assert main(["validate", ".", "--write-baseline", "flows/a.flow.yaml/known.json"]) == 2
