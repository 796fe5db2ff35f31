"""The providers of Kestra's AI tasks: the properties of each, and the vendor that makes its pictures.

Source: Kestra's page of ImageGeneration, whose tables these are; kestra-io/plugin-ai 977493c.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flowdsl.nearest import nearest
from flowdsl.step.problem import Problem, show, spelt
from flowdsl.step.rules import UNKNOWN

PACKAGE = "io.kestra.plugin.ai.provider."
"""What the full class names of providers begin with."""
OLD_PACKAGES = ("io.kestra.plugin.langchain4j.provider.",)


class Property(NamedTuple):
    """A property of a provider: whether it is `required`, its type, its default, and the setting of a service that it
    fills, or what it is about where it does nothing for pictures."""

    required: bool = False
    type: str = "string"
    default: Any = None
    setting: str | None = None
    about: str = ""


class ModelProvider(NamedTuple):
    """A provider: its vendor here (None: it has no images API), and its properties."""

    vendor: str | None
    properties: Mapping[str, Property]


def _of(vendor: str | None, **properties: Property) -> ModelProvider:
    base = {
        "type": Property(True),
        "modelName": Property(True, setting="model"),
        "baseUrl": Property(setting="endpoint"),
        "caPem": Property(setting="caPem"),
        "clientPem": Property(setting="clientPem"),
    }
    return ModelProvider(vendor, {**base, **properties})


_KEY = Property(True, setting="apiKey")
_TEXT = "what a model writes"


def _url(default: str) -> Property:
    return Property(default=default, setting="endpoint")


PROVIDERS: Mapping[str, ModelProvider] = {
    "AmazonBedrock": _of(
        "bedrock",
        accessKeyId=Property(True, setting="accessKeyId"),
        secretAccessKey=Property(True, setting="secretAccessKey"),
        modelType=Property(type="COHERE, TITAN", default="COHERE", about="embeddings"),
    ),
    "Anthropic": _of(None, apiKey=_KEY, maxTokens=Property(type="integer", about=_TEXT)),
    "AzureOpenAI": _of(
        "azure",
        endpoint=Property(True, setting="endpoint"),
        modelName=Property(True, setting="deploymentId"),
        apiKey=Property(setting="apiKey"),
        clientId=Property(setting="clientId"),
        clientSecret=Property(setting="clientSecret"),
        tenantId=Property(setting="tenantId"),
        serviceVersion=Property(setting="apiVersion"),
    ),
    "DashScope": _of(
        "dashscope",
        apiKey=_KEY,
        baseUrl=_url("https://dashscope-intl.aliyuncs.com/api/v1"),
        enableSearch=Property(type="boolean", about=_TEXT),
        maxTokens=Property(type="integer", about=_TEXT),
        repetitionPenalty=Property(type="number", about=_TEXT),
    ),
    "DeepSeek": _of(None, apiKey=_KEY, baseUrl=_url("https://api.deepseek.com/v1")),
    "GoogleGemini": _of("gemini", apiKey=_KEY),
    "GoogleVertexAI": _of(
        "vertex",
        endpoint=Property(True, setting="endpoint"),
        location=Property(True, setting="location"),
        project=Property(True, setting="project"),
    ),
    "HuggingFace": _of("huggingface", apiKey=_KEY, baseUrl=_url("https://router.huggingface.co/v1")),
    "LocalAI": _of("localai", baseUrl=Property(True, setting="endpoint")),
    "MistralAI": _of("mistral", apiKey=_KEY),
    "OciGenAI": _of(
        None,
        compartmentId=Property(True),
        region=Property(True),
        authProvider=Property(),
    ),
    "Ollama": _of("ollama", endpoint=Property(True, setting="endpoint")),
    "OpenAI": _of("openai", apiKey=_KEY, baseUrl=_url("https://api.openai.com/v1")),
    "OpenRouter": _of("openrouter", apiKey=_KEY),
    "WorkersAI": _of("workersai", accountId=Property(True, setting="accountId"), apiKey=_KEY),
    "ZhiPuAI": _of(
        "zhipu",
        apiKey=_KEY,
        baseUrl=_url("https://open.bigmodel.cn/"),
        maxRetries=Property(type="integer", setting="maxRetries"),
        maxToken=Property(type="integer", about=_TEXT),
        stops=Property(type="array", about=_TEXT),
    ),
}
REASONS: Mapping[str, str] = {
    "Anthropic": "Anthropic's API makes no pictures: its models read them",
    "DeepSeek": "DeepSeek's API makes no pictures: it has chat, completion and account balance alone",
    "OciGenAI": "OCI's Generative AI makes no pictures: it has no model for them",
}
"""Provider → why it is refused."""
_ENTRA = ("tenantId", "clientId", "clientSecret")
_NUMBERS = {"integer": r"[+-]?\d+", "number": r"[+-]?\d+(\.\d+)?", "boolean": "true|false"}
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END \1-----")


def short_name(type: str) -> str:
    """The short name of a provider by the full name of its class, or by itself."""
    for package in (PACKAGE, *OLD_PACKAGES):
        if type.startswith(package):
            return type.removeprefix(package)
    return type


def with_pictures() -> list[str]:
    """The names of the providers that make pictures."""
    return [name for name, provider in PROVIDERS.items() if provider.vendor is not None]


def settings_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a service that an option `provider` holds, as far as they are known."""
    values = given.get("provider")
    if not isinstance(values, Mapping):
        return {}
    type = values.get("type")
    provider = PROVIDERS.get(short_name(type)) if isinstance(type, str) else None
    if provider is None or provider.vendor is None:
        return {}
    settings: dict[str, Any] = {"provider": provider.vendor}
    for name, value in sorted(values.items(), key=lambda each: each[0] == "baseUrl"):  # which counts over `endpoint`
        known = provider.properties.get(name)
        if known is not None and known.setting is not None and value is not None and value != known.default:
            settings[known.setting] = value
    return settings


