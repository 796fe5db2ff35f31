from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from flowdsl.step.problem import Problem
from flowdsl.step.rules import UNKNOWN, Options
from flowdsl.step.service import Service
from flowdsl_steps.image.capabilities import check_image
from flowdsl_steps.image.catalogue import catalogue
from flowdsl_steps.image.hosts import host_of

DAY = date(2026, 11, 21)
DEFAULTS = {"model": "dall-e-3", "n": 1, "timeoutMs": 60000, "maxRetries": 2, "outputKey": "imageList"}
GATEWAY = {"endpoint": "http://localhost:8080/v1"}
FLEXIBLE = (
    "WIDTHxHEIGHT with both a multiple of 16, no edge above 3840, at most 3:1, and 655,360 to 8,294,400 pixels, or auto"
)


def problems(
    given: dict[str, Any],
    service: dict[str, Any] | None = None,
    step: str = "OPENAI_IMAGE_GENERATION",
    as_of: date = DAY,
    reads_text: bool | None = None,
) -> list[Problem]:
    """What is said of options; what would correct it is looked at by a test of its own."""
    entry = None if service is None else Service("pictures", service)
    found = check_image(Options(step, given, DEFAULTS, entry, as_of, reads_text))
    return [problem._replace(fixes=()) for problem in found]


def azure(given: dict[str, Any], service: dict[str, Any] | None = None) -> list[Problem]:
    return problems(given, service, step="AZURE_OPENAI_IMAGE_GENERATION")


def only(found: list[Problem]) -> Problem:
    assert len(found) == 1, found
    return found[0]


def shown(found: list[Problem]) -> list[tuple[str, str, str | None]]:
    return [(each.severity, each.code, each.key) for each in found]


def test_a_retired_default_is_one_error_and_says_that_it_is_the_default() -> None:
    assert problems({"n": 2, "size": "1024x1024"}) == [
        Problem(
            "retired-model",
            "the step's default model `dall-e-3` was shut down by OpenAI on 2026-05-12",
            hint="set `model: gpt-image-2.5-sunburst`",
        )
    ]


def test_a_retired_model_comes_with_its_options_in_the_terms_of_the_replacement() -> None:
    given = {"model": "dall-e-3", "quality": "hd", "style": "vivid", "response_format": "url", "size": "1792x1024"}
    assert problems(given) == [
        Problem(
            "retired-model",
            "`dall-e-3` was shut down by OpenAI on 2026-05-12",
            key="model",
            hint="set `model: gpt-image-2.5-sunburst`, `quality: high` for `hd`, the style as words in the prompt "
            "instead of `style`, without `response_format`",
        )
    ]


def test_a_retired_model_with_a_size_that_is_gone_gets_the_nearest_size() -> None:
    found = only(problems({"model": "dall-e-2", "size": "512x512", "quality": "standard"}))
    assert found.hint == (
        "set `model: gpt-image-2.5-flare`, `quality: medium` for `standard`, `size: 1024x1024` for `512x512`"
    )


def test_a_retired_model_behind_a_gateway_is_a_warning() -> None:
    assert problems({"model": "dall-e-3"}, GATEWAY) == [
        Problem(
            "retired-model",
            "`dall-e-3` was shut down by OpenAI on 2026-05-12; this endpoint may still serve it",
            key="model",
            hint="if it does not, set `model: gpt-image-2.5-sunburst`",
            severity="warning",
        )
    ]


def test_a_retired_model_of_the_service_is_reported_at_the_step() -> None:
    found = only(problems({}, {"model": "gpt-image-1"}))
    assert (found.code, found.key) == ("retired-model", None)
    assert found.message == "the model `gpt-image-1` of service `pictures` was shut down by OpenAI on 2026-10-23"
    assert found.hint == "set the service's `model: gpt-image-2.5-sunburst`"


