"""Who edits pictures: what is said to somebody whose model or vendor does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdsl.services import provider_names
from flowdsl.step.problem import show
from flowdsl_steps.image.vendor import Vendor
from flowdsl_steps.image.vendors import known_vendor

if TYPE_CHECKING:
    from datetime import date

_MOST_NAMED = 2


def who_edits(vendor: Vendor, as_of: date | None = None) -> str:
    """The vendor's own models that edit, and the providers that have some."""
    here = _editing(vendor, as_of)
    others = [name for name in provider_names() if name != vendor.name]
    able = [name for name in others if (found := known_vendor(name)) is not None and _editing(found, as_of)]
    models = f"use a model that edits: {', '.join(map(show, here[:_MOST_NAMED]))}" if here else ""
    services = f"use a service whose `provider` edits: {', '.join(able)}" if able else ""
    return "; or ".join(each for each in (models, services) if each) or "use a model or a service that edits"


def _editing(vendor: Vendor, as_of: date | None) -> list[str]:
    """The models of a vendor that edit and have no end within sight, the newest first."""
    return [model.name for model in vendor.models(as_of) if model.edits and model.state == "alive"]
