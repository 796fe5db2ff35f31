"""What a request costs at most is known where a source says it; where none does, a budget says how to state it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fake_vendor import Fake, running
from image_pictures import drawn
from vendor_cases import CASES

from flowdsl import Environment, Limits, Result, Storage
from flowdsl.cli import main
from flowdsl.errors import ConfigError

OPEN = ("gemini", "vertex")
"""Vendors that are paid for what is thought and written beside a picture."""


def flow(folder: Path, name: str, fake: Fake, *, edit: bool, **settings: Any) -> Path:
    """A flow of one picture, or of one edit, at a vendor's fake."""
    case = CASES[name]
    entry = {"provider": name, "endpoint": fake.url, **case.entry, **case.more(fake), **settings}
    kind = {"step": "OPENAI_IMAGE_EDIT", "images": ["house.png"]} if edit else {"step": "OPENAI_IMAGE_GENERATION"}
    step = {**kind, "service": "IT", "instruction": "Snow"}
    (folder / "house.png").write_bytes(drawn("PNG", (64, 48)))
    file = folder / "a.flow.yaml"
    file.write_text(json.dumps({"services": {"IT": entry}, "flow": [step]}), encoding="utf-8")
    return file


def run(file: Path, max_usd: float) -> Result:
    limits = Limits(private_addresses=True, max_usd=max_usd)
    return Environment(storage=Storage(images=file.parent / "images"), limits=limits).run(file)


def planned(file: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["plan", str(file)]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("edit", [False, True], ids=["a picture", "an edit"])
@pytest.mark.parametrize("name", OPEN)
def test_a_budget_says_how_to_state_what_nobody_says(
    name: str, edit: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flowdsl.toml").write_text("", encoding="utf-8")
    with running(CASES[name].fake()) as fake:
        with pytest.raises(ConfigError, match="nobody says what this picture costs at most") as raised:
            run(flow(tmp_path, name, fake, edit=edit), 1.0)
        assert fake.bodies == []
        assert raised.value.hint is not None
        stated = re.search(r"`prices: ([\d.]+)`", raised.value.hint)
        assert stated is not None
        assert len(run(flow(tmp_path, name, fake, edit=edit, prices=float(stated[1])), 1.0).images) == 1


@pytest.mark.parametrize("edit", [False, True], ids=["a picture", "an edit"])
@pytest.mark.parametrize("name", OPEN)
def test_a_price_of_the_project_bounds_what_a_run_spends(name: str, edit: bool, tmp_path: Path) -> None:
    model = str(CASES[name].entry["model"])
    (tmp_path / "flowdsl.toml").write_text(f'[models."{model}"]\nprices = 0.5\n', encoding="utf-8")
    with running(CASES[name].fake()) as fake:
        assert len(run(flow(tmp_path, name, fake, edit=edit), 0.5).images) == 1


@pytest.mark.parametrize("edit", [False, True], ids=["a picture", "an edit"])
def test_the_plan_says_that_nobody_says_it_and_its_remedy_bounds_the_plan(
    edit: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flowdsl.toml").write_text("", encoding="utf-8")
    with running(CASES["gemini"].fake()) as fake:
        out = planned(flow(tmp_path, "gemini", fake, edit=edit), capsys)
        assert (
            "nobody says what gemini-3.1-flash-image costs at most: say what a picture does, `0.11` as the `prices`"
            in out
        )
        assert "no price is known" not in out
        assert "$0.11" in planned(flow(tmp_path, "gemini", fake, edit=edit, prices=0.11), capsys).splitlines()[0]
        (tmp_path / "flowdsl.toml").write_text('[models."gemini-3.1-flash-image"]\nprices = 0.11\n', encoding="utf-8")
        assert "$0.11" in planned(flow(tmp_path, "gemini", fake, edit=edit), capsys).splitlines()[0]


def test_a_price_of_the_project_is_all_that_an_edit_at_openai_costs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flowdsl.toml").write_text('[models."gpt-image-2"]\nprices = 0.4\n', encoding="utf-8")
    with running(CASES["openai"].fake()) as fake:
        assert "1 paid request, $0.40" in planned(flow(tmp_path, "openai", fake, edit=True), capsys)


def test_the_list_of_models_says_what_comes_on_top(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "gemini-3.1-flash-image", "--provider", "gemini"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "price $0.067 for a 1024x1024 picture price what is thought and written beside a picture is paid" in said