def test_a_hub_is_a_gateway() -> None:
    assert shown(problems({}, step="HUB_IMAGE_GENERATION")) == [("warning", "retired-model", None)]
    assert shown(problems({}, {"provider": "hub"})) == [("warning", "retired-model", None)]


@pytest.mark.parametrize(
    ("endpoint", "severity"),
    [
        (None, "error"),
        ("https://api.openai.com/v1", "error"),
        ("https://API.openai.com:443/v1", "error"),
        ("https://eu.api.openai.com/v1", "error"),
        ("https://api.openai.com.example.org/v1", "warning"),
        ("https://example.org/api.openai.com", "warning"),
        (UNKNOWN, "warning"),
    ],
)
def test_only_the_vendors_own_endpoint_makes_it_an_error(endpoint: Any, severity: str) -> None:
    service = {"endpoint": endpoint, "apiKey": "its own"}
    assert only(problems({"model": "dall-e-3"}, service)).severity == severity


def test_a_model_is_checked_on_the_day_that_is_asked_for() -> None:
    assert problems({"model": "dall-e-3"}, as_of=date(2026, 2, 10)) == []
    assert shown(problems({"model": "dall-e-3"}, as_of=date(2026, 2, 11))) == [("warning", "retiring-model", "model")]
    assert shown(problems({"model": "dall-e-3"}, as_of=date(2026, 5, 12))) == [("error", "retired-model", "model")]


def test_a_model_whose_end_is_near_is_a_warning_with_the_days_left() -> None:
    assert problems({"model": "gpt-image-1.5"}) == [
        Problem(
            "retiring-model",
            "`gpt-image-1.5` will be shut down by OpenAI on 2026-12-01, in 10 days",
            key="model",
            hint="before that day, set `model: gpt-image-2.5-sunburst`",
            severity="warning",
        )
    ]
    last = only(problems({"model": "gpt-image-1.5"}, as_of=date(2026, 11, 30)))
    assert last.message == "`gpt-image-1.5` will be shut down by OpenAI on 2026-12-01, in 1 day"
    assert shown(problems({"model": "gpt-image-1.5"}, GATEWAY)) == [("note", "retiring-model", "model")]


def test_a_likely_misspelling_of_the_model_name_is_a_warning_with_the_name_that_was_meant() -> None:
    assert problems({"model": "gpt-image2"}) == [
        Problem(
            "unknown-model",
            "`gpt-image2` is not a known image model: only general rules are checked",
            key="model",
            hint="did you mean `gpt-image-2`?",
            severity="warning",
        )
    ]


def test_an_unknown_model_is_checked_by_general_rules() -> None:
    found = problems({"model": "flux-dev", "quality": "bogus", "size": "big", "style": "vivid", "n": 3}, GATEWAY)
    assert found == [
        Problem(
            "unknown-model",
            "`flux-dev` is not a known image model: only general rules are checked",
            key="model",
            severity="note",
        ),
        Problem(
            "unsupported-value", "no known image model accepts `bogus` as `quality`", key="quality", severity="warning"
        ),
        Problem(
            "unsupported-value",
            "no known image model accepts the size `big`: it is neither WIDTHxHEIGHT nor auto",
            key="size",
            severity="warning",
        ),
    ]


def test_an_unknown_model_at_the_vendor_is_reported_with_the_living() -> None:
    assert only(problems({"model": "imagen-9"})).hint == (
        "known and alive: `gpt-image-2.6-sunburst`, `gpt-image-2.6-flare`, `gpt-image-2.5-sunburst`"
    )


def test_a_living_model_and_its_snapshot_are_silent() -> None:
    for name in ("gpt-image-2", "gpt-image-2-2026-04-21", "gpt-image-2.5-flare", "gpt-image-2.6-sunburst"):
        assert problems({"model": name, "instruction": "a cat", "size": "1536x864", "quality": "medium", "n": 4}) == []


