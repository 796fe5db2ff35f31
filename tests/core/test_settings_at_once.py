"""What is wrong with a settings file is told at once, whichever part of it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

import flowdsl
from flowdsl.cli import main

FLOW = "inputs: {name: {type: string, default: Ada}}\nflow:\n- step: SET\n  text: a\n"
SETTINGS = """\
max_usd_per_day = "five"
concurency = 8
env = ["OK", "A B", "MY_TOKEN"]
kv = 5
[services.main]
provider = "openia"
rateLimit = "fast"
apiKey = 123456789
"""
WRONG = (
    "flowdsl.toml:1:19: error: max_usd_per_day must be a sum in USD",
    "flowdsl.toml:2:1: error: unknown key `concurency`",
    "flowdsl.toml:6:12: error: services.main: unknown provider `openia`",
    "  hint: did you mean `openai`?",
    "flowdsl.toml:7:13: error: services.main: `rateLimit` takes a number",
    "flowdsl.toml:8:10: error: services.main: `apiKey` takes a text",
    "flowdsl.toml:3:14: error: env: `A B` is not the name of an environment variable",
    "flowdsl.toml:3:21: error: env: MY_TOKEN names a secret",
    "flowdsl.toml:4:6: error: kv must be a table",
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.flow.yaml").write_text(FLOW)
    (tmp_path / "who.csv").write_text("name\nAda\n")
    (tmp_path / "flowdsl.toml").write_text(SETTINGS)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ["run", "a.flow.yaml"],
        ["validate", "a.flow.yaml"],
        ["plan", "a.flow.yaml"],
        ["batch", "a.flow.yaml", "--over", "who.csv"],
        ["image", "A kite", "--simulate"],
        ["config"],
    ],
    ids=lambda command: command[0],
)
def test_an_unknown_key_or_a_wrong_service_entry_hides_no_other_mistake(
    project: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 2
    said = capsys.readouterr().err
    assert [each for each in WRONG if said.count(each) != 1] == [], said
    assert "123456789" not in said


def test_a_host_is_told_every_wrong_setting_of_its_services_at_once() -> None:
    with pytest.raises(flowdsl.UsageError) as raised:
        flowdsl.Environment(services={"openai": {"endpont": "https://x", "maxRetries": 99}, "other": 3})
    for each in ("unknown setting `endpont`", "`maxRetries` is 99", "services.other must be a table of settings"):
        assert str(raised.value).count(each) == 1
