"""Which services a flow uses, and which secret goes to which host, as far as a file says it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from flowdsl.document.document import Document, StepNode
from flowdsl.services import KEYS, ServiceLayers, provider
from flowdsl.source import Source
from flowdsl.step.service import Service
from flowdsl.step.spec import BLOCK_TYPES

_SECRET = re.compile(r"""\bsecret\(\s*['"]([^'"]+)['"]""")
_TAG = r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}"
_HOST = re.compile(rf"https?://(?:(?:{_TAG}|[^/@\s'\"])*+@)?((?:{_TAG}|[^/?#\s'\"])+)", re.DOTALL)
_BEFORE_QUERY = re.compile(rf"(?:{_TAG}|[^?])*+", re.DOTALL)
_LOGIN = re.compile(rf"//(?:{_TAG}|[^/@\s])*+@", re.DOTALL)


class Destination(NamedTuple):
    """A secret by its name, the host that it goes to, and the place of the step that sends it."""

    secret: str
    host: str
    place: str


def destinations(documents: Iterable[Document], layers: ServiceLayers) -> list[Destination]:
    """What the steps of flows send where, each once, in the order of the file."""
    steps = ((step, document) for document in documents for step in document.every_step())
    return list(dict.fromkeys(row for step, document in steps for row in destinations_of(step, document, layers)))


def destinations_of(step: StepNode, document: Document, layers: ServiceLayers) -> Iterator[Destination]:
    """What one step sends where: by its service entry, and by its own keys."""
    service = service_of(step, document, layers)
    if service is not None:
        for name, host in dict.fromkeys(_of_service(service)):
            yield Destination(name, host, str(step.name_node.span))
    keys = step.spec.keys
    own = [node.plain() for name, node in step.keys.items() if name not in keys or keys[name].type not in BLOCK_TYPES]
    texts = list(_texts(own))
    named = next((found[1] for text in texts if (found := _HOST.match(text))), None)
    if named is None and service is not None:
        named = _host_of(service)  # a prompt goes there too
    for text in texts:
        for name in _SECRET.findall(text):
            yield Destination(name, named or "no host that the file names", str(step.name_node.span))


def service_of(step: StepNode, document: Document, layers: ServiceLayers) -> Service | None:
    """The service entry of a step, templates unresolved; None when it uses none, or only the run knows which."""
    if step.spec.service is None:
        return None
    name = step.service.value if step.service is not None else step.spec.service
    if not isinstance(name, str):
        return None
    given = {key: node.plain() for key, node in step.keys.items()} if step.spec.holds_settings else None
    return layers.service(name, step.spec, document.services, lambda value: value, given)


def services_of(document: Document, layers: ServiceLayers) -> list[dict[str, Any]]:
    """What a flow can call, each service with each of its vendors once, as JSON values; no value of a secret."""
    found: dict[tuple[str | None, str | None], dict[str, Any]] = {}
    for step in document.every_step():
        if step.spec.service is None:
            continue
        service = service_of(step, document, layers)
        name = None if service is None else service.name
        vendor = None if service is None else service.provider or step.spec.provider
        row = found.setdefault(
            (name, vendor),
            {
                "service": name,
                "vendor": vendor,
                "endpoint": None if service is None else _shown_endpoint(service),
                "models": [],
                "secrets": [] if service is None else _secrets_of(service, step),
                "steps": [],
            },
        )
        model = _model_of(step, service)
        row["models"] += [] if model is None or model in row["models"] else [model]
        row["steps"].append(step.path)
    return list(found.values())


def _model_of(step: StepNode, service: Service | None) -> str | None:
    node = step.keys.get("model")
    model = node.plain() if node is not None else None if service is None else service.option("model")
    key = step.spec.keys.get("model")
    if model is None and key is not None:
        model = key.default
    return model if isinstance(model, str) else None


def _shown_endpoint(service: Service) -> str | None:
    """The address of an entry as it is written, without a login, and without a query, which can hold a key."""
    endpoint = service.endpoint
    if not isinstance(endpoint, str):
        return None
    address = _BEFORE_QUERY.match(endpoint)
    shown = _LOGIN.sub("//", address[0] if address is not None else "")
    return Source(shown).hide(shown)  # a tag can hold a key too


def _secrets_of(service: Service, step: StepNode) -> list[str]:
    """The names of the secrets that an entry takes; where it has no key, those it could take one from."""
    named = [name for name, _ in _of_service(service)]
    if not any(service.settings.get(key) for key in KEYS):
        is_own = service.provider in (None, step.spec.provider)
        vendor = step.spec if is_own else provider(str(service.provider))
        variables = {} if vendor is None else vendor.environment
        named += [name for key, names in variables.items() if key in KEYS for name in names]
    return list(dict.fromkeys(named))


def _of_service(service: Service) -> Iterator[tuple[str, str]]:
    """The secrets of an entry, each with the host that it goes to."""
    host = _host_of(service)
    for key, value in service.settings.items():
        origin = service.origins.get(key, "")
        if key in service.secret and origin.startswith("environment "):
            kept = service.endpoint is not None and service.stray_key(str(service.endpoint), own=_is_own(service))
            where = f"nowhere: only a file of the flow names {host}" if kept else host
            yield origin.removeprefix("environment "), where
        for text in _texts(value):
            yield from ((name, host) for name in _SECRET.findall(text))


def _is_own(service: Service) -> bool:
    """Whether the endpoint is the vendor's own, where keys of the environment go."""
    vendor: Any = provider(str(service.settings.get("provider") or service.provider))
    host = _host_of(service).partition(":")[0].lower()
    hosts = getattr(vendor, "hosts", ())
    is_safe = str(service.endpoint).lower().startswith("https://")
    return is_safe and any(host == own or (own[0] == "." and host.endswith(own)) for own in hosts)


def _host_of(service: Service) -> str:
    endpoint = service.endpoint
    if endpoint is None:
        return f"the own host of {service.provider}"
    found = _HOST.match(str(endpoint))
    return found[1] if found else "a host that only the run knows"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
