"""A key that no file names goes to no address that only a file names; a host's settings beat files."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import ConfigError, Environment, Limits, Storage
from flowdsl.cli import main
from flowdsl_steps.image.simulator import Simulator

STEP = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A boat, quality: low}\n"
ENTRY = "services: {OPENAI_IMAGE_GENERATION: {endpoint: 'URL'KEY}}\n"
TOML = "[services.OPENAI_IMAGE_GENERATION]\nendpoint = 'URL'\n"


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A server that a stranger's file names; the environment's key is one that it would take."""
    with Simulator() as running:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "flowdsl.toml").write_text("")
        (tmp_path / "home").mkdir()
        monkeypatch.setenv("OPENAI_API_KEY", running.key)
        monkeypatch.setenv("MY_KEY", running.key)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
        monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
        yield running


def written(gateway: Simulator, where: str, key: str = "") -> Path:
    """A flow whose endpoint stands in the flow, in flowdsl.toml beside it, or in one above it."""
    folder = Path("project")
    folder.mkdir(exist_ok=True)
    entry = ENTRY.replace("KEY", key) if where == "flow" or key else ""
    entry = entry if where == "flow" else entry.replace("endpoint: 'URL', ", "")
    text = f"{entry}flow:\n  {STEP}".replace("URL", gateway.openai_base_url)
    (folder / "a.flow.yaml").write_text(text)
    for place in (folder, Path()):
        toml = TOML if (where, place) in (("beside", folder), ("above", Path())) else ""
        if toml:
            (place / "flowdsl.toml").write_text(toml.replace("URL", gateway.openai_base_url))
    return folder / "a.flow.yaml"


def run(path: Path, **options: Any) -> flowdsl.Result:
    return Environment(storage=Storage(images="images"), **options).run(path)


@pytest.mark.parametrize("where", ["flow", "beside", "above"])
def test_a_file_sends_the_key_of_the_environment_nowhere(where: str, gateway: Simulator) -> None:
    path = written(gateway, where)
    with pytest.raises(ConfigError) as raised:
        run(path)
    error = raised.value
    assert (error.code, error.charge_possible, gateway.request_count) == ("key-not-sent", False, 0)
    assert error.message == (
        "the key of OPENAI_API_KEY is not sent to 127.0.0.1: only a file of the flow names that host"
    )
    assert "apiKey: \"{{ secret('MY_KEY') }}\"" in str(error.hint)
    assert f"--allow-endpoint {gateway.url}" in str(error.hint)
    assert gateway.key not in repr(vars(error))


@pytest.mark.parametrize("where", ["flow", "beside", "above"])
def test_a_key_that_a_file_names_goes_where_the_file_sends_it(where: str, gateway: Simulator) -> None:
    result = run(written(gateway, where, ", apiKey: \"{{ secret('MY_KEY') }}\""))
    assert (len(result.images), gateway.request_count) == (1, 1)


def test_an_endpoint_that_the_operator_names_gets_the_key(gateway: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(gateway, "flow")
    assert main(["run", str(path), "--quiet", "--allow-endpoint", gateway.url]) == 0
    run(path, allow_endpoints=[gateway.url])
    run(path, services={"OTHER": {"endpoint": gateway.openai_base_url}})
    own = Path("home/flowdsl")
    own.mkdir()
    for settings in (f"allow_endpoints = ['{gateway.url}']\n", f"[services.X]\nendpoint = '{gateway.url}/v1'\n"):
        (own / "config.toml").write_text(settings)
        run(path)
    (own / "config.toml").unlink()
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.openai_base_url)
    run(path)
    assert gateway.request_count == 6


@pytest.mark.parametrize("url", ["http://api.openai.com/v1", "https://api.openai.com.example.com/v1"])
def test_the_vendors_host_is_its_own_over_https_only(url: str, gateway: Simulator) -> None:
    path = written(gateway, "flow")
    path.write_text(path.read_text().replace(gateway.openai_base_url, url))
    with pytest.raises(ConfigError, match="is not sent to api"):
        run(path)


@pytest.mark.parametrize(
    "host", ["[2001:db8::1%25.api.openai.com]", "evil.example%23.api.openai.com", "a;.api.openai.com"]
)
def test_an_address_that_only_ends_like_the_vendors_host_is_nobodys(host: str, gateway: Simulator) -> None:
    path = written(gateway, "flow")
    path.write_text(path.read_text().replace(gateway.openai_base_url, f"https://{host}/v1"))
    with pytest.raises(ConfigError) as raised:
        run(path)
    assert raised.value.code == "key-not-sent"


def test_the_key_of_the_host_does_not_follow_a_file_either(gateway: Simulator) -> None:
    for settings in ({"apiKey": gateway.key}, {"headers": {"Authorization": gateway.key}}):
        with pytest.raises(ConfigError) as raised:
            run(written(gateway, "flow"), services={"OPENAI_IMAGE_GENERATION": settings}, environ={})
        assert raised.value.code == "key-not-sent"
    assert gateway.request_count == 0


def test_the_settings_of_a_host_beat_files(gateway: Simulator) -> None:
    path = written(gateway, "flow")
    path.write_text(path.read_text().replace(gateway.openai_base_url, "http://127.0.0.1:9/v1"))
    Path("project/flowdsl.toml").write_text(TOML.replace("URL", "http://127.0.0.1:9/v1") + "apiKey = 'x'\n")
    host = {"OPENAI_IMAGE_GENERATION": {"endpoint": gateway.openai_base_url, "apiKey": gateway.key}}
    run(path, services=host)
    assert gateway.request_count == 1


def test_a_host_can_turn_files_and_environment_off(gateway: Simulator) -> None:
    Path("project").mkdir()
    Path("project/flowdsl.toml").write_text("max_requests = 0\n" + TOML.replace("URL", gateway.openai_base_url))
    path = Path("project/a.flow.yaml")
    path.write_text(STEP)
    Path("home/flowdsl").mkdir()
    Path("home/flowdsl/config.toml").write_text("this is no toml")
    with pytest.raises(ConfigError) as raised:
        run(path, settings=None, environ={}, limits=Limits(max_requests=1))
    assert raised.value.code == "service-not-configured"
    path.write_text("- {step: SET, a: \"{{ secret('MY_KEY') }}\"}\n")
    with pytest.raises(flowdsl.TemplateError, match="is not set"):
        run(path, settings=None, environ={})


def test_the_option_of_the_command_line_beats_the_limit_of_a_file(gateway: Simulator) -> None:
    path = written(gateway, "flow")
    Path("project/flowdsl.toml").write_text("max_requests = 0\n")
    assert main(["run", str(path), "--quiet", "--simulate"]) == 4
    assert main(["run", str(path), "--quiet", "--simulate", "--max-requests", "1"]) == 0


def test_a_folder_for_settings_that_is_relative_is_no_folder_of_the_user(
    gateway: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(gateway, "flow")
    Path("project/flowdsl").mkdir()
    Path("project/flowdsl/config.toml").write_text(f"allow_endpoints = ['{gateway.url}']\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", ".")
    monkeypatch.chdir("project")
    with pytest.raises(ConfigError):
        run(Path(path.name))


def test_an_environment_with_keys_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="holds keys"):
        pickle.dumps(Environment(services={"A": {"apiKey": "k"}}))
