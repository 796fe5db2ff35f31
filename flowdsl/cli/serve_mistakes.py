"""All that is wrong with the settings of a gateway: each part is looked at, whatever is wrong with the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.cli.serve_services import look_at_services
from flowdsl.environment import Environment
from flowdsl.errors import FlowCheckError
from flowdsl.serve.routing import check_tokens, routing
from flowdsl.serve.served import served
from flowdsl.settings.entries import right_entries
from flowdsl.settings.mistakes import Mistaken, Mistakes

if TYPE_CHECKING:
    from flowdsl.environment.flow import Flow
    from flowdsl.serve.routes import Routing, Target
    from flowdsl.serve.routing import Tell
    from flowdsl.settings.files import Settings
    from flowdsl.settings.serving import Serving

_OPTIONS = "options"
"""Defaults of an entry, which are looked at with the flows."""


def looked_at(
    environment: Environment, said: Serving, mistakes: Mistakes, tell: Tell | None
) -> tuple[Routing, dict[str, Flow], list[str]]:
    """The models and flows that are served, and what is doubtful with the services.

    Raises:
        FlowCheckError: flows have mistakes.
        UsageError: the settings have: these are told with what they say, and with those of flows, all at once.
    """
    found, flows, broken, warnings = None, None, None, list[str]()
    with mistakes.gathered():
        found = routing(environment, said, tell)
    try:
        with mistakes.gathered():
            flows = served(environment, said)
    except FlowCheckError as error:
        broken = error
    are_all_known = flows is not None and not said.lacks_flows
    with mistakes.gathered():
        check_tokens(said, found, said.flows if flows is None else flows, are_all_known=are_all_known)
    if found is not None and said.is_configured:
        warnings = look_at_services(environment, found, flows or {}, mistakes)
    if broken is not None and len(mistakes):
        mistakes.add(Mistaken(*broken.diagnostics))
    mistakes.check()
    if broken is not None:
        raise broken
    assert found is not None and flows is not None  # noqa: S101  else there was a mistake
    return found, flows, warnings


def look_at_the_rest(given: Mapping[str, Any], said: Serving, settings: Settings | None, mistakes: Mistakes) -> None:
    """Looks at routes and at what tokens are for where other settings are wrong, by what is right of the services."""
    entries, doubtful = right_entries(settings)
    own_models = {} if settings is None else settings[1].get("models", {})
    services = {
        name: {key: value for key, value in entry.items() if key != _OPTIONS} for name, entry in entries.items()
    }
    environment = Environment(**{**given, "settings": None, "services": services})

    def unsure(target: Target) -> bool:
        return target.service in doubtful or not isinstance(own_models, Mapping) or target.model in own_models

    found = None
    with mistakes.gathered():
        found = routing(environment, said, unsure=unsure)
    with mistakes.gathered():
        check_tokens(said, found, said.flows, are_all_known=False)
