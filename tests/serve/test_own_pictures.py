"""The address of a picture that a gateway has given out is taken where a picture is wanted: the store is read, and the
gateway asks nobody, least of all itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateways import FOR_AGENTS, SMALL, Running, running_gateway

from flowdsl.serve.pictures import Pictures

EDIT = """\
inputs: {picture: {type: string}}
flow:
  - {step: OPENAI_IMAGE_EDIT, model: gpt-image-2, quality: low, instruction: A kite, images: "{{ inputs.picture }}"}
outputs: {pictures: "{{ flowContext.imageList }}"}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that serves a flow which edits a picture."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "edit.flow.yaml").write_text(EDIT, encoding="utf-8")
    settings = '[serve]\nflows = ["edit.flow.yaml"]\npublic_url = "https://pictures.example.com/shop"\n'
    with running_gateway(folder, settings) as found:
        yield found


@pytest.fixture(scope="module")
def address(gateway: Running) -> str:
    """The address of a picture that a client got by it."""
    found = gateway.post({**SMALL, "prompt": "A kite", "response_format": "url"})
    return str(found.json()["data"][0]["url"])


def signed(gateway: Running, name: str, age_s: float = 0.0, base: str = "") -> str:
    """The address that a picture of this name had been given so long ago."""
    then = Pictures(gateway.folder, gateway.folder / "state", clock=lambda: time.time() - age_s)
    return then.address_of(name, base or gateway.url)


def edited(gateway: Running, link: str) -> Any:
    """The response to an edit of the picture at an address."""
    return gateway.post({**SMALL, "prompt": "Bluer", "images": [{"image_url": link}]}, "/v1/images/edits")


def test_a_picture_that_came_by_address_is_edited_by_it(gateway: Running, address: str) -> None:
    assert address.startswith("https://pictures.example.com/shop/pictures/")
    for link in (address, address.replace("https://pictures.example.com/shop", gateway.url)):
        found = edited(gateway, link)
        assert found.status_code == 200, found.text
    assert gateway.simulator.requests[-1].path == "/v1/images/edits"
    assert not any("/pictures/" in line for line in gateway.log)  # it asks itself for nothing


def test_a_flow_takes_a_picture_by_its_address(gateway: Running, address: str) -> None:
    found = gateway.post({"inputs": {"picture": address}}, "/flows/edit/runs")
    assert found.status_code == 200, found.text


@pytest.mark.long
@FOR_AGENTS
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_hands_on_a_picture_by_its_address(gateway: Running, address: str, mode: Any) -> None:
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async def called() -> Any:
        async with Client(streamable_http_client(f"{gateway.url}/mcp"), mode=mode) as agent:
            return await agent.call_tool("edit", {"picture": address})

    result = asyncio.run(called())
    assert not result.is_error, result


@pytest.mark.parametrize("how", ["edit", "flow"])
@pytest.mark.parametrize(
    "age_s, name, said",
    [
        (4000, None, "its address is over: addresses are good for an hour"),
        (0, f"{'0' * 64}.png", "there is no such picture any more"),
    ],
    ids=["over", "gone"],
)
def test_an_address_that_gives_no_picture_any_more_is_told_so(
    gateway: Running, address: str, how: str, age_s: float, name: str | None, said: str
) -> None:
    before = gateway.bought
    link = signed(gateway, name or address.rpartition("/")[2], age_s)
    inputs = {"inputs": {"picture": link}}
    found = edited(gateway, link) if how == "edit" else gateway.post(inputs, "/flows/edit/runs")
    error = found.json()["error"]
    assert (found.status_code, error["code"]) == (400, "invalid_image_url") and error["message"].endswith(said)
    assert gateway.bought == before


@pytest.mark.parametrize("base", ["", "https://pictures.example.com/shop"])
def test_an_address_that_nobody_has_signed_opens_no_picture(gateway: Running, address: str, base: str) -> None:
    link = signed(gateway, address.rpartition("/")[2], base=base)
    begin, middle, end = link.partition("/pictures/")
    forged = f"{begin}{middle}{'0' * 40}{end[40:]}"
    found = edited(gateway, forged)
    assert (found.status_code, found.json()["error"]["code"]) == (400, "invalid_image_url"), found.text


def test_no_path_of_the_store_is_an_address(gateway: Running, address: str, tmp_path: Path) -> None:
    name = address.rpartition("/")[2]
    for link in (f"/pictures/{name}", f"file:///pictures/{name}", str(gateway.folder / "pictures" / name)):
        assert edited(gateway, link).status_code == 400
