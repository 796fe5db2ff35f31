"""Whose key goes where: a key that no file names goes to no address that only a file names."""

from __future__ import annotations

from collections.abc import Iterator

from flowdsl.errors import ConfigError
from flowdsl.step.problem import Problem
from flowdsl.step.rules import Options
from flowdsl.step.service import TREE, Service, address_of
from flowdsl.step.spec import is_templated
from flowdsl_steps.image.hosts import host_of, is_local
from flowdsl_steps.image.vendor import Vendor, is_host_of
from flowdsl_steps.image.vendors import vendor_at


def key_problems(options: Options, vendor: Vendor) -> Iterator[Problem]:
    """A warning when a file names an address that keys of the environment do not go to, and names no key.

    It does not matter whether the variable is set where the flow is checked.
    """
    service = options.service
    endpoint = service.endpoint if service is not None else None
    if service is None or not isinstance(endpoint, str) or not endpoint.startswith(("http://", "https://")):
        return
    setting = service.stray_key(endpoint, own=_is_own(vendor, endpoint))
    if setting is None and not _would_stray(service, vendor, endpoint):
        return
    variables = vendor.environment.get("apiKey")
    owner = _owner(service, setting) if setting is not None else variables and f"the key of {variables[0]}"
    if owner:
        yield Problem("key-for-foreign-host", f"{owner} is not sent to {host_of(endpoint)}", hint=_remedy(endpoint))


def refuse_odd_key(service: Service) -> None:
    """Raises ConfigError, before anything is sent, for keys of the entry of which no vendor could take one as it is."""
    named = [name for name in ("apiKey", "authKey") if service.get(name) and not _is_of_environment(service, name)]
    if len(named) > 1:
        message = f"the service {service.name} has both `apiKey` and `authKey`, and one request has one key"
        hint = "keep `authKey` for a token that is sent as `Authorization: Bearer`, else `apiKey`"
        raise ConfigError(message, code="conflicting-values", hint=hint).about("authKey")
    for name in ("apiKey", "authKey"):
        text = str(service.get(name) or "").strip()
        if is_templated(text):
            continue  # what comes of it is looked at in the run
        first, blank, _ = text.partition(" ")
        if blank and first.rstrip(":").lower() in ("bearer", "basic", "key", "token", "authorization"):
            message = f"the `{name}` of the service {service.name} begins with a word of a header"
            hint = "give the key alone, without what stands before it"
            raise ConfigError(message, code="invalid-header", hint=hint).about(name)
        if len(text.split()) > 1:
            message = f"the `{name}` of the service {service.name} holds a blank or an end of line, which no key has"
            hint = "give the key alone, on one line"
            raise ConfigError(message, code="invalid-header", hint=hint).about(name)


def _is_of_environment(service: Service, name: str) -> bool:
    return service.origins.get(name, "").startswith("environment ")


def goes_astray(service: Service, vendor: Vendor, url: str) -> bool:
    """Whether a key would go to an address that it was not made for."""
    return service.stray_key(url, own=_is_own(vendor, url)) is not None


def refuse_stray_key(service: Service, vendor: Vendor, url: str) -> None:
    """Raises ConfigError, before anything is sent, when a key would go to an address that it was not made for, or is
    none."""
    refuse_odd_key(service)
    setting = service.stray_key(url, own=_is_own(vendor, url))
    if setting is not None:
        message = f"{_owner(service, setting)} is not sent to {host_of(url)}: only a file of the flow names that host"
        raise ConfigError(message, code="key-not-sent", hint=_remedy(url))


def refuse_stray_login(service: Service, vendor: Vendor, url: str, whose: str) -> None:
    """The same for a login of the machine that no setting holds, such as that of a vendor's own command line: it goes
    where a key of the environment may go. `whose` says it in words."""
    settings, origins = {**service.settings, "apiKey": whose}, {**service.origins, "apiKey": f"environment {whose}"}
    found = Service(service.name, settings, origins, service.secret, service.endpoints, service.moved)
    if found.stray_key(url, own=_is_own(vendor, url)) is not None:
        message = f"{whose} is not sent to {host_of(url)}: only a file of the flow names that host"
        raise ConfigError(message, code="key-not-sent", hint=_remedy(url))


def _is_own(vendor: Vendor, url: str) -> bool:
    """Whether an address is the vendor's own; one without encryption is nobody's."""
    return url.strip().lower().startswith("https://") and is_host_of(vendor, host_of(url))


def _would_stray(service: Service, vendor: Vendor, endpoint: str) -> bool:
    """Whether a key of the environment would not go to the address, if one were set.

    An address on this machine or of a private network may need none, and is only warned of when there is one.
    """
    host = host_of(endpoint)
    secrets = ("apiKey", "authKey", *(key.name for key in vendor.settings if key.secret))
    if (
        any(service.get(key) and not _is_of_environment(service, key) for key in secrets)
        or is_local(host)
        or vendor_at(host) is not None
    ):
        return False
    return service.origins.get("endpoint", "flow") in TREE and address_of(endpoint) not in service.endpoints


def _owner(service: Service, setting: str) -> str:
    """Whose key it is, in words."""
    origin = service.origins.get(setting, "")
    variable = origin.removeprefix("environment ")
    if variable != origin:
        return f"the key of {variable}"
    return f"`{setting}` of {'the host' if origin in ('host', 'override') else origin}"


def _remedy(url: str) -> str:
    address = address_of(url).removesuffix(":443").removesuffix(":80")
    return (
        "name the key in the entry, `apiKey: \"{{ secret('MY_KEY') }}\"`, or allow the endpoint: "
        f'`--allow-endpoint {address}`, in a host `Environment(allow_endpoints=["{address}"])`'
    )
