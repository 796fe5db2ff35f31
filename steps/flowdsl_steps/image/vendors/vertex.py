"""Google's Vertex AI: the Gemini models that draw, in a project of one's own, with tokens that google-auth gets.

Source: google-genai 3.6, _api_client.py, _base_url.py, models.py; google-auth 2.63; Google Cloud, Vertex AI locations.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlunsplit

from flowdsl.errors import ConfigError, ServiceRefused, ServiceUnavailable
from flowdsl.step.problem import show
from flowdsl.step.service import Service
from flowdsl.step.spec import Key
from flowdsl_steps.image.endpoint import extra_headers, key_source, missing, need_extra, secrets_in, split_endpoint
from flowdsl_steps.image.key_check import refuse_stray_login
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import Endpoint
from flowdsl_steps.image.vendors.gemini import Gemini

if TYPE_CHECKING:
    import threading

    from flowdsl_steps.http.request import HttpRequest

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_EVERYWHERE = "global"
_GROUPS = ("us", "eu")
"""Locations that stand for several regions."""
_PART = re.compile(r"[a-z0-9][a-z0-9:.-]*")
_LARGEST = 1024 * 1024
"""So many bytes of a file of credentials are read."""
_OF_A_PERSON = "authorized_user"
_KEYS = frozenset({"service_account", _OF_A_PERSON})
"""Types of credentials that hold all they need; others name files, addresses or programs of the machine."""
_LOGIN = "the Google login of this machine"

Sign = Callable[["HttpRequest"], Awaitable[Mapping[str, str]]]


class Vertex(Gemini):
    """The same requests as at the Gemini API, at the address of a project and a location."""

    name = "vertex"
    title = "Google Vertex AI"
    watched_as = "gcp.vertex_ai"
    hosts = ("aiplatform.googleapis.com", "*-aiplatform.googleapis.com", "aiplatform.*.rep.googleapis.com")
    settings = (
        Key("project", "text", "The Google Cloud project that pays."),
        Key("location", "text", "The Google Cloud location that is asked; `global` when absent."),
        Key(
            "credentials",
            "text",
            "The JSON of a service account, or the path of such a file; the machine's login when absent.",
            secret=True,
        ),
    )
    environment: Mapping[str, tuple[str, ...]] = {
        "project": ("GOOGLE_CLOUD_PROJECT",),
        "location": ("GOOGLE_CLOUD_LOCATION",),
        "credentials": ("GOOGLE_APPLICATION_CREDENTIALS",),
        "endpoint": ("GOOGLE_VERTEX_BASE_URL",),
    }

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The address of the model in the project.

        Raises:
            ConfigError: a bad endpoint, no model or project, credentials of no use, or google-auth is missing.
        """
        location = _part(service, "location", service.get("location") or _EVERYWHERE)
        given = str(service.endpoint or _host(location)).strip()
        parts = split_endpoint(service, given if "://" in given else f"https://{given}")  # some write host and port
        model, extra = self.named(request, service), extra_headers(service)
        token, login = service.get("authKey"), _given(service)
        project = service.get("project") or (_document(service, login).get("project_id") if login else None)
        if not project:
            raise missing(service, "project", "GOOGLE_CLOUD_PROJECT")
        where = f"projects/{quote(_part(service, 'project', project), safe='')}/locations/{location}"
        root = parts.path.partition("/projects/")[0].rstrip("/") or "/v1"
        path = f"{root}/{where}/publishers/google/models/{quote(self.model_name(model), safe='')}:generateContent"
        url = urlunsplit(parts._replace(path=path, fragment=""))
        hint = f"check `model` and `location`: {model} is not in every location; `location: {_EVERYWHERE}` has most"
        endpoint = Endpoint(service.name, url, extra, model, None, not_found_hint=hint)
        setting = "authKey" if token and not (login and _is_named(service, "credentials")) else "credentials"
        source = key_source(service, setting, self.environment["credentials"][0])
        if setting == "authKey":
            headers = {"Authorization": f"Bearer {token}", **extra}
            return endpoint._replace(headers=headers, key_source=source, secrets=secrets_in(token, extra))
        need_extra(service, "google.auth", "vertex", "to get its tokens")
        if login is None or not login.startswith("{"):
            refuse_stray_login(service, self, url, _LOGIN)
        return endpoint._replace(
            key_source=source if login else f"it is {_LOGIN}",
            secrets=secrets_in(login if login and login.startswith("{") else "", extra),
            sign=_signer(service, login),
        )

    def generation(self, request: ImageRequest, endpoint: Endpoint) -> dict[str, Any]:
        """As at the Gemini API, with the format of the file, which only Vertex AI lets choose."""
        found = super().generation(request, endpoint)
        output: dict[str, Any] = {}
        if request.output_format is not None:
            output["mimeType"] = f"image/{request.output_format}"
        if request.output_compression is not None:
            output["compressionQuality"] = request.output_compression
        if output:
            found["imageConfig"] = {**found.get("imageConfig", {}), "imageOutputOptions": output}
        return found


def _host(location: str) -> str:
    if location == _EVERYWHERE:
        return "aiplatform.googleapis.com"
    return (
        f"aiplatform.{location}.rep.googleapis.com" if location in _GROUPS else f"{location}-aiplatform.googleapis.com"
    )


def _part(service: Service, setting: str, value: object) -> str:
    """A setting that is one part of an address.

    Raises:
        ConfigError: it is none.
    """
    text = str(value)
    if not _PART.fullmatch(text):
        message = f"the `{setting}` of the service {service.name} is {show(text)}, which is none of Google Cloud"
        raise ConfigError(message, code="invalid-endpoint")
    return text


