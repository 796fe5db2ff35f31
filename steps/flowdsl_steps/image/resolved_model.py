"""Which model a request would reach: by which name, at which vendor, through whose endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from flowdsl.record import Record
from flowdsl.step.service import Service
from flowdsl_steps.image.catalogue import Model

if TYPE_CHECKING:
    from datetime import date

Origin = Literal["step", "service", "deployment", "default", "unknown"]


class ResolvedModel(Record):
    """The model a request would reach.

    `provider` is the vendor whose rules count and `title` its name in words. `own` says whether the endpoint is that
    vendor's own; everything else is a gateway. `label` names the model or the deployment (None while a template
    decides), `origin` says who named it. `model` is the catalogue's, where it has it. `as_of` is the day that life
    dates are checked against.
    """

    provider: str
    title: str
    own: bool
    label: str | None
    origin: Origin
    model: Model | None
    service: Service | None = None
    as_of: date | None = None
    deployment_setting: str | None = None
    """The setting that names a deployment, at a vendor whose accounts give models names of their own."""
