"""Service entries that are wrong in the ways of people: one message for each says what to write, and shows no key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from vendor_bench import flow_of, told

import flowdsl
from flowdsl.cli import main
from flowdsl.errors import ConfigError
from flowdsl.step.service import Service
from flowdsl_steps.image.openai_image_generation import OpenAIImageGeneration

KEY = "SECRET0123456789abcdef"
ENTRIES: Mapping[str, Mapping[str, Any]] = {
    "openai": {"model": "gpt-image-2"},
    "azure": {"model": "gpt-image-2", "endpoint": "https://r.openai.azure.com", "deploymentId": "d"},
    "bedrock": {"model": "stability.stable-image-core-v1:1", "region": "us-west-2"},
    "gemini": {"model": "gemini-3.1-flash-image"},
    "dashscope": {"model": "wan2.6-t2i"},
}
KEYS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "both keys": ({"authKey": f"{KEY}-2"}, "has both `apiKey` and `authKey`, and one request has one key"),
    "a header": ({"apiKey": f"Bearer {KEY}"}, "the `apiKey` of the service S begins with a word of a header"),
    "two lines": ({"apiKey": f"{KEY}\n{KEY}"}, "holds a blank or an end of line, which no key has"),
}
ADDRESSES = {
    "no scheme": f"host.example/v1?key={KEY}",
    "another scheme": f"ftp://u:{KEY}@host.example",
    "a login": f"https://u:{KEY}@host.example/v1",
    "IPv6 without brackets": f"http://::1:8080/v1?key={KEY}",
    "no port": f"http://host.example:port/v1?key={KEY}",
    "a blank": f"https://host example/v1?key={KEY}",
}


def lacking(provider: str, **more: Any) -> ConfigError:
    """What a run lacks with such an entry."""
    settings = {"provider": provider, "apiKey": KEY, **ENTRIES[provider], **more}
    with pytest.raises(ConfigError) as caught:
        OpenAIImageGeneration.require(Service("S", settings), {})
    return caught.value


@pytest.mark.parametrize("provider", ENTRIES)
@pytest.mark.parametrize("wrong", KEYS)
def test_a_key_that_cannot_be_one_is_told_before_anything_is_sent(wrong: str, provider: str) -> None:
    more, said = KEYS[wrong]
    error = lacking(provider, **more)
    assert said in error.message
    assert error.hint is not None
    assert KEY not in f"{error.message} {error.hint}"


@pytest.mark.parametrize("provider", ENTRIES)
@pytest.mark.parametrize("address", ADDRESSES)
def test_an_endpoint_that_is_none_is_told_without_the_key_in_it(address: str, provider: str) -> None:
    error = lacking(provider, endpoint=ADDRESSES[address])
    assert error.code == "invalid-endpoint"
    assert error.message.startswith("the endpoint of the service S ")
    assert error.hint is not None
    assert KEY not in f"{error.message} {error.hint}"


def test_ipv6_without_brackets_is_told_how_it_is_written() -> None:
    hint = "write an IPv6 address in brackets: `http://[::1]:8080/v1`"
    assert lacking("openai", endpoint="http://::1:8080/v1").hint == hint
    found = told({"provider": "openai", "model": "gpt-image-2", "endpoint": "http://::1:8080/v1"})
    assert [(code, said) for code, _, _, said in found] == [("wrong-pattern", hint)]


@pytest.mark.parametrize("endpoint", ["host.example/v1", "ftp://host.example"])
def test_an_endpoint_that_is_none_is_told_once_and_no_host_is_named(endpoint: str) -> None:
    found = told({"provider": "bedrock", **ENTRIES["bedrock"], "endpoint": endpoint})
    assert [code for code, *_ in found] == ["wrong-pattern"]


def test_a_key_of_the_environment_beside_one_of_the_entry_is_no_mistake() -> None:
    origins = {"apiKey": "environment OPENAI_API_KEY"}
    settings = {"provider": "openai", "apiKey": KEY, "authKey": "t", "endpoint": "https://gate.example/v1"}
    OpenAIImageGeneration.require(Service("S", settings, origins), {"model": "gpt-image-2"})


def test_a_key_that_is_none_is_told_by_the_check_of_what_a_run_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.flow.yaml"
    entry = {"provider": "openai", "model": "gpt-image-2", "apiKey": f"Bearer {KEY}"}
    file.write_text(flow_of(entry), encoding="utf-8")
    assert flowdsl.check(file.read_text(encoding="utf-8")) != []
    assert main(["validate", str(file), "--env"]) == 1
    said = "".join(capsys.readouterr())
    assert "not ready: the `apiKey` of the service PICTURES begins with a word of a header" in said
    assert KEY not in said
