"""Whether the certificates that a service entry names can be used: which of its two settings cannot, and why."""

from __future__ import annotations

from flowdsl.errors import ConfigError
from flowdsl.step.service import Service
from flowdsl.step.spec import is_templated

_WHAT = {"caPem": "certificates", "clientPem": "a certificate and its key"}


def refuse_odd_pem(service: Service) -> None:
    """Raises ConfigError, before anything is sent, for certificates or a key of the entry that cannot be used."""
    for name in _WHAT:
        error = _error(service, name)
        if error is not None:
            raise _fault(service, name, error)


def pem_fault(service: Service, error: OSError) -> ConfigError:
    """The error for a connection that could not be opened: it names the setting that is to blame."""
    wrong = [(name, found) for name in _WHAT if (found := _error(service, name)) is not None]
    return _fault(service, *(wrong[0] if wrong else ("caPem", error)))


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


def _fault(service: Service, name: str, error: OSError) -> ConfigError:
    return ConfigError(
        f"the `{name}` of the service {service.name} cannot be used: {error.strerror or type(error).__name__}",
        code="invalid-certificate",
        hint=f"give the path of a PEM file, or its text: {_WHAT[name]}, which begins with `-----BEGIN`",
    ).about(name)
