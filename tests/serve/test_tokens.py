"""Tokens: who is let in, for what, how often and for how much; and that nobody reads them anywhere."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from gateways import MODEL, SMALL, Running, running_gateway

from flowdsl.cli import main
from flowdsl.journal.journal import Journal
from flowdsl.serve.tokens import FILE, Tokens

pytestmark = pytest.mark.usefixtures("noon")  # what may be spent in a day is counted
BODY = {**SMALL, "prompt": "A kite"}
PRICE = 0.01
"""More than a picture costs that the tests ask for, and less than two."""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway with a token `open` that may do everything."""
    folder = tmp_path_factory.mktemp("tokens")
    Tokens(folder / "state").create("open")
    with running_gateway(folder) as found:
        yield found


def made(gateway: Running, name: str, **limits: Any) -> str:
    """A new token."""
    return Tokens(gateway.folder / "state").create(name, **limits)


def bearer(token: str) -> dict[str, str]:
    """The header with a token."""
    return {"Authorization": f"Bearer {token}"}


def test_a_request_with_a_token_gets_a_picture_by_either_header(guarded: Running) -> None:
    token = made(guarded, "either")
    assert guarded.post(BODY, headers=bearer(token)).status_code == 200
    assert guarded.post(BODY, headers={"api-key": token}).status_code == 200
    assert guarded.client(api_key=token).images.generate(**BODY).data


def test_a_request_without_a_token_that_counts_is_refused_before_it_is_read(guarded: Running) -> None:
    over, gone = made(guarded, "over", days=-1), made(guarded, "gone")
    Tokens(guarded.folder / "state").revoke("gone")
    right = made(guarded, "right")
    cases = {
        "": "invalid_api_key",
        "sk-something": "invalid_api_key",
        right[:-1]: "invalid_api_key",
        f"{right}x": "invalid_api_key",
        gone: "invalid_api_key",
        over: "expired_api_key",
    }
    before = guarded.bought
    for token, code in cases.items():
        found = guarded.post({"nonsense": 1}, headers=bearer(token) if token else {})
        assert (found.status_code, found.json()["error"]["code"]) == (401, code), token
        assert found.headers["www-authenticate"] == "Bearer" and (not token or token not in found.text)
    with pytest.raises(openai.AuthenticationError):
        guarded.client(api_key="sk-wrong").models.list()
    assert guarded.bought == before


def test_a_token_in_the_address_is_refused_also_where_it_is_right(guarded: Running) -> None:
    token = made(guarded, "address")
    for name in ("api_key", "api-key", "access_token", "token"):
        found = guarded.post(BODY, f"/v1/images/generations?{name}={token}")
        assert (found.status_code, found.json()["error"]["code"]) == (400, "token_in_address")
        assert token not in found.text


def test_health_and_signed_pictures_need_no_token(guarded: Running) -> None:
    token = made(guarded, "pictures")
    link = guarded.post({**BODY, "response_format": "url"}, headers=bearer(token)).json()["data"][0]["url"]
    assert [httpx.get(url).status_code for url in (link, f"{guarded.url}/healthz", f"{guarded.url}/readyz")] == [
        200
    ] * 3


def test_a_gateway_with_tokens_serves_other_names_of_itself(guarded: Running) -> None:
    headers = {**bearer(made(guarded, "named")), "Host": "pictures.example.com"}
    assert guarded.post(BODY, headers=headers).status_code == 200


def test_a_token_is_for_its_models_alone(guarded: Running) -> None:
    client = guarded.client(api_key=made(guarded, "models", models=(MODEL,)))
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.images.generate(**BODY).data
    with pytest.raises(openai.PermissionDeniedError):
        client.models.retrieve("gpt-image-1.5")
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.images.generate(prompt="A kite", model="gpt-image-1.5")
    assert (caught.value.param, caught.value.code) == ("model", "model_not_allowed")


def test_keys_of_two_tokens_are_two_keys(guarded: Running) -> None:
    before = guarded.bought
    first, second = made(guarded, "first"), made(guarded, "second")
    for token in (first, second, first):
        assert guarded.post(BODY, headers={**bearer(token), "Idempotency-Key": "same"}).status_code == 200
    assert guarded.bought == before + 2


