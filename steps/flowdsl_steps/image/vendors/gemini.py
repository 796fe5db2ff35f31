"""Google's Gemini API: models that draw, asked by `generateContent`.

Source: google-genai 3.6, types.py, models.py, errors.py; Gemini API guide, image generation; langchain4j 1.19,
FinishReasonMapper; Google Cloud, responsible AI for Gemini image generation (a refusal in words is a STOP).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlunsplit

from flowdsl.step.service import Service
from flowdsl_steps.image.endpoint import extra_headers, key_source, missing, secrets_in, split_endpoint
from flowdsl_steps.image.failure import Failure, read_error
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import Endpoint, Head

if TYPE_CHECKING:
    from flowdsl.image.image import Image
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.response import ResponseReader

API_HOST = "generativelanguage.googleapis.com"
_VERSION = "/v1beta"
_OPERATION = ":generateContent"
_FINISHED = {"STOP": "stop", "MAX_TOKENS": "length"}
_REFUSED = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
    }
)
"""Why a response ends where what it shows is not let through."""
_A_DAY = "PerDay"
"""Stands in the name of a quota that no pause of a run outlasts."""


class Gemini(Offering):
    """`models/NAME:generateContent`, with a key in a header of its own."""

    name = "gemini"
    title = "Google Gemini"
    watched_as = "gcp.gemini"
    hosts: tuple[str, ...] = (API_HOST,)
    environment: Mapping[str, tuple[str, ...]] = {
        "apiKey": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        "endpoint": ("GOOGLE_GEMINI_BASE_URL",),
    }

    def model_name(self, label: str) -> str:
        """The name without `models/`, which the API's own lists put before it."""
        return label.rpartition("models/")[2]

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The address of the model.

        Raises:
            ConfigError: a bad endpoint, no model, or no key for Google itself.
        """
        parts = split_endpoint(service, service.endpoint or f"https://{API_HOST}")
        model = self.named(request, service)
        setting = "apiKey" if service.get("apiKey") or not service.get("authKey") else "authKey"
        key, variable = service.get(setting), self.environment["apiKey"][0]
        if not key and parts.hostname == API_HOST:
            raise missing(service, "apiKey", " or ".join(self.environment["apiKey"]))
        named = {"x-goog-api-key": str(key)} if setting == "apiKey" else {"Authorization": f"Bearer {key}"}
        extra = extra_headers(service)
        root = parts.path.partition("/models/")[0].rstrip("/") or _VERSION
        path = f"{root}/models/{quote(self.model_name(model), safe='')}{_OPERATION}"
        return Endpoint(
            service.name,
            urlunsplit(parts._replace(path=path, fragment="")),
            {**(named if key else {}), **extra},
            model,
            None,
            key_source(service, setting, variable),
            secrets=secrets_in(key, extra),
        )

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """The prompt and the pictures to edit as parts of a message, and what the picture shall be."""
        from flowdsl_steps.http.request import HttpRequest

        body = {
            "contents": [{"role": "user", "parts": [{"text": request.prompt}, *map(_inline, request.images)]}],
            "generationConfig": self.generation(request, endpoint),
        }
        content = json.dumps(body, ensure_ascii=False).encode()
        return HttpRequest("POST", endpoint.url, {"Content-Type": "application/json"}, content)

    def generation(self, request: ImageRequest, endpoint: Endpoint) -> dict[str, Any]:
        """The `generationConfig` of a request."""
        found: dict[str, Any] = {"responseModalities": ["IMAGE"]}
        words = self.model(endpoint.label).words.get(request.size or "")
        if words:
            found["imageConfig"] = dict(words)
        if request.seed is not None:
            found["seed"] = request.seed
        return found

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """JSON with pictures under `data`. A signature of thoughts can be as large as a picture, so it is taken out of
        the document like one, and thrown away."""
        from flowdsl_steps.image.response import JsonResponse

        return JsonResponse(store, limit, received_of, keys=("data", "thoughtSignature"))

    def failure(self, head: Head, body: bytes | Mapping[str, Any]) -> Failure | None:
        """A response that ends without a picture, or Google's error object."""
        if isinstance(body, Mapping) and not body.get("error"):
            return _refusal(body)
        return google_error(body)


def _inline(image: Image) -> dict[str, Any]:
    """A picture to edit as a part. Source: google-genai 3.6, types.Blob."""
    return {"inlineData": {"mimeType": image.mime, "data": image.b64_json}}


