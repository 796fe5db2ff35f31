"""Only regular files are read, inside the folder that was named, and keys that cannot be are refused by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import ConfigError, Environment
from flowdsl.cli import main
from flowdsl.syntax import opened

FLOW = "- {step: SET, a: 1}\n"
PICTURE = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: x, quality: low}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "flowdsl.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("target", ["/proc/self/environ", "/dev/zero", "fifo"])
def test_what_is_no_regular_file_is_refused_at_once(
    target: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOWN", "the-environment")
    os.mkfifo("fifo")
    Path("e.flow.yaml").symlink_to(target)
    Path("a.flow.yaml").write_text("flow: !include e.flow.yaml\n")
    Path("m.flow.yaml").write_text(f"imports: [{{from: ./e.flow.yaml, as: m}}]\nflow:\n  {FLOW}")
    Path("ok.flow.yaml").write_text(FLOW)
    for arguments in (
        ["validate", "."],
        ["validate", "e.flow.yaml"],
        ["run", "e.flow.yaml"],
        ["run", "ok.flow.yaml", "--inputs", "e.flow.yaml"],
        ["validate", "a.flow.yaml"],
        ["validate", "m.flow.yaml"],
    ):
        assert main(arguments) != 0
    assert "the-environment" not in "".join(capsys.readouterr())
    with pytest.raises(OSError, match="no regular file"):
        flowdsl.load("e.flow.yaml")


def test_a_file_that_is_refused_is_not_counted_among_those_without_findings(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo("e.flow.yaml")
    Path("ok.flow.yaml").write_text(FLOW)
    assert main(["validate", "e.flow.yaml"]) == 2
    assert capsys.readouterr().out == ""
    assert main(["validate", "e.flow.yaml", "ok.flow.yaml"]) == 2
    assert capsys.readouterr().out == "1 file, no findings\n"


def test_a_link_out_of_the_folder_that_was_named_is_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("inner").mkdir()
    Path("inner/ok.flow.yaml").write_text(FLOW)
    Path("outside").write_text("secret: [\n")
    Path("inner/e.flow.yaml").symlink_to("../outside")
    assert main(["validate", "inner"]) == 0
    shown = capsys.readouterr()
    assert "secret" not in shown.out + shown.err
    assert "inner/e.flow.yaml: left out" in shown.err


def test_a_file_that_is_too_large_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "LARGEST", 10)
    Path("a.flow.yaml").write_text(FLOW)
    with pytest.raises(OSError, match="larger than"):
        flowdsl.load("a.flow.yaml")


@pytest.mark.parametrize(
    "key",
    ["\u201csk-x1\u201d", "Bearer sk-x1", "'sk-x1'", '"sk-x1"', "sk x1", "sk-\nx1", "sk-\u00e9x1"],
    ids=["smart quotes", "scheme", "quotes", "double quotes", "blank", "line break", "accent"],
)
def test_a_key_that_no_header_can_carry_is_named_and_not_shown(key: str, folder: Path) -> None:
    environment = Environment(environ={"OPENAI_API_KEY": key})
    with pytest.raises(ConfigError) as raised:
        environment.run(PICTURE)
    error = raised.value
    assert (error.code, error.charge_possible) == ("invalid-key", False)
    assert "OPENAI_API_KEY" in error.message
    assert "x1" not in repr(vars(error)).replace("0x1", "")


def test_blanks_at_the_ends_of_a_key_are_cut(folder: Path) -> None:
    from flowdsl_steps.image.simulator import Simulator

    with Simulator() as simulator:
        values = {"OPENAI_API_KEY": f" {simulator.key}\n", "OPENAI_BASE_URL": simulator.openai_base_url}
        assert len(Environment(environ=values).run(PICTURE).images) == 1


def test_a_variable_that_is_no_secret_does_not_garble_paths(folder: Path) -> None:
    values: dict[str, Any] = {"HOME": str(folder), "PLACE": str(folder), "KEY": "hush-hush-hush"}
    for name, shown in (("HOME", f"in {folder}/a"), ("PLACE", f"in {folder}/a"), ("KEY", f"in {folder}/a")):
        flow = f"- {{step: SET, a: \"{{{{ secret('{name}') }}}}\", b: 'in {folder}/a'}}\n"
        assert Environment(environ=values).run(flow).to_json() == {"a": "***", "b": shown}


def test_which_secret_goes_to_which_host_is_listed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    entry = "services: {G: {provider: openai, endpoint: 'https://g.example.com/v1', apiKey: \"{{ secret('G_KEY') }}\"}}"
    rest = "  - {step: REST, url: 'https://api.example.com/x', headers: {X-Key: \"{{ secret('X_KEY') }}\"}}\n"
    text = f"{entry}\nflow:\n  {PICTURE}  {PICTURE.replace('{step', '{service: G, step')}{rest}"
    Path("a.flow.yaml").write_text(text)
    main(["validate", "--env", "a.flow.yaml"])
    lines = [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines() if "\u2192" in line]
    expected = [
        "OPENAI_API_KEY \u2192 the own host of openai",
        "G_KEY \u2192 g.example.com",
        "X_KEY \u2192 api.example.com",
    ]
    assert lines == expected
    main(["explain", "a.flow.yaml:4"])
    assert "G_KEY \u2192 g.example.com" in capsys.readouterr().out
