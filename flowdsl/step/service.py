"""Service: one service entry as a step sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.step.problem import Problem, show

SECRET_SETTINGS = frozenset({"apiKey", "authKey", "clientPem"})
"""The common keys whose values are never shown; a vendor marks its own as `secret`."""


_PRICE_LEVELS = ("model", "size", "quality")


def price_problem(value: Any, level: int = 0) -> Problem | None:
    """What is wrong with the setting `prices`, or None: a number, or numbers by model, then by size, by quality."""
    if isinstance(value, Mapping) and level < len(_PRICE_LEVELS):
        return next((found for each in value.values() if (found := price_problem(each, level + 1)) is not None), None)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return None
    hint = (
        "write what a picture costs at most, `prices: 0.05`, or that by model, size and quality: `prices: {my-model: "
    )
    message = f"`prices` holds {show(value)}, which is no sum in USD"
    return Problem("wrong-type", message, key="prices", hint=f"{hint}{{1024x1024: {{low: 0.01, high: 0.2}}}}}}`")


class Service:
    """One service entry, merged from the document, flowdsl.toml, the host and the environment.

    `settings` maps setting names to values; `origins` says for each where it came from (`flow`, `flowdsl.toml`,
    `environment NAME`, …); `secret` names those that are never shown. Values the check cannot know (templates) are
    `flowdsl.step.rules.UNKNOWN`.
    """

    __slots__ = ("_fingerprint", "name", "origins", "secret", "settings")

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        origins: Mapping[str, str] | None = None,
        secret: frozenset[str] = SECRET_SETTINGS,
    ) -> None:
        self.name = name
        self.settings = dict(settings)
        self.origins = dict(origins or {})
        self.secret = secret
        self._fingerprint: str | None = None

    def get(self, key: str) -> Any:
        """The value of a setting, or None."""
        return self.settings.get(key)

    def option(self, key: str) -> Any:
        """The value a step option takes from this entry: the setting of that name, else the one under `options`."""
        value = self.settings.get(key)
        if value is None:
            options = self.settings.get("options")
            value = options.get(key) if isinstance(options, Mapping) else None
        return value

    @property
    def fingerprint(self) -> str:
        """A text that is the same for entries that say the same; never shown, as it holds the secrets."""
        if self._fingerprint is None:
            self._fingerprint = repr((self.name, self.settings, self.origins))
        return self._fingerprint

    def over(self, defaults: Mapping[str, Any]) -> Mapping[str, Any]:
        """The defaults of a step with what this entry sets in their place: `option`, for all keys at once."""
        options = self.settings.get("options")
        layers = (options if isinstance(options, Mapping) else {}, self.settings)
        return {**defaults, **{key: value for layer in layers for key, value in layer.items() if value is not None}}

    @property
    def provider(self) -> str | None:
        """The name of the vendor whose protocol the entry speaks, or None when nothing says."""
        return self.settings.get("provider")

    @property
    def endpoint(self) -> str | None:
        """The address the requests go to, or None for the provider's own."""
        return self.settings.get("endpoint")

    def __repr__(self) -> str:
        from flowdsl.template.taint import holds_secret

        shown = {
            key: "***" if key in self.secret or key == "headers" or holds_secret(value) else value
            for key, value in self.settings.items()
        }
        return f"Service({self.name!r}, {shown})"