def test_what_a_template_decides_is_skipped() -> None:
    keys = ("model", "size", "quality", "style", "seed", "n", "output_compression", "background", "user")
    assert problems(dict.fromkeys(keys, UNKNOWN)) == []
    assert problems({"model": "gpt-image-2", **dict.fromkeys(keys[1:], UNKNOWN)}) == []
    assert problems({"model": "gpt-image-2", "output_format": UNKNOWN, "output_compression": 50}) == []


def test_on_azure_the_deployment_decides_when_it_names_a_model() -> None:
    assert azure({}, {"deploymentId": "gpt-image-2", "endpoint": "https://x.openai.azure.com"}) == []
    found = only(azure({}, {"deploymentId": "gpt-image-1.5"}))
    assert found.message == (
        "the deployment `gpt-image-1.5` of service `pictures` will be shut down by Azure OpenAI on 2026-12-16, "
        "in 25 days"
    )
    assert found.hint == "before that day, name a deployment of `gpt-image-2` in the service's `deploymentId`"


def test_on_azure_a_deployment_of_another_name_is_a_note() -> None:
    assert azure({"quality": "hd", "style": "vivid"}, {"deploymentId": "prod-images"}) == [
        Problem(
            "unknown-model",
            "the deployment `prod-images` does not say which model is behind it: only general rules are checked",
            hint="add `model:` with the model's name to the step or to service `pictures`",
            severity="note",
        )
    ]


def test_on_azure_an_explicit_model_labels_the_deployment() -> None:
    assert azure({"model": "gpt-image-2"}, {"deploymentId": "prod-images"}) == []
    assert azure({}, {"deploymentId": "prod-images", "model": "gpt-image-2"}) == []
    assert azure({}, {"deploymentId": UNKNOWN}) == []


def test_on_azure_the_default_is_checked_when_nothing_else_names_a_model() -> None:
    found = only(azure({}))
    assert found.message == "the step's default model `dall-e-3` was shut down by Azure OpenAI on 2026-03-04"
    assert (
        found.hint == "name a deployment of `gpt-image-2` in the service's `deploymentId` and set `model: gpt-image-2`"
    )


def test_on_azure_another_host_is_a_gateway() -> None:
    found = only(azure({"model": "dall-e-3"}, {"endpoint": "https://apim.example.org/openai", "apiKey": "k"}))
    assert (found.code, found.severity) == ("retired-model", "warning")


def test_an_openai_step_that_points_at_azure_is_checked_by_azures_days() -> None:
    service = {"endpoint": "https://x.services.ai.azure.com/openai/v1"}
    assert problems({"model": "gpt-image-1-mini"}, service) == []
    assert shown(problems({"model": "gpt-image-1-mini"})) == [("warning", "retiring-model", "model")]


def test_azure_makes_no_webp() -> None:
    assert azure({"model": "gpt-image-2", "output_format": "webp"}) == [
        Problem(
            "unsupported-value",
            "Azure OpenAI does not accept `webp` as `output_format`",
            key="output_format",
            hint="use `png` or `jpeg`",
        )
    ]
    assert problems({"model": "gpt-image-2", "output_format": "webp"}) == []


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("2024-10-21", True),
        ("2024-10-01-preview", True),
        ("2025-04-01-preview", False),
        ("2025-06-01", False),
        ("preview", False),
        ("v1", False),
        (UNKNOWN, False),
    ],
)
def test_an_azure_api_version_from_before_the_gpt_image_models_is_a_warning(version: Any, old: bool) -> None:
    found = azure({"model": "gpt-image-2"}, {"apiVersion": version})
    expected = Problem(
        "old-api-version",
        f"the API version `{version}` is older than `gpt-image-2` and does not know it",
        hint="set the service's `apiVersion` to `2025-04-01-preview` or later, or to `preview`",
        severity="warning",
    )
    assert found == ([expected] if old else [])


