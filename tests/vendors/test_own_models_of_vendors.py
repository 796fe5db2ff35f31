"""`[models]` of a project says of a vendor's models what its file does not, or says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from vendor_bench import flow_of, printed


def says(folder: Path, capsys: pytest.CaptureFixture[str], toml: str, **options: object) -> str:
    """What a check prints on a flow beside a settings file."""
    (folder / "flowdsl.toml").write_text(toml, encoding="utf-8")
    file = folder / "a.flow.yaml"
    file.write_text(flow_of({"provider": "gemini", "apiKey": "{{ secret('K') }}"}, **options), encoding="utf-8")
    from flowdsl.cli import main

    main(["validate", str(file)])
    return capsys.readouterr().out


def test_a_new_model_of_a_vendor_is_known_and_has_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml = '[models."gemini-9-image"]\nlike = "gemini-3-pro-image"\nprices = 0.5\n'
    assert says(tmp_path, capsys, toml, model="gemini-9-image", size="2752x1536") == "1 file, no findings\n"
    assert "does not accept the size" in says(tmp_path, capsys, toml, model="gemini-9-image", size="512x512")
    fewer = f'{toml}sizes = ["1024x1024", "2048x2048"]\n'
    assert "supported: 1024x1024, 2048x2048" in says(tmp_path, capsys, fewer, model="gemini-9-image", size="848x1264")
    ended = '[models."gemini-3-pro-image".gemini]\nshutdown = 2020-01-01\nreplacement = "gemini-3.1-flash-image"\n'
    found = says(tmp_path, capsys, ended, model="gemini-3-pro-image")
    assert "was shut down by Google Gemini on 2020-01-01 [retired-model]" in found


def test_a_price_of_a_project_is_what_a_picture_costs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flowdsl.toml").write_text('[models."gemini-3-pro-image"]\nprices = 0.5\n', encoding="utf-8")
    text = flow_of({"provider": "gemini"}, model="gemini-3-pro-image")
    out, err = printed(tmp_path, capsys, text, "run", "--simulate", "--out", str(tmp_path / "out"))
    assert "would cost about $0.50" in out + err
    monkeypatch.chdir(tmp_path)
    from flowdsl.cli import main

    assert main(["models", "gemini-3-pro-image", "--provider", "gemini"]) == 0
    assert "price      $0.500 for a 1024x1024 picture" in capsys.readouterr().out
