"""OpenAI, and every endpoint that speaks its images API.

Source: OpenAI API reference, Create image; openai-python reads the same two variables.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlunsplit

from flowdsl.errors import ConfigError
from flowdsl.step.service import Service
from flowdsl_steps.image.destination import Destination, extra_headers, key_source, missing, secrets_in, split_endpoint

ENVIRONMENT = {"apiKey": "OPENAI_API_KEY", "endpoint": "OPENAI_BASE_URL"}
"""Setting → the variable that gives it."""
DEFAULT_ENDPOINT = "https://api.openai.com/v1"
OPERATION = "/images/generations"

_AZURE_HOST = re.compile(r"\.(openai\.azure\.com|cognitiveservices\.azure\.com|services\.ai\.azure\.com)$")
_OTHER_OPERATION = re.compile(r"/(chat/completions|completions|responses|images/edits|images/variations|models)$")


def destination(service: Service, model: str | None, target: str | None = None) -> Destination:
    """The images API of OpenAI or of the entry's own endpoint, with a bearer key.

    Raises:
        ConfigError: a bad endpoint, or no key for OpenAI itself.
    """
    parts = split_endpoint(service, service.endpoint or DEFAULT_ENDPOINT)
    if _AZURE_HOST.search(parts.hostname or "") and "/openai/v1" not in parts.path:
        raise ConfigError(
            f"the endpoint of the service {service.name} is an Azure OpenAI resource: {parts.hostname}",
            code="invalid-endpoint",
            hint="use AZURE_OPENAI_IMAGE_GENERATION, or `provider: azure` in the service",
        )
    url, notes = operation_url(parts, bare="/v1")
    setting = "apiKey" if service.get("apiKey") or not service.get("authKey") else "authKey"
    key = service.get(setting)
    if not key and parts.hostname == "api.openai.com":
        raise missing(service, "apiKey", ENVIRONMENT["apiKey"])
    extra = extra_headers(service)
    return Destination(
        service.name,
        "openai",
        url,
        {**({"Authorization": f"Bearer {key}"} if key else {}), **extra},
        model,
        key_source(service, setting, ENVIRONMENT["apiKey"]),
        secrets=secrets_in(key, extra),
        notes=notes,
    )


def operation_url(parts: SplitResult, bare: str) -> tuple[str, tuple[str, ...]]:
    """The full address for an endpoint in any of the forms people paste, and a note when it had to be put right.

    `bare` is the path that an endpoint without one stands for.
    """
    path = parts.path.rstrip("/")
    if path.endswith(OPERATION):
        return urlunsplit(parts._replace(path=path, fragment="")), ()
    wanted = path
    notes: tuple[str, ...] = ()
    if _OTHER_OPERATION.search(path):
        wanted = _OTHER_OPERATION.sub("", path)
        notes = (f"the endpoint names another operation, {path[len(wanted) :]}: {OPERATION} is used instead",)
    if not wanted:
        wanted = bare
    url = urlunsplit(parts._replace(path=wanted + OPERATION, fragment=""))
    return url, notes
