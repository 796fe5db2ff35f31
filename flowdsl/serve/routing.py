"""The routes of settings, each looked at: the services are there, the models are, and no route leads to itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from flowdsl.diagnostics import Diagnostic
from flowdsl.environment import Environment
from flowdsl.environment.picture_steps import makes_pictures, picture_step
from flowdsl.errors import FlowCheckError
from flowdsl.image.own_models import counting
from flowdsl.nearest import nearest
from flowdsl.serve.fields import Asked
from flowdsl.serve.request_flow import NAME, RequestFlows
from flowdsl.serve.routes import Catalogued, Route, Routes, Routing, Target
from flowdsl.services import provider, provider_words
from flowdsl.settings.mistakes import Mistaken, Mistakes, mistake, place
from flowdsl.source import Source
from flowdsl.step.provider import models_of

if TYPE_CHECKING:
    from flowdsl.settings.layers import InForce
    from flowdsl.settings.routes import Named
    from flowdsl.settings.serving import Serving
    from flowdsl.settings.toml_places import Path

Tell = Callable[[Diagnostic], None]
Unsure = Callable[[Target], bool]
_OTHER_MODEL = re.compile(r"set (?:the service's )?`model: ([^`]+)`")


def routing(
    environment: Environment, said: Serving, tell: Tell | None = None, unsure: Unsure = lambda target: False
) -> Routing:
    """Who makes the pictures of which model. `tell` is told of what is doubtful: a model that nobody knows, or one that
    is shut down soon. Of what is `unsure` the model is not looked at.

    Raises:
        UsageError: a route that leads nowhere, to itself, or to a model that the service does not have.
    """
    settings = environment.settings_for(Source("", NAME))
    if not said.routes and not said.wrong:
        return _catalogued(environment, settings)
    reader, mistakes = _Reader(environment, settings, said, tell, unsure), Mistakes()
    found: dict[str, Route] = {}
    for name in said.routes:
        with mistakes.gathered():
            found[name] = reader.route(name)
    mistakes.check()
    return Routes(found)


def check_tokens(said: Serving, served: Routing | None, flows: Collection[str], *, are_all_known: bool = True) -> None:
    """Looks at the names that `[tokens]` speaks of; `served` are the models (None: those of the routes, whatever is
    wrong with these), `flows` the ids of the flows. Unless `are_all_known`, only what is nearly one of the
    names that are is told: another one may be that of a flow.

    Raises:
        UsageError: a token is for a model or a flow that is not served.
    """
    routes, mistakes = {*said.routes, *said.wrong}, Mistakes()
    names = routes if served is None else {*served.names(), *routes}
    for token, each in said.tokens.items():
        for number, name in enumerate(each.models or ()):
            if name not in names and name not in flows and (served is None or served.route(name) is None):
                near = nearest(name, [*sorted(names), *flows])
                if near is None and not are_all_known:
                    continue
                hint = f"did you mean `{near}`?" if near else "write a name of `[routes]`, a model or the id of a flow"
                at = ("tokens", token, "models", number)
                mistakes.add(mistake(said.path, at, f"no model and no flow `{name}` is served", hint))
    mistakes.check()


def _hint(found: Diagnostic, target: Target) -> str | None:
    """What to write in a route where the step of a flow would name another model."""
    if found.hint is None:
        return None
    return _OTHER_MODEL.sub(lambda match: f"write `{target._replace(model=match[1])}`", found.hint)


def _catalogued(environment: Environment, settings: InForce) -> Catalogued:
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


class _Reader:
    """Reads the routes of one file."""

    def __init__(
        self,
        environment: Environment,
        settings: InForce,
        said: Serving,
        tell: Tell | None,
        unsure: Unsure,
    ) -> None:
        registry = environment.registry
        steps = [spec for spec in map(registry.spec, registry) if spec is not None and makes_pictures(spec)]
        self._services = {*settings.services.names(), *(str(spec.service) for spec in steps)}
        self._flows = RequestFlows(environment)
        self._path = said.path
        self._said = said.routes
        self._wrong = said.wrong
        self._loops: set[frozenset[str]] = set()
        self._tell = tell
        self._unsure = unsure
        self._told: set[Path] = set()

    def route(self, name: str, through: tuple[str, ...] = ()) -> Route:
        """The route of a name. What its services name in turn is asked in their place; `through` are the routes that
        led here."""
        said, through, mistakes = self._said[name], (*through, name), Mistakes()
        first = None
        with mistakes.gathered():
            first = self._named(said.first, name, through)
        after = {} if first is None else {kind: [*found] for kind, found in first.fallbacks.items()}
        for kind, found in said.after.items():
            for each in found:
                with mistakes.gathered():
                    there = self._named(each, name, through)
                    after.setdefault(kind, []).extend((there.first, *there.fallbacks.get(kind, ())))
        mistakes.check()
        if first is None:
            raise Mistaken
        return Route(first.first, {kind: tuple(dict.fromkeys(found)) for kind, found in after.items()})

    def _named(self, named: Named, name: str, through: tuple[str, ...]) -> Route:
        """What a text of a route stands for: a service, or another route."""
        text = named.text
        service, slash, model = text.partition("/")
        if service in self._services and (model or not slash):
            target = Target(service, model or name)
            self._check(named, target)
            return Route(target, {})
        if text in self._wrong:
            raise Mistaken
        if text not in self._said:
            raise self._unknown(named, service)
        if text in through:
            names = through[through.index(text) :]
            if frozenset(names) in self._loops:
                raise Mistaken
            self._loops.add(frozenset(names))
            loop = " → ".join((*names, text))
            hint = "let one of them name a service, as `SERVICE/MODEL`"
            raise mistake(self._path, named.at, f"a loop of routes: {loop}", hint)
        return self.route(text, through)

    def _check(self, named: Named, target: Target) -> None:
        """Raises UsageError for a model that the service does not have, and tells of one that is doubtful."""
        if self._unsure(target):
            return
        asked = Asked(target.model, "A picture", {}, None, False)
        try:
            self._flows.of(asked, target)
        except FlowCheckError as error:
            mistakes = Mistakes()
            for each in (found.hidden() for found in error.diagnostics if found.severity == "error"):
                mistakes.add(mistake(self._path, named.at, each.message, _hint(each, target)))
            mistakes.check()
        if self._tell is None or named.at in self._told:
            return
        self._told.add(named.at)
        for found in self._flows.of(asked, target).doubts("model"):
            span = place(self._path, named.at)
            hint = _hint(found, target)
            self._tell(Diagnostic(found.code, found.message, span, severity=found.severity, hint=hint))

    def _unknown(self, named: Named, service: str) -> Mistaken:
        words = [*sorted(self._services), *self._said]
        near = nearest(service, words) or nearest(named.text, words)
        there = f"there are the services {', '.join(sorted(self._services))}"
        whole = f"{near}/{named.text.partition('/')[2]}" if near in self._services and "/" in named.text else near
        lacking = "" if "/" in named.text else f"write `SERVICE/{named.text}`; "
        hint = f"did you mean `{whole}`?" if near else f"{lacking}{there}; others are `[services.NAME]`"
        return mistake(self._path, named.at, f"there is no service and no route `{service}`", hint)