def test_a_token_that_asks_too_often_is_told_when_to_come_back(guarded: Running) -> None:
    headers = bearer(made(guarded, "often", per_minute=5))
    with ThreadPoolExecutor(16) as pool:
        found = [*pool.map(lambda _: guarded.post({**BODY, "n": 99}, headers=headers), range(16))]
    assert sorted(each.status_code for each in found) == [400] * 5 + [429] * 11
    refused = next(each for each in found if each.status_code == 429)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded" and 1 <= int(refused.headers["retry-after"]) <= 12
    assert "raise it: `flowdsl tokens change often --per-minute N`" in refused.json()["error"]["message"]
    Tokens(guarded.folder / "state").change("often", per_minute=6000)
    assert guarded.post({**BODY, "n": 99}, headers=headers).status_code == 400


def test_a_token_spends_no_more_than_it_may_however_many_ask_at_once(guarded: Running) -> None:
    before = guarded.bought
    headers = bearer(made(guarded, "spends", usd_per_day=PRICE))
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda _: guarded.post(BODY, headers=headers), range(8))]
    assert sorted(each.status_code for each in found) == [200] + [429] * 7
    error = next(each for each in found if each.status_code == 429).json()["error"]
    assert (error["type"], error["code"]) == ("insufficient_quota", "budget_exceeded")
    assert guarded.bought == before + 1


def test_a_token_whose_money_is_spent_is_told_when_there_is_more_and_the_command_that_gives_more(
    guarded: Running,
) -> None:
    headers = bearer(made(guarded, "spent", usd_per_day=PRICE))
    assert guarded.post(BODY, headers=headers).status_code == 200
    found = guarded.post(BODY, headers=headers)
    error = found.json()["error"]
    assert (found.status_code, error["type"]) == (429, "insufficient_quota")
    assert "go on tomorrow, or ask whoever runs the gateway to raise it: " in error["message"]
    assert "`flowdsl tokens change spent --usd-per-day N`" in error["message"]
    assert 0 < int(found.headers["retry-after"]) <= 86_400 and found.headers["x-should-retry"] == "false"
    Tokens(guarded.folder / "state").change("spent", usd_per_day=PRICE / 100)
    found = guarded.post(BODY, headers=headers)
    assert (
        found.status_code == 429 and "it can cost more than a whole day allows: ask" in found.json()["error"]["message"]
    )
    assert "retry-after" not in found.headers  # however long it waits, that is not enough
    Tokens(guarded.folder / "state").change("spent", usd_per_day=10 * PRICE)
    assert guarded.post(BODY, headers=headers).status_code == 200


@pytest.mark.long
def test_what_a_token_may_holds_for_flows_too(tmp_path: Path) -> None:
    step = '{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: "A kite"}'
    (tmp_path / "kite.flow.yaml").write_text(f"flow:\n  - {step}\n", encoding="utf-8")
    tokens = Tokens(tmp_path / "state")
    often, poor = bearer(tokens.create("often", per_minute=1)), bearer(tokens.create("poor", usd_per_day=PRICE))
    with running_gateway(tmp_path, '[serve]\nflows = ["kite.flow.yaml"]\n') as gateway:
        for headers, code in ((often, "rate_limit_exceeded"), (poor, "budget_exceeded")):
            before = gateway.bought
            found = [gateway.post({}, "/flows/kite/runs", headers=headers) for _ in range(2)]
            assert [each.status_code for each in found] == [200, 429], found[1].text
            assert found[1].json()["error"]["code"] == code and gateway.bought == before + 1
            assert "1 requests" not in found[1].text


def test_what_a_token_bought_is_counted_for_it(guarded: Running) -> None:
    guarded.post(BODY, headers=bearer(made(guarded, "counted")))
    with Journal(guarded.folder / "state") as journal:
        assert "counted" in [run.tags.get("token") for run in journal.runs.all()]


def test_only_a_hash_is_kept_and_for_its_owner_alone(guarded: Running) -> None:
    token = made(guarded, "kept")
    file = guarded.folder / "state" / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    texts = [each.read_bytes() for each in (guarded.folder / "state").rglob("*") if each.is_file()]
    assert not [text for text in texts if token.encode() in text or token.split("-", 2)[2].encode() in text]