def test_a_size_that_is_off_by_a_few_pixels_gets_the_nearest_sizes() -> None:
    assert problems({"model": "gpt-image-2", "size": "1792x936"}) == [
        Problem(
            "unsupported-value",
            "`gpt-image-2` does not accept the size `1792x936`: 936 is no multiple of 16",
            key="size",
            hint=f"use `1792x944` or `1792x928`; supported: {FLEXIBLE}",
        )
    ]


def test_a_size_outside_a_list_gets_the_list() -> None:
    found = problems({"model": "gpt-image-1-mini", "size": "1792x1024"}, as_of=date(2026, 6, 1))
    assert found == [
        Problem(
            "unsupported-value",
            "`gpt-image-1-mini` does not accept the size `1792x1024`: it is none of the model's sizes",
            key="size",
            hint="use `1536x1024`; supported: 1024x1024, 1536x1024, 1024x1536, or auto",
        )
    ]


def test_a_very_large_size_is_a_note() -> None:
    found = only(problems({"model": "gpt-image-2", "size": "3840x2160", "timeoutMs": 180000}))
    assert found.message == "`3840x2160` is above 2560x1440 pixels, which the vendor calls experimental"
    assert problems({"model": "gpt-image-2", "size": "2560x1440"}) == []


@pytest.mark.parametrize(
    ("name", "quality", "hint"),
    [
        ("gpt-image-2", "hd", "use `high`; supported: `low`, `medium`, `high` or `auto`"),
        ("gpt-image-2", "standard", "use `medium`; supported: `low`, `medium`, `high` or `auto`"),
        ("gpt-image-2", "xhigh", "use `high`; supported: `low`, `medium`, `high` or `auto`"),
        ("gpt-image-2", "best", "supported: `low`, `medium`, `high` or `auto`"),
        (
            "gpt-image-2.5-flare",
            "hd",
            "use `high`; supported: `low`, `medium`, `high`, `xhigh`, `max` or `auto`",
        ),
    ],
)
def test_a_quality_the_model_does_not_have_gets_the_nearest(name: str, quality: str, hint: str) -> None:
    message = f"`{name}` does not accept `{quality}` as `quality`"
    assert problems({"model": name, "quality": quality}) == [
        Problem("unsupported-value", message, key="quality", hint=hint)
    ]


def test_dall_e_3_behind_a_gateway_is_checked_by_its_own_rules() -> None:
    found = problems({"model": "dall-e-3", "quality": "high", "size": "1024x1536", "n": 2}, GATEWAY)
    assert [(each.code, each.key, each.message, each.hint) for each in found[1:]] == [
        (
            "unsupported-value",
            "size",
            "`dall-e-3` does not accept the size `1024x1536`: it is none of the model's sizes",
            "use `1024x1792`; supported: 1024x1024, 1792x1024, 1024x1792",
        ),
        (
            "unsupported-value",
            "quality",
            "`dall-e-3` does not accept `high` as `quality`",
            "use `hd`; supported: `standard` or `hd`",
        ),
        ("fan-out", "n", "`n: 2` is sent as 2 requests of one image: `dall-e-3` accepts no more in one", None),
    ]


def test_a_style_belongs_into_the_prompt() -> None:
    assert problems({"model": "gpt-image-2", "style": "vivid"}) == [
        Problem(
            "unsupported-parameter",
            "`gpt-image-2` has no `style`",
            key="style",
            hint="describe the style in the prompt",
        )
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("output_format", "png"),
        ("background", "opaque"),
        ("moderation", "low"),
        ("stream", True),
        ("partial_images", 2),
    ],
)
def test_dall_e_has_none_of_the_newer_parameters(key: str, value: object) -> None:
    found = problems({"model": "dall-e-3", key: value}, GATEWAY)[1:]
    assert found == [
        Problem(
            "unsupported-parameter",
            f"`dall-e-3` has no `{key}`",
            key=key,
            hint="remove it, or use a model that has it: `gpt-image-2.6-sunburst`, `gpt-image-2.6-flare`",
        )
    ]


