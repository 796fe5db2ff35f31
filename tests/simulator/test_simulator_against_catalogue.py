"""Two accounts of the vendor's models, written apart: where both claim to know, they must agree."""

from __future__ import annotations

from datetime import date

import pytest

from flowdsl_steps.image.catalogue import catalogue
from flowdsl_steps.image.simulator.models import EVERY_PARAMETER, find_model, model_names
from flowdsl_steps.image.simulator.refusal import Refusal
from flowdsl_steps.image.simulator.validation import validated

SIZES = (
    "256x256 512x512 1024x1024 1536x1024 1024x1536 1792x1024 1024x1792 1000x1000 1920x640 1920x624 3840x2160"
    " 3856x1600 3840x3840 640x1024 624x1024"
)


def is_accepted(model: str, **parameters: object) -> bool:
    rules = find_model(model)
    assert rules is not None
    try:
        validated({"prompt": "x", **parameters}, rules, vendor="openai", asked_model=model)
    except Refusal:
        return False
    return True


@pytest.mark.parametrize("name", model_names())
def test_they_agree_on_parameters_sizes_and_life(name: str) -> None:
    rules, model = find_model(name), catalogue().find(name)
    assert rules is not None
    assert model is not None
    claims = {parameter: model.accepts(parameter, "openai") for parameter in (*EVERY_PARAMETER, "seed")}
    assert {p: p in rules.parameters for p, known in claims.items() if known is not None} == {
        p: known for p, known in claims.items() if known is not None
    }
    sizes = SIZES.split()
    assert [size for size in sizes if is_accepted(name, size=size)] == [
        size for size in sizes if model.sizes.fault(size) is None
    ]
    end = model.life("openai", date(2026, 11, 21)).shutdown
    assert end == (str(rules.shutdown["openai"]) if "openai" in rules.shutdown else None)
