"""`run --simulate`: every service of a flow replaced by a simulator on this machine, and no real key used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.environment import Flow
    from flowdsl.step.service import Service

NOWHERE = "http://127.0.0.1:9"
"""An address on this machine where nobody listens: for looking at a flow before its simulator runs."""
_SECRET = "simulated-secret"  # noqa: S105  the point is that it is none


def overrides(url: str, key: str) -> dict[str, dict[str, Any]]:
    """The settings, by provider, that send all requests to a simulator with its key and with nothing else."""
    from flowdsl_steps.image.simulator import stand_in

    return stand_in.overrides(url, key)


def placeholder_secret(name: str) -> str:
    """What `secret('NAME')` gives: the real ones stay out of a simulated run."""
    return _SECRET


@contextmanager
def running_simulator(flow: Flow) -> Iterator[dict[str, dict[str, Any]]]:
    """The overrides for a simulator that runs as long as the context and knows the flow's deployments.

    Raises:
        UsageError: a step's service is none that can be simulated, or the extra is not installed.
    """
    services = list(_services(flow))
    from flowdsl_steps.image.simulator import Simulator
    from flowdsl_steps.image.simulator.stand_in import deployments, with_deployments

    with Simulator(deployments=deployments(services)) as simulator:
        yield with_deployments(overrides(simulator.url, simulator.key), services)


def _services(flow: Flow) -> Iterator[tuple[Any, Service]]:
    """The model that each step names which uses a service, with the service."""
    document, known = flow.document, overrides("", "")
    for step in document.every_step():
        if step.spec.service is None:
            continue
        name = step.service.value if step.service is not None else step.spec.service
        service = flow._settings.services.service(name, step.spec, document.services)
        if service.provider not in known:
            named = isinstance(service.provider, str)
            provider = f"the provider `{service.provider}`" if named else "a provider that only the run decides"
            raise UsageError(
                f"{step.spec.name} ({step.path}) uses {provider}, which the simulator does not speak; nothing was sent"
            )
        yield step.keys["model"].value if "model" in step.keys else None, service
