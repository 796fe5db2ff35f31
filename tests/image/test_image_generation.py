"""IMAGE_GENERATION: the properties of each provider, what is said of wrong ones, and the outputs of the task."""

import json
from datetime import date

import pytest

from flowdsl import Environment, Source, Storage
from flowdsl.diagnostics import fixed
from flowdsl_steps.image.image_generation import token_usage
from flowdsl_steps.image.model_providers import PACKAGE, PROVIDERS, settings_of, with_pictures
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.simulator.stand_in import overrides

AS_OF = date(2026, 11, 21)
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
OPENAI = {"type": "OpenAI", "apiKey": "{{ secret('KEY') }}", "modelName": "gpt-image-2"}
AZURE = {"type": "AzureOpenAI", "endpoint": "https://mine.openai.azure.com/", "modelName": "pictures", "apiKey": "k-1"}


def flow(provider, **options):
    step = {"step": "IMAGE_GENERATION", "prompt": "A harbour", "provider": provider, **options}
    outputs = {name: f"{{{{ flowContext.{name} }}}}" for name in (each["name"] for each in options.get("outputs", ()))}
    return Source(json.dumps({"flow": [step], "outputs": outputs}), "a.flow.json")


def findings(provider, **options):
    return Environment(as_of=AS_OF).check(flow(provider, **options))


def errors(provider):
    return [found.message for found in findings(provider) if found.severity == "error"]


def test_every_provider_of_the_page_has_its_properties():
    assert {name: " ".join(sorted(provider.properties)) for name, provider in PROVIDERS.items()} == {
        "AmazonBedrock": "accessKeyId baseUrl caPem clientPem modelName modelType secretAccessKey type",
        "Anthropic": "apiKey baseUrl caPem clientPem maxTokens modelName type",
        "AzureOpenAI": "apiKey baseUrl caPem clientId clientPem clientSecret endpoint modelName serviceVersion tenantId"
        " type",
        "DashScope": "apiKey baseUrl caPem clientPem enableSearch maxTokens modelName repetitionPenalty type",
        "DeepSeek": "apiKey baseUrl caPem clientPem modelName type",
        "GoogleGemini": "apiKey baseUrl caPem clientPem modelName type",
        "GoogleVertexAI": "baseUrl caPem clientPem endpoint location modelName project type",
        "HuggingFace": "apiKey baseUrl caPem clientPem modelName type",
        "LocalAI": "baseUrl caPem clientPem modelName type",
        "MistralAI": "apiKey baseUrl caPem clientPem modelName type",
        "OciGenAI": "authProvider baseUrl caPem clientPem compartmentId modelName region type",
        "Ollama": "baseUrl caPem clientPem endpoint modelName type",
        "OpenAI": "apiKey baseUrl caPem clientPem modelName type",
        "OpenRouter": "apiKey baseUrl caPem clientPem modelName type",
        "WorkersAI": "accountId apiKey baseUrl caPem clientPem modelName type",
        "ZhiPuAI": "apiKey baseUrl caPem clientPem maxRetries maxToken modelName stops type",
    }
    assert len(with_pictures()) == 13


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_provider_fills_the_settings_of_its_vendor_by_full_and_short_name(name):
    provider = PROVIDERS[name]
    values = {key: f"https://{key}.example" for key in provider.properties if key != "type"}
    found = settings_of({"provider": {"type": name, **values}})
    assert found == settings_of({"provider": {"type": PACKAGE + name, **values}})
    assert found == settings_of({"provider": {"type": f"io.kestra.plugin.langchain4j.provider.{name}", **values}})
    if provider.vendor is None:
        assert found == {}
    else:
        own = sorted(provider.properties.items(), key=lambda each: each[0] == "baseUrl")  # which counts over `endpoint`
        named = {known.setting: values[key] for key, known in own if known.setting}
        assert found == {"provider": provider.vendor, **named}


def test_base_url_that_is_the_providers_default_is_the_vendors_own():
    assert "endpoint" not in settings_of({"provider": {**OPENAI, "baseUrl": "https://api.openai.com/v1"}})


@pytest.mark.parametrize("name", ["Anthropic", "DeepSeek", "OciGenAI"])
def test_provider_without_pictures_is_refused_with_those_that_make_some(name):
    (found,) = [each for each in findings({"type": PACKAGE + name, "modelName": "m"}) if each.severity == "error"]
    assert found.code == "unknown-provider"
    assert "makes no pictures" in found.message
    assert "OpenAI" in (found.hint or "")
    assert found.span.text == f'"{PACKAGE}{name}"'


