"""What of a service entry may be sent, where links may lead, and what is said of a refusal."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from image_bench import Bench
from image_server import plain, tiny

import flowdsl
from flowdsl.errors import ConfigError, ContentRefused, ServiceError
from flowdsl.step.service import Service
from flowdsl_steps.http.public_network import is_link_local, is_public, is_same_host, open_fetcher
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import Endpoint
from flowdsl_steps.image.vendors import vendor_named

OPENAI = "http://127.0.0.1:1/v1"
FLOW = """\
services:
  pictures:
    provider: openai
    endpoint: {endpoint}
    apiKey: "{{{{ secret('K') }}}}"
    headers: {headers}
flow:
- step: OPENAI_IMAGE_GENERATION
  service: pictures
  model: gpt-image-2
  instruction: a lighthouse
"""


def endpoint_of(settings: dict[str, Any], origins: dict[str, str] | None = None, vendor: str = "openai") -> Endpoint:
    return vendor_named(vendor).endpoint(Service("PICTURES", settings, origins), ImageRequest(model="gpt-image-2"))


def errors_of(endpoint: str = OPENAI, headers: str = "{}") -> list[tuple[str, str, str | None]]:
    found = flowdsl.check(FLOW.format(endpoint=endpoint, headers=headers))
    return [(each.code, each.message, each.hint) for each in found if each.severity == "error"]


@pytest.mark.parametrize(
    ("name", "value", "message", "hint"),
    [
        (
            "Transfer-Encoding",
            "chunked",
            "`headers` has `Transfer-Encoding`, which flowdsl sets itself",
            "leave it out",
        ),
        ("Content-Length", "5", "`headers` has `Content-Length`, which flowdsl sets itself", "leave it out"),
        ("Host", "evil", "`headers` has `Host`, which flowdsl sets itself", "leave it out"),
        ("X A", "a", "`headers` has the name 'X A', which no header can have", None),
        ("X-B", "a\nb: c", "the header `X-B` holds a character that a header cannot", None),
    ],
    ids=["transfer encoding", "length", "host", "a blank", "a line"],
)
def test_a_header_of_a_service_that_cannot_be_sent_is_found(
    name: str, value: str, message: str, hint: str | None
) -> None:
    assert errors_of(headers=json.dumps({"X-Fine": "1", name: value})) == [("invalid-header", message, hint)]
    with pytest.raises(ConfigError) as caught:
        endpoint_of({"apiKey": "k", "headers": {name: value}})
    assert (caught.value.message, caught.value.hint) == (f"the service PICTURES: {message}", hint)


def test_a_header_of_a_service_that_is_null_is_left_out() -> None:
    assert errors_of(headers="{X-N: null}") == []
    assert endpoint_of({"apiKey": "k", "headers": {"X-N": None, "X-True": True}}).headers == {
        "Authorization": "Bearer k",
        "X-True": "true",
    }


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("http://[::1/v1", "its brackets hold no IPv6 address"),
        ("http://a:abc/v1", "its port is no number up to 65535"),
        ("http://a:70000/v1", "its port is no number up to 65535"),
        ("http://a:0/v1", "its port is no number up to 65535"),
        ("http://a..b/v1", "no host has such a name"),
        (f"http://{'a' * 64}.b/v1", "no host has such a name"),
        ("http://-ü\u200d.b/v1", "no host has such a name"),
        ("http://xn--ls8h.b/v1", "no host has such a name"),
        ("http://a\x00b/v1", "it holds a blank or a character that no address has"),
        ("http://a/v1\nx", "it holds a blank or a character that no address has"),
    ],
    ids=[
        "bracket",
        "word",
        "high port",
        "port 0",
        "empty part",
        "long part",
        "no IDNA",
        "no IDNA, encoded",
        "NUL",
        "line",
    ],
)
def test_an_endpoint_that_cannot_be_is_a_mistake_of_the_configuration(endpoint: str, message: str) -> None:
    for vendor in ("openai", "azure", "hub"):
        with pytest.raises(ConfigError) as caught:
            endpoint_of({"apiKey": "k", "endpoint": endpoint, "deploymentId": "d"}, vendor=vendor)
        assert caught.value.message.endswith(f"which is not a web address: {message}")
        assert caught.value.hint
    if endpoint.isascii() and endpoint.isprintable() and "xn--" not in endpoint:
        ((code, said, hint),) = errors_of(json.dumps(endpoint))
        assert (code, said.endswith(message), bool(hint)) == ("wrong-pattern", True, True)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://[::1]:8080/v1",
        "http://bücher.example/v1",
        "http://xn--bcher-kva.example/v1",
        "http://a_b.c./v1",
        "http://a",
    ],
)
def test_an_endpoint_that_can_be_is_taken(endpoint: str) -> None:
    assert errors_of(endpoint) == []
    assert endpoint_of({"endpoint": endpoint}).url.startswith("http://")


@pytest.mark.parametrize("version", ["1&y=2", "2024-10-21#", "a b", "2024?x"])
def test_an_api_version_that_would_be_more_than_that_is_refused(version: str) -> None:
    with pytest.raises(ConfigError, match="which is no API version"):
        endpoint_of(
            {"apiKey": "k", "endpoint": "https://a.openai.azure.com", "deploymentId": "d", "apiVersion": version},
            vendor="azure",
        )


def test_organization_and_project_are_sent_to_openai() -> None:
    own = {"organizationId": "org-1", "projectId": "proj-1"}
    sent = {"OpenAI-Organization": "org-1", "OpenAI-Project": "proj-1"}
    here = {"organizationId": "environment OPENAI_ORG_ID", "projectId": "environment OPENAI_PROJECT_ID"}
    assert endpoint_of({"apiKey": "k", **own}, here).headers == {"Authorization": "Bearer k", **sent}
    assert endpoint_of({"endpoint": OPENAI, **own}, {**here, "endpoint": "flow"}).headers == {}
    assert endpoint_of({"endpoint": OPENAI, **own}, {**here, "endpoint": "environment OPENAI_BASE_URL"}).headers == sent
    assert endpoint_of({"endpoint": OPENAI, **own}).headers == sent


def test_organization_and_project_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> bytes:
        async with tiny(plain(b"{}", "400 Bad Request")) as server:
            environ = {"OPENAI_API_KEY": "k", "OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj-1"}
            for name, value in {**environ, "OPENAI_BASE_URL": f"{server.url}/v1"}.items():
                monkeypatch.setenv(name, value)
            with pytest.raises(ServiceError):
                await flowdsl.arun(
                    "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: a lighthouse\n"
                )
            return server.heads[0]

    head = asyncio.run(run())
    assert b"\r\nOpenAI-Organization: org-1\r\n" in head
    assert b"\r\nOpenAI-Project: proj-1\r\n" in head


def refused(tmp_path: Path, body: bytes, status: str = "400 Bad Request", headers: str = "") -> ServiceError:
    async def run() -> ServiceError:
        async with tiny(plain(body, status, headers)) as server:
            with pytest.raises(ServiceError) as caught:
                await Bench(tmp_path, {"provider": "openai", "endpoint": server.url, "apiKey": "secret-key"}).arun(
                    maxRetries=1
                )
            return caught.value

    return asyncio.run(run())


PLAIN = "content-type: text/plain; charset=utf-8\r\n"


def test_a_reason_in_plain_text_is_the_vendors_reason(tmp_path: Path) -> None:
    error = refused(tmp_path, b"size must be\n a multiple of 16; your key: secret-key " + b"x" * 9000, headers=PLAIN)
    assert error.message.startswith("PICTURES refused the request (400): size must be a multiple of 16; your key: *** ")
    assert len(error.message) < 400
    assert refused(tmp_path, b"<html>no</html>", headers="content-type: text/html\r\n").message.endswith("(400)")
    unknown = refused(tmp_path, b"upstream gone", "503 Service Unavailable", PLAIN)
    assert unknown.charge_possible


def test_a_reason_in_a_list_is_the_vendors_reason(tmp_path: Path) -> None:
    error = refused(tmp_path, b'[{"error": {"code": 400, "message": "no such size"}}]')
    assert error.message == "PICTURES refused the request (400): no such size [400]"
    assert refused(tmp_path, b"[]").message == "PICTURES refused the request (400)"


def test_moderation_that_a_gateway_passes_on_is_moderation(tmp_path: Path) -> None:
    lite = {
        "message": "litellm.ContentPolicyViolationError",
        "code": "400",
        "provider_specific_fields": {"innererror": {"code": "ResponsibleAIPolicyViolation"}},
    }
    router = {
        "code": 403,
        "message": "the input was flagged",
        "metadata": {"reasons": ["violence"], "flagged_input": "a lighthouse", "provider_name": "somebody"},
    }
    error = refused(tmp_path, json.dumps({"error": lite}).encode())
    assert (type(error), error.charge_possible) == (ContentRefused, False)
    error = refused(tmp_path, json.dumps({"error": router}).encode(), "403 Forbidden")
    assert (type(error), error.charge_possible) == (ContentRefused, False)
    assert "moderation of PICTURES refused the prompt (violence)" in error.message


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("86400", "the server asks to wait 24 hours, which is longer than is waited for"),
        ("172800", "the server asks to wait 2 days, which is longer than is waited for"),
        ("600", "the server asks to wait 10 minutes, which is longer than is waited for"),
        ("121", "the server asks to wait 2 minutes, which is longer than is waited for"),
        ("1e300", "the server asks to wait for ever, which is longer than is waited for"),
        ("inf", "the server asks to wait for ever, which is longer than is waited for"),
    ],
)
def test_a_pause_that_is_too_long_is_said(asked: str, said: str, tmp_path: Path) -> None:
    error = refused(tmp_path, b"", "429 Too Many Requests", f"Retry-After: {asked}\r\n")
    assert error.hint == said


def test_a_status_of_a_redirect_is_said_once(tmp_path: Path) -> None:
    error = refused(tmp_path, b"", "307 Temporary Redirect", "location: /x\r\n")
    assert error.message == "PICTURES redirects, which is not followed (307)"


@pytest.mark.parametrize(
    "address",
    [
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "fec0::1",
        "::1",
        "::",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "fe80::1%eth0",
    ],
)
def test_an_address_that_leads_inside_is_not_public_whatever_it_is_wrapped_in(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_an_address_of_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


def test_addresses_of_the_link_are_known() -> None:
    assert all(map(is_link_local, ("169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "::169.254.169.254")))
    assert not any(map(is_link_local, ("10.0.0.1", "8.8.8.8", "2606:4700::a9fe:a9fe")))
    assert is_same_host("http://localhost:9000/x", "127.0.0.1")
    assert not is_same_host("http://10.0.0.1/x", "127.0.0.1")


@pytest.mark.parametrize("link", ["http://169.254.169.254/latest", "http://10.255.255.1/x", "http://[fe80::1]/x"])
def test_a_link_from_an_endpoint_on_this_machine_leads_nowhere_else_inside(link: str, tmp_path: Path) -> None:
    async def run() -> ServiceError:
        async with tiny(plain(json.dumps({"data": [{"url": link}]}).encode())) as server:
            with pytest.raises(ServiceError) as caught:
                async with asyncio.timeout(30):
                    await Bench(tmp_path, {"provider": "openai", "endpoint": server.url}).arun()
            return caught.value

    assert "is a private address" in asyncio.run(run()).message


@pytest.mark.parametrize("address", ["169.254.169.254", "127.0.0.1", "[::ffff:127.0.0.1]"])
def test_a_fetcher_beside_a_private_address_reaches_neither_the_link_nor_this_machine(address: str) -> None:
    async def run() -> None:
        async with open_fetcher(peers=["10.0.0.1"]) as client, asyncio.timeout(30):
            with pytest.raises(Exception, match="leads to the private address"):
                await client.get(f"http://{address}/")

    asyncio.run(run())
