"""Service entries: where the requests of a step go, and with which settings.

The common settings stand here. What else an entry may hold, and which environment variables give it, the vendor says
that `provider` names: an entry point of the group `flowdsl.image_vendors`, whose name is the provider's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flowdsl.entry_points import foreign, load, targets
from flowdsl.errors import ConfigError, PluginError
from flowdsl.step.problem import Problem, show, use
from flowdsl.step.provider import Provider, fitting
from flowdsl.step.rules import UNKNOWN
from flowdsl.step.service import FLOW, SECRET_SETTINGS, TREE, Service, address_of, price_problem
from flowdsl.step.spec import Key, StepSpec, is_templated

if TYPE_CHECKING:
    from flowdsl.syntax.node import Node

SETTINGS: dict[str, Key] = {
    key.name: key
    for key in (
        Key("provider", "text", "Which vendor's protocol the service speaks."),
        Key("protocol", "text", "Another vendor's protocol, where the endpoint speaks that one."),
        Key("endpoint", "text", "Where requests go; the vendor's own address when absent.", pattern=r"^https?://\S+$"),
        Key("apiKey", "text", "The key, as the vendor's own key header carries it."),
        Key("authKey", "text", "A bearer token, sent as `Authorization: Bearer`."),
        Key("model", "text", "The model when the step names none."),
        Key("options", "map", "Defaults for the options of the steps that use this entry."),
        Key("prices", "any", "What one picture costs in USD, or that by model, size and quality."),
        Key("timeoutMs", "integer", "Deadline of one attempt in milliseconds.", minimum=1000, maximum=900_000),
        Key("maxRetries", "integer", "How often a refused request is sent again.", maximum=20),
        Key("rateLimit", "number", "Requests a minute at most.", minimum=0.001),
        Key("imageRateLimit", "number", "Pictures a minute at most.", minimum=0.001),
        Key("concurrency", "integer", "Requests at the same time at most.", minimum=1, maximum=1024),
        Key("caPem", "text", "Path or text of the certificates to trust, PEM."),
        Key("clientPem", "text", "Path or text of the client certificate and key, PEM."),
        Key("headers", "map", "Headers added to each request."),
        Key("limits", "text", "`api` lifts the limits of the steps to those of the API.", choices=("step", "api")),
        Key(
            "onUnknown",
            "text",
            "What to do when it is unknown whether a request was carried out.",
            choices=("fail", "resend"),
        ),
    )
}
"""The settings that every service entry may hold."""

VENDORS = "flowdsl.image_vendors"
"""The group of entry points that name the vendors."""
KEYS = frozenset({"apiKey", "authKey"})
"""Either is enough to be let in."""


_NEEDED = KEYS | {"endpoint"}
"""Without any of these nothing is reached."""
ADDRESS_START = "https://"


@lru_cache(maxsize=1)
def provider_names() -> tuple[str, ...]:
    """What `provider` may be: the names of all installed vendors, sorted.

    Raises:
        PluginError: two packages bring a vendor of the same name.
    """
    names = [name for name, _ in sorted(targets(VENDORS))]
    for name in names:
        if names.count(name) > 1:
            given = " and ".join(target for other, target in sorted(targets(VENDORS)) if other == name)
            raise PluginError(f"the image vendor {name} is defined twice, by {given}")
    return tuple(names)


@lru_cache(maxsize=64)
def provider(name: str) -> Any:
    """The vendor of a name, imported on first use; None when there is none. It fits `Provider`.

    Raises:
        PluginError: it cannot be loaded.
    """
    if name not in provider_names():
        return None
    target = dict(targets(VENDORS))[name]
    return foreign(VENDORS, name, target, lambda: fitting(name, load(VENDORS, name, target)))


def provider_words(name: str) -> str:
    """A vendor's plugin and its entry point, in words."""
    return f"the image vendor plugin `{name}` ({dict(targets(VENDORS)).get(name)})"


def providers() -> dict[str, Provider]:
    """All installed vendors by name.

    Raises:
        PluginError: one cannot be loaded.
    """
    return {name: provider(name) for name in provider_names()}


def all_settings(first: object = None) -> dict[str, Key]:
    """Every setting that an entry may hold: the common ones and those of all vendors; where two vendors have one of
    the same name, the vendor called `first` decides."""
    found = dict(SETTINGS)
    for vendor in _asked(first):
        for key in vendor.settings:
            found.setdefault(key.name, key)
    return found


def setting(name: str, provider_name: object = None) -> Key | None:
    """The setting of a name, or None. Vendors are only imported for a name that is none of the common ones, and then
    no more of them than it takes: the one called `provider_name` first."""
    if name in SETTINGS:
        return SETTINGS[name]
    return next((key for vendor in _asked(provider_name) for key in vendor.settings if key.name == name), None)


def _asked(first: object) -> Iterator[Provider]:
    """All vendors, imported one by one: the one of this name before the others."""
    named = provider(first) if isinstance(first, str) else None
    if named is not None:
        yield named
    yield from (provider(name) for name in provider_names() if name != first)


