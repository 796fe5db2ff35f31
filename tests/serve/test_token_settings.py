"""`[tokens]` of flowdsl.toml: what the token of a name may at most."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gateways import MODEL, SMALL, running_gateway

from flowdsl.cli import main
from flowdsl.serve.tokens import FILE, Tokens

pytestmark = pytest.mark.usefixtures("noon")  # what may be spent in a day is counted
BODY = {**SMALL, "prompt": "A kite"}
SETTINGS = f"""
[tokens.shop]
models = ["{MODEL}"]
per_minute = 2
usd_per_day = 1.00
[tokens.poor]
usd_per_day = 0.001
"""


def bearer(token: str) -> dict[str, str]:
    """The header with a token."""
    return {"Authorization": f"Bearer {token}"}


def test_of_what_a_token_was_made_for_and_what_settings_say_the_lower_counts(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "state")
    shop = tokens.create("shop", models=(MODEL, "gpt-image-1.5"), per_minute=100, usd_per_day=0.01)
    poor, free = tokens.create("poor"), tokens.create("free")
    with running_gateway(tmp_path, SETTINGS) as gateway:
        other = gateway.post({**BODY, "model": "gpt-image-1.5"}, headers=bearer(shop))
        assert (other.status_code, other.json()["error"]["code"]) == (403, "model_not_allowed")
        assert [gateway.post(BODY, headers=bearer(shop)).status_code for _ in range(2)] == [200, 429]
        broke = gateway.post(BODY, headers=bearer(poor))
        assert (broke.status_code, broke.json()["error"]["code"]) == (429, "budget_exceeded")
        said = broke.json()["error"]["message"]
        assert said.endswith("to raise `usd_per_day` below `[tokens.poor]` in its settings"), said
        assert gateway.post({**BODY, "model": "gpt-image-1.5"}, headers=bearer(free)).status_code == 200


def test_a_token_that_is_made_later_leaves_the_others_as_they_were_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path / "state"))
    (tmp_path / "flowdsl.toml").write_text(SETTINGS, encoding="utf-8")
    for name in ("shop", "later"):
        assert main(["tokens", "create", name, "--per-minute", "9"]) == 0
    kept = json.loads((tmp_path / "state" / FILE).read_text(encoding="utf-8"))
    assert [(each["name"], each["per_minute"], each["models"]) for each in kept["tokens"]] == [
        ("shop", 9, None),
        ("later", 9, None),
    ]
    capsys.readouterr()
    assert main(["tokens", "list"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("all models; 9 a minute") and second.endswith(f"{MODEL}; 2 a minute; $1.00 a day")


def test_a_token_can_be_revoked_whatever_is_wrong_with_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path / "state"))
    Tokens(tmp_path / "state").create("shop")
    (tmp_path / "flowdsl.toml").write_text('[serve]\nflows = ["gone"]\n[tokens]\nshop = 5\n', encoding="utf-8")
    assert main(["tokens", "list"]) == 2
    assert main(["tokens", "revoke", "shop"]) == 0
    assert Tokens(tmp_path / "state").all() == []


def test_a_token_in_settings_is_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = Tokens(tmp_path).create("shop")
    file = tmp_path / "flowdsl.toml"
    file.write_text(f'[tokens]\nshop = "{token}"\n', encoding="utf-8")
    assert main(["serve", "--config", str(file), "--check"]) == 2
    err = capsys.readouterr().err
    assert token not in err and "flowdsl tokens create shop" in err


@pytest.mark.parametrize("settings", ["gw/gateway.toml", "gateway.toml"])
def test_the_tokens_of_named_settings_are_those_of_the_gateway_with_these_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLOWDSL_STATE")
    (tmp_path / "gw").mkdir()
    (tmp_path / settings).write_text("[serve]\n[tokens.shop]\nper_minute = 5\n", encoding="utf-8")
    (tmp_path / "flowdsl.toml").write_text("[tokens]\nother = 5\n", encoding="utf-8")
    assert main(["tokens", "create", "shop", "--config", settings]) == 0
    assert main(["serve", "--check", "--config", settings]) == 0
    assert "there is no token" not in capsys.readouterr().err
    assert (tmp_path / settings).parent.joinpath(".flowdsl", FILE).is_file()


@pytest.mark.parametrize(
    "text, said",
    [
        ("tokens = 5", "write `[tokens.NAME]`"),
        ("[tokens.shop]\nmodels = []", 'write `models = ["poster"]`'),
        ("[tokens.shop]\nmodels = 'poster'", 'write `models = ["poster"]`'),
        ("[tokens.shop]\nper_minute = true", "write `per_minute = 30`"),
        ("[tokens.shop]\nusd_per_day = 0", "write `usd_per_day = 5.00`"),
        ("[tokens.shop]\nusd_per_day = inf", "write `usd_per_day = 5.00`"),
        ("[tokens.shop]\ndays = 9", "`flowdsl tokens create shop --days 90`"),
        ("[token.shop]\nper_minute = 9", "did you mean `tokens`?"),
    ],
)
def test_a_mistake_in_what_tokens_may_has_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    file = tmp_path / "flowdsl.toml"
    file.write_text(f"{text}\n", encoding="utf-8")
    assert main(["serve", "--config", str(file), "--check"]) == 2
    err = capsys.readouterr().err
    assert said in err and "flowdsl.toml:" in err and "^" in err and "Traceback" not in err


def test_a_token_that_is_for_what_is_not_served_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "flowdsl.toml"
    file.write_text("[serve]\n", encoding="utf-8")
    assert main(["tokens", "create", "shop", "--models", "poster,gpt-image-2", "--config", str(file)]) == 0
    assert main(["serve", "--config", str(file), "--check"]) == 0
    assert "the token `shop` is for a name that is not served: `poster`\n" in capsys.readouterr().err
