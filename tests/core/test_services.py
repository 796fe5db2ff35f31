"""Service entries: which setting wins, how templates in them resolve, and what is never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import ConfigError, Environment, Host, Service, Step, StepContext, UsageError, Written
from flowdsl.settings.files import settings_file

SEEN: dict[str, dict[str, Any]] = {}


class Ask(
    Step,
    name="ASK",
    service="asker",
    provider="acme",
    environment={"apiKey": ("ACME_KEY", "ACME_OLD_KEY"), "authKey": ("ACME_TOKEN",), "endpoint": ("ACME_URL",)},
):
    """Remember the service entry it was given."""

    case: str
    """The name to remember under."""

    def run(self, ctx: StepContext) -> Written:
        SEEN[self.case] = {**ctx.service.settings, "origins": ctx.service.origins, "shown": repr(ctx.service)}
        return None


def asked(case: str, folder: Path, entry: str = "", **options: Any) -> dict[str, Any]:
    """The settings a step sees; `entry` is the document's own service entry."""
    services = f"services: {{asker: {{{entry}}}}}\n" if entry else ""
    path = folder / "a.flow.yaml"
    path.write_text(f"{services}flow:\n- step: ASK\n  case: {case}\n", encoding="utf-8")
    Environment(steps=[Ask], **options).run(path)
    return SEEN.pop(case)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stops the search for settings files, and an environment that sets a key."""
    monkeypatch.setenv("ACME_KEY", "environment-key")
    (tmp_path / "flowdsl.toml").write_text("", encoding="utf-8")
    return tmp_path


def test_the_host_wins_over_the_document_then_the_settings_file_then_the_environment(folder: Path) -> None:
    toml = "[services.asker]\nmodel = 'toml'\ntarget = 'toml'\ndeploymentId = 'toml'\n"
    (folder / "flowdsl.toml").write_text(toml, encoding="utf-8")
    found = asked("order", folder, "model: flow, target: flow", services={"asker": {"model": "host"}})
    assert {key: found[key] for key in ("model", "target", "deploymentId", "apiKey", "provider")} == {
        "model": "host",
        "target": "flow",
        "deploymentId": "toml",
        "apiKey": "environment-key",
        "provider": "acme",
    }
    assert found["origins"] == {
        "model": "host",
        "target": "flow",
        "deploymentId": "flowdsl.toml",
        "apiKey": "environment ACME_KEY",
    }


def test_flowdsl_toml_wins_over_pyproject_and_the_nearest_folder_wins(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "flowdsl.toml").write_text("[services.asker]\nmodel = 'outer'\n", encoding="utf-8")
    assert settings_file(str(inner)) == (
        str(tmp_path / "flowdsl.toml"),
        {"services": {"asker": {"model": "outer"}}},
    )
    (inner / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    assert (settings_file(str(inner)) or ("", {}))[0] == str(tmp_path / "flowdsl.toml")
    (inner / "pyproject.toml").write_text("[tool.flowdsl.services.asker]\nmodel = 'py'\n", encoding="utf-8")
    assert settings_file(str(inner)) == (
        str(inner / "pyproject.toml"),
        {"services": {"asker": {"model": "py"}}},
    )
    (inner / "flowdsl.toml").write_text("[services.asker]\nmodel = 'toml'\n", encoding="utf-8")
    assert (settings_file(str(inner)) or ("", {}))[0] == str(inner / "flowdsl.toml")


def test_a_key_of_the_entry_keeps_every_key_of_the_environment_out(folder: Path) -> None:
    found = asked("one key", folder, "authKey: \"{{ secret('ACME_KEY') }}\"")
    assert (found["authKey"], "apiKey" in found) == ("environment-key", False)


def test_a_client_certificate_does_not_keep_the_key_of_the_environment_out(folder: Path) -> None:
    assert asked("certificate", folder, "clientPem: client.pem")["apiKey"] == "environment-key"


def test_overrides_win_over_everything_and_null_removes(folder: Path) -> None:
    found = asked(
        "override",
        folder,
        "model: flow, endpoint: 'https://flow'",
        overrides={"acme": {"endpoint": "https://u", "model": None}},
    )
    assert (found["endpoint"], "model" in found, found["origins"]["endpoint"]) == ("https://u", False, "override")


def test_templates_in_settings_read_secrets_stored_values_and_allowed_variables(folder: Path) -> None:
    entry = (
        "apiKey: \"{{ secret('ASK') }}\", headers: {x-team: \"{{ kv('team') }}\"}, model: '{{ env.ACME_KEY }}', "
        "timeoutMs: 2000"
    )
    host = Host(secrets={"ASK": "sk-host"}.get, kv={"team": "blue"}, env=["ACME_KEY"])
    found = asked("templates", folder, entry, host=host)
    assert {key: found[key] for key in ("apiKey", "headers", "model", "timeoutMs")} == {
        "apiKey": "sk-host",
        "headers": {"x-team": "blue"},
        "model": "environment-key",
        "timeoutMs": 2000,
    }


def test_a_service_that_nothing_configures_names_the_variables_that_would_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACME_KEY")
    with pytest.raises(ConfigError) as raised:
        asked("nothing", folder)
    error = raised.value
    assert (str(error), error.code, error.step, error.hint) == (
        "Service not configured: asker",
        "service-not-configured",
        "ASK",
        "set ACME_KEY or ACME_OLD_KEY or ACME_TOKEN or ACME_URL, or add an entry `asker` under `services:`; "
        "`flowdsl run --simulate` needs neither",
    )


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (
            "[services.asker]\napiKy = 'x'\n",
            "2:1: error: services.asker: unknown setting `apiKy`",
            "did you mean `apiKey`?",
        ),
        (
            "[services.asker]\nzzz = 'x'\n",
            "2:1: error: services.asker: unknown setting `zzz`",
            "there are provider, protocol, endpoint,",
        ),
        (
            "[services]\nasker = 'x'\n",
            "2:9: error: services.asker must be a table of settings",
            "write `[services.asker]`, and below it the settings",
        ),
        (
            "services = 5\n",
            "1:12: error: services must be a table of names and settings, not int",
            "write `[services.NAME]`, and below it the settings",
        ),
        (
            "[services.asker]\nprovider = 'gemni'\n",
            "2:12: error: services.asker: unknown provider `gemni`",
            "did you mean `gemini`? there are azure, bedrock, bfl, dashscope, gemini, hub, huggingface, localai, "
            "mistral, ollama, openai, openrouter, vertex, workersai, zhipu",
        ),
        (
            "[services.asker]\ntimeoutMs = 5\n",
            "2:13: error: services.asker: `timeoutMs` is 5, and must be from 1000 to 900000",
            "it counts milliseconds: did you mean 5000?",
        ),
        (
            "[services.asker]\nendpoint = 'example com'\n",
            "2:12: error: services.asker: `endpoint` is `example com`, which is no web address",
            'write it in full: `endpoint = "https://…"`',
        ),
        (
            "[services]\nasker = {apiKey = 'x-123456', authKey = 7}\n",
            "2:41: error: services.asker: `authKey` takes a text, not the integer",
            "write `authKey = \"{{ secret('MY_KEY') }}\"`, which reads the environment variable MY_KEY",
        ),
    ],
    ids=["misspelt", "unknown", "no-table", "number", "provider", "too-low", "address", "two-keys"],
)
def test_a_settings_file_with_a_mistake_is_refused_and_shown_with_its_place(
    folder: Path, content: str, message: str, hint: str
) -> None:
    (folder / "flowdsl.toml").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        asked("mistake", folder)
    said = str(raised.value)
    assert f"flowdsl.toml:{message} [" in said and f"\n  hint: {hint}" in said and "^" in said
    assert "x-123456" not in said


def test_a_settings_file_that_is_no_toml_is_refused(folder: Path) -> None:
    (folder / "flowdsl.toml").write_text("[services\n", encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        asked("no toml", folder)
    assert str(raised.value).startswith(f"{folder / 'flowdsl.toml'}: ")


def test_a_service_shows_no_secret(folder: Path) -> None:
    found = asked(
        "shown", folder, "apiKey: \"{{ secret('ACME_KEY') }}\", model: \"m-{{ secret('ACME_KEY') }}\", target: t"
    )
    assert found["shown"] == ("Service('asker', {'apiKey': '***', 'model': '***', 'target': 't', 'provider': 'acme'})")
    plain = Service("s", {"authKey": "a", "clientPem": "b", "headers": {"x": "c"}, "endpoint": "https://d"})
    assert repr(plain) == (
        "Service('s', {'authKey': '***', 'clientPem': '***', 'headers': '***', 'endpoint': 'https://d'})"
    )


def test_a_service_the_step_names_is_used_and_an_unknown_one_is_reported() -> None:
    text = "services: {other: {model: o}}\nflow:\n- step: ASK\n  case: named\n  service: {}\n"
    environment = Environment(steps=[Ask])
    environment.run(text.replace("{}\n", "other\n"))
    assert SEEN.pop("named")["model"] == "o"
    (finding,) = flowdsl.check(text.replace("{}\n", "othr\n"), environment=environment)
    assert (finding.severity, finding.message, finding.hint) == (
        "warning",
        "no service entry is called `othr`",
        "did you mean `other`?",
    )
