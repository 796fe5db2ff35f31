"""What is wrong with the settings of a gateway is told in one go."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl.cli import main

SETTINGS = """\
[serve]
hots = "127.0.0.1"
port = 99999
public_url = "pictures.example.com"
flows = ["gone", "a b.flow.yaml"]
[routes]
poster = "nothing/gpt-image-2"
old = "openai-main/gpt-image-1"
odd = 5
after = "odd"
round = "circle"
circle = "round"
[routes.draft]
on_ratelimit = "poster"
on_unknown = []
[tokens.shop]
modls = ["poster"]
per_minute = 0
usd_per_day = "5"
[tokens.studio]
models = ["poster", "odd", "postre"]
[services.openai-main]
provider = "openai"
"""
SHUT_DOWN = "was shut down by OpenAI on 2026-10-23 ["
SAID = (
    "serve: unknown key `hots`",
    "serve.port must be a port",
    "serve.public_url must be a web address",
    "there is no flow at `gone`",
    "`a b.flow.yaml` cannot be part of an address",
    "there is no service and no route `nothing`",
    SHUT_DOWN,
    "routes.odd must be a service",
    "a loop of routes: round → circle → round",
    "routes.draft: unknown key `on_ratelimit`",
    "routes.draft names no service to ask first",
    "routes.draft.on_unknown must be a service",
    "tokens.shop: unknown key `modls`",
    "tokens.shop.per_minute must be a number",
    "tokens.shop.usd_per_day must be a sum",
    "no model and no flow `postre` is served",
)
OF_SERVICES = """\
env = ["A B"]
kv = 5
[services.spare]
provider = "opnai"
[services.other]
provider = "openai"
maxRetries = 99
apiky = "sk-own-123456"
"""
SAID_OF_SERVICES = (
    "env: `A B` is not the name of an environment variable",
    "kv must be a table of names and values",
    "services.spare: unknown provider `opnai`",
    "services.other: `maxRetries` is 99, and must be at most 20",
    "services.other: unknown setting `apiky`",
)


@pytest.mark.parametrize("check", [["--check"], ["--simulate"]], ids=["check", "start"])
def test_every_mistake_of_a_gateway_s_settings_is_told_at_once_and_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], check: list[str]
) -> None:
    file = tmp_path / "flowdsl.toml"
    file.write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "a b.flow.yaml").write_text("flow: [{step: SET, a: 1}]\n", encoding="utf-8")
    assert main(["serve", "--config", str(file), "--as-of", "2026-11-21", *check]) == 2
    err = capsys.readouterr().err
    expected = [said for said in SAID if check == ["--check"] or said != SHUT_DOWN]  # the simulator has it
    assert {said: err.count(said) for said in expected} == dict.fromkeys(expected, 1), err
    warnings = err.count(" warning: ")
    assert err.count(" error: ") == len(expected) and "Traceback" not in err
    assert err.count("^\n") == err.count("  hint: ") == len(expected) + warnings, err


def test_wrong_services_and_variables_hide_no_route_and_no_token_that_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = 'spared = "spare/gpt-image-1"\nothers = "other/gpt-image-1"\n[routes.draft]\n'
    services = OF_SERVICES.partition("[services")[2]
    first = OF_SERVICES.removesuffix(f"[services{services}")
    text = f"{first}{SETTINGS.replace('[routes.draft]' + chr(10), more)}[services{services}"
    (tmp_path / "flowdsl.toml").write_text(text, encoding="utf-8")
    (tmp_path / "a b.flow.yaml").write_text("flow: [{step: SET, a: 1}]\n", encoding="utf-8")
    assert main(["serve", "--check", "--config", str(tmp_path / "flowdsl.toml"), "--as-of", "2026-11-21"]) == 2
    err = capsys.readouterr().err
    expected = {said: 2 if said == SHUT_DOWN else 1 for said in (*SAID, *SAID_OF_SERVICES)}
    assert {said: err.count(said) for said in expected} == expected, err
    number = sum(expected.values())
    assert err.count(" error: ") == err.count("^\n") == err.count("  hint: ") == number, err
    assert "hint: write `other/gpt-image-2.5-sunburst`" in err and "sk-own" not in err


def test_a_flow_with_mistakes_hides_no_token_that_is_for_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kite.flow.yaml").write_text("flow: [{step: SEET, a: 1}]\n", encoding="utf-8")
    settings = '[serve]\nflows = ["kite.flow.yaml"]\n[tokens.shop]\nmodels = ["kitte", "kite"]\n'
    (tmp_path / "flowdsl.toml").write_text(settings, encoding="utf-8")
    assert main(["serve", "--check", "--config", str(tmp_path / "flowdsl.toml")]) == 2
    err = capsys.readouterr().err
    assert "flowdsl.toml:4:11: error: no model and no flow `kitte` is served" in err and err.count(" error: ") == 2
    assert "kite.flow.yaml:1:" in err


OF_MONEY_AND_RULES = """\
max_requests = "many"
metadata = "ful"
[max_usd_per_day_by_service]
OPENAI_IMAGE_GENERATION = "5"
spare = -1
[[policy]]
rule = "n <= 2"
severty = "note"
[[policy]]
rule = "modle == 1 and servce == 2"
message = 5
severity = "fatal"
[[policy]]
message = "two are enough"
[serve]
prot = 8080
"""
PLACES = (
    "1:16: error: max_requests must be a whole number",
    "2:12: error: metadata is one of",
    "4:27: error: max_usd_per_day_by_service.OPENAI_IMAGE_GENERATION must be a sum in USD",
    "5:9: error: max_usd_per_day_by_service.spare must be a sum in USD",
    "8:1: error: policy: unknown key `severty`",
    "10:8: error: `modle == 1 and servce == 2` names `modle`, of which no rule can speak",
    "10:8: error: `modle == 1 and servce == 2` names `servce`, of which no rule can speak",
    "11:11: error: the message of a rule must be a text",
    "12:12: error: `fatal` is no severity of a rule",
    "13:3: error: a rule is a text, or a table with `rule`",
    "16:1: error: serve: unknown key `prot`",
)


def test_mistakes_of_money_and_of_rules_of_the_house_are_told_at_once_each_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "flowdsl.toml"
    file.write_text(OF_MONEY_AND_RULES, encoding="utf-8")
    assert main(["serve", "--config", str(file), "--check"]) == 2
    err = capsys.readouterr().err
    assert {place: err.count(f"flowdsl.toml:{place}") for place in PLACES} == dict.fromkeys(PLACES, 1), err
    assert err.count(" error: ") == err.count("^\n") == err.count("  hint: ") == len(PLACES)


def test_tokens_for_what_is_not_served_are_told_with_the_routes_that_lead_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = SETTINGS.replace('flows = ["gone", "a b.flow.yaml"]\n', "")
    (tmp_path / "flowdsl.toml").write_text(text, encoding="utf-8")
    assert main(["serve", "--check", "--config", str(tmp_path / "flowdsl.toml"), "--as-of", "2026-11-21"]) == 2
    err = capsys.readouterr().err
    assert err.count("no model and no flow `postre` is served") == 1 and "did you mean `poster`?" in err
    assert "`odd` is served" not in err and "a loop of routes" in err


def test_the_mistakes_of_all_flows_that_are_served_are_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.flow.yaml").write_text(f"flow: [{{step: SEET, {name}: 1}}]\n", encoding="utf-8")
    (tmp_path / "flowdsl.toml").write_text('[serve]\nflows = ["."]\n', encoding="utf-8")
    assert main(["serve", "--check", "--config", str(tmp_path / "flowdsl.toml")]) == 1
    err = capsys.readouterr().err
    assert "one.flow.yaml:1:" in err and "two.flow.yaml:1:" in err
