"""Whether a key of the environment would go to somebody it was not made for."""

from __future__ import annotations

from collections.abc import Iterator

from flowdsl.step.problem import Problem, show
from flowdsl.step.rules import Options
from flowdsl_steps.image.hosts import host_of, is_local
from flowdsl_steps.image.vendor import Vendor
from flowdsl_steps.image.vendors import vendor_at


def key_problems(options: Options, vendor: Vendor) -> Iterator[Problem]:
    """A warning when an entry names a foreign public host and leaves the key to the environment.

    It does not matter whether the variable is set where the flow is checked. An endpoint of the environment is the
    operator's own choice, as the key is.
    """
    service = options.service
    endpoint = service.endpoint if service is not None else None
    if service is None or not isinstance(endpoint, str) or not endpoint:
        return
    origins = service.origins
    if origins.get("endpoint", "").startswith(("environment", "override")):
        return
    keys = [key for key in ("apiKey", "authKey") if service.get(key)]
    variables = [
        origins.get(key, "").removeprefix("environment ") for key in keys if "environment" in origins.get(key, "")
    ]
    if keys and not variables:
        return
    own = vendor.environment.get("apiKey")
    variable = variables[0] if variables else own[0] if own else None
    host = host_of(endpoint)
    if variable is None or is_local(host) or vendor_at(host) is not None:
        return
    yield Problem(
        "key-for-foreign-host",
        f"the key of {variable} would be sent to {host}",
        hint=f"set `apiKey:` on the service {show(service.name)}, so that each endpoint gets its own key",
    )