def _is_named(service: Service, setting: str) -> bool:
    """Whether somebody named a setting, and not only the environment."""
    return not service.origins.get(setting, "").startswith("environment")


def _given(service: Service) -> str | None:
    """The credentials that a setting holds or names."""
    found = service.get("credentials")
    return str(found).strip() if found else None


def _document(service: Service, given: str) -> dict[str, Any]:
    """The credentials as an object.

    Raises:
        ConfigError: they are none, or are of a type that only the environment may name.
    """
    try:
        found = json.loads(given if given.startswith("{") else _contents(given))
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else "they are no JSON"
        raise ConfigError(
            f"the `credentials` of the service {service.name} cannot be used: {why}",
            code="service-not-configured",
            hint="give the JSON of a service account's key, or the path of such a file",
        ) from None
    kind = found.get("type") if isinstance(found, dict) else None
    kind = kind if isinstance(kind, str) else None
    if kind is None or (kind not in _KEYS and _is_named(service, "credentials")):
        raise ConfigError(
            f"the `credentials` of the service {service.name} are "
            + ("of no type that is known" if kind is None else f"of the type {show(kind)}, which uses the machine"),
            code="service-not-configured",
            hint="a service names the key of a service account; others come from GOOGLE_APPLICATION_CREDENTIALS",
        )
    return dict(found)


def _contents(path: str) -> str:
    """The text of a file of credentials: of nothing that could wait, or never end.

    Raises:
        OSError: it cannot be read, or is none.
        ValueError: it is no text.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return file.read(_LARGEST).decode("utf-8")


def _signer(service: Service, given: str | None) -> Sign:
    """What gets a token for each attempt; one that is still good is used again."""

    def token() -> Mapping[str, str]:
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError

        from flowdsl_steps.http.excerpt import harmless

        name, transport = service.name, _transport(service)
        try:
            with _turn():
                document = {} if given is None else _document(service, given)
                is_key = document.get("type") in _KEYS
                found = _credentials(json.dumps(document, sort_keys=True)) if is_key else _login(transport)
                if not found.valid:
                    found.refresh(transport)
        except (DefaultCredentialsError, ValueError) as error:
            raise ConfigError(
                f"the service {name} has no login: {_first_line(error)}",
                code="service-not-configured",
                hint="add `credentials` to the service, set GOOGLE_APPLICATION_CREDENTIALS, or run "
                "`gcloud auth application-default login`",
            ) from None
        except TransportError as error:
            message = f"Google gave no token for {name}: {harmless(_first_line(error), ())}"
            raise ServiceUnavailable(message, service=name, hint="check the network and the proxy") from None
        except GoogleAuthError as error:
            message = f"Google gave no token for {name}: {harmless(_first_line(error), ())}"
            raise ServiceRefused(message, service=name, hint="check the `credentials` of the service") from None
        pays = getattr(found, "quota_project_id", None)
        headers = {"Authorization": f"Bearer {found.token}"}
        return {**headers, "x-goog-user-project": str(pays)} if pays else headers

    async def sign(http: HttpRequest) -> Mapping[str, str]:
        import asyncio

        return await asyncio.to_thread(token)

    return sign


@lru_cache(maxsize=1)
def _turn() -> threading.Lock:
    """One at a time gets a token, which the next finds."""
    from threading import Lock

    return Lock()


@lru_cache(maxsize=16)
def _credentials(text: str) -> Any:
    """What the JSON of a key stands for, with the token that was got by it last."""
    from google.oauth2 import credentials, service_account

    found = json.loads(text)
    load: Any = service_account.Credentials.from_service_account_info  # neither has types
    if found["type"] == _OF_A_PERSON:
        load = credentials.Credentials.from_authorized_user_info
    return load(found, scopes=[_SCOPE])


@lru_cache(maxsize=1)
def _login(transport: Any) -> Any:
    import google.auth

    found, _ = google.auth.default(scopes=[_SCOPE], request=transport)
    return found


@lru_cache(maxsize=4)
def _transport_with(ca_pem: str | None) -> Any:
    """How google-auth reaches the address of its tokens: over httpx, as it is here anyway."""
    import httpx
    from google.auth.exceptions import TransportError
    from google.auth.transport import Request

    from flowdsl_steps.http.connect import tls_context

    class Answer:
        def __init__(self, response: httpx.Response) -> None:
            self.status, self.headers, self.data = response.status_code, response.headers, response.content

    failed: Any = TransportError  # it has no types

    class Httpx(Request):
        def __call__(
            self,
            url: str,
            method: str = "GET",
            body: bytes | None = None,
            headers: Mapping[str, str] | None = None,
            timeout: float | None = None,
            **_: Any,
        ) -> Answer:
            try:
                with httpx.Client(verify=tls_context(ca_pem, None), timeout=timeout or 30.0) as client:
                    return Answer(client.request(method, url, content=body, headers=headers))
            except httpx.HTTPError as error:
                raise failed(str(error) or type(error).__name__) from error

    return Httpx()


def _transport(service: Service) -> Any:
    return _transport_with(service.get("caPem"))


def _first_line(error: Exception) -> str:
    """What an error of google-auth says, without the objects that it carries."""
    text = str(error.args[0]) if error.args else type(error).__name__
    return text.splitlines()[0] if text else type(error).__name__


VENDOR = Vertex()
