"""Which model a request would reach, worked out from who names one and where the endpoint is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowdsl.step.rules import UNKNOWN
from flowdsl.step.service import Service
from flowdsl_steps.image.catalogue import catalogue
from flowdsl_steps.image.hosts import host_of
from flowdsl_steps.image.resolved_model import Origin, ResolvedModel
from flowdsl_steps.image.vendor import Vendor
from flowdsl_steps.image.vendors import vendor_at

if TYPE_CHECKING:
    from datetime import date


def resolve_model(
    vendor: Vendor, service: Service | None, named: Any, default: str | None = None, as_of: date | None = None
) -> ResolvedModel:
    """The model a request would reach, as far as it can be known: `named` is what whoever asks says, `default` what
    counts when nobody says anything."""
    rules, own = _endpoint(vendor, service)
    label, origin = _label(vendor, service, named, default)
    model = catalogue().find(label) if label else None
    return ResolvedModel(rules.name, rules.title, own, label, origin, model, service, as_of, rules.deployment_setting)


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
    """Where a deployment decides, the default is only checked when nothing names one."""
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