def provider_problems(values: Any) -> Iterator[Problem]:
    """What is wrong with the option `provider`, each mistake at its property."""
    if not isinstance(values, Mapping):
        return
    type = values.get("type")
    if type is None:
        hint = f"write `type: {PACKAGE}OpenAI`, or one of {', '.join(with_pictures())}"
        yield Problem("missing-key", "the provider needs `type`", "provider", hint, on_key=True)
        return
    if not isinstance(type, str):
        return
    name = short_name(type)
    provider = PROVIDERS.get(name)
    if provider is None:
        near = nearest(name, PROVIDERS)
        whole = type[: len(type) - len(name)] + near if near else None
        hint = f"did you mean `{whole}`?" if near else f"there are {', '.join(PROVIDERS)}"
        message = f"there is no provider {show(type, 80)}"
        yield _at("not-a-choice", message, "type", hint)._replace(fixes=_write("type", whole))
        return
    if provider.vendor is None:
        yield _at("unknown-provider", REASONS[name], "type", f"pictures are made by {', '.join(with_pictures())}")
        return
    yield from _missing(name, provider, values)
    for key, value in values.items():
        known = provider.properties.get(key)
        if known is None:
            yield _unknown(name, provider, key)
        elif value is not None and value is not UNKNOWN:
            yield from _value(name, key, known, value)
            if known.about and value != known.default:
                message = f"`{key}` is about {known.about}, and does nothing for pictures"
                yield _at("no-effect", message, key, "it may stay", on_key=True)._replace(severity="note")


def _at(code: str, message: str, key: str, hint: str | None = None, *, on_key: bool = False) -> Problem:
    return Problem(code, message, "provider", hint, inside=(key,), on_key=on_key)


def _write(key: str, value: str | None) -> Any:
    from flowdsl.step.problem import use

    return use(key, value) if value is not None else ()


def _missing(name: str, provider: ModelProvider, values: Mapping[str, Any]) -> Iterator[Problem]:
    misspelt = {nearest(key, provider.properties) for key in values if key not in provider.properties}
    for key, known in provider.properties.items():
        if known.required and values.get(key) is None and key not in misspelt:
            example = "gpt-image-2" if key == "modelName" else "…"
            if key in ("apiKey", "accessKeyId", "secretAccessKey"):
                example = "\"{{ secret('MY_KEY') }}\""
            message = f"the provider {name} needs `{key}`"
            yield Problem("missing-key", message, "provider", f"add `{key}: {example}`", on_key=True)
    if name == "AzureOpenAI" and values.get("apiKey") is None and any(values.get(key) is None for key in _ENTRA):
        message = "the provider AzureOpenAI needs `apiKey`, or `tenantId`, `clientId` and `clientSecret`"
        lacking = [key for key in _ENTRA if values.get(key) is None]
        hint = "add `apiKey`" if len(lacking) == len(_ENTRA) else f"add {', '.join(f'`{key}`' for key in lacking)}"
        yield Problem("missing-key", message, "provider", hint, on_key=True)


