"""`run --simulate`: every service of a flow replaced by a simulator on this machine, and no real key used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from flowdsl.document.step_names import nearest_names, steps_named
from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.engine.effects import Effect, Effects
    from flowdsl.environment.flow import Flow
    from flowdsl.step.service import Service
    from flowdsl_steps.image.simulator import Fault

T = TypeVar("T")
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
def running_simulator(
    flow: Flow, faults: Sequence[str] = (), *, plain: bool = False
) -> Iterator[dict[str, dict[str, Any]]]:
    """The overrides for a simulator that runs as long as the context and knows the flow's deployments; `faults` are
    what goes wrong with which step, `STEP=KIND[:TIMES]`. `plain` pictures have one colour.

    Raises:
        UsageError: a step's service is none that can be simulated, a fault names no step or no kind of fault, or the
            extra is not installed.
    """
    services = list(_services(flow))
    wrong = [_fault(text, flow) for text in faults]
    from flowdsl_steps.image.simulator import Simulator
    from flowdsl_steps.image.simulator.stand_in import deployments, with_deployments

    told = flow._settings.models
    own = {} if told is None else told.entries
    models = {name: str(entry.get("like", name)) for name, entry in own.items()}
    with Simulator(deployments=deployments(services), models=models, faults=wrong, plain=plain) as simulator:
        yield with_deployments(overrides(simulator.url, simulator.key), services)


def fault_problem(text: str) -> str | None:
    """What is wrong with a fault, `KIND[:TIMES]`; None where it is one."""
    from flowdsl_steps.image.simulator import parse_fault

    try:
        parse_fault(text)
    except UsageError as error:
        return str(error)
    return None


def simulator_url(settings: Mapping[str, Mapping[str, Any]]) -> str:
    """The address of the simulator that overrides lead to."""
    from urllib.parse import urlsplit

    for entry in settings.values():
        for value in entry.values():
            if isinstance(value, str) and value.startswith("http://127.0.0.1:"):
                return f"http://{urlsplit(value).netloc}"
    return NOWHERE


def step_marks(flow: Flow) -> Effects:
    """The door of a flow's run by which faults find their steps."""
    return StepMarks(flow)


class StepMarks:
    """A door for effects through which every request to a service says whose it is, so that a fault finds its step."""

    def __init__(self, flow: Flow) -> None:
        self._ids = {step.path: step.id for step in flow.document.every_step() if step.id is not None}

    async def perform(self, effect: Effect, act: Callable[[], Awaitable[T]]) -> T:
        """The result of an effect, its requests marked."""
        from flowdsl_steps.image.sender import ADDED_HEADERS
        from flowdsl_steps.image.simulator.faults import STEP_HEADER

        invocation = effect.invocation
        names = (invocation.path, invocation.step, self._ids.get(invocation.path, ""))
        token = ADDED_HEADERS.set({STEP_HEADER: " ".join(filter(None, names))})
        try:
            return await act()
        finally:
            ADDED_HEADERS.reset(token)

    def passes(self, effect: Effect) -> bool:
        """Always: a step sends what it asks for itself."""
        return True

    def perform_now(self, effect: Effect, act: Callable[[], T]) -> T:
        """The result of an effect that sends nothing."""
        return act()


def _fault(text: str, flow: Flow) -> Fault:
    """The fault of a text `STEP=KIND[:TIMES]`; STEP is an id, the name of a step, its place (`flow[2]`) or its line
    (`a.flow.yaml:7`)."""
    from flowdsl_steps.image.simulator import parse_fault

    name, equals, fault = text.partition("=")
    steps = [step for step in flow.document.every_step() if step.spec.service is not None]
    if not equals or not name.strip() or not fault.strip():
        raise UsageError(f"`{text}` is not STEP=KIND[:TIMES]; write for example {_example(steps)}=rate_limit:2")
    return replace(parse_fault(fault.strip()), step=_step_named(name.strip(), flow, steps))


def _step_named(name: str, flow: Flow, steps: Sequence[StepNode]) -> str:
    found = steps_named(name, steps)
    if found:
        return name if name in (found[0].id, found[0].spec.name, found[0].path) else found[0].path
    others = steps_named(name, flow.document.every_step())
    if others:
        other = others[0]
        raise UsageError(
            f"{other.spec.name} ({other.path}) asks no service, so no fault of one can be simulated for it"
        )
    raise UsageError(f"there is no step `{name}` that asks a service; {nearest_names(name, steps)}")


def _example(steps: Sequence[StepNode]) -> str:
    return (steps[0].id or steps[0].spec.name) if steps else "paint"


def _services(flow: Flow) -> Iterator[tuple[Any, Service]]:
    """The model that each step names which uses a service, with the service."""
    document, known = flow.document, overrides("", "")
    for step in document.every_step():
        if step.spec.service is None:
            continue
        name = step.service.value if step.service is not None else step.spec.service
        given = {key: node.plain() for key, node in step.keys.items()} if step.spec.holds_settings else None
        service = flow._settings.services.service(name, step.spec, document.services, given=given)
        if service.provider not in known:
            named = isinstance(service.provider, str)
            provider = f"the provider `{service.provider}`" if named else "a provider that only the run decides"
            raise UsageError(
                f"{step.spec.name} ({step.path}) uses {provider}, which the simulator does not speak; nothing was sent"
            )
        yield step.keys["model"].value if "model" in step.keys else None, service
