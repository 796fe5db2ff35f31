"""Who makes the pictures of which model: the routes of `[routes]`, or the services as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from flowdsl.errors import (
    ContentRefused,
    RunError,
    ServiceError,
    ServiceRateLimited,
    ServiceRefused,
    ServiceUnavailable,
)

OTHER = "other"
"""What models are counted as that no settings and no catalogue name."""


class Target(NamedTuple):
    """A service, and the model that it is asked for. None is the standard service."""

    service: str | None
    model: str

    def __str__(self) -> str:
        return self.model if self.service is None else f"{self.service}/{self.model}"


class Route(NamedTuple):
    """The services for one name of a model: the first, and by class of failure those that are asked after it."""

    first: Target
    fallbacks: Mapping[str, tuple[Target, ...]]

    def after(self, error: RunError, asked: list[Target]) -> Target | None:
        """The service to ask after a failure; None where that is the end."""
        kind = class_of(error)
        if kind is None:
            return None
        return next((each for each in self.fallbacks.get(kind, ()) if each not in asked), None)

    def targets(self) -> Iterator[Target]:
        """Every service of the route, each once."""
        yield from dict.fromkeys((self.first, *(each for found in self.fallbacks.values() for each in found)))


class Routing(Protocol):
    """Knows who makes the pictures of a model."""

    def route(self, model: str) -> Route | None:
        """The route of a model; None for one that is not served."""
        ...

    def names(self) -> list[str]:
        """The models that are served, as clients name them."""
        ...

    def label(self, model: str) -> str:
        """What purchases of a served model are counted as: one of a bounded number of names, whatever clients ask
        for."""
        ...


def class_of(error: RunError) -> str | None:
    """Which class of failure an error is; None for one after which no other service is asked."""
    if not isinstance(error, ServiceError):
        return None
    if error.charge_possible:  # whatever else it is
        return "unknown"
    kinds = (
        (ServiceRateLimited, "rate_limit"),
        (ContentRefused, "moderation"),
        (ServiceRefused, "refused"),
        (ServiceUnavailable, "unavailable"),
    )
    return next((word for kind, word in kinds if isinstance(error, kind)), None)


class Catalogued:
    """Without `[routes]` every model that is known of the standard service is served by it, and `SERVICE/MODEL` by the
    service of that name. `models` are the known ones of the standard service, `services` those that are named."""

    def __init__(self, models: list[str], services: list[str]) -> None:
        self._models = models
        self._services = frozenset(services)

    def route(self, model: str) -> Route | None:
        """The route of a model."""
        if model in self._models:
            return Route(Target(None, model), {})
        service, slash, name = model.partition("/")
        if slash and name and service in self._services:
            return Route(Target(service, name), {})
        return None

    def names(self) -> list[str]:
        """The models of the standard service."""
        return list(self._models)

    def label(self, model: str) -> str:
        """The name of a known model, also of a named service; one for all others of that."""
        service, slash, name = model.partition("/")
        return model if model in self._models or name in self._models else f"{service}{slash}{OTHER}"


class Routes:
    """The routes of `[routes]`."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = dict(routes)

    def route(self, model: str) -> Route | None:
        """The route of a model."""
        return self._routes.get(model)

    def names(self) -> list[str]:
        """The names of the routes."""
        return list(self._routes)

    def label(self, model: str) -> str:
        """The route itself."""
        return model

    def items(self) -> Iterator[tuple[str, Route]]:
        """The routes with their names."""
        yield from self._routes.items()