def test_what_changes_nothing_is_silent() -> None:
    assert problems({"model": "dall-e-3", "stream": False, "partial_images": 0}, as_of=date(2026, 1, 1)) == []
    assert problems({"model": "gpt-image-2", "partial_images": 0}) == []


def test_a_b64_response_format_is_dropped_and_a_url_cannot_be_met() -> None:
    assert problems({"model": "gpt-image-2", "response_format": "b64_json"}) == [
        Problem(
            "dropped-parameter",
            "`response_format` is not sent: `gpt-image-2` always responds with b64_json",
            key="response_format",
            hint="remove it",
            severity="warning",
        )
    ]
    assert problems({"model": "gpt-image-2", "response_format": "url"}) == [
        Problem(
            "unsupported-parameter",
            "`gpt-image-2` cannot respond with a URL: it has no `response_format`",
            key="response_format",
            hint="remove it: the image is stored, its `path` and `b64_json` are always there",
        )
    ]


def test_an_option_of_the_service_is_checked_and_named_at_the_step() -> None:
    assert problems({}, {"model": "gpt-image-2", "options": {"style": "vivid"}}) == [
        Problem(
            "unsupported-parameter",
            "`gpt-image-2` has no `style` (set by service `pictures`)",
            hint="describe the style in the prompt",
        )
    ]


def test_what_is_uncertain_is_a_note() -> None:
    assert problems({"model": "gpt-image-2", "complexity": "low"}) == [
        Problem(
            "unverified-option",
            "whether `gpt-image-2` accepts `complexity` is not known; it is sent unchanged",
            key="complexity",
            severity="note",
        )
    ]
    assert problems({"model": "gpt-image-2.6-flare", "complexity": "low"}) == []
    assert shown(problems({"model": "gpt-image-2", "output_format": "gif"})) == [
        ("note", "unverified-option", "output_format")
    ]


def test_words_no_model_knows_are_left_to_the_steps_own_constraints() -> None:
    assert problems({"model": "gpt-image-2", "background": "green", "output_format": "bmp", "moderation": 7}) == []


def test_transparency_needs_a_format_that_has_it() -> None:
    given = {"model": "gpt-image-2.5-flare", "background": "transparent", "output_format": "jpeg"}
    expected = Problem(
        "conflicting-values",
        "`background: transparent` needs an `output_format` with transparency, and jpeg has none",
        key="output_format",
        hint="use `png` or `webp` as `output_format`",
        related=(("background", "together with this"),),
        covers=("background", "output_format"),
    )
    assert problems(given) == [expected]
    assert azure(given) == [expected._replace(hint="use `png` as `output_format`")]


def test_transparency_on_gpt_image_2_is_a_warning() -> None:
    assert problems({"model": "gpt-image-2", "background": "transparent"}) == [
        Problem(
            "unstable-value",
            "`background: transparent` is a preview on this model; since 2026-09-30 it is reported to be refused",
            key="background",
            hint="use `gpt-image-2.6-sunburst` or `gpt-image-2.6-flare` for it",
            severity="warning",
        )
    ]


def test_two_mistakes_on_one_key_are_one_problem_and_the_graver_one() -> None:
    given = {"model": "gpt-image-2", "output_format": "jpeg", "background": "transparent"}
    assert shown(problems(given)) == [("error", "conflicting-values", "background")]


@pytest.mark.parametrize(
    ("form", "stands"), [(None, "it is png, the default"), ("png", "it is png"), ("gif", "it is gif")]
)
def test_compression_needs_a_format_that_compresses(form: str | None, stands: str) -> None:
    found = only(problems({"model": "gpt-image-2.6-flare", "output_format": form, "output_compression": 50}))
    assert (found.severity, found.code, found.key) == ("error", "conflicting-values", "output_compression")
    assert found.message == f"`output_compression` goes with `output_format` `jpeg` or `webp`; here {stands}"


def test_compression_is_fine_with_jpeg() -> None:
    assert problems({"model": "gpt-image-2", "output_format": "jpeg", "output_compression": 50}) == []


