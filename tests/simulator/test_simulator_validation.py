"""What the simulated vendor refuses, and in which words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from openai.types import ImageModel
from openai.types.image_generate_params import ImageGenerateParamsBase

from flowdsl_steps.image.simulator.models import MODELS, TOKEN_TABLE, Vendor, find_model, frame_sheet
from flowdsl_steps.image.simulator.refusal import Refusal
from flowdsl_steps.image.simulator.responses import output_tokens
from flowdsl_steps.image.simulator.usage import image_tokens
from flowdsl_steps.image.simulator.validation import AcceptedRequest, validated


def accepted(model: str, vendor: Vendor = "openai", /, **parameters: object) -> AcceptedRequest:
    rules = find_model(model)
    assert rules is not None
    return validated({"prompt": "a fox", "model": model, **parameters}, rules, vendor=vendor, asked_model=model)


def refusal(model: str, vendor: Vendor = "openai", /, **parameters: object) -> tuple[str, str, str]:
    with pytest.raises(Refusal) as raised:
        accepted(model, vendor, **parameters)
    error: Any = raised.value.response.body["error"]
    assert raised.value.response.status == 400
    assert error["type"] == "invalid_request_error"
    return error["message"], error["param"], error["code"]


def test_every_model_and_parameter_of_the_client_library_is_known() -> None:
    names: tuple[str, ...] = ImageModel.__args__  # type: ignore[attr-defined]  # Literal's values
    assert [name for name in names if find_model(name) is None] == []
    documented = set(ImageGenerateParamsBase.__annotations__) | {"stream"}
    assert documented == set().union(*(rules.parameters for rules in MODELS.values()))


UNKNOWN = [
    ("gpt-image-2", "seed", 1),
    ("gpt-image-2", "response_format", "b64_json"),
    ("gpt-image-2", "style", "vivid"),
    ("gpt-image-2.5-flare", "complexity", "low"),
    ("gpt-image-2.5-flare", "frame_count", 4),
    ("gpt-image-2.5-flare", "svg", {"model": "x"}),
    ("dall-e-2", "style", "vivid"),
    ("dall-e-3", "background", "auto"),
    ("dall-e-3", "output_format", "png"),
    ("dall-e-3", "output_compression", 50),
    ("dall-e-3", "moderation", "low"),
    ("dall-e-3", "stream", True),
    ("dall-e-3", "partial_images", 1),
    ("dall-e-3", "safety_identifier", "u"),
]


@pytest.mark.parametrize(("model", "name", "value"), UNKNOWN)
def test_a_parameter_the_model_does_not_know_is_unknown(model: str, name: str, value: object) -> None:
    assert refusal(model, **{name: value}) == (f"Unknown parameter: '{name}'.", name, "unknown_parameter")


def size_problem(size: str, problem: str) -> tuple[dict[str, object], str]:
    return {"size": size}, f"Invalid size '{size}'. {problem}"


def wrong_type(name: str, value: object, wanted: str, found: str) -> tuple[dict[str, object], str]:
    return {name: value}, f"Invalid type for '{name}': expected {wanted}, but got {found} instead."


def above(name: str, value: int, limit: int) -> tuple[dict[str, object], str]:
    return {name: value}, (
        f"Invalid '{name}': integer above maximum value. Expected a value <= {limit}, but got {value} instead."
    )


def unsupported(name: str, value: str, supported: str) -> tuple[dict[str, object], str]:
    return {name: value}, f"Invalid value: '{value}'. Supported values are: {supported}."


def too_long(limit: int) -> tuple[dict[str, object], str]:
    return {"prompt": "x" * (limit + 1)}, (
        f"Invalid 'prompt': string too long. Expected a string with maximum length {limit}, "
        f"but got a string with length {limit + 1} instead."
    )


VALUES = [
    ("gpt-image-2", *size_problem("1792x936", "Width and height must both be divisible by 16.")),
    ("gpt-image-2", *size_problem("3856x1600", "The longest edge must not exceed 3840 pixels.")),
    ("gpt-image-2", *size_problem("3200x1024", "The aspect ratio must be between 1:3 and 3:1.")),
    ("gpt-image-2", *size_problem("512x512", "Requested resolution is below the current minimum pixel budget.")),
    ("gpt-image-2", *size_problem("3840x3840", "Requested resolution exceeds the current maximum pixel budget.")),
    ("gpt-image-2", *size_problem("big", "Expected 'auto' or WIDTHxHEIGHT, such as '1024x1024'.")),
    ("gpt-image-1", *unsupported("size", "512x512", "'1024x1024', '1536x1024', '1024x1536', and 'auto'")),
    ("dall-e-3", *unsupported("size", "auto", "'1024x1024', '1792x1024', and '1024x1792'")),
    ("gpt-image-2", *unsupported("quality", "hd", "'low', 'medium', 'high', and 'auto'")),
    ("gpt-image-2", *unsupported("quality", "max", "'low', 'medium', 'high', and 'auto'")),
    ("gpt-image-2.5-flare", *unsupported("output_format", "gif", "'png', 'jpeg', and 'webp'")),
    ("dall-e-3", *unsupported("style", "wild", "'vivid' and 'natural'")),
    ("dall-e-3", {"n": 2}, "You must provide n=1 for this model."),
]
CODED = [
    ("gpt-image-2", "integer_above_max_value", *above("n", 11, 10)),
    ("gpt-image-2", "integer_above_max_value", *above("partial_images", 4, 3)),
    ("gpt-image-2", "invalid_type", *wrong_type("n", 1.5, "an integer", "a decimal number")),
    ("gpt-image-2", "invalid_type", *wrong_type("n", True, "an integer", "a boolean")),
    ("gpt-image-2", "invalid_type", *wrong_type("n", "2", "an integer", "a string")),
    ("gpt-image-2", "invalid_type", *wrong_type("size", 1024, "a string", "an integer")),
    ("gpt-image-2", "invalid_type", *wrong_type("stream", "yes", "a boolean", "a string")),
    ("gpt-image-2", "invalid_type", *wrong_type("user", None, "a string", "null")),
    ("gpt-image-2", "invalid_type", *wrong_type("prompt", ["a"], "a string", "an array")),
    ("gpt-image-2.6-flare", "invalid_type", *wrong_type("svg", "x", "an object", "a string")),
    ("gpt-image-2", "string_above_max_length", *too_long(32_000)),
    ("dall-e-3", "string_above_max_length", *too_long(4000)),
    ("dall-e-2", "string_above_max_length", *too_long(1000)),
]
GIF = {"output_format": "gif"}
COMBINED: list[tuple[str, dict[str, object], str]] = [
    (
        "background",
        {"background": "transparent", "output_format": "jpeg"},
        "Transparent background is not supported for output format 'jpeg'. Use 'png' or 'webp'.",
    ),
    (
        "output_compression",
        {"output_compression": 50},
        "Output compression is not supported for output format 'png'. Use 'jpeg' or 'webp'.",
    ),
    ("frame_count", {"frame_count": 4}, "'frame_count' is only supported with output_format 'gif'."),
    ("svg", {"svg": {"model": "x"}}, "'svg' is only supported with output_format 'svg'."),
    ("stream", {**GIF, "stream": True}, "'stream' is not supported with output_format 'gif'."),
    (
        "size",
        {**GIF, "size": "1024x1024", "frame_count": 6},
        "Invalid size '1024x1024'. 6 frames of this size exceed the longest edge of 3840 pixels.",
    ),
    ("n", {"output_format": "svg", "n": 2}, "SVG generation requires n=1."),
]


@pytest.mark.parametrize(("model", "parameters", "message"), VALUES)
def test_a_bad_value_is_refused_in_the_vendors_words(model: str, parameters: dict[str, object], message: str) -> None:
    assert refusal(model, **parameters) == (message, next(iter(parameters)), "invalid_value")


@pytest.mark.parametrize(("model", "code", "parameters", "message"), CODED)
def test_a_type_or_a_range_has_its_own_code(model: str, code: str, parameters: dict[str, object], message: str) -> None:
    assert refusal(model, **parameters) == (message, next(iter(parameters)), code)


@pytest.mark.parametrize(("param", "parameters", "message"), COMBINED)
def test_parameters_that_exclude_each_other_are_refused(
    param: str, parameters: dict[str, object], message: str
) -> None:
    assert refusal("gpt-image-2.6-flare", **parameters) == (message, param, "invalid_value")


def test_the_lower_bounds_hold_too() -> None:
    message, param, code = refusal("gpt-image-2", n=0)
    assert message == "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead."
    assert (param, code) == ("n", "integer_below_min_value")
    message, param, code = refusal("gpt-image-2", prompt="")
    assert message == (
        "Invalid 'prompt': empty string. Expected a string with minimum length 1, but got an empty string instead."
    )
    assert (param, code) == ("prompt", "empty_string")


def test_an_svg_author_must_be_named() -> None:
    missing = ("Missing required parameter: 'svg.model'.", "svg.model", "missing_required_parameter")
    assert refusal("gpt-image-2.6-flare", output_format="svg", svg={}) == missing
    unknown = ("Unknown parameter: 'svg.style'.", "svg.style", "unknown_parameter")
    assert refusal("gpt-image-2.6-flare", output_format="svg", svg={"style": 1}) == unknown


def test_azure_makes_no_webp() -> None:
    message = "Invalid value: 'webp'. Supported values are: 'png' and 'jpeg'."
    assert refusal("gpt-image-2", "azure", output_format="webp") == (message, "output_format", "invalid_value")
    assert accepted("gpt-image-2", output_format="webp").output_format == "webp"


def test_null_is_as_good_as_absent() -> None:
    request = accepted("gpt-image-2", n=None, size=None, quality=None, background=None, response_format=None)
    assert (request.n, request.size, request.quality, request.background) == (1, "1024x1024", "medium", "opaque")


def test_the_default_quality_depends_on_the_vendor() -> None:
    qualities = [accepted(model, "azure").quality for model in ("gpt-image-1-mini", "gpt-image-2", "dall-e-3")]
    assert qualities == ["medium", "high", "standard"]


def test_a_non_empty_safety_identifier_wins_over_the_user() -> None:
    assert accepted("gpt-image-2", user="u", safety_identifier="s").safety_identifier == "s"
    assert accepted("gpt-image-2", user="u", safety_identifier="").safety_identifier == "u"


@pytest.mark.parametrize(
    ("frames", "largest"), [(2, 960), (8, 960), (9, 960), (10, 816), (12, 816), (13, 720), (16, 720)]
)
def test_gif_frames_share_one_sheet(frames: int, largest: int) -> None:
    side = f"{largest}x{largest}"
    assert accepted("gpt-image-2.6-flare", output_format="gif", size=side, frame_count=frames).size == side
    larger = f"{largest + 16}x{largest + 16}"
    message, _, _ = refusal("gpt-image-2.6-flare", output_format="gif", size=larger, frame_count=frames)
    assert message.startswith(f"Invalid size '{larger}'. ")
    assert max(frame_sheet(largest, largest, frames)) <= 3840


PUBLISHED_TOKENS = [
    ("gpt-image-2", 1024, 1024, "high", 7024),
    ("gpt-image-2", 1536, 1024, "high", 5488),
    ("gpt-image-2", 1536, 1024, "medium", 1372),
    ("gpt-image-2", 1792, 1024, "high", 5063),
    ("gpt-image-2", 3584, 2048, "high", 12329),
    ("gpt-image-2.5-flare", 1024, 1024, "low", 196),
    ("gpt-image-2.5-flare", 1024, 1024, "medium", 439),
    ("gpt-image-2.5-flare", 1024, 1024, "xhigh", 3122),
    ("gpt-image-2.5-sunburst", 1024, 1024, "max", 7024),
    ("gpt-image-1", 1024, 1536, "high", 6240),
    ("gpt-image-1.5", 1024, 1024, "medium", 1056),
]


@pytest.mark.parametrize(("model", "width", "height", "quality", "tokens"), PUBLISHED_TOKENS)
def test_tokens_are_the_published_ones(model: str, width: int, height: int, quality: str, tokens: int) -> None:
    assert image_tokens(MODELS[model], width, height, quality) == tokens


def test_the_token_table_covers_every_fixed_size() -> None:
    assert set(TOKEN_TABLE) == set(MODELS["gpt-image-1"].sizes or ())


def post(http: httpx.Client, path: str = "/v1/images/generations", **more: Any) -> tuple[int, Any]:
    response = http.post(path, **more)
    return response.status_code, response.json()["error"]


def test_a_body_that_is_no_json_object_is_refused(http: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    for content in (b"{", b"[]", b"", b"\xff", b"[" * 100_000):
        status, error = post(http, content=content, headers=headers)
        assert (status, error["code"]) == (400, None)
        assert error["message"] == ("We could not parse the JSON body of your request. The API expects a JSON object.")


def test_another_content_type_is_refused(http: httpx.Client) -> None:
    status, error = post(http, content=b"prompt=x", headers={"content-type": "text/plain"})
    assert (status, error["code"]) == (400, "unsupported_content_type")


def test_a_missing_prompt_or_model_is_named(http: httpx.Client) -> None:
    assert post(http, json={"model": "gpt-image-2"})[1]["message"] == "Missing required parameter: 'prompt'."
    assert post(http, json={"prompt": "x"})[1]["message"] == "You must provide a model parameter."


def test_a_path_or_method_the_vendor_does_not_have_is_refused(http: httpx.Client) -> None:
    assert post(http, "/v1/images/create", json={})[1]["message"] == "Invalid URL (POST /v1/images/create)"
    assert http.get("/v1/images/generations").status_code == 405


@pytest.mark.parametrize("query", ["", "?api-version=", "?api-version=latest", "?api-version=2024-10-21"])
def test_azure_deployments_need_an_api_version_that_knows_the_model(http: httpx.Client, query: str) -> None:
    path = f"/openai/deployments/images/images/generations{query}"
    assert post(http, path, json={"prompt": "x"}) == (404, {"code": "404", "message": "Resource not found"})
    headers = {"api-key": http.headers["authorization"].removeprefix("Bearer ")}
    path = "/openai/deployments/dall-e-3/images/generations?api-version=2024-10-21"
    assert http.post(path, json={"prompt": "x"}, headers=headers).status_code == 200


def test_a_gif_is_billed_as_one_sheet() -> None:
    wanted = accepted("gpt-image-2.6-flare", output_format="gif", size="512x512", quality="low")
    assert output_tokens(wanted) == image_tokens(MODELS["gpt-image-2.6-flare"], 1536, 1536, "low")
