"""The vendors of pictures that are installed, one file each, found by the entry points `flowdsl.image_vendors`.

In: the name that `provider` of a service entry says. Out: a `Vendor`. Begin at `openai`, which the other two here are
made of; CONTRIBUTING.md says what a new one takes.
"""

from __future__ import annotations

from flowdsl.errors import ConfigError
from flowdsl.services import provider, provider_names, provider_words
from flowdsl.step.service import Service
from flowdsl_steps.image.vendor import Vendor, is_host_of


def vendor_named(name: str) -> Vendor:
    """The vendor of that name.

    Raises:
        ConfigError: there is none.
        PluginError: it cannot be loaded.
    """
    found = known_vendor(name)
    if found is None:
        from flowdsl.nearest import nearest

        names, near = ", ".join(provider_names()), nearest(name, provider_names())
        meant = f"did you mean `{near}`? " if near else ""
        raise ConfigError(
            f"unknown provider `{name}`",
            code="unknown-provider",
            hint=f"{meant}image services know {names}; any OpenAI-compatible endpoint is `openai`"
            if names
            else "no image vendors are installed, not even the standard ones: run `pip install -e .` again",
        )
    return found


def known_vendor(name: str) -> Vendor | None:
    """The vendor of that name, or None."""
    found: Vendor | None = provider(name)
    if found is None or type(found).__module__.startswith(__name__):
        return found
    return _edge(name, found)


_edges: dict[str, tuple[Vendor, Vendor]] = {}


def _edge(name: str, vendor: Vendor) -> Vendor:
    """What stands before a vendor of somebody else's; one for each, as it is asked for every step."""
    known = _edges.get(name)
    if known is None or known[0] is not vendor:
        from flowdsl_steps.image.vendor_edge import VendorEdge

        known = _edges[name] = vendor, VendorEdge(vendor, provider_words(name))
    return known[1]


def vendor_of(service: Service) -> Vendor:
    """Whose rules and prices count for a service.

    Raises:
        ConfigError: there is no such vendor.
    """
    return vendor_named(service.provider or "openai")


def protocol_of(service: Service) -> Vendor:
    """Whose protocol the endpoint of a service speaks: the vendor's own, unless `protocol` names another.

    Raises:
        ConfigError: there is no such vendor.
    """
    return vendor_named(service.get("protocol") or service.provider or "openai")


def vendor_at(host: str) -> Vendor | None:
    """The vendor behind a host name (lower case), or None for anybody else's."""
    for name in provider_names():
        vendor = known_vendor(name)
        if vendor is not None and is_host_of(vendor, host):
            return vendor
    return None


def vendor_for(step: str) -> Vendor | None:
    """The vendor whose name a step's name begins with, for a service that names none yet."""
    word = step.removeprefix("SERVICE_").partition("_")[0].lower()
    return known_vendor(word)
