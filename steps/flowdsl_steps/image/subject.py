"""What an image step would ask for: which model, at which vendor, through whose endpoint."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from flowdsl.step.rules import UNKNOWN, Options
from flowdsl_steps.image.catalogue import Model, catalogue

Origin = Literal["step", "service", "deployment", "default", "unknown"]


class Subject(NamedTuple):
    """The model a step would reach.

    `provider` is the vendor whose rules count. `own` says whether the endpoint is that vendor's own; everything else is
    a gateway. `label` names the model or the deployment (None while a template decides), `origin` says who named it.
    """

    provider: str
    own: bool
    label: str | None
    origin: Origin
    model: Model | None


def subject_of(options: Options) -> Subject:
    """The model a step would reach, as far as it can be known."""
    provider, own = _endpoint(options)
    label, origin = _label(options, provider)
    return Subject(provider, own, label, origin, catalogue().find(label) if label else None)


def host_of(endpoint: str) -> str:
    """The host name of an address, in lower case."""
    authority = endpoint.partition("://")[2] or endpoint
    for end in "/?#":
        authority = authority.partition(end)[0]
    authority = authority.rpartition("@")[2].strip().lower()
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def is_local(host: str) -> bool:
    """Whether a host name, by its look, is this machine's or of a private network."""
    if "." not in host.strip(".") and ":" not in host:
        return True
    if host[-1].isdigit() or ":" in host:
        import ipaddress

        try:
            return not ipaddress.ip_address(host).is_global
        except ValueError:
            return False
    return host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))


def _endpoint(options: Options) -> tuple[str, bool]:
    service = options.service
    provider = service.provider if service else None
    if not isinstance(provider, str):
        by_name = {"AZURE": "azure", "HUB": "hub"}
        provider = by_name.get(options.step.removeprefix("SERVICE_").partition("_")[0], "openai")
    endpoint = service.endpoint if service else None
    if not endpoint:
        return provider, provider != "hub"
    vendor = catalogue().vendor_at(host_of(endpoint)) if isinstance(endpoint, str) else None
    if vendor is None or provider == "hub":
        return provider, False
    return vendor, True


def _label(options: Options, provider: str) -> tuple[str | None, Origin]:
    """On Azure the deployment decides, so the step's default is only judged when nothing names a deployment."""
    service = options.service
    named: list[tuple[Any, Origin]] = [
        (options.given.get("model"), "step"),
        (service.option("model") if service else None, "service"),
    ]
    if provider == "azure" and service:
        named.append((service.option("deploymentId"), "deployment"))
    named.append((options.defaults.get("model"), "default"))
    for value, origin in named:
        if value is UNKNOWN:
            return None, "unknown"
        if isinstance(value, str) and value:
            return value, origin
    return None, "unknown"
