"""`run --simulate`: every service of a flow answered by a simulator on this machine, and no real key used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.environment import Flow

NOWHERE = "http://127.0.0.1:9"
"""An address on this machine where nobody listens: for looking at a flow before its simulator runs."""
_SECRET = "simulated-secret"  # noqa: S105  the point is that it is none
_DROPPED = dict.fromkeys(("authKey", "headers", "caPem", "clientPem"))
"""Settings that may hold keys, or are of no use on this machine."""


def overrides(url: str, key: str) -> dict[str, dict[str, Any]]:
    """The settings, by provider, that send all requests to a simulator with its key and with nothing else."""
    common = {"apiKey": key, **_DROPPED}
    return {
        "openai": {"endpoint": f"{url}/v1", **common},
        "azure": {"endpoint": url, **common},
        "hub": {"endpoint": url, **common},
    }


def placeholder_secret(name: str) -> str:
    """What `secret('NAME')` gives: the real ones stay out of a simulated run."""
    return _SECRET


@contextmanager
def running_simulator(flow: Flow) -> Iterator[dict[str, dict[str, Any]]]:
    """The overrides for a simulator that runs as long as the context and knows the flow's Azure deployments.

    Raises:
        UsageError: a step's service is none that can be simulated, or the extra is not installed.
    """
    services = list(_services(flow))
    from flowdsl_steps.image.simulator import Simulator

    with Simulator(deployments=_deployments(services)) as simulator:
        yield overrides(simulator.url, simulator.key)


def _services(flow: Flow) -> Iterator[tuple[StepNode, Any]]:
    """Each step that uses a service, with the service."""
    document = flow.document
    for step in document.every_step():
        if step.spec.service is None:
            continue
        name = step.service.value if step.service is not None else step.spec.service
        service = flow._layers.service(name, step.spec, document.services)
        if service.provider not in overrides("", ""):
            known = isinstance(service.provider, str)
            provider = f"the provider `{service.provider}`" if known else "a provider that only the run decides"
            raise UsageError(
                f"{step.spec.name} ({step.path}) uses {provider}, which the simulator does not speak; nothing was sent"
            )
        yield step, service


def _deployments(services: list[tuple[StepNode, Any]]) -> Mapping[str, str]:
    """Azure deployment → model: the model named beside it, else the one the simulator takes for its own."""
    from flowdsl_steps.image.simulator.models import model_names

    known = model_names()
    found: dict[str, str] = {}
    for step, service in services:
        if service.provider == "azure":
            own = step.keys["model"].value if "model" in step.keys else None
            names = [own, service.option("model"), service.get("deploymentId")]
            model = next((name for name in names if name in known), "gpt-image-2")
            found.update({name: model for name in names if isinstance(name, str) and name not in known})
    return found
