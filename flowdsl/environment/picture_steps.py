"""Which step makes pictures with a service: what a flow of one step, made for a prompt, begins with."""

from __future__ import annotations

from typing import Any

from flowdsl.errors import UsageError
from flowdsl.nearest import nearest
from flowdsl.services import ServiceLayers, provider
from flowdsl.step.registry import Registry
from flowdsl.step.spec import StepSpec

PICTURES = "imageList"
"""The type of pictures among what steps take and give."""
PROMPT = "instruction"
"""The key for the prompt."""


def picture_step(registry: Registry, layers: ServiceLayers, service: str | None) -> StepSpec:
    """The step that makes pictures with a service. Without a name it is one whose settings are there; of several, or
    when there are none, one whose vendor has an address of its own, which needs no setting but a key.

    Raises:
        UsageError: no service has that name, or nothing installed makes pictures.
    """
    steps = [spec for spec in map(registry.spec, registry) if spec is not None and makes_pictures(spec)]
    if not steps:
        raise UsageError("no step that is installed makes pictures")
    if service is None:
        return min(steps, key=lambda spec: (not _configured(spec, layers), not _own_address(spec)))
    for spec in steps:
        if spec.service == service:
            return spec
    for spec in steps:
        if layers.has(service) and layers.service(service, spec, {}).settings.get("provider") == spec.provider:
            return spec
    names = sorted({*layers.names(), *(spec.service for spec in steps if spec.service)})
    near = nearest(service, names)
    hint = f"did you mean `{near}`?" if near else f"there are {', '.join(names)}"
    raise UsageError(f"there is no service `{service}`; {hint}")


def makes_pictures(spec: StepSpec) -> bool:
    """Whether a step makes pictures, of a prompt alone that it takes as the flow of this command gives it."""
    if any(port.type == PICTURES for port in spec.inputs):
        return False
    return spec.service is not None and PROMPT in spec.keys and any(port.type == PICTURES for port in spec.outputs)


def _configured(spec: StepSpec, layers: ServiceLayers) -> bool:
    return bool(layers.service(str(spec.service), spec, {}).origins)


def _own_address(spec: StepSpec) -> bool:
    vendor: Any = provider(spec.provider) if spec.provider is not None else None
    return any(not host.startswith(".") for host in getattr(vendor, "hosts", ()))


def edit_step(registry: Registry, making: StepSpec) -> StepSpec | None:
    """The step that edits pictures by a prompt where another one makes them: that of the same provider, else any."""
    found = [spec for spec in map(registry.spec, registry) if spec is not None and _edits_pictures(spec)]
    return min(found, key=lambda spec: spec.provider != making.provider, default=None)


def _edits_pictures(spec: StepSpec) -> bool:
    takes = any(port.type == PICTURES for port in spec.inputs)
    gives = any(port.type == PICTURES for port in spec.outputs)
    return takes and gives and spec.service is not None and {PROMPT, "images", "mask"} <= set(spec.keys)
