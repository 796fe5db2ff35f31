"""A plan beside that of another revision: imports are read as they were there, and the working tree stays as it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flowdsl.cli import main

pytestmark = pytest.mark.long

MODULE = """\
blocks:
  flows:
    paint:
      - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, size: 1024x1024, quality: QUALITY, instruction: A cat}
"""
FLOW = """\
imports: [{from: ./shared.module.yaml, as: shared}]
flow:
  - {step: CALL_FLOW, ref: imports.shared.flows.paint}
"""


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, whose module is dearer in the working tree."""
    folder = tmp_path / "repository" / "flows"
    folder.mkdir(parents=True)
    (folder / "shared.module.yaml").write_text(MODULE.replace("QUALITY", "low"), encoding="utf-8")
    (folder / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", "-A")
    git(folder.parent, "commit", "-q", "-m", "first")
    (folder / "shared.module.yaml").write_text(MODULE.replace("QUALITY", "medium"), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPENAI_API_KEY", "")
    return folder


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["plan", *arguments, "--markdown", "--as-of", "2026-11-21"])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_the_difference_to_a_revision_is_shown_with_its_imports(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = printed(capsys, "a.flow.yaml", "--base", "HEAD")
    assert code == 0
    assert "In `HEAD` it was 1 paid request, $0.0059 to $0.0061. At most **+$0.0468** a run." in said
    assert "| medium | $0.0527–0.0529 | $0.0527 to $0.0529 | new |" in said
    assert "| ~~shared.module.yaml:4~~ |" in said
    status = subprocess.run(["git", "status", "--short"], cwd=project, capture_output=True, text=True, check=True)
    assert status.stdout.split() == ["M", "shared.module.yaml"]


def test_what_has_not_changed_is_said_to_be_the_same(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "shared.module.yaml").write_text(MODULE.replace("QUALITY", "low"), encoding="utf-8")
    _, said = printed(capsys, "a.flow.yaml", "--base", "HEAD")
    assert "As in `HEAD`." in said
    assert "| the same |" in said


def test_a_file_that_the_revision_has_not_is_new(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "b.flow.yaml").write_text(FLOW, encoding="utf-8")
    code, said = printed(capsys, "b.flow.yaml", "--base", "HEAD")
    assert (code, "New since `HEAD`." in said) == (0, True)


def test_a_revision_that_is_none_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for revision in ("mian", "--help", "HEAD~9"):
        code, said = printed(capsys, "a.flow.yaml", f"--base={revision}")
        assert (code, f"`{revision}` is no revision of the repository" in said) == (2, True), said