def setting_of_others(name: str, *of: object) -> list[str]:
    """The providers that have a setting which none of those called `of` has; empty where one has it, or one of them is
    no provider, and for the common settings. Those called None do not count."""
    named = [each for each in of if each is not None]
    known = [vendor for each in named if isinstance(each, str) and (vendor := provider(each)) is not None]
    if name in SETTINGS or not known or len(known) < len(named):
        return []
    if any(key.name == name for vendor in known for key in vendor.settings):
        return []
    return [other for other, vendor in providers().items() if any(key.name == name for key in vendor.settings)]


def is_secret(name: str, provider_name: object = None) -> bool:
    """Whether the value of a setting is never shown."""
    key = None if name in SETTINGS else setting(name, provider_name)
    return name in SECRET_SETTINGS or (key is not None and key.secret)


def is_plain_secret(name: str, value: Any, provider_name: object = None) -> bool:
    """Whether a value of a setting is itself a secret; the path of a PEM file is none."""
    return (
        is_secret(name, provider_name)
        and isinstance(value, str)
        and value != ""
        and (name != "clientPem" or "-----BEGIN" in value)
    )


def variable_in(text: str) -> str | None:
    """The environment variable that a text names as shells do, `$NAME` or `%NAME%`: no such name is replaced here."""
    import re  # only a file that holds a secret needs it

    found = re.fullmatch(r"\$\{?([A-Za-z_]\w*)\}?|%([A-Za-z_]\w*)%", text)
    return None if found is None else found[1] or found[2]


def other_names() -> dict[str, str]:
    """Names that others have for the settings → the setting."""
    return {**OTHER_NAMES, **{old: new for vendor in providers().values() for old, new in vendor.other_names.items()}}


def problem_of(key: str, value: Any, provider_name: object = None) -> Problem | None:
    """What is wrong with the value of a setting that exists, or None."""
    if key == "prices":
        return None if value is None else price_problem(value)
    known = setting(key, provider_name)
    problem = None if value is None or known is None else known.problem(value)
    if problem is not None and key == "endpoint" and problem.code == "wrong-pattern":
        bare = re.fullmatch(r"(?:[a-z]+:/*)?([\w.-]+(:\d+)?(/\S*)?)", value)
        hint = f"write `{ADDRESS_START}{bare[1]}`" if bare else "write it in full: `endpoint: https://…`"
        return problem._replace(message=f"`endpoint` is {show(value)}, which is no web address", hint=hint)
    if problem is None and key in ("provider", "protocol") and value is not None:
        return _unknown_provider(key, value)
    if problem is not None or value is None or key not in ("endpoint", "headers"):
        return problem
    from flowdsl.step.sendable import setting_problem

    return setting_problem(key, value)


def _unknown_provider(key: str, name: str) -> Problem | None:
    names = provider_names()
    if name in names:
        return None
    from flowdsl.nearest import nearest

    near, there = nearest(name, names), f"there are {', '.join(names) or 'none, not even the standard ones'}"
    hint, fixes = (f"did you mean `{near}`? {there}", use(key, near)) if near else (there, ())
    return Problem("unknown-provider", f"unknown provider {show(name)}", key, hint, fixes=fixes)