def test_the_command_makes_lists_and_revokes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path))
    assert main(["tokens"]) == 0
    assert main(["tokens", "create", "shop", "--models", "a, b", "--per-minute", "30", "--usd-per-day", "5"]) == 0
    out = capsys.readouterr().out
    assert "there are no tokens" in out
    token = out.splitlines()[-1]
    assert main(["tokens", "list"]) == 0 and main(["tokens", "list", "--json"]) == 0
    out = capsys.readouterr().out
    assert "a, b; 30 a minute; $5.00 a day" in out and token not in out
    assert json.loads(out[out.index("[") :])[0]["models"] == ["a", "b"]
    assert Tokens(tmp_path).of(token) is not None
    assert main(["tokens", "revoke", "shop"]) == 0
    assert Tokens(tmp_path).of(token) is None and Tokens(tmp_path).required
    assert main(["tokens"]) == 0
    assert "nobody is let in" in capsys.readouterr().out


def test_the_command_changes_what_a_token_may_and_says_where_settings_let_it_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flowdsl.toml").write_text("[tokens.shop]\nper_minute = 30\n", encoding="utf-8")
    token = Tokens(tmp_path).create("shop", models=("a",), usd_per_day=5.0)
    assert main(["tokens", "change", "shop", "--usd-per-day", "10", "--per-minute", "60"]) == 0
    said = capsys.readouterr()
    assert "; a; 30 a minute; $10.00 a day" in said.out
    assert "per_minute below [tokens.shop] of the settings is lower, and counts" in said.err
    found = Tokens(tmp_path).of(token)
    assert found is not None and (found.models, found.usd_per_day, found.per_minute) == (("a",), 10.0, 60)


def test_a_token_that_stdout_does_not_take_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path))
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stdout", None)
        assert main(["tokens", "create", "shop"]) == 4
    assert capsys.readouterr().err == "flowdsl: stdout is closed\n"
    if Path("/dev/full").exists():
        command = [sys.executable, "-m", "flowdsl.cli", "tokens", "create", "shop"]
        with Path("/dev/full").open("w") as full:
            ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
        assert (ended.returncode, ended.stderr) == (
            4,
            b"flowdsl: stdout cannot be written to: No space left on device\n",
        )
    assert Tokens(tmp_path).all() == []


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["crate", "shop"], "did you mean `create`?"),
        (["create"], "say for whom"),
        (["create", "a b"], "no name for a token"),
        (["create", "taken"], "there is a token `taken` already"),
        (["create", "new", "--models", ","], "names no model"),
        (["create", "new", "--per-minute", "0"], "from 1 on"),
        (["create", "new", "--days", "999999"], "longer than a token lasts"),
        (["revoke", "takn"], "did you mean `taken`?"),
        (["list", "taken"], "takes no name"),
        (["revoke", "taken", "--days", "3"], "goes with `flowdsl tokens create` and `flowdsl tokens change`"),
        (["raise", "taken"], "did you mean `change`?"),
        (["change", "taken"], "by --models, --per-minute, --usd-per-day, --days"),
        (["change", "takn", "--days", "3"], "did you mean `taken`?"),
        (["change", "taken", "--per-minute", "0"], "from 1 on"),
    ],
)
def test_a_mistake_says_what_to_write(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path))
    Tokens(tmp_path).create("taken")
    assert main(["tokens", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_damaged_file_of_tokens_lets_nobody_in(tmp_path: Path) -> None:
    Tokens(tmp_path / "state").create("shop")
    with running_gateway(tmp_path) as gateway:
        (tmp_path / "state" / FILE).write_text("{")
        found = gateway.post(BODY)
        assert (found.status_code, found.json()["error"]["code"]) == (503, "tokens_unreadable")
        assert gateway.bought == 0 and str(tmp_path) not in found.text
        assert [each["warning"] for each in map(json.loads, gateway.log) if "warning" in each] == gateway.told != []


def test_a_gateway_whose_file_of_tokens_is_moved_away_lets_nobody_in_until_there_is_another(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "state")
    token = tokens.create("shop")
    with running_gateway(tmp_path) as gateway:
        assert gateway.post(BODY, headers=bearer(token)).status_code == 200
        (tmp_path / "state" / FILE).rename(tmp_path / "moved.json")
        assert [gateway.post(BODY, headers=each).status_code for each in ({}, bearer(token))] == [401, 401]
        assert gateway.post(BODY, headers=bearer(tokens.create("new"))).status_code == 200
        assert gateway.bought == 2


def test_check_warns_of_a_token_that_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Tokens(tmp_path).create("old", days=-1)
    assert main(["serve", "--check", "--as-of", "2026-11-21"]) == 0
    assert "`flowdsl tokens create old` makes a new one" in capsys.readouterr().err
