"""Azure OpenAI: the deployments form with a dated api-version, and the v1 form without one.

Source: Microsoft Learn, Azure OpenAI API version lifecycle; How to use Azure OpenAI image generation models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlunsplit

from flowdsl.errors import ConfigError
from flowdsl.step.problem import Problem, show
from flowdsl.step.service import Service
from flowdsl.step.spec import Key
from flowdsl_steps.image.catalogue import catalogue
from flowdsl_steps.image.endpoint import extra_headers, key_source, missing, named_model, secrets_in, split_endpoint
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.resolved_model import ResolvedModel
from flowdsl_steps.image.vendor import Comparison, Endpoint
from flowdsl_steps.image.vendors.openai import AZURE_HOSTS, OpenAI, operation_of

_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)")
_OPENAI = re.compile(r"/openai(/|$).*")
_VERSION = re.compile(r"[\w.-]+")
_DATELESS = (None, "", "v1", "latest", "preview")


class Azure(OpenAI):
    """OpenAI's images API at a resource of one's own, where a deployment stands for the model."""

    name = "azure"
    title = "Azure OpenAI"
    hosts = AZURE_HOSTS
    settings = (
        Key("deploymentId", "text", "The Azure deployment."),
        Key("apiVersion", "text", "The Azure api-version; absent or `v1` means the v1 API.", pattern=r"^[\w.-]*$"),
    )
    other_names: Mapping[str, str] = dict.fromkeys(("deployment", "deployment_name"), "deploymentId")
    environment: Mapping[str, tuple[str, ...]] = {
        "endpoint": ("AZURE_OPENAI_ENDPOINT",),
        "authKey": ("AZURE_OPENAI_AD_TOKEN",),
        "apiKey": ("AZURE_OPENAI_API_KEY",),
        "apiVersion": ("OPENAI_API_VERSION",),
    }
    deployment_setting = "deploymentId"

    def supports(self, request: ImageRequest, model: ResolvedModel) -> Iterator[Problem]:
        """What OpenAI's rules say, and an api-version that is older than the model."""
        yield from super().supports(request, model)
        if model.provider == self.name:
            yield from _old_api_version(model)

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The deployments form when the api-version is a date; else the v1 form, whose body names the deployment.

        An Entra token (`authKey`) wins over a key. A full address is accepted as endpoint: its deployment and
        api-version count where the entry names none.

        Raises:
            ConfigError: no endpoint, key or deployment.
        """
        if not service.endpoint:
            raise missing(service, "endpoint", self.environment["endpoint"][0])
        parts = split_endpoint(service, service.endpoint)
        pasted = _DEPLOYMENT.search(parts.path)
        model = named_model(request, service)
        deployment = service.get("deploymentId") or (pasted and pasted[1]) or model
        if not deployment:
            raise missing(service, "deploymentId", None)
        is_v1 = "/openai/v1" in parts.path
        version = service.get("apiVersion") or next(iter(parse_qs(parts.query).get("api-version", ())), None)
        version = None if version is None else str(version)
        if version and not _VERSION.fullmatch(version):
            raise ConfigError(
                f"the `apiVersion` of the service {service.name} is {show(version)}, which is no API version",
                code="invalid-endpoint",
                hint="write a date such as `2025-04-01-preview`, or `v1`",
            )
        dated = version not in _DATELESS and not is_v1
        path, query = _form(
            _OPENAI.sub("", parts.path).rstrip("/"), str(deployment), version, dated, operation_of(request)
        )
        setting = "authKey" if service.get("authKey") else "apiKey"
        secret = service.get(setting)
        if not secret:
            either = " or ".join(self.environment[key][0] for key in ("apiKey", "authKey"))
            raise missing(service, "apiKey", either)
        header = {"Authorization": f"Bearer {secret}"} if setting == "authKey" else {"api-key": str(secret)}
        extra = extra_headers(service)
        return Endpoint(
            service.name,
            urlunsplit(parts._replace(path=path, query=query, fragment="")),
            {**header, **extra},
            model or str(deployment),
            None if dated else str(deployment),
            key_source(service, setting, self.environment[setting][0]),
            f"check the deployment `{deployment}` and the api-version {version if dated else 'v1'}: "
            "a new model needs a new one",
            secrets_in(secret, extra),
        )

    def compared(self) -> Comparison | None:
        """Not with a client: what it has is OpenAI's."""
        return None

    def simulate(self, url: str, key: str) -> Mapping[str, Any]:
        """The simulator speaks both forms."""
        return {"endpoint": url, "apiKey": key}


def _form(root: str, deployment: str, version: str | None, dated: bool, operation: str) -> tuple[str, str]:
    """Path and query of the address."""
    if dated:
        return f"{root}/openai/deployments/{quote(deployment, safe='')}{operation}", f"api-version={version}"
    return f"{root}/openai/v1{operation}", "api-version=preview" if version == "preview" else ""


def _old_api_version(model: ResolvedModel) -> Iterator[Problem]:
    """Source: MicrosoftDocs/azure-ai-docs, API version lifecycle: GPT image models since 2025-04-01-preview."""
    version = model.service.get("apiVersion") if model.service else None
    first = catalogue().facts["providers"]["azure"]["api_version"].get(model.model.family) if model.model else None
    if first and isinstance(version, str) and version[:1].isdigit() and version < first:
        assert model.model is not None  # noqa: S101  its family was found
        yield Problem(
            "old-api-version",
            f"the API version {show(version)} is older than {show(model.model.name)} and does not know it",
            hint=f"set the service's `apiVersion` to `{first}-preview` or later, or to `preview`",
        )


VENDOR = Azure()