class ServiceLayers:
    """Where service settings come from, the strongest first: `host`, document, `layers` in their order, environment.

    `host` maps entry name → settings, as the host application says them; `layers` are pairs of a name for messages and
    such a map. `environ` holds the environment variables. `overrides` maps a provider to settings that win over
    everything, for example those of a simulator. `endpoints` are addresses that keys which no file of the project names
    may go to as well.
    """

    __slots__ = ("_endpoints", "asked", "environ", "host", "layers", "overrides")

    def __init__(
        self,
        layers: Iterable[tuple[str, Mapping[str, Mapping[str, Any]]]] = (),
        *,
        host: Mapping[str, Mapping[str, Any]] | None = None,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        endpoints: Iterable[str] = (),
    ) -> None:
        self.host = host or {}
        self.layers = tuple(layers)
        self.environ = os.environ if environ is None else environ
        self.asked: set[str] = set()
        """The environment variables that entries were looked for in."""
        self.overrides = dict(overrides or {})
        trusted = (self.host, *(entries for origin, entries in self.layers if origin not in TREE))
        named = (entry.get("endpoint") for entries in trusted for entry in entries.values())
        self._endpoints = frozenset(map(address_of, (*endpoints, *(text for text in named if isinstance(text, str)))))

    def names(self, document: Iterable[str] = ()) -> list[str]:
        """The names of all entries."""
        return sorted({*self.host, *document, *(name for _, entries in self.layers for name in entries)})

    def has(self, name: str, document: Iterable[str] = ()) -> bool:
        """Whether an entry of that name exists."""
        return name in self.host or name in document or any(name in entries for _, entries in self.layers)

    @property
    def has_entries(self) -> bool:
        """Whether settings files or the host name any entry: then those that a run can have are known."""
        return bool(self.host) or any(entries for _, entries in self.layers)

    def nearest(self, name: str, document: Iterable[str] = ()) -> tuple[str | None, str]:
        """The entry that is most likely meant by a name, and what to say of one that no entry has."""
        from flowdsl.nearest import nearest

        names = self.names(document)
        near = nearest(name, names)
        if near is not None:
            return near, f"did you mean `{near}`?"
        there = f"there {'is' if len(names) == 1 else 'are'} {', '.join(names)}; " if names else ""
        return None, f"{there}add it under `services:`, or in flowdsl.toml"

    def service(
        self,
        name: str,
        spec: StepSpec,
        document: Mapping[str, Node],
        resolve: Callable[[Any], Any] | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> Service:
        """The merged entry for a step. Without `resolve`, values with templates are UNKNOWN. `given` are the options of
        a step that holds settings itself, resolved as far as they are known: its own settings come before all."""
        settings = {key: value for key, value in spec.own_settings(given or {}).items() if value is not None}
        origins = dict.fromkeys(settings, FLOW)
        entry = document.get(name)
        own = [(FLOW, {key: node.plain() for key, node in entry.value.items()})] if entry is not None else []
        behind = ((origin, entries.get(name, {})) for origin, entries in self.layers)
        for origin, values in (("host", self.host.get(name, {})), *own, *behind):
            for key, value in values.items():
                if value is not None and key not in settings:
                    settings[key] = _known(key, value) if resolve is None else resolve(value)
                    origins[key] = origin
        environment = _environment(spec, settings.get("provider"))
        self._from_environment(environment, settings, origins)
        if spec.provider is not None and "provider" not in settings:
            settings["provider"] = spec.provider
        for key, value in self.overrides.get(settings.get("provider", ""), {}).items():
            settings[key], origins[key] = value, "override"
            if value is None:
                del settings[key]
        own_secrets = {key for key in settings if key not in SETTINGS and is_secret(key, settings.get("provider"))}
        endpoints = self._endpoints | set(self._operator_endpoints(environment, settings, origins))
        moved = origins.get("provider") in TREE and settings.get("provider") != spec.provider
        return Service(name, settings, origins, SECRET_SETTINGS | own_secrets, endpoints, moved)

    def _operator_endpoints(
        self, environment: Mapping[str, tuple[str, ...]], settings: Mapping[str, Any], origins: Mapping[str, str]
    ) -> Iterator[str]:
        """Addresses that the environment names for an entry, and the entry's own where no file of the project does."""
        for variable in environment.get("endpoint", ()):
            self.asked.add(variable)
            if value := self.environ.get(variable):
                yield address_of(value)
        if isinstance(settings.get("endpoint"), str) and origins.get("endpoint") not in TREE:
            yield address_of(settings["endpoint"])

    def _from_environment(
        self, environment: Mapping[str, tuple[str, ...]], settings: dict[str, Any], origins: dict[str, str]
    ) -> None:
        keyed = any(settings.get(key) for key in KEYS)
        for key, variables in environment.items():
            if key in settings or (keyed and key in KEYS):
                continue
            for variable in variables:
                self.asked.add(variable)
                if value := self.environ.get(variable, "").strip():
                    settings[key], origins[key] = value, f"environment {variable}"
                    break

    def require(self, service: Service, spec: StepSpec, document: Iterable[str]) -> None:
        """Raises ConfigError when neither an entry nor the environment says anything about a service, and when a step
        names an entry that there is not."""
        if self.has(service.name, document):
            return
        if service.name != spec.service:
            _, hint = self.nearest(service.name, document)
            raise ConfigError(f"Service not configured: {service.name}", code="service-not-configured", hint=hint)
        if service.origins:
            return
        variables = [name for key, names in spec.environment.items() if key in _NEEDED for name in names]
        raise ConfigError(
            f"Service not configured: {service.name}",
            code="service-not-configured",
            hint=f"set {' or '.join(variables) or 'its settings'}, or add an entry `{service.name}` under `services:`; "
            "`flowdsl run --simulate` needs neither",
        )


def _environment(spec: StepSpec, provider_name: object) -> Mapping[str, tuple[str, ...]]:
    """The variables that count for an entry: its own vendor's, so that no key goes to somebody it was not made for."""
    if not isinstance(provider_name, str) or provider_name == spec.provider:
        return spec.environment
    vendor = provider(provider_name)
    return {} if vendor is None else vendor.environment


def _known(key: str, value: Any) -> Any:
    if key == "options" and isinstance(value, Mapping):
        return {name: _known(name, default) for name, default in value.items()}
    return UNKNOWN if isinstance(value, str) and is_templated(value) else value


OTHER_NAMES = {
    **dict.fromkeys(("base_url", "baseUrl", "url", "host"), "endpoint"),
    **dict.fromkeys(("key", "secret"), "apiKey"),
    **dict.fromkeys(("token", "bearer"), "authKey"),
    **dict.fromkeys(("timeout", "timeout_s"), "timeoutMs"),
}
"""Names that others have for the common settings."""
