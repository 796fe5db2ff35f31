"""The summary of a run names every file that its steps wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl.cli import main, summary

FLOW = """\
flow:
  - step: FOR
    var: n
    items: [a, b, c]
    do:
      - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: "a {{ flowContext.n }}"}
      - {step: SAVE_IMAGES, directory: shop, filename: "{{ flowContext.n }}"}
"""


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    Path("a.flow.yaml").write_text(FLOW, encoding="utf-8")
    assert main(["run", "a.flow.yaml", "--simulate", "--quiet", "--out", "out"]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.long
def test_each_file_that_an_iteration_wrote_is_listed_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = [line for line in lines_of(capsys) if line.startswith("out/shop/")]
    assert sorted(named) == ["out/shop/a.png", "out/shop/b.png", "out/shop/c.png"]
    monkeypatch.setattr(summary, "_MOST_FILES", 1)
    assert "… and 1 more file" in lines_of(capsys)  # one of three is an output, and one is named besides


def test_a_picture_that_a_step_leaves_where_it_lies_is_listed_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(f"{__name__}.FLOW", FLOW.replace(', directory: shop, filename: "{{ flowContext.n }}"', ""))
    named = [line.partition("  ")[0] for line in lines_of(capsys) if line.startswith("out/")]
    assert named == ["out/a-a-1.png", "out/a-b-1.png", "out/a-c-1.png"]
