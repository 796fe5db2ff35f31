"""`flowdsl create`: a step whose name is cut short is told the whole one."""

from __future__ import annotations

import pytest

from flowdsl.cli import main


@pytest.mark.parametrize(("name", "meant"), [("SAVE_IMG", "SAVE_IMAGES"), ("SAV_IMAGES", "SAVE_IMAGES")])
def test_a_name_that_is_cut_short_means_the_whole_one(
    name: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["create", name]) == 2
    assert f"there is no step `{name}`; did you mean `{meant}`?" in capsys.readouterr().err
