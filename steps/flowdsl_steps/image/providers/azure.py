"""Azure OpenAI: the deployments form with a dated api-version, and the v1 form without one.

Source: Microsoft Learn, Azure OpenAI API version lifecycle; How to use Azure OpenAI image generation models.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, quote, urlunsplit

from flowdsl.step.service import Service
from flowdsl_steps.image.destination import Destination, extra_headers, key_source, missing, secrets_in, split_endpoint
from flowdsl_steps.image.providers.openai import OPERATION

ENVIRONMENT = {
    "endpoint": "AZURE_OPENAI_ENDPOINT",
    "apiKey": "AZURE_OPENAI_API_KEY",
    "authKey": "AZURE_OPENAI_AD_TOKEN",
    "apiVersion": "OPENAI_API_VERSION",
}
"""Setting → the variable that gives it."""

_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)")
_OPENAI = re.compile(r"/openai(/|$).*")
_DATELESS = (None, "", "v1", "latest", "preview")


def destination(service: Service, model: str | None, target: str | None = None) -> Destination:
    """The deployments form when the api-version is a date, else the v1 form, where the body's model is the deployment.

    An Entra token (`authKey`) wins over a key. A full address is accepted as endpoint: its deployment and api-version
    count where the entry names none.

    Raises:
        ConfigError: no endpoint, key or deployment.
    """
    if not service.endpoint:
        raise missing(service, "endpoint", ENVIRONMENT["endpoint"])
    parts = split_endpoint(service, service.endpoint)
    pasted = _DEPLOYMENT.search(parts.path)
    deployment = service.get("deploymentId") or (pasted and pasted[1]) or model
    if not deployment:
        raise missing(service, "deploymentId", None)
    is_v1 = "/openai/v1" in parts.path
    version = service.get("apiVersion") or next(iter(parse_qs(parts.query).get("api-version", ())), None)
    version = None if version is None else str(version)
    root = _OPENAI.sub("", parts.path).rstrip("/")
    dated = version not in _DATELESS and not is_v1
    if dated:
        path, query = (
            f"{root}/openai/deployments/{quote(str(deployment), safe='')}{OPERATION}",
            f"api-version={version}",
        )
    else:
        path, query = f"{root}/openai/v1{OPERATION}", "api-version=preview" if version == "preview" else ""
    setting = "authKey" if service.get("authKey") else "apiKey"
    secret = service.get(setting)
    if not secret:
        raise missing(service, "apiKey", f"{ENVIRONMENT['apiKey']} or {ENVIRONMENT['authKey']}")
    header = {"Authorization": f"Bearer {secret}"} if setting == "authKey" else {"api-key": str(secret)}
    extra = extra_headers(service)
    return Destination(
        service.name,
        "azure",
        urlunsplit(parts._replace(path=path, query=query, fragment="")),
        {**header, **extra},
        None if dated else str(deployment),
        key_source(service, setting, ENVIRONMENT[setting]),
        deployment=str(deployment),
        api_version=version if dated else "v1",
        secrets=secrets_in(secret, extra),
    )
