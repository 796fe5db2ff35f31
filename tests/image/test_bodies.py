"""Every request that a valid configuration makes is taken by the simulator's own rules for its model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from image_bench import Ground, built_for

from flowdsl.step.rules import Options
from flowdsl.step.service import Service
from flowdsl.step.step import spec_of
from flowdsl_steps.image.azure_openai_image_generation import AzureOpenAIImageGeneration
from flowdsl_steps.image.hub_image_generation import HubImageGeneration
from flowdsl_steps.image.openai_image_generation import OpenAIImageGeneration
from flowdsl_steps.image.options import ImageOptions
from flowdsl_steps.image.simulator.models import find_model, model_names
from flowdsl_steps.image.simulator.validation import validated

HOST = "http://127.0.0.1:9"
FORMS: dict[str, tuple[type[ImageOptions], dict[str, Any]]] = {
    "openai": (OpenAIImageGeneration, {"provider": "openai", "endpoint": f"{HOST}/v1", "apiKey": "k"}),
    "hub": (HubImageGeneration, {"provider": "hub", "endpoint": f"{HOST}/v1", "apiKey": "k", "target": "t"}),
    "azure v1": (AzureOpenAIImageGeneration, {"provider": "azure", "endpoint": HOST, "apiKey": "k"}),
    "azure deployments": (
        AzureOpenAIImageGeneration,
        {"provider": "azure", "endpoint": HOST, "apiKey": "k", "apiVersion": "2025-04-01-preview"},
    ),
}
SIZES = ["auto", "256x256", "512x512", "1024x1024", "1536x1024", "1792x1024", "1024x1792", "2048x2048", "3840x2160"]
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "instruction": st.sampled_from(["a boat", "a" * 1000, "b" * 1001, "c" * 4001]),
    "size": st.sampled_from([*SIZES, "1000x1000", "4096x4096", "640x640", "big"]),
    "quality": st.sampled_from(["auto", "low", "medium", "high", "xhigh", "max", "standard", "hd", "best"]),
    "n": st.integers(1, 10),
    "style": st.sampled_from(["natural", "vivid"]),
    "response_format": st.sampled_from(["url", "b64_json"]),
    "output_format": st.sampled_from(["png", "jpeg", "webp", "gif", "svg"]),
    "background": st.sampled_from(["transparent", "opaque", "auto"]),
    "seed": st.integers(0, 9),
    "user": st.just("u1"),
    "moderation": st.sampled_from(["low", "auto"]),
    "output_compression": st.integers(0, 100),
    "stream": st.booleans(),
    "partial_images": st.integers(0, 3),
    "complexity": st.sampled_from(["low", "medium", "high"]),
    "safety_identifier": st.just("s1"),
    "frame_count": st.integers(2, 16),
    "svg": st.sampled_from([{"model": "writer"}, {"reasoning": "low"}, {"model": "writer", "depth": 1}]),
    "frame_duration_ms": st.integers(1, 999),
}
counted = {"accepted": 0, "refused": 0}


@pytest.mark.long
@example("hub", "gpt-image-2.6-flare", {"size": "256x256", "output_format": "gif"})
@example("hub", "gpt-image-2.6-flare", {"output_format": "gif", "background": "transparent"})
@example("openai", "gpt-image-2.6-flare", {"size": "2048x2048", "output_format": "gif", "frame_count": 16})
@settings(max_examples=1500, deadline=None)
@given(
    form=st.sampled_from(sorted(FORMS)),
    model=st.sampled_from(sorted(model_names())),
    options=st.fixed_dictionaries({}, optional=OPTIONS),
)
def test_what_the_check_lets_pass_the_vendor_accepts(form: str, model: str, options: dict[str, Any]) -> None:
    cls, entry = FORMS[form]
    limits = {"limits": "api"} if options.get("n", 1) > 4 else {}
    service = Service("PICTURES", {**entry, **limits, **({"deploymentId": model} if "azure" in form else {})})
    given_options = {"instruction": "a boat", **options, "model": model}
    spec = spec_of(cls)
    problems = list(spec.problems(Options(spec.name, given_options, spec.defaults, service, reads_text=False)))
    # `unverified-option` says that nobody knows whether the model takes it: the check vouches for nothing there.
    if any(problem.severity == "error" or problem.code == "unverified-option" for problem in problems):
        counted["refused"] += 1
        return
    counted["accepted"] += 1
    step = cls.model_validate(given_options)
    ground = Ground(cls, Path("unused"), service, given_options)
    built = built_for(step, ground)
    assert "seed" not in built.body
    assert sum(built.counts) == options.get("n", 1)
    assert ("model" in built.body) is (form != "azure deployments")
    rules = find_model(model)
    assert rules is not None
    for body in built.bodies:
        validated(body, rules, vendor="azure" if "azure" in form else "openai", asked_model=model)


@pytest.mark.long
def test_the_cases_above_are_of_both_kinds() -> None:
    if not any(counted.values()):  # in another process than the test above
        test_what_the_check_lets_pass_the_vendor_accepts()
    assert counted["accepted"] > 100
    assert counted["refused"] > 100
