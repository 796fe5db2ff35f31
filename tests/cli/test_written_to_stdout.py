"""`-` for a file to write is stdout, as it is stdin for one to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl.cli import main


@pytest.mark.parametrize(
    ("arguments", "option", "beginning"),
    [
        (["graph", "kite.flow.yaml"], "--output", "---\ntitle"),
        (["graph", "kite.flow.yaml", "--format", "svg"], "--output", "<svg "),
        (["convert", "kite.flow.yaml"], "--out", "- {step: SET"),
        (["validate", "kite.flow.yaml", "--format", "json"], "--output-file", "[]"),
        (["create", "SET"], "--output", "# `flowdsl validate FILE`"),
    ],
)
def test_a_dash_for_the_file_to_write_is_stdout_and_no_file(
    arguments: list[str],
    option: str,
    beginning: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kite.flow.yaml").write_text("- {step: SET, a: 1}\n", encoding="utf-8")
    assert main([*arguments, option, "-"]) == 0
    assert capsys.readouterr().out.startswith(beginning)
    assert not Path("-").exists()
