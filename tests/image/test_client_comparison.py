"""The catalogue beside the official client that is installed: nothing differs that is not explained, and what is new is
found with the entry to write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowdsl.cli import main
from flowdsl_steps.image.catalogue import SHIPPED, catalogue, catalogue_in, use_catalogue
from flowdsl_steps.image.client_comparison import Client, differences, installed_client


@pytest.fixture(autouse=True)
def shipped() -> Iterator[None]:
    """The facts that come along, in place of those that tests stand on."""
    from flowdsl_steps.image import catalogue as module

    before = module._in_force
    use_catalogue(SHIPPED)
    yield
    use_catalogue(before)


def test_nothing_differs_from_the_installed_client_that_is_not_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--compare", "openai"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing differs that is not explained"


def test_every_explanation_is_of_something_that_differs() -> None:
    found = {each.key for each in differences(installed_client(), catalogue())}
    assert set(catalogue().facts["generic"]["explained"]) == found


def test_what_a_newer_client_has_is_found_with_the_entry_to_write() -> None:
    old = installed_client()
    parameters = {
        **old.parameters,
        "lighting": frozenset(),
        "quality": old.parameters["quality"] | {"ultra"},
        "background": frozenset({"opaque"}),
    }
    newer = Client("9.0", old.models - {"gpt-image-1"} | {"gpt-image-2.7-flare"}, parameters)
    known = catalogue_in(SHIPPED)
    explained = set(known.facts["generic"]["explained"])
    found = [each for each in differences(newer, known) if each.key not in explained]
    assert [each.key for each in found] == [
        "model gpt-image-2.7-flare",
        "model gpt-image-1",
        "lighting",
        "background auto",
        "background transparent",
        "quality ultra",
    ]
    assert found[0].text == "the client has the model `gpt-image-2.7-flare`, which the catalogue lacks"
    assert found[0].entry.startswith('[models."gpt-image-2.7-flare"] like = "gpt-image-2.6-flare" in flowdsl.toml')


def test_a_vendor_without_a_client_is_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--compare", "hub"]) == 2
    assert "there is no client of a provider `hub` to compare with" in capsys.readouterr().err