def test_partial_images_need_a_stream() -> None:
    assert problems({"model": "gpt-image-2", "partial_images": 2}) == [
        Problem(
            "no-effect",
            "`partial_images` has no effect without `stream: true`",
            key="partial_images",
            hint="add `stream: true`, or remove it",
            severity="warning",
        )
    ]
    assert problems({"model": "gpt-image-2", "partial_images": 2, "stream": True}) == []
    assert problems({"model": "gpt-image-2", "partial_images": 2, "stream": UNKNOWN}) == []


def test_gif_and_svg_have_their_own_rules() -> None:
    name = {"model": "gpt-image-2.6-flare"}
    assert problems({**name, "output_format": "gif", "frame_count": 4, "size": "512x512"}) == []
    small = only(problems({**name, "output_format": "gif", "size": "256x256"}))
    assert (small.severity, small.code, small.key) == ("note", "unverified-option", "size")
    assert shown(problems({**name, "frame_count": 4})) == [("error", "conflicting-values", "frame_count")]
    found = problems({**name, "output_format": "svg", "svg": {"model": "x"}, "stream": True, "n": 2})
    assert [(each.code, each.key, each.message) for each in found] == [
        ("fan-out", "n", "`n: 2` is sent as 2 requests of one image: an SVG is drawn alone"),
        ("conflicting-values", "stream", "`output_format: svg` cannot be streamed"),
    ]


def test_a_stream_of_several_images_is_a_note() -> None:
    found = only(problems({"model": "gpt-image-2", "stream": True, "n": 2}))
    assert (found.severity, found.code, found.key) == ("note", "unverified-option", "stream")
    assert found.message == "how `stream` goes with `n: 2` is not documented; it is sent unchanged"


def test_no_prompt_is_an_error_only_when_no_text_can_be_there() -> None:
    assert problems({"model": "gpt-image-2"}, reads_text=False) == [
        Problem(
            "missing-prompt",
            "no prompt: the step has no `instruction`, and nothing before it sets `text`",
            hint="add `instruction:`, or a SET step with `text:` before this one",
        )
    ]
    assert problems({"model": "gpt-image-2"}, reads_text=None) == []
    assert problems({"model": "gpt-image-2"}, reads_text=True) == []
    for key in ("instruction", "prompt"):
        assert problems({"model": "gpt-image-2", key: UNKNOWN}, reads_text=False) == []
    inputs = [{"type": "text", "name": "selected.title"}]
    assert problems({"model": "gpt-image-2", "inputs": inputs}, reads_text=False) == []


@pytest.mark.parametrize(("name", "most"), [("dall-e-2", 1000), ("dall-e-3", 4000), ("gpt-image-2", 32000)])
def test_a_prompt_that_is_too_long_is_an_error(name: str, most: int) -> None:
    day = date(2026, 5, 1)
    fits = problems({"model": name, "instruction": "ä" * most}, as_of=day)
    assert [each for each in fits if each.code == "too-long"] == []
    found = problems({"model": name, "instruction": "ä" * (most + 1)}, as_of=day)
    assert found[len(fits) :] == [
        Problem(
            "too-long",
            f"the prompt has {most + 1:,} characters, `{name}` accepts at most {most:,}",
            key="instruction",
            hint="shorten the prompt",
        )
    ]


def test_a_seed_is_a_note_for_every_model() -> None:
    for name in ("gpt-image-2", "flux-dev"):
        assert problems({"model": name, "seed": 0}, GATEWAY)[-1] == Problem(
            "seed-not-sent",
            "`seed` is not sent: the Images API has no such parameter, so results are not reproducible",
            key="seed",
            hint="it still tells cached and simulated images apart",
            severity="note",
        )


def test_negative_retries_act_as_none() -> None:
    assert problems({"model": "gpt-image-2", "maxRetries": -1}) == [
        Problem(
            "acts-as-zero",
            "`maxRetries: -1` acts as 0",
            key="maxRetries",
            hint="write `maxRetries: 0`",
            severity="warning",
        )
    ]


