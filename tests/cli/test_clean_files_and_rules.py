"""Files that keep the rules of a house are not checked again either, unless what the rules see may have changed."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from pathlib import Path

import pytest

from flowdsl.cli import clean, main
from flowdsl.environment.environment import Environment

FLOW = (
    "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  quality: low\n  size: 1024x1024\n"
    '  instruction: "{{ env.BRAND }} kites"\n  n: "{{ env.COUNT | int }}"\n'
)
SETTINGS = 'env = ["BRAND", "COUNT"]\npolicy = ["n <= 2", "prompt matches \'Acme\'", "cost <= 1"]\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("BRAND", "Acme")
    monkeypatch.setenv("COUNT", "2")
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "kites.flow.yaml").write_text(FLOW)
    (folder / "flowdsl.toml").write_text(SETTINGS)
    return folder


def validate(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["validate", "."])
    return code, capsys.readouterr().out


def test_a_file_that_keeps_the_rules_of_a_house_is_not_checked_again(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = validate(capsys)
    assert first == (0, "1 file, no findings\n")
    monkeypatch.setattr(Environment, "examined", lambda *_: pytest.fail("it is checked again"))
    assert validate(capsys) == first


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        pytest.param("COUNT", "3", "`n` is `3`", id="a number that a rule speaks of"),
        pytest.param("BRAND", "Other", "wants `prompt matches 'Acme'`", id="a word of the prompt"),
    ],
)
def test_a_variable_that_rules_see_the_value_of_is_looked_at_again(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    said: str,
) -> None:
    validate(capsys)
    monkeypatch.setenv(name, value)
    code, told = validate(capsys)
    assert (code, said in told) == (1, True), told


@pytest.mark.parametrize("place", ["flowdsl.toml", "../config/flowdsl/config.toml"], ids=["project", "user"])
def test_a_rule_that_is_added_is_kept_by_what_was_clean_before(
    project: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    validate(capsys)
    file = project / place
    file.parent.mkdir(parents=True, exist_ok=True)
    settings = file.read_text() if file.exists() else ""
    file.write_text(settings.replace('"n <= 2"', '"n <= 1"') or 'policy = ["n <= 1"]\n')
    code, told = validate(capsys)
    assert (code, "wants `n <= 1`" in told) == (1, True), told


class _Noted(dict[str, str]):
    """The environment, with the names that are asked for."""

    def __init__(self, values: MutableMapping[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        self.asked.add("all of them")
        return super().__iter__()


def test_every_variable_that_checking_with_rules_reads_is_known_to_the_cache(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environ = _Noted(os.environ)
    monkeypatch.setattr(os, "environ", environ)
    validate(capsys)
    (file,) = (tmp_path / "cache/flowdsl").iterdir()
    (line,) = (rest for _, rest in clean._pairs(str(file)))
    known = {name.partition(" ")[2] for name in line.split("\t") if name.startswith("env ")}
    places = {"HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA", "APPDATA"}
    terminal = {"GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TERM", "COLUMNS", "LINES"}
    assert {"BRAND", "COUNT", "OPENAI_BASE_URL"} <= known
    assert environ.asked - known - places - terminal == set()