WRONG = [
    ({"apiKey": "k"}, ["the provider needs `type`"]),
    ({"type": "OpenAi"}, ["there is no provider `OpenAi`"]),
    ({"type": "OpenAI", "modelName": "gpt-image-2"}, ["the provider OpenAI needs `apiKey`"]),
    ({**OPENAI, "modelName": None}, ["the provider OpenAI needs `modelName`"]),
    ({**OPENAI, "tenantId": "t"}, ["`tenantId` is a property of AzureOpenAI, and not of OpenAI"]),
    ({**OPENAI, "stops": []}, ["`stops` is a property of ZhiPuAI, and not of OpenAI"]),
    ({**OPENAI, "apikey": "k"}, ["the provider OpenAI has no property `apikey`"]),
    ({**OPENAI, "size": "1024x1024"}, ["the provider OpenAI has no property `size`"]),
    ({**OPENAI, "modelName": 3}, ["`modelName` takes a text, not `3`"]),
    ({**OPENAI, "baseUrl": "gateway.example/v1"}, ["`baseUrl` is `gateway.example/v1`, which is no web address"]),
    ({**OPENAI, "caPem": "x"}, ["`caPem` is no PEM text"]),
    ({**OPENAI, "caPem": CERTIFICATE[:-9]}, ["`caPem` has a part that is no PEM: its base64 or its end is broken"]),
    ({**OPENAI, "caPem": PRIVATE_KEY}, ["`caPem` holds no certificate"]),
    ({**OPENAI, "clientPem": CERTIFICATE}, ["`clientPem` holds no private key"]),
    ({**OPENAI, "caPem": "x", "size": "1"}, ["the provider OpenAI has no property `size`", "`caPem` is no PEM text"]),
    (
        {**AZURE, "apiKey": None},
        ["the provider AzureOpenAI needs `apiKey`, or `tenantId`, `clientId` and `clientSecret`"],
    ),
    (
        {**AZURE, "endpoint": "https://mine.openai.azure.com/openai/deployments/a/images/generations"},
        ["`endpoint` is the resource alone, and this is the address of an operation in it"],
    ),
]


@pytest.mark.parametrize(("provider", "messages"), WRONG, ids=[f"case {at}" for at in range(len(WRONG))])
def test_wrong_provider_is_told_at_its_property(provider, messages):
    assert sorted(errors(provider), reverse=True) == sorted(messages, reverse=True)


def test_fix_of_a_property_edits_the_property():
    source = flow({**OPENAI, "apikey": "k", "apiKey": None, "modelName": "dall-e-3"})
    fixes = [fix for found in Environment(as_of=AS_OF).check(source) for fix in found.fixes]
    assert any('"apiKey": "k"' in fixed(source, fix) for fix in fixes)
    source = flow({**OPENAI, "modelName": "dall-e-3"})
    (found,) = [each for each in Environment(as_of=AS_OF).check(source) if each.code == "retired-model"]
    assert found.span.text == '"dall-e-3"'
    assert '"modelName": "gpt-image-2.5-sunburst"' in fixed(source, found.fixes[0])


def test_model_that_is_shut_down_is_the_business_of_another_address():
    found = findings({**OPENAI, "modelName": "dall-e-3", "baseUrl": "https://pictures.example/v1"})
    assert [each.severity for each in found if each.code == "retired-model"] == ["note"]


@pytest.mark.parametrize("provider", [OPENAI, AZURE], ids=["openai", "azure"])
def test_step_gives_the_outputs_of_the_task(provider, tmp_path):
    from flowdsl import Host

    with Simulator(deployments={"pictures": "gpt-image-2"}) as simulator:
        environment = Environment(
            overrides=overrides(simulator.url, simulator.key),
            storage=Storage(images=tmp_path, output=tmp_path / "files"),
            host=Host(secrets=lambda name: "sk-0123456789"),
            as_of=AS_OF,
        )
        outputs = [{"type": kind, "name": kind} for kind in ("object", "imageList", "metrics")]
        result = environment.run(flow(provider, outputs=outputs))
        (request,) = [each for each in simulator.requests if isinstance(each.json, dict)]
    assert request.json["prompt"] == "A harbour"
    found = result.to_json()
    assert list(found["object"]) == ["imageUrl", "finishReason", "tokenUsage"]
    assert found["object"]["imageUrl"].startswith("file://")
    assert found["object"]["finishReason"] == "STOP"
    usage = found["object"]["tokenUsage"]
    assert usage["totalTokenCount"] == usage["inputTokenCount"] + usage["outputTokenCount"]
    assert found["metrics"] == {
        "input.token.count": usage["inputTokenCount"],
        "output.token.count": usage["outputTokenCount"],
        "total.token.count": usage["totalTokenCount"],
    }
    assert len(found["imageList"]) == 1


def test_usage_of_any_vendor_counts_tokens_by_the_names_of_the_task():
    assert token_usage({"promptTokenCount": 2, "candidatesTokenCount": 3, "totalTokenCount": 9}) == {
        "inputTokenCount": 2,
        "outputTokenCount": 3,
        "totalTokenCount": 9,
    }
    assert token_usage({"input_tokens": 2})["outputTokenCount"] is None
    assert token_usage({"credits": 2}) is token_usage(None) is None