@pytest.mark.parametrize("user", ["ann@example.org", "a.b+c@mail.example"])
def test_an_email_address_as_user_is_a_note(user: str) -> None:
    assert problems({"model": "gpt-image-2", "user": user}) == [
        Problem(
            "personal-identifier",
            "`user` looks like an e-mail address",
            key="user",
            hint="send a hash or an internal number instead",
            severity="note",
        )
    ]


@pytest.mark.parametrize("user", ["u-4711", "@handle", "ann@", "ann at@example.org", "ann@localhost"])
def test_other_users_are_silent(user: str) -> None:
    assert problems({"model": "gpt-image-2", "user": user}) == []


def test_only_a_very_short_deadline_of_the_author_is_a_note() -> None:
    assert problems({"model": "gpt-image-2", "timeoutMs": 10000}) == [
        Problem(
            "short-timeout",
            "`gpt-image-2` can take up to two minutes, and a request that is given up may still be charged",
            key="timeoutMs",
            hint="`timeoutMs: 180000` is on the safe side",
            severity="note",
        )
    ]
    assert problems({"model": "gpt-image-2", "timeoutMs": 30000, "quality": "high"}) == []


@pytest.mark.parametrize(
    ("given", "key", "what"),
    [
        ({"model": "gpt-image-2", "quality": "high"}, "quality", "`quality: high`"),
        ({"model": "gpt-image-2.6-sunburst", "quality": "max"}, "quality", "`quality: max`"),
        ({"model": "gpt-image-2", "size": "3840x2160"}, None, "a picture of 3840x2160"),
    ],
)
def test_the_default_deadline_is_a_note_where_pictures_take_long(
    given: dict[str, Any], key: str | None, what: str
) -> None:
    expected = Problem(
        "short-timeout",
        f"{what} can take longer than the 60 s a request has by default, "
        "and a request that is given up may still be charged",
        key=key,
        hint="`timeoutMs: 180000` is on the safe side",
        severity="note",
    )
    assert [found for found in problems(given) if found.code == "short-timeout"] == [expected]
    for silent in ({**given, "timeoutMs": 60000}, {**given, "timeoutMs": UNKNOWN}, {**given, "model": "other"}):
        assert [found for found in problems(silent) if found.code == "short-timeout"] == []
    assert [found for found in problems(given, {"timeoutMs": 90000}) if found.code == "short-timeout"] == []


@pytest.mark.parametrize("quality", ["low", "medium", "auto", UNKNOWN])
def test_the_default_deadline_is_silent_for_other_qualities(quality: Any) -> None:
    assert problems({"model": "gpt-image-2", "quality": quality, "size": "2560x1440"}) == []


@pytest.mark.parametrize("size", ["1024×1024", "1024 x 1024", "1024*1024", "1024X1024", " 1024 by 1024 px "])
def test_a_size_written_in_another_way_gets_its_right_form(size: str) -> None:
    known, unknown = problems({"model": "gpt-image-2", "size": size}), problems({"model": "mine", "size": size})
    assert only(known).hint == f"use `1024x1024`; supported: {FLEXIBLE}"
    assert [found.hint for found in unknown if found.key == "size"] == ["write `1024x1024`"]


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://api.openai.com/v1", "api.openai.com"),
        ("api.openai.com/v1", "api.openai.com"),
        ("https://user:secret@Host.Example:8443/x?y=http://z", "host.example"),
        ("http://localhost", "localhost"),
        ("", ""),
    ],
)
def test_the_host_of_an_endpoint_is_found(endpoint: str, host: str) -> None:
    assert host_of(endpoint) == host


