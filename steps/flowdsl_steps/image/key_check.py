"""Whether a key of the environment would go to somebody it was not made for."""

from __future__ import annotations

from collections.abc import Iterator

from flowdsl.step.rules import Options, Problem, show
from flowdsl_steps.image.catalogue import catalogue
from flowdsl_steps.image.subject import host_of, is_local

_VARIABLES = {"OPENAI": "OPENAI_API_KEY", "AZURE": "AZURE_OPENAI_API_KEY"}
"""First word of a step's name → the variable that gives its key when the service entry has none."""


def key_problems(options: Options) -> Iterator[Problem]:
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
    variable = variables[0] if variables else _VARIABLES.get(options.step.partition("_")[0])
    host = host_of(endpoint)
    if variable is None or is_local(host) or catalogue().vendor_at(host) is not None:
        return
    yield Problem(
        "key-for-foreign-host",
        f"the key of {variable} would be sent to {host}",
        hint=f"set `apiKey:` on the service {show(service.name)}, so that each endpoint gets its own key",
        severity="warning",
    )
