"""Mistakes that people make with any vendor: each is told once, at its place, with a remedy that works, and no key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from vendor_bench import flow_of
from vendor_cases import CASES

import flowdsl
from flowdsl.errors import ConfigError
from flowdsl.step.service import Service
from flowdsl_steps.image.openai_image_generation import OpenAIImageGeneration

KEY = "SECRET0123456789abcdef"
HIDDEN = ("apiKey", "accessKeyId", "secretAccessKey")
MORE: Mapping[str, Mapping[str, str]] = {
    "azure": {"endpoint": "https://r.openai.azure.com"},
    "hub": {"endpoint": "https://hub.example"},
    "vertex": {"authKey": KEY, "project": "p"},
}


def entry(name: str, **settings: Any) -> dict[str, Any]:
    """An entry of a vendor that is right but for these settings; None leaves one out."""
    own = {key: KEY if key in HIDDEN else value for key, value in CASES[name].entry.items()}
    found = {"provider": name, **own, **MORE.get(name, {}), **settings}
    return {key: value for key, value in found.items() if value is not None}


def found_in(settings: Mapping[str, Any], **options: Any) -> list[flowdsl.Diagnostic]:
    """The errors and warnings of a flow with the entry, without those on keys that stand in the file."""
    found = flowdsl.check(flow_of(settings, **options))
    assert not any(KEY in f"{each.message} {each.hint}" for each in found)
    return [each for each in found if each.code != "plain-secret" and each.severity in ("error", "warning")]


OPTIONS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "a size that is none": ({"size": "large"}, "size"),
    "a size with a star": ({"size": "1024*1024x"}, "size"),
    "no pictures": ({"n": 0}, "n"),
    "too many pictures": ({"n": 11}, "n"),
    "a number in words": ({"n": "two"}, "n"),
    "pictures to edit": ({"images": ["a.png"]}, "images"),
    "a mask": ({"mask": "a.png"}, "mask"),
    "an option of edits": ({"input_fidelity": "high"}, "input_fidelity"),
    "a seed below zero": ({"seed": -1}, "seed"),
}


@pytest.mark.parametrize("wrong", OPTIONS)
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_wrong_option_is_told_once_at_its_key_with_a_remedy(name: str, wrong: str) -> None:
    options, key = OPTIONS[wrong]
    [found] = found_in(entry(name), **options)
    line = flow_of(entry(name), **options).splitlines()[found.span.first.line - 1]
    assert line.strip().startswith(f"{key}:")
    assert found.hint


ENTRIES: Mapping[str, tuple[Mapping[str, Any], str, str, Mapping[str, Any]]] = {
    "no scheme": (
        {"endpoint": "host.example/v1"},
        "wrong-pattern",
        "write `https://host.example/v1`",
        {"endpoint": "https://host.example/v1"},
    ),
    "another scheme": (
        {"endpoint": "ftp://host.example"},
        "wrong-pattern",
        "write `https://host.example`",
        {"endpoint": "https://host.example"},
    ),
    "a misspelt key": ({"apikey": KEY}, "unknown-key", "did you mean `apiKey`?", {}),
    "a misspelt protocol": ({"protocol": "opnai"}, "unknown-provider", "did you mean `openai`? ", {}),
    "no price": ({"prices": "cheap"}, "wrong-type", "write what a picture costs at most, ", {"prices": 0.05}),
    "no rate": ({"rateLimit": 0}, "out-of-range", "the nearest allowed value is 0.001", {"rateLimit": 0.001}),
}


@pytest.mark.parametrize("wrong", ENTRIES)
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_wrong_setting_is_told_once_at_its_place_and_its_remedy_works(name: str, wrong: str) -> None:
    settings, code, hint, right = ENTRIES[wrong]
    [found] = found_in(entry(name, **settings))
    assert found.code == code
    assert (found.hint or "").startswith(hint)
    line = flow_of(entry(name, **settings)).splitlines()[found.span.first.line - 1]
    assert line.strip().startswith(f"{next(iter(settings))}:")
    assert [each.code for each in found_in(entry(name, **right))] in ([], ["key-for-foreign-host"])


@pytest.mark.parametrize("region", ["us west", "oregon"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_region_is_told_once_where_it_is_none_or_does_nothing(name: str, region: str) -> None:
    [found] = found_in(entry(name, region=region))
    if name == "bedrock":
        assert (found.code, found.hint) == ("wrong-pattern", "write it as `region: us-west-2`")
        assert found_in(entry(name, region="us-west-2")) == []
    else:
        assert (found.code, found.hint) == ("no-effect", "remove it")


def lacking(settings: Mapping[str, Any]) -> ConfigError | None:
    """What a run lacks with an entry, before anything is sent."""
    try:
        OpenAIImageGeneration.require(Service("S", settings), {})
    except ConfigError as error:
        assert KEY not in f"{error.message} {error.hint}"
        return error
    return None


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_path_and_a_slash_at_the_end_of_an_endpoint_are_right(name: str) -> None:
    for address in ("https://host.example/", "https://host.example//", "https://host.example/some/path/"):
        assert lacking(entry(name, endpoint=address)) is None


@pytest.mark.parametrize("path", ["/v2/model/abc/invoke", "/v2/models/x:predict/"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_an_endpoint_that_names_an_operation_of_another_is_told_what_to_write(name: str, path: str) -> None:
    error = lacking(entry(name, endpoint=f"https://host.example{path}?key={KEY}"))
    if error is None:  # it knows where such an address begins
        assert name == "gemini"
        assert "models" in path
        return
    assert (error.code, error.hint) == (
        "invalid-endpoint",
        "write the address before it, `https://host.example/v2`",
    )
    assert lacking(entry(name, endpoint="https://host.example/v2")) is None


@pytest.mark.parametrize("setting", ["caPem", "clientPem"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_certificates_that_cannot_be_read_are_told_before_anything_is_sent(
    name: str, setting: str, tmp_path: Path
) -> None:
    error = lacking(entry(name, **{setting: str(tmp_path / "missing.pem")}))
    assert error is not None
    assert error.message == f"the `{setting}` of the service S cannot be used: No such file or directory"
    assert (error.hint or "").startswith("give the path of a PEM file, or its text: ")


def test_of_two_settings_with_certificates_that_cannot_be_read_both_are_told(tmp_path: Path) -> None:
    error = lacking(entry("openai", **{name: str(tmp_path / name) for name in ("caPem", "clientPem")}))
    assert error is not None
    why = "No such file or directory"
    assert error.message == f"the `caPem` of the service S cannot be used: {why}, nor can its `clientPem`: {why}"


def test_a_file_of_credentials_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    for content, why in ((None, "No such file or directory"), ("{", "they are no JSON")):
        if content is not None:
            file.write_text(content, encoding="utf-8")
        error = lacking(entry("vertex", authKey=None, project=None, credentials=str(file)))
        assert error is not None
        assert error.message == f"the `credentials` of the service S cannot be used: {why}"
        assert error.hint == "give the JSON of a service account's key, or the path of such a file"


def test_a_model_that_is_proposed_does_what_the_step_asks_for() -> None:
    """What only edits is not proposed to a step that starts from a prompt alone."""
    for name in sorted(CASES):
        for each in found_in(entry(name, model=None)):
            if each.code == "missing-key":
                assert each.hint is not None
                model = each.hint.removeprefix("add `model: ").removesuffix("`")
                assert found_in(entry(name, model=model)) == [], name


def test_a_key_of_the_entry_is_enough_at_an_address_of_ones_own() -> None:
    assert found_in(entry("bedrock", endpoint="https://gate.example")) == []