def _unknown(name: str, provider: ModelProvider, key: str) -> Problem:
    owners = [other for other, each in PROVIDERS.items() if key in each.properties]
    near = nearest(key, provider.properties)
    if owners and not near:
        message = f"`{key}` is a property of {_listed(owners)}, and not of {name}"
        return _at("unknown-key", message, key, f"remove it, or write `type: {PACKAGE}{owners[0]}`", on_key=True)
    hint = f"did you mean `{near}`?" if near else f"it has {', '.join(each for each in provider.properties)}"
    return _at("unknown-key", f"the provider {name} has no property `{key}`", key, hint, on_key=True)._replace(
        fixes=spelt(key, near)
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _value(name: str, key: str, known: Property, value: Any) -> Iterator[Problem]:
    """What is wrong with a value that is known."""
    if known.type == "array":
        if not isinstance(value, list):
            yield _at("wrong-type", f"`{key}` takes a list, not {show(value)}", key)
    elif known.type in _NUMBERS:
        text = show(value).strip("`") if isinstance(value, (bool, int, float)) else value
        if not isinstance(text, str) or re.fullmatch(_NUMBERS[known.type], text) is None:
            word = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}[known.type]
            yield _at("wrong-type", f"`{key}` takes {word}, not {show(value)}", key)
    elif not isinstance(value, str):
        yield _at("wrong-type", f"`{key}` takes a text, not {show(value)}", key, "quote it")
    elif key in ("caPem", "clientPem"):
        yield from _pem(key, value)
    elif known.setting == "endpoint":
        yield from _address(name, key, value)
    elif known.default == "COHERE" and value not in known.type.split(", "):
        yield _at("not-a-choice", f"`{key}` is one of {known.type}, not {show(value)}", key)
    elif known.required and not value.strip():
        yield _at("missing-key", f"`{key}` is empty", key)


def _address(name: str, key: str, value: str) -> Iterator[Problem]:
    if not value.startswith(("http://", "https://")):
        looks = re.fullmatch(r"[\w.-]+(:\d+)?(/\S*)?", value) is not None
        whole = f"https://{value}" if looks else None
        hint = f"write `{whole}`" if whole else "write it in full: `https://…`"
        yield _at("wrong-pattern", f"`{key}` is {show(value)}, which is no web address", key, hint)._replace(
            fixes=_write(key, whole)
        )
    elif name == "AzureOpenAI" and (found := re.match(r"(https?://[^/]+/?)openai/", value)) is not None:
        message = f"`{key}` is the resource alone, and this is the address of an operation in it"
        yield _at("invalid-endpoint", message, key, f"write `{found[1]}`")._replace(fixes=_write(key, found[1]))


def _pem(key: str, value: str) -> Iterator[Problem]:
    """A text that holds no certificate, or not the key that belongs to it."""
    import binascii
    from base64 import b64decode

    kinds = []
    for found in _PEM.finditer(value):
        try:
            whole = b64decode("".join(found[2].split()), validate=True)
        except binascii.Error:
            whole = b""
        if whole[:1] == b"0":  # a SEQUENCE, as all of these are
            kinds.append(found[1])
    if "-----BEGIN" not in value:
        hint = "give the text itself, which begins with `-----BEGIN CERTIFICATE-----`"
        yield _at("invalid-certificate", f"`{key}` is no PEM text", key, hint)
    elif value.count("-----BEGIN") != len(kinds):
        message = f"`{key}` has a part that is no PEM: its base64 or its end is broken"
        yield _at("invalid-certificate", message, key, "copy the file as a whole, in a block that begins with `|`")
    elif "CERTIFICATE" not in kinds:
        yield _at("invalid-certificate", f"`{key}` holds no certificate", key, "add the one that begins the chain")
    elif key == "clientPem" and not any(kind.endswith("PRIVATE KEY") for kind in kinds):
        yield _at("invalid-certificate", "`clientPem` holds no private key", key, "add it behind the certificate")
