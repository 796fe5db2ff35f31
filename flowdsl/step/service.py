"""Service: one service entry as a step sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from functools import lru_cache
from typing import Any

from flowdsl.step.problem import Problem, show

FLOW = "flow"
"""The origin of a setting that stands in the file of the flow."""
TREE = frozenset({FLOW, "flowdsl.toml", "pyproject.toml"})
"""The origins of settings that come with the flow: whoever made it may have made them too."""
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


PORTS = {"http": 80, "https": 443}


@lru_cache(maxsize=256)
def address_of(url: str) -> str:
    """Scheme, host and port of an address, in one spelling; what is no address stays as it is."""
    from urllib.parse import urlsplit  # most checks see no address

    try:
        parts = urlsplit(url.strip())
        return f"{parts.scheme}://{parts.hostname}:{parts.port or PORTS.get(parts.scheme)}"
    except ValueError:
        return url


def check_key(service: Service, setting: str) -> None:
    """Raises ConfigError, which never shows it, for a key that no header can carry, or one in quotes."""
    key = str(service.get(setting))
    origin = service.origins.get(setting, "")
    variable = origin.removeprefix("environment ")
    where = variable if variable != origin else f"`{setting}` of the service {service.name}"
    wrong = None
    if key[:1] in _QUOTES or key[-1:] in _QUOTES:
        wrong = "is in quotes"
    elif re.match(r"(bearer|basic|token)\s", key, re.IGNORECASE):
        wrong = f"begins with `{key.split()[0]}`"
    elif re.search(r"\s", key):
        wrong = "has blanks or line breaks in it"
    elif not (key.isascii() and key.isprintable()):
        wrong = "has characters in it that no key has"
    if wrong is not None:
        from flowdsl.errors import ConfigError

        hint = f"set {where} to the key alone, as the vendor shows it"
        raise ConfigError(f"the key in {where} {wrong}", code="invalid-key", hint=hint).about(setting)


class Service:
    """One service entry, merged from the host, the document, flowdsl.toml and the environment.

    `settings` maps setting names to values; `origins` says for each where it came from (`flow`, `flowdsl.toml`,
    `environment NAME`, …); `secret` names those that are never shown. Values the check cannot know (templates) are
    `flowdsl.step.rules.UNKNOWN`. `endpoints` are the addresses, as `address_of` gives them, that somebody named who is
    not part of the flow's own files; `moved` is whether a file of the flow puts another vendor in place of the step's.
    """

    __slots__ = ("_fingerprint", "endpoints", "moved", "name", "origins", "secret", "settings")

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        origins: Mapping[str, str] | None = None,
        secret: frozenset[str] = SECRET_SETTINGS,
        endpoints: Set[str] = frozenset(),
        moved: bool = False,
    ) -> None:
        self.name = name
        self.settings = dict(settings)
        self.origins = dict(origins or {})
        self.secret = secret
        self.endpoints = endpoints
        self.moved = moved
        self._fingerprint: str | None = None

    def get(self, key: str) -> Any:
        """The value of a setting, or None."""
        return self.settings.get(key)

    def option(self, key: str) -> Any:
        """The value a step option takes from this entry: the setting of that name, else the one under `options`."""
        value = self.settings.get(key)
        if value is None:
            options = self.settings.get("options")
            value = options.get(key) if options is not None and isinstance(options, Mapping) else None
        return value

    @property
    def fingerprint(self) -> str:
        """A text that is the same for entries that say the same; never shown, as it holds the secrets."""
        if self._fingerprint is None:
            self._fingerprint = repr((self.name, self.settings, self.origins, sorted(self.endpoints), self.moved))
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

    def unnamed_keys(self) -> list[str]:
        """The settings that let a request in and that no file of the flow names: keys, tokens, headers of the host."""
        return [
            key
            for key in (*sorted(self.secret - _NOT_SENT), "headers")
            if self.settings.get(key) and self.origins.get(key, FLOW) not in TREE
        ]

    def stray_key(self, url: str, *, own: bool) -> str | None:
        """The setting whose value may not go to an address, or None when all may: see `unnamed_keys`.

        `own` is whether the address is the vendor's own. A key of the environment was made for that vendor; another one
        was made for the vendor that the host or the step names, and not for one that a file of the flow puts there.
        """
        if address_of(url) in self.endpoints:
            return None
        keys = self.unnamed_keys()
        if own:
            if not self.moved:
                return None
            keys = [key for key in keys if not self.origins[key].startswith("environment ")]
        elif not any(origin in TREE for key, origin in self.origins.items() if key not in _SAFE):
            return None  # whoever gave the key decided where it goes
        return next(iter(keys), None)

    def __repr__(self) -> str:
        from flowdsl.template.taint import holds_secret

        shown = {
            key: "***" if key in self.secret or key == "headers" or holds_secret(value) else _without_login(value)
            for key, value in self.settings.items()
        }
        return f"Service({self.name!r}, {shown})"

    def __reduce__(self) -> Any:
        raise TypeError("a Service holds keys, and is not pickled")


_QUOTES = tuple("\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb")
_NOT_SENT = frozenset({"clientPem"})
"""Secret settings that no request carries."""
_SAFE = frozenset(
    (
        "apiKey",
        "authKey",
        "model",
        "options",
        "timeoutMs",
        "maxRetries",
        "rateLimit",
        "imageRateLimit",
        "concurrency",
        "limits",
    )
)
"""Settings that cannot change where a request goes."""


def _without_login(value: Any) -> Any:
    """A setting without the user name, the password and the query that an address may hold."""
    if isinstance(value, Mapping):
        return {key: _without_login(item) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    value = re.sub(r"(?<=://)[^/@\s]+@", "***@", value)
    return re.sub(r"\?.*", "?***", value, flags=re.DOTALL) if "://" in value else value
