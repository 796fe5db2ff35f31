"""The routes of settings, each looked at: the services are there, and the models are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdsl.environment import Environment
from flowdsl.environment.picture_steps import picture_step
from flowdsl.image.own_models import counting
from flowdsl.serve.request_flow import NAME
from flowdsl.serve.routes import Catalogued, Routing
from flowdsl.services import provider, provider_words
from flowdsl.source import Source
from flowdsl.step.provider import models_of

if TYPE_CHECKING:
    from flowdsl.settings.serving import Serving


def routing(environment: Environment, said: Serving) -> Routing:
    """Who makes the pictures of which model.

    Raises:
        UsageError: a route that leads nowhere.
    """
    settings = environment.settings_for(Source("", NAME))
    layers = settings.services
    step = picture_step(environment.registry, layers, None)
    service = layers.service(str(step.service), step, {})
    name = service.provider if isinstance(service.provider, str) else str(step.provider)
    vendor = provider(name)
    with counting(settings.models):
        known = () if vendor is None else models_of(provider_words(name), vendor, environment.as_of)
    alive = [each for each in known if each.state in ("alive", "dying")]
    names = [each for model in alive for each in (model.name, *model.snapshots)]
    return Catalogued(list(dict.fromkeys(names)), [*layers.names(), str(step.service)])
