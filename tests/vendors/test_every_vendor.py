"""What every vendor keeps, asked of its fake."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fake_vendor import Fake, running
from image_bench import Bench
from vendor_bench import STEPS, bought, flow_of, printed, told
from vendor_cases import CASES, Case

from flowdsl.errors import ContentRefused
from flowdsl_steps.image.catalogue.offer import Offer, offer_of
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.options import ImageOptions
from flowdsl_steps.image.vendors import vendor_named


class Running(NamedTuple):
    """A vendor whose fake runs."""

    name: str
    case: Case
    fake: Fake

    def entry(self, **settings: Any) -> dict[str, Any]:
        """A service entry that reaches the fake."""
        case = self.case
        return {"provider": self.name, "endpoint": self.fake.url, **case.entry, **case.more(self.fake), **settings}


@pytest.fixture(params=sorted(CASES))
def vendor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    case = CASES[request.param]
    monkeypatch.setattr(f"flowdsl_steps.image.vendors.{request.param}._PAUSE_S", 0.0, raising=False)  # between polls
    with running(case.fake()) as fake:
        yield Running(request.param, case, fake)


@pytest.mark.parametrize("step", STEPS)
def test_each_image_step_draws_with_it(step: type[ImageOptions], vendor: Running, tmp_path: Path) -> None:
    found = Bench(tmp_path, vendor.entry()).run(step, model=None)
    assert [(image.width, image.height) for image in found["imageList"]] == [(61, 43)]
    assert found["object"]["finishReason"] == "stop"


@pytest.mark.long
def test_what_is_refused_for_now_is_sent_again(vendor: Running, tmp_path: Path) -> None:
    about = bought(tmp_path, vendor.entry(), instruction="a busy street", maxRetries=1)["object"]
    assert about["attemptCount"] == 2
    assert vendor.fake.times("busy") == 2


def test_moderation_is_told_with_its_code_and_never_sent_again(vendor: Running, tmp_path: Path) -> None:
    if vendor.case.moderation is None:
        assert bought(tmp_path, vendor.entry(), instruction="nothing is forbidden here")["imageList"]
        return
    with pytest.raises(ContentRefused) as caught:
        bought(tmp_path, vendor.entry(), instruction="something forbidden", maxRetries=2)
    assert caught.value.vendor_code == vendor.case.moderation
    assert vendor.fake.times("forbidden") == 1


@pytest.mark.long
def test_no_secret_of_it_is_shown(vendor: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = flow_of(vendor.entry())
    shown = "".join(
        "".join(printed(tmp_path, capsys, text, *arguments))
        for arguments in (
            ("run", "--json", "--out", str(tmp_path / "out")),
            ("run", "--out", str(tmp_path / "out")),
            ("validate", "--env"),
            ("explain",),
        )
    )
    shown += "".join(path.read_text("utf-8", "replace") for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert vendor.case.secrets or vendor.name in ("localai", "ollama")
    assert [secret for secret in vendor.case.secrets if secret in shown] == []
    assert len(vendor.fake.asked) >= 2


@pytest.mark.long
def test_the_simulator_draws_for_it_without_a_key(
    vendor: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"provider": vendor.name, "model": vendor.case.entry["model"]}
    out, _ = printed(tmp_path, capsys, flow_of(entry), "run", "--simulate", "--json", "--out", str(tmp_path / "out"))
    assert len(json.loads(out)["imageList"]) == 1
    assert vendor.fake.asked == []


def test_a_size_it_does_not_take_is_an_error_with_one_that_it_takes(vendor: Running) -> None:
    if vendor.case.wrong_size is None:
        assert [code for code, *_ in told(vendor.entry(), size="1024x1024")] == ["unsupported-parameter"]
        return
    size, hint = vendor.case.wrong_size
    [(code, severity, message, found)] = told(vendor.entry(), size=size)
    assert (code, severity) == ("unsupported-value", "error")
    assert size in message
    assert found is not None
    assert found.startswith(hint)


def test_no_variable_of_another_vendor_gives_it_a_key(vendor: Running) -> None:
    variables = {name for names in vendor_named(vendor.name).environment.values() for name in names}
    others = [name for name in CASES if name != vendor.name]
    taken = {name for other in others for names in vendor_named(other).environment.values() for name in names}
    keys = {name for name in variables & taken if "KEY" in name or "TOKEN" in name}
    assert keys == set()


CHECK = """
import sys
import flowdsl
found = flowdsl.check('''
services:
  AZURE_OPENAI_IMAGE_GENERATION: {endpoint: "https://a.openai.azure.com", deploymentId: d, model: gpt-image-2}
flow:
  - step: AZURE_OPENAI_IMAGE_GENERATION
    instruction: a boat
''')
assert found == [], found
print(sorted(name.rpartition(".")[2] for name in sys.modules if ".image.vendors." in name))
import flowdsl.services
assert "credentials" in flowdsl.services.all_settings()
print([name for name in HEAVY if name in sys.modules])
"""
HEAVY = ("asyncio", "botocore", "google.auth", "httpx", "pydantic", "ssl")


def test_a_check_imports_the_vendors_that_it_needs_and_nothing_that_sends() -> None:
    code = CHECK.replace("HEAVY", str(HEAVY))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "['azure', 'openai']\n[]\n", done.stderr


def test_a_setting_of_another_vendor_is_told_to_do_nothing() -> None:
    home = {"provider": "gemini", "apiKey": "k", "model": "gemini-3-pro-image", "region": "us-west-2"}
    assert told(home) == [
        ("no-effect", "warning", "`region` is a setting of bedrock, and does nothing for gemini", "remove it")
    ]
    azure = {"endpoint": "https://a.example", "apiKey": "k", "apiVersion": "v1", "model": "gpt-image-2"}
    assert told({"provider": "openai", "protocol": "azure", **azure, "deploymentId": "d"}) == []
    assert "no-effect" in [code for code, *_ in told({"provider": "openai", **azure})]
    assert "no-effect" not in [code for code, *_ in told(azure)]  # the step says whose entry it is


OFFERS = {name: offer_of(name) for name in CASES if isinstance(vendor_named(name), Offering)}


@pytest.mark.parametrize("name", sorted(OFFERS))
def test_a_catalogue_file_is_whole(name: str) -> None:
    offer: Offer = OFFERS[name]
    day = date.fromisoformat(offer.as_of)
    alive = offer.alive(day)
    used = {tag for model in offer.models for tag in model.sources}
    assert used == set(offer.sources)
    for model in offer.models:
        life = model.life(day)
        assert life.replacement is None or life.replacement in alive, model
        assert life.state != "dead" or life.replacement is not None, model
        assert model.sources, model
        if model.sizes is not None:
            assert model.sizes.fault(model.sizes.default) is None, model
            for size in model.sizes.values:
                price = model.price(size)
                assert price is None or 0 <= price[0] <= price[1], (model, size)
                assert price is not None or model.price() is None, (model, size)
        for option in model.options.values():
            assert option.default is None or option.default in option.values, model
