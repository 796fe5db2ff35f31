"""Whether the certificates that a service entry names can be used: which of its two settings cannot, and why."""

from __future__ import annotations

from collections.abc import Mapping

from flowdsl.errors import ConfigError
from flowdsl.step.service import Service
from flowdsl.step.spec import is_templated

_WHAT = {"caPem": "certificates", "clientPem": "a certificate and its key"}


def refuse_odd_pem(service: Service) -> None:
    """Raises ConfigError, before anything is sent, for certificates or a key of the entry that cannot be used."""
    if wrong := _wrong(service):
        raise _fault(service, wrong)


def pem_fault(service: Service, error: OSError) -> ConfigError:
    """The error for a connection that could not be opened: it names the settings that are to blame."""
    return _fault(service, _wrong(service) or {"caPem": error})


def _wrong(service: Service) -> dict[str, OSError]:
    return {name: found for name in _WHAT if (found := _error(service, name)) is not None}


def _error(service: Service, name: str) -> OSError | None:
    given = service.get(name)
    if not isinstance(given, str) or not given or is_templated(given):
        return None
    from flowdsl_steps.http.connect import tls_context

    try:
        tls_context(*((given, None) if name == "caPem" else (None, given)))
    except OSError as error:
        return error
    return None


def _fault(service: Service, wrong: Mapping[str, OSError]) -> ConfigError:
    """The error for one of the settings, or both."""
    (name, error), *others = wrong.items()
    more = "".join(f", nor can its `{each}`: {_said(why)}" for each, why in others)
    return ConfigError(
        f"the `{name}` of the service {service.name} cannot be used: {_said(error)}{more}",
        code="invalid-certificate",
        hint=f"give the path of a PEM file, or its text: {_WHAT[name]}, which begins with `-----BEGIN`",
    ).about(name)


def _said(error: OSError) -> str:
    return error.strerror or type(error).__name__
