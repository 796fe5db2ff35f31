"""A vendor whose models stand in a file of the catalogue: what of a `Vendor` comes from that file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.step.service import Service
from flowdsl_steps.image.catalogue.offer import Offer, offer_of
from flowdsl_steps.image.endpoint import missing, named_model
from flowdsl_steps.image.offer_check import offer_problems
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.resolved_model import ResolvedModel
from flowdsl_steps.image.vendor import Endpoint, Vendor

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.image.known_model import KnownModel
    from flowdsl.step.problem import Problem
    from flowdsl_steps.image.catalogue.offer import OfferedModel
    from flowdsl_steps.image.received import Received


class Offering(Vendor):
    """A vendor with an API of its own. Its subclass adds `endpoint`, `encode` and `decode`, and `failure` where its
    errors have another shape; `catalogue/NAME.json` says the rest."""

    @property
    def offer(self) -> Offer:
        """What it offers."""
        return offer_of(self.name)

    def model_name(self, label: str) -> str:
        """A model's name as the file has it, without what a vendor allows before it."""
        return label

    def model(self, label: str) -> OfferedModel:
        """The model of a name, or what counts for one that is not known."""
        return self.offer.model(self.model_name(label))

    def supports(self, request: ImageRequest, model: ResolvedModel) -> Iterator[Problem]:
        """What the file says of the model; what it does not know of a model that it does not know is sent."""
        known = model if model.label is None else model._replace(label=self.model_name(model.label))
        yield from offer_problems(request, known, self.title, self.offer)

    def images_per_request(self, request: ImageRequest, endpoint: Endpoint) -> int:
        """As many as the model accepts."""
        return min(max(1, request.n), self.model(endpoint.label).images_per_request)

    def most(self, request: ImageRequest, endpoint: Endpoint) -> float | None:
        """By the prices of the file: the dearest picture that fits the options, and what is edited for it."""
        model = self.model(endpoint.label)
        found = model.most(request.size, request.quality, request.n)
        pictures = len(request.images) + (request.mask is not None)
        if found is None or not pictures:
            return found
        return None if model.edit_usd is None else found + model.edit_usd * pictures * request.n

    def least(self, request: ImageRequest, endpoint: Endpoint) -> float:
        """By the prices of the file: the cheapest picture that fits the options. Where tokens are counted, no price of
        a picture is sure."""
        return self.model(endpoint.label).least(request.size, request.quality, request.n)

    def cost(self, request: ImageRequest, endpoint: Endpoint, received: Received) -> float | None:
        """What the response says, else by the prices of the file."""
        if received.cost_usd is not None:
            return received.cost_usd
        size, quality = received.size or request.size, received.quality or request.quality
        return self.model(endpoint.label).cost(received.usage, size, quality, len(received.images))

    def models(self, as_of: date | None = None) -> Sequence[KnownModel]:
        """Those of the file."""
        from flowdsl_steps.image.known_models import offered_models

        return offered_models(self.offer, as_of)

    def named(self, request: ImageRequest, service: Service) -> str:
        """The model that is asked for.

        Raises:
            ConfigError: nobody names one, and there is no default.
        """
        found = named_model(request, service)
        if found is None:
            raise missing(service, "model", None)
        return found

    def sent(self, request: ImageRequest, model: OfferedModel) -> dict[str, Any]:
        """The options of a request that the model has or may have, by their own names, without `n` and `size`."""
        found: dict[str, Any] = {}
        for name, value in request.options():
            parameter = model.options.get(name)
            if parameter is not None and parameter.known is not False and value is not False:
                found[name] = value
        return found
