"""Which model a request would reach: by which name, at which vendor, through whose endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from flowdsl.step.rules import UNKNOWN
from flowdsl.step.service import Service
from flowdsl_steps.image.catalogue import Model, catalogue
from flowdsl_steps.image.vendor import Vendor
from flowdsl_steps.image.vendors import vendor_at

if TYPE_CHECKING:
    from datetime import date

Origin = Literal["step", "service", "deployment", "default", "unknown"]


class ResolvedModel(NamedTuple):
    """The model a request would reach.

    `provider` is the vendor whose rules count and `title` its name in words. `own` says whether the endpoint is that
    vendor's own; everything else is a gateway. `label` names the model or the deployment (None while a template
    decides), `origin` says who named it. `model` is the catalogue's, where it has it. `as_of` is the day that life
    dates are judged by.
    """

    provider: str
    title: str
    own: bool
    label: str | None
    origin: Origin
    model: Model | None
    service: Service | None = None
    as_of: date | None = None
    deployment_setting: str | None = None
    """The setting that names a deployment, at a vendor whose accounts give models names of their own."""


def resolved_model(
    vendor: Vendor, service: Service | None, named: Any, default: str | None = None, as_of: date | None = None
) -> ResolvedModel:
    """The model a request would reach, as far as it can be known: `named` is what whoever asks says, `default` what
    counts when nobody says anything."""
    rules, own = _endpoint(vendor, service)
    label, origin = _label(vendor, service, named, default)
    model = catalogue().find(label) if label else None
    return ResolvedModel(rules.name, rules.title, own, label, origin, model, service, as_of, rules.deployment_setting)


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


def _endpoint(vendor: Vendor, service: Service | None) -> tuple[Vendor, bool]:
    """Whose rules count, and whether the endpoint is that vendor's own."""
    endpoint = service.endpoint if service else None
    if not endpoint:
        return vendor, not vendor.is_gateway
    found = vendor_at(host_of(endpoint)) if isinstance(endpoint, str) else None
    if found is None or vendor.is_gateway:
        return vendor, False
    if found.name == vendor.name or (found.family is not None and found.family == vendor.family):
        return found, True
    return vendor, False


def _label(vendor: Vendor, service: Service | None, named: Any, default: str | None) -> tuple[str | None, Origin]:
    """Where a deployment decides, the default is only judged when nothing names one."""
    given: list[tuple[Any, Origin]] = [(named, "step"), (service.option("model") if service else None, "service")]
    if vendor.deployment_setting is not None and service:
        given.append((service.option(vendor.deployment_setting), "deployment"))
    given.append((default, "default"))
    for value, origin in given:
        if value is UNKNOWN:
            return None, "unknown"
        if isinstance(value, str) and value:
            return value, origin
    return None, "unknown"
