"""How the simulator stands in for the vendors of a flow: settings that win over those of its services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowdsl.services import provider_names
from flowdsl.step.service import Service
from flowdsl_steps.image.simulator.models import model_names
from flowdsl_steps.image.vendors import known_vendor, vendor_named

_DROPPED = dict.fromkeys(("authKey", "headers", "caPem", "clientPem"))
"""Settings that may hold keys, or are of no use on this machine."""
_OWN_MODEL = "gpt-image-2"
"""What the simulator takes for the model of a deployment that does not say it."""


def overrides(url: str, key: str) -> dict[str, dict[str, Any]]:
    """The settings, by provider, that send all requests to a simulator with its key and with nothing else."""
    found = {}
    for name in provider_names():
        vendor = vendor_named(name)
        secret = dict.fromkeys(own.name for own in vendor.settings if own.secret)
        found[name] = {**_DROPPED, **secret, **vendor.simulate(url, key)}
    return found


def deployments(asked: Iterable[tuple[Any, Service]]) -> Mapping[str, str]:
    """Deployment → model, for the models that steps name and their services: where accounts give models names of their
    own, the model named beside it, else the one the simulator takes for its own."""
    known = model_names()
    found: dict[str, str] = {}
    for model, service in asked:
        vendor = known_vendor(service.provider or "")
        if vendor is not None and vendor.deployment_setting is not None:
            names = [model, service.option("model"), service.get(vendor.deployment_setting)]
            behind = next((name for name in names if name in known), _OWN_MODEL)
            found.update({name: behind for name in names if isinstance(name, str) and name not in known})
    return found


def with_deployments(
    settings: Mapping[str, dict[str, Any]], asked: Iterable[tuple[Any, Service]]
) -> dict[str, dict[str, Any]]:
    """The settings of `overrides`, with a deployment for vendors of whose services one has none, and none names one."""
    found = dict(settings)
    named: set[str] = set()
    for model, service in asked:
        vendor = known_vendor(service.provider or "")
        if vendor is None or vendor.deployment_setting is None:
            continue
        if service.get(vendor.deployment_setting) is not None:
            named.add(vendor.name)
        elif model is None and service.option("model") is None:
            found[vendor.name] = {**found[vendor.name], vendor.deployment_setting: _OWN_MODEL}
    return {**found, **{name: settings[name] for name in named}}
