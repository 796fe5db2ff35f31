"""What docs/providers.md says of the properties of Kestra's providers: each cell is seen by asking for the property."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl_steps.image.model_providers import PROVIDERS, provider_problems, settings_of

COLUMNS = ("type", "needed", "default", "here")
PROPERTIES = [(name, key) for name, provider in PROVIDERS.items() for key in provider.properties]
_EXAMPLES: Mapping[str, Any] = {"integer": 3, "number": 1.5, "boolean": True, "array": ["###"]}
_PEM = "-----BEGIN {0}-----\nMAA=\n-----END {0}-----\n"
_TEXTS: Mapping[str, str] = {
    "caPem": _PEM.format("CERTIFICATE"),
    "clientPem": _PEM.format("CERTIFICATE") + _PEM.format("PRIVATE KEY"),
    "baseUrl": "https://gate.example/v1",
    "endpoint": "https://own.example/v1",
    "modelType": "TITAN",
}
_WRONG: Mapping[str, Any] = {"array": "no list", "integer": "many", "number": "many", "boolean": "perhaps"}


def cells(name: str, key: str) -> Mapping[str, str]:
    """Column → what its cell says of a property."""
    return {
        "type": _type(name, key),
        "needed": _needed(name, key),
        "default": _default(name, key),
        "here": here(name, key),
    }


def here(name: str, key: str) -> str:
    """What becomes of a property: the key of the service entry that it fills, or why it fills none."""
    values = _whole(name)
    if key == "type" and "provider" in (found := _settings(values)):
        return f"`provider: {found['provider']}`"
    given = {**values, key: _example(name, key)}
    problems = list(provider_problems(given))
    refused = [problem for problem in problems if problem.severity == "error"]
    if refused:
        return f"refused: {refused[0].message}" if key == "type" else "refused with its provider"
    without = _settings({each: value for each, value in given.items() if each != key})
    filled = [setting for setting, value in _settings(given).items() if without.get(setting) != value]
    if filled:
        before = " in place of its `endpoint`" if key == "baseUrl" and "endpoint" in values else ""
        return f"`{filled[0]}`{before}"
    return f"nothing: {problems[0].message}"


def table() -> list[str]:
    """The lines of the table."""
    lines = [f"| provider of Kestra | property | {' | '.join(COLUMNS)} |", "|---|---|" + "---|" * len(COLUMNS)]
    return lines + [
        f"| `{name}` | `{key}` | {' | '.join(cells(name, key)[column] for column in COLUMNS)} |"
        for name, key in PROPERTIES
    ]


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    return settings_of({"provider": values})


def _whole(name: str) -> dict[str, Any]:
    """A provider with all that it needs."""
    needed = [key for key, known in PROVIDERS[name].properties.items() if known.required]
    found = {key: _example(name, key) for key in needed} | {"type": name}
    return {**found, "apiKey": "k"} if name == "AzureOpenAI" else found


def _example(name: str, key: str) -> Any:
    """A value that a property takes, which is not its default."""
    if key == "type":
        return name
    return _TEXTS.get(key) or _EXAMPLES.get(PROVIDERS[name].properties[key].type, "own")


def _is_taken(name: str, key: str, value: Any) -> bool:
    found = provider_problems({**_whole(name), key: value})
    return not [problem for problem in found if problem.inside == (key,) and problem.severity == "error"]


def _type(name: str, key: str) -> str:
    """The type as Kestra's page has it; where the provider makes pictures, a value of another one is refused."""
    kind = PROVIDERS[name].properties[key].type
    if PROVIDERS[name].vendor is not None and key != "type":
        assert not _is_taken(name, key, _WRONG.get(kind, 7)), (name, key)
        assert _is_taken(name, key, _example(name, key)), (name, key)
    return f"one of {kind}" if "," in kind else kind


def _needed(name: str, key: str) -> str:
    """Whether a provider without it is refused."""
    known = PROVIDERS[name].properties[key]
    if PROVIDERS[name].vendor is None:
        return "yes" if known.required else "no"
    values = {each: value for each, value in _whole(name).items() if each != key}
    codes = [problem.code for problem in provider_problems(values)]
    if name == "AzureOpenAI" and key in ("apiKey", "clientId", "clientSecret", "tenantId"):
        return "it, or the other three" if key == "apiKey" else "all three, or `apiKey`"
    return "yes" if "missing-key" in codes else "no"


def _default(name: str, key: str) -> str:
    """The default, which fills no setting: the vendor's own counts."""
    value = PROVIDERS[name].properties[key].default
    if value is None:
        return "none"
    setting = PROVIDERS[name].properties[key].setting
    assert setting not in _settings({**_whole(name), key: value}), (name, key)
    return f"`{value}`"