@pytest.mark.long
def test_no_combination_of_model_and_option_breaks_the_check_or_speaks_twice_of_a_key() -> None:
    values: dict[str, tuple[object, ...]] = {
        "size": ("auto", "1024x1024", "7x7", "x"),
        "quality": ("hd", "max", "low", "?"),
        "background": ("transparent", "opaque"),
        "output_format": ("png", "jpeg", "webp", "gif", "svg"),
        "response_format": ("url", "b64_json"),
        "style": ("vivid", 3),
        "stream": (True, False),
        "n": (2, 11, "3", True),
        "partial_images": (0, 3),
        "output_compression": (0, 100),
        "svg": ({"model": "x"},),
    }
    for model in (*(each.name for each in catalogue().models), "unknown"):
        for first, ones in values.items():
            for second, others in values.items():
                for one in ones:
                    for other in others:
                        given = {"model": model, first: one, second: other}
                        for step in ("OPENAI_IMAGE_GENERATION", "AZURE_OPENAI_IMAGE_GENERATION"):
                            keys = [each.key for each in problems(given, step=step) if each.key]
                            assert len(keys) == len(set(keys)), given


def test_the_map_of_svg_holds_who_writes_it() -> None:
    given = {"model": "gpt-image-2.6-flare", "output_format": "svg"}
    assert problems({**given, "svg": {"model": "writer", "reasoning": {"effort": "low"}}}) == []
    assert only(problems({**given, "svg": {"model": "writer", "reasoning": "low"}})).hint == (
        "write `reasoning: {effort: low}`"
    )
    assert only(problems({**given, "svg": {"model": "writer", "reasoning": {"effort": "huge"}}})).message == (
        "`huge` is no `effort` of `reasoning`"
    )
    assert (
        only(problems({**given, "svg": {"reasoning": {"effort": "low"}}})).message
        == "`svg` needs a `model`, which writes it"
    )
    mistake = only(problems({**given, "svg": {"model": "writer", "depth": 1}}))
    assert (mistake.message, mistake.hint) == ("`depth` is not a key of `svg`", "there are `model` and `reasoning`")


@pytest.mark.parametrize(
    ("given", "code", "changes"),
    [
        ({"model": "gpt-image-1"}, "retired-model", [("model", "gpt-image-2.5-sunburst")]),
        ({}, "retired-model", [("model", "gpt-image-2.5-sunburst")]),
        ({"model": "gpt-image2"}, "unknown-model", [("model", "gpt-image-2")]),
        ({"model": "gpt-image-2", "quality": "hd"}, "unsupported-value", [("quality", "high")]),
        (
            {"model": "gpt-image-2", "size": "1000x1000"},
            "unsupported-value",
            [("size", "992x992"), ("size", "1008x1008")],
        ),
        ({"model": "gpt-image-2", "style": "vivid"}, "unsupported-parameter", [("style", None)]),
        ({"model": "gpt-image-2", "quality": "high"}, "short-timeout", [("timeoutMs", 180_000)]),
        ({"model": "gpt-image-2", "partial_images": 2}, "no-effect", [("stream", True), ("partial_images", None)]),
        ({"model": "gpt-image-2", "maxRetries": -1}, "acts-as-zero", [("maxRetries", 0)]),
        (
            {"model": "gpt-image-2", "background": "transparent", "output_format": "jpeg"},
            "conflicting-values",
            [("output_format", "png")],
        ),
    ],
    ids=[
        "a retired model",
        "a retired default",
        "a misspelt model",
        "a quality of another model",
        "a size that is a little off",
        "an option the model does not have",
        "a deadline that is short",
        "an option without effect",
        "a negative number",
        "two values that do not go together",
    ],
)
def test_what_would_correct_it_is_given_as_other_options(
    given: dict[str, Any], code: str, changes: list[tuple[str, Any]]
) -> None:
    found = check_image(Options("OPENAI_IMAGE_GENERATION", given, DEFAULTS, None, DAY, None))
    fixes = next(problem.fixes for problem in found if problem.code == code)
    assert [value for fix in fixes for value in fix.values] == changes
