"""What is wrong with the services that a gateway may ask: where it stands, and whether a request could ever be made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from flowdsl.cli.needs import lacking, needs
from flowdsl.diagnostics import Diagnostic, render
from flowdsl.environment.destinations import service_of
from flowdsl.serve.request_flow import NAME, example, example_of
from flowdsl.serve.routes import Catalogued
from flowdsl.settings.mistakes import Mistaken, Mistakes, place
from flowdsl.source import Source

if TYPE_CHECKING:
    from flowdsl.document.document import Document
    from flowdsl.environment import Environment
    from flowdsl.environment.flow import Flow
    from flowdsl.errors import ConfigError
    from flowdsl.serve.routes import Routing
    from flowdsl.settings.files import Settings
    from flowdsl.settings.layers import InForce
    from flowdsl.step.service import Service

_MODEL = "gpt-image-2"
"""What is asked for to see whether a service can be; which model that is does not matter."""


def look_at_services(
    environment: Environment, found: Routing, flows: Mapping[str, Flow], mistakes: Mistakes
) -> list[str]:
    """Looks at the services of routes and flows. What a settings file says and cannot be is a mistake: no request gets
    through. What is missing may be there where the gateway runs: gives the warnings of that, of services of routes."""
    settings = environment.settings_for(Source("", NAME))
    of_routes = [flow.document for flow in example(environment, found)]
    others = [*flows.values()]
    if isinstance(found, Catalogued):  # each service of the project is asked for the models that are called by it
        others += example_of(environment, settings.services.names(), _MODEL)
    told: set[str] = set()
    warnings: list[str] = []
    for document in (*of_routes, *(flow.document for flow in others)):
        for service, error in _lacking(environment, document, settings):
            if error.message in told:
                continue
            told.add(error.message)
            at = _said_at(settings, service, error)
            if at is not None:
                span = place(at[0], ("services", service.name, at[1]))
                mistakes.add(Mistaken(Diagnostic("invalid-setting", error.message, span, hint=_hint(error))))
            elif document in of_routes:
                warnings.append(_warning(settings, service, error))
    lines = needs(of_routes, settings.services, environment.registry.step_class)
    for line in dict.fromkeys(line.partition(": not ready: ")[2] for line in lines):
        if line.endswith("is not set in the environment"):
            warnings.append(f"flowdsl: warning: {line}")
    return warnings


def warn_of_limits(environment: Environment, found: Routing, settings: Settings | None) -> None:
    """Says which limit of settings is for no service."""
    from flowdsl.cli.consent import warn_of_misspelt

    warn_of_misspelt([*example(environment, found)], "<serve>", settings)


def _lacking(environment: Environment, document: Document, settings: InForce) -> Iterator[tuple[Service, ConfigError]]:
    layers = settings.services
    for step in document.every_step():
        service = service_of(step, document, layers)
        if service is None:
            continue
        error = lacking(service, step, document, layers, environment.registry.step_class)
        if error is not None:
            yield service, error


def _said_at(settings: InForce, service: Service, error: ConfigError) -> tuple[str, str] | None:
    """The file that says what cannot be, and the setting; None where nothing is said, or by somebody else."""
    name = error.setting
    if name is None or service.get(name) is None:
        return None
    for file in settings.files:
        entry = _entry(file, service)
        if file is not None and name in entry:
            return file[0], name
    return None


def _warning(settings: InForce, service: Service, error: ConfigError) -> str:
    """The warning of what is missing, at the entry where there is one."""
    for file in settings.files:
        if file is not None and _entry(file, service):
            span = place(file[0], ("services", service.name), of_key=True)
            return render([Diagnostic(error.code, error.message, span, severity="warning", hint=_hint(error))])
    said = f"{error.message}; {_hint(error)}" if error.hint else error.message
    return f"flowdsl: warning: {said}"


def _hint(error: ConfigError) -> str | None:
    """The hint with the setting as TOML has it, where those of a gateway stand."""
    key = error.setting
    return error.hint and error.hint.replace(f"add `{key}` to", f"add `{key} = …` to")


def _entry(file: Settings | None, service: Service) -> Mapping[str, object]:
    entries = {} if file is None else file[1].get("services", {})
    found = entries.get(service.name)
    return found if isinstance(found, Mapping) else {}
