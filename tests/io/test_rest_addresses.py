"""REST: addresses that lead into the network behind this machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from web_server import Web, response

import flowdsl


def refused(flow: str, **settings: Any) -> flowdsl.RunError:
    with pytest.raises(flowdsl.RunError) as caught:
        flowdsl.run(flow, environment=flowdsl.Environment(**settings))
    return caught.value


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "localhost",
        "a.localhost",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",  # noqa: S104  an address to refuse, not to listen on
        "100.64.0.1",
        "[::1]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
    ],
)
def test_a_private_address_is_refused_before_anything_is_sent(address: str) -> None:
    error = refused(f"- step: REST\n  url: 'http://{address}:9/x'\n")
    assert (type(error).__name__, error.code) == ("StepError", "private-address")
    assert str(error) == f"GET http://{address}:9/x is not sent: {address.strip('[]')} is a private address"
    assert error.hint == ("`--private-addresses`, or the host's Limits(private_addresses=True), allows it")


@pytest.mark.parametrize(
    "address", ["2130706433", "0x7f.1", "127.1", "127.0.0.1.", "①②⑦.0.0.1", "LOCALHOST", "ｌocalhost"]
)
def test_no_spelling_of_this_machine_gets_through(address: str) -> None:
    with Web(response(b"inside")) as web:
        refused(f"- step: REST\n  url: 'http://{address}:{web.port}/'\n  maxRetries: 0\n")
        assert web.seen == []


def test_the_host_allows_private_addresses() -> None:
    with Web(response(b"inside")) as web:
        environment = flowdsl.Environment(limits=flowdsl.Limits(private_addresses=True))
        result = flowdsl.run(f"- step: REST\n  url: {web.url}\n", environment=environment)
    assert result.context == {"text": "inside"}


def test_a_settings_file_forbids_private_addresses_and_never_allows_them(tmp_path: Path) -> None:
    flow, settings = tmp_path / "a.flow.yaml", tmp_path / "flowdsl.toml"
    allowing = flowdsl.Environment(limits=flowdsl.Limits(private_addresses=True))
    fixed = flowdsl.Limits(private_addresses=True, fixed=frozenset({"private_addresses"}))
    with Web(response(b"inside")) as web:
        flow.write_text(f"- step: REST\n  url: {web.url}\n")
        settings.write_text("private_addresses = true\n")
        assert [(found.code, str(found.span)) for found in flowdsl.check(flow)] == [
            ("no-effect", f"{os.path.relpath(settings)}:1:1")
        ]
        with pytest.raises(flowdsl.StepError):
            flowdsl.run(flow)
        settings.write_text("private_addresses = false\n")
        with pytest.raises(flowdsl.StepError):
            flowdsl.run(flow, environment=allowing)
        assert web.seen == []
        for environment in (flowdsl.Environment(limits=fixed), _reading_no_file(allowing)):
            assert flowdsl.run(flow, environment=environment).context == {"text": "inside"}


def _reading_no_file(environment: flowdsl.Environment) -> flowdsl.Environment:
    return flowdsl.Environment(limits=environment.limits, settings=None)


def test_the_settings_file_says_true_or_false(tmp_path: Path) -> None:
    flow = tmp_path / "a.flow.yaml"
    flow.write_text("- step: SET\n  a: 1\n")
    (tmp_path / "flowdsl.toml").write_text('private_addresses = "yes"\n')
    with pytest.raises(flowdsl.UsageError) as caught:
        flowdsl.check(flow)
    assert "flowdsl.toml:1:21: error: private_addresses must be true or false" in str(caught.value)


class Names:
    """Responds to lookups of one name with these addresses, one list a lookup; counts them."""

    def __init__(self, name: str, *responses: list[str]) -> None:
        self.name = name
        self.responses = list(responses)
        self.lookups = 0
        self._system = socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != self.name:
            return self._system(host, port, *rest, **more)
        self.lookups += 1
        found = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port or 0)) for address in found]


def test_a_name_is_refused_when_one_of_its_addresses_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names("pictures.example", ["8.8.8.8", "127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", names)
    with Web(response(b"inside")) as web:
        error = refused(f"- step: REST\n  url: http://pictures.example:{web.port}/x\n")
        assert web.seen == []
    assert error.code == "private-address"
    assert str(error) == (
        f"GET http://pictures.example:{web.port}/x is not sent: pictures.example leads to the private address 127.0.0.1"
    )


def test_a_name_that_changes_its_mind_after_it_was_checked_gets_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names("pictures.example", ["8.8.8.8"], ["127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", names)
    with Web(response(b"inside")) as web:
        refused(f"- step: REST\n  url: http://pictures.example:{web.port}/\n  maxRetries: 0\n  timeoutMs: 1000\n")
        assert (web.seen, names.lookups) == ([], 1)


def test_a_redirect_does_not_lead_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    from flowdsl_steps.http import public_network

    public = public_network.is_public
    # The first hop has to be on this machine in a test, so this one port's address counts as public.
    monkeypatch.setattr(public_network, "is_public", lambda address: address == "127.0.0.1" or public(address))
    with Web(response(b"", "302 Found", "location: http://169.254.169.254/latest/meta-data\r\n")) as web:
        error = refused(f"- step: REST\n  url: {web.url}\n")
    assert str(error) == (
        "GET http://169.254.169.254/latest/meta-data is not sent: 169.254.169.254 is a private address"
    )


def test_a_name_that_a_proxy_would_resolve_is_checked_here_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names("inside.example", ["10.0.0.7"]))
    with Web(response(b"by proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        error = refused("- step: REST\n  url: http://inside.example/\n")
        assert proxy.seen == []
        assert str(error) == "GET http://inside.example/ is not sent: inside.example leads to a private address"
        result = flowdsl.run("- step: REST\n  url: http://outside.invalid/x\n")
        assert (result.context["text"], proxy.seen[0].target) == ("by proxy", "http://outside.invalid/x")


@pytest.mark.parametrize(
    "target", ["/img?sig=a%2Fb&t=00%3A00", "/a%27b%2Ec.png", "/a'b.c?x=%20+%7e", "/%C3%A9%2f?q=%c3%a9"]
)
def test_an_address_that_is_encoded_already_goes_out_as_it_came(target: str) -> None:
    with Web(response(b"ok")) as web:
        limits = flowdsl.Limits(private_addresses=True)
        flow = f'- step: REST\n  url: "{web.url}{target}"\n'
        flowdsl.run(flow, environment=flowdsl.Environment(limits=limits))
        flowdsl.run(f"{flow}  parameters: {{more: 1}}\n", environment=flowdsl.Environment(limits=limits))
    more = f"{target}{'&' if '?' in target else '?'}more=1"
    assert [seen.target for seen in web.seen] == [target, more]
