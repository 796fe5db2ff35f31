"""A strict fake of the Gemini API's `generateContent`.

Source: google-genai 3.6, types.py and errors.py; the shapes of 429 as public programs quote them.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from fake_vendor import PICTURE_B64, SOON, Asked, Fake, Fault, Reply, only

KEY = "AIza-gemini-key-0123456789"
MODELS = ("gemini-nano-banana-2.1", "gemini-3.1-flash-image", "gemini-3-pro-image", "gemini-2.5-flash-image")
FORMATS = ("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif")
_PATH = re.compile(r"/v1beta/models/([\w.-]+):generateContent")
_RATIO = re.compile(r"\d{1,2}:\d{1,2}")


class GeminiFake(Fake):
    """The Gemini API."""

    def respond(self, asked: Asked) -> Reply:
        path = _PATH.fullmatch(asked.path)
        if asked.method != "POST" or path is None or asked.query:
            raise Fault(f"{asked.method} {asked.target} is no operation")
        if asked.headers.get("x-goog-api-key") != KEY or "authorization" in asked.headers:
            return error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")
        if path[1] not in MODELS:
            return error(404, "NOT_FOUND", f"models/{path[1]} is not found for API version v1beta")
        return generated(self, asked, path[1], is_vertex=False)


def generated(fake: Fake, asked: Asked, model: str, is_vertex: bool) -> Reply:
    """The response to a body, which must be one of image generation."""
    body = asked.json
    only(body, {"contents", "generationConfig"})
    [content] = body["contents"]
    only(content, {"role", "parts"})
    part, *pictures = content["parts"]
    only(part, {"text"})
    for picture in pictures:
        only(picture, {"inlineData"})
        only(picture["inlineData"], {"mimeType", "data"})
        if picture["inlineData"]["mimeType"] not in FORMATS:
            return error(400, "INVALID_ARGUMENT", "Unsupported MIME type")
        base64.b64decode(picture["inlineData"]["data"], validate=True)
    config = body["generationConfig"]
    only(config, {"responseModalities"}, {"imageConfig", "seed"})
    if config["responseModalities"] != ["IMAGE"] or content["role"] != "user":
        raise Fault(f"not asked for a picture: {body}")
    image = config.get("imageConfig", {})
    only(image, set(), {"aspectRatio", "imageSize", *(["imageOutputOptions"] if is_vertex else [])})
    if image and not _RATIO.fullmatch(image.get("aspectRatio", "1:1")):
        raise Fault(f"no ratio: {image}")
    if image.get("imageSize", "1K") not in ("512", "1K", "2K", "4K") or ("2.5" in model and "imageSize" in image):
        return error(400, "INVALID_ARGUMENT", "Invalid value at 'generation_config.image_config.image_size'")
    return _told(fake, part["text"], model)


def _told(fake: Fake, prompt: str, model: str) -> Reply:
    about: dict[str, Any] = {"modelVersion": model, "responseId": f"resp-{len(fake.asked)}"}
    spent = {"promptTokenCount": 8, "totalTokenCount": 8}
    if "forbidden" in prompt:
        feedback = {
            "blockReason": "PROHIBITED_CONTENT",
            "safetyRatings": [{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}],
        }
        return Reply({"promptFeedback": feedback, "usageMetadata": spent, **about})
    if "unsafe picture" in prompt:
        refused = {"finishReason": "IMAGE_SAFETY", "finishMessage": "Unable to show the generated image.", "index": 0}
        return Reply({"candidates": [refused], "usageMetadata": spent, **about})
    if "only words" in prompt:
        said = {"content": {"role": "model", "parts": [{"text": "I cannot draw this."}]}, "finishReason": "STOP"}
        words = {"promptTokenCount": 8, "candidatesTokenCount": 12, "totalTokenCount": 20}
        return Reply({"candidates": [said], "usageMetadata": words, **about})
    if "long thought" in prompt:
        return Reply({"candidates": [{"finishReason": "MAX_TOKENS", "index": 0}], "usageMetadata": spent, **about})
    if "busy" in prompt and fake.times("busy") == 1:
        info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.05s"}
        return error(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", info)
    if "used up" in prompt:
        violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "0"}
        failure = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}
        return error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", failure)
    if "overloaded" in prompt and fake.times("overloaded") == 1:
        overloaded = error(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
        return overloaded._replace(headers=SOON)
    if "cut short" in prompt:
        return Reply(b'{"candidates": [{"content": {"parts": [{"inlineData": {"data": "iVBORw0KGgo', 200)
    picture = {"inlineData": {"mimeType": "image/png", "data": PICTURE_B64}, "thoughtSignature": "c2lnbmF0dXJl" * 9}
    draft = {"inlineData": {"mimeType": "image/png", "data": PICTURE_B64}, "thought": True}
    parts = [{"text": "Here it is."}, draft, picture]
    usage = {
        "promptTokenCount": 8,
        "candidatesTokenCount": 1130,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
        "thoughtsTokenCount": 100,
        "totalTokenCount": 1238,
    }
    done = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    return Reply({"candidates": [done], "usageMetadata": usage, **about})


def error(code: int, status: str, message: str, *details: dict[str, Any]) -> Reply:
    """Google's error object."""
    return Reply({"error": {"code": code, "message": message, "status": status, "details": list(details)}}, code)