def received_of(payload: dict[str, Any]) -> Received:
    """What a response holds whose pictures are still open writers.

    Raises:
        BrokenResponse: it holds no picture, or an error, or is none.
    """
    from flowdsl_steps.image.received import BrokenResponse, Received
    from flowdsl_steps.image.response import all_stored

    candidates = _candidates(payload)
    if payload.get("error") or not candidates:
        raise BrokenResponse("vendor-error", "the response holds no picture", payload=payload)
    pictures = [
        part["inlineData"]["data"]
        for part in _parts(candidates)
        if isinstance(part.get("inlineData"), Mapping) and "data" in part["inlineData"] and not part.get("thought")
    ]
    if not pictures:
        raise BrokenResponse("vendor-error", "the response holds no picture", payload=payload)
    reason = _reason(candidates)
    finish = _FINISHED.get(reason, "content_filter" if reason in _REFUSED else "other")
    facts = {key: payload[key] for key in ("modelVersion", "responseId") if isinstance(payload.get(key), str)}
    return Received(
        all_stored(pictures),
        facts,
        usage=_usage(payload),
        finish_reason=finish if reason else "stop",
        request_id=facts.get("responseId"),
    )


def _candidates(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = payload.get("candidates")
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _parts(candidates: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for candidate in candidates:
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, Mapping) else None
        yield from (part for part in (parts if isinstance(parts, list) else ()) if isinstance(part, Mapping))


def _reason(candidates: Sequence[Mapping[str, Any]]) -> str:
    return str(candidates[0].get("finishReason") or "")


def _usage(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """The usage in the words that all vendors share. What is thought is no part of what is told of the output."""
    counted = payload.get("usageMetadata")
    if not isinstance(counted, Mapping):
        return None
    output = _count(counted.get("candidatesTokenCount"))
    found: dict[str, Any] = {
        "input_tokens": _count(counted.get("promptTokenCount")),
        "output_tokens": output,
        "total_tokens": _count(counted.get("totalTokenCount")),
    }
    each = counted.get("candidatesTokensDetails")
    told = [one for one in each if isinstance(one, Mapping)] if isinstance(each, list) else []
    image = sum(_count(one.get("tokenCount")) for one in told if one.get("modality") == "IMAGE")
    details = {"image_tokens": image or output, "text_tokens": output - (image or output)}
    if thoughts := _count(counted.get("thoughtsTokenCount")):
        details["thought_tokens"] = thoughts
    return {**found, "output_tokens_details": details}


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _refusal(payload: Mapping[str, Any]) -> Failure | None:
    """Why a response has no picture: the prompt was blocked, the picture was, or the model only spoke."""
    feedback, candidates = payload.get("promptFeedback"), _candidates(payload)
    usage = _usage(payload) or {}
    billed, id = bool(usage.get("output_tokens")), payload.get("responseId")
    request_id = id if isinstance(id, str) else None
    blocked = feedback.get("blockReason") if isinstance(feedback, Mapping) else None
    if blocked:
        said = str(feedback.get("blockReasonMessage") or f"the prompt is blocked: {blocked}")  # type: ignore[union-attr]  # a map, as it has the reason
        details = {"stage": "input", **_categories(feedback)}
        return Failure(said, str(blocked), kind="moderation", details=details, request_id=request_id, billed=billed)
    if not candidates:
        return None
    reason, first = _reason(candidates), candidates[0]
    words = " ".join(str(part["text"]) for part in _parts(candidates) if "text" in part and not part.get("thought"))
    said = str(first.get("finishMessage") or words or f"it ended with `{reason}`")
    if reason in _REFUSED:
        details = {"stage": "output", **_categories(first)}
        return Failure(said, reason, kind="moderation", details=details, request_id=request_id, billed=billed)
    return Failure(said, reason or None, retry_class="never", request_id=request_id, billed=billed)


def _categories(rated: Any) -> dict[str, Any]:
    """The categories for which something is blocked, where the response says them."""
    ratings = rated.get("safetyRatings") if isinstance(rated, Mapping) else None
    found = [
        str(each.get("category"))
        for each in (ratings if isinstance(ratings, list) else ())
        if isinstance(each, Mapping) and each.get("blocked")
    ]
    return {"categories": found} if found else {}


def google_error(body: bytes | Mapping[str, Any]) -> Failure | None:
    """Google's error object: its status is the code, and its details may say how long to wait, or that a day's quota
    is used up."""
    found = read_error(body)
    if found is None or not found.is_own:
        return found
    payload: Any = json.loads(body) if isinstance(body, bytes) else body
    error = (payload[0] if isinstance(payload, list) else payload).get("error")
    details = error.get("details")
    told = [each for each in details if isinstance(each, Mapping)] if isinstance(details, list) else []
    quotas = [
        str(violation.get("quotaId"))
        for each in told
        for violation in (each["violations"] if isinstance(each.get("violations"), list) else ())
        if isinstance(violation, Mapping)
    ]
    pause = next((each["retryDelay"] for each in told if isinstance(each.get("retryDelay"), str)), None)
    status = error.get("status")
    return found._replace(
        code=status if isinstance(status, str) else found.code,
        kind="quota" if any(_A_DAY in quota for quota in quotas) else found.kind,
        retry_after_s=_seconds(pause),
    )


def _seconds(text: str | None) -> float | None:
    """The seconds of a duration as Google writes it, `31s`."""
    try:
        return None if text is None else max(0.0, float(text.removesuffix("s")))
    except ValueError:
        return None


VENDOR = Gemini()
