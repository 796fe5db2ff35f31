"""Azure OpenAI: the deployments form with a dated api-version, and the v1 form without one.

Source: Microsoft Learn, Azure OpenAI API version lifecycle; How to use Azure OpenAI image generation models; Microsoft
identity platform, the client credentials flow; azure-identity 1.27, which reads AZURE_AUTHORITY_HOST.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlunsplit

from flowdsl.errors import ConfigError
from flowdsl.step.problem import Problem, show
from flowdsl.step.service import FLOW, TREE, Service
from flowdsl.step.spec import Key
from flowdsl_steps.image.catalogue import catalogue
from flowdsl_steps.image.endpoint import extra_headers, key_source, missing, named_model, secrets_in, split_endpoint
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.resolved_model import ResolvedModel
from flowdsl_steps.image.vendor import Comparison, Endpoint
from flowdsl_steps.image.vendors.openai import AZURE_HOSTS, OpenAI, operation_of

if TYPE_CHECKING:
    from flowdsl_steps.http.request import HttpRequest

_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)")
_OPENAI = re.compile(r"/openai(/|$).*")
_VERSION = re.compile(r"[\w.-]+")
_APPLICATION = ("tenantId", "clientId", "clientSecret")
_AUTHORITY = "login.microsoftonline.com"
_SCOPE = "https://cognitiveservices.azure.com/.default"
_DATELESS = (None, "", "v1", "latest", "preview")


class Azure(OpenAI):
    """OpenAI's images API at a resource of one's own, where a deployment stands for the model."""

    name = "azure"
    title = "Azure OpenAI"
    watched_as = "azure.ai.openai"
    hosts = AZURE_HOSTS
    settings = (
        Key("deploymentId", "text", "The Azure deployment."),
        Key("apiVersion", "text", "The Azure api-version; absent or `v1` means the v1 API.", pattern=r"^[\w.-]*$"),
        Key(
            "tenantId",
            "text",
            "The Entra tenant of the application that asks, in place of a key.",
            pattern=r"^[\w.-]+$",
        ),
        Key("clientId", "text", "The id of the application."),
        Key("clientSecret", "text", "The secret of the application.", secret=True),
        Key("authorityHost", "text", "Where Entra gives tokens, in another cloud than the public one."),
    )
    other_names: Mapping[str, str] = dict.fromkeys(("deployment", "deployment_name"), "deploymentId")
    environment: Mapping[str, tuple[str, ...]] = {
        "endpoint": ("AZURE_OPENAI_ENDPOINT",),
        "authKey": ("AZURE_OPENAI_AD_TOKEN",),
        "apiKey": ("AZURE_OPENAI_API_KEY",),
        "apiVersion": ("OPENAI_API_VERSION",),
        "authorityHost": ("AZURE_AUTHORITY_HOST",),
    }
    deployment_setting = "deploymentId"

    def supports(self, request: ImageRequest, model: ResolvedModel) -> Iterator[Problem]:
        """What OpenAI's rules say, and an api-version that is older than the model."""
        yield from super().supports(request, model)
        if model.provider == self.name:
            yield from _old_api_version(model)

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The deployments form when the api-version is a date; else the v1 form, whose body names the deployment.

        An Entra token (`authKey`) wins over a key, and the login of an application over a key of the environment. A
        full address is accepted as endpoint: its deployment and api-version count where the entry names none.

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
        extra = extra_headers(service)
        endpoint = Endpoint(
            service.name,
            urlunsplit(parts._replace(path=path, query=query, fragment="")),
            extra,
            model or str(deployment),
            None if dated else str(deployment),
            not_found_hint=f"check the deployment `{deployment}` and the api-version {version if dated else 'v1'}: "
            "a new model needs a new one",
        )
        setting = "authKey" if service.get("authKey") else "apiKey"
        secret = service.get(setting)
        if _is_application(service, setting):
            return endpoint._replace(
                key_source=key_source(service, "clientSecret", None),
                secrets=secrets_in(service.get("clientSecret"), extra),
                sign=_signer(service),
            )
        if not secret:
            either = " or ".join(self.environment[key][0] for key in ("apiKey", "authKey"))
            raise missing(service, "apiKey", either)
        header = {"Authorization": f"Bearer {secret}"} if setting == "authKey" else {"api-key": str(secret)}
        return endpoint._replace(
            headers={**header, **extra},
            key_source=key_source(service, setting, self.environment[setting][0]),
            secrets=secrets_in(secret, extra),
        )

    def compared(self) -> Comparison | None:
        """Not with a client: what it has is OpenAI's."""
        return None

    def simulate(self, url: str, key: str) -> Mapping[str, Any]:
        """The simulator speaks both forms."""
        return {"endpoint": url, "apiKey": key}


def _is_application(service: Service, setting: str) -> bool:
    """Whether requests go by the login of an application: the entry names one, and no key beside it.

    Raises:
        ConfigError: it names a part of one.
    """
    named = [name for name in _APPLICATION if service.get(name)]
    is_keyed = service.get(setting) and not service.origins.get(setting, "").startswith("environment")
    if not named or is_keyed:
        return False
    for name in _APPLICATION:
        if name not in named:
            raise missing(service, name, None)
    return True


def _signer(service: Service) -> Callable[[HttpRequest], Awaitable[Mapping[str, str]]]:
    """What gets a token for the application that the entry names.

    Raises:
        ConfigError: a file of the flow would send the secret of somebody else to an address of its own.
    """
    host, secret = (str(service.get(name) or "") for name in ("authorityHost", "clientSecret"))
    origins = [service.origins.get(name, FLOW) in TREE for name in ("authorityHost", "clientSecret")]
    if host and origins == [True, False]:
        message = (
            f"`clientSecret` of the service {service.name} is not sent to {host}: only a file of the flow names it"
        )
        raise ConfigError(message, code="key-not-sent", hint="set AZURE_AUTHORITY_HOST in the environment instead")
    root = split_endpoint(service, host if "://" in host else f"https://{host or _AUTHORITY}").geturl().rstrip("/")
    tenant = quote(str(service.get("tenantId")), safe="")

    async def sign(http: HttpRequest) -> Mapping[str, str]:
        from flowdsl_steps.http.client_credentials import Client, token

        client = Client(f"{root}/{tenant}/oauth2/v2.0/token", str(service.get("clientId")), secret, _SCOPE)
        return {"Authorization": f"Bearer {await token(client, service.name, service.get('caPem'))}"}

    return sign


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
