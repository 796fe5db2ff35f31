"""What vendors send, each kind of response once, and everything that may stand in place of each part of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fake_vendor import PICTURE_B64

_LINK = "https://pictures.example/1.png"
_ERROR = {
    "error": {
        "code": 429,
        "message": "Too many.",
        "type": "t",
        "param": "p",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"violations": [{"quotaId": "PerDay"}], "retryDelay": "3s"}],
        "metadata": {"raw": '{"error": {"message": "no"}}', "provider_name": "p", "reasons": ["violence"]},
        "inner_error": {"code": "c", "content_filter_results": {"hate": {"filtered": True}}},
        "moderation_details": {"moderation_stage": "input", "categories": ["violence"]},
    }
}
_USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "prompt_tokens": 1, "cost": 0.5}
_DATA = {"created": 1, "data": [{"b64_json": PICTURE_B64, "revised_prompt": "r"}, {"url": _LINK}], "usage": _USAGE}
_RATED = [{"category": "violence", "blocked": True}]
_DRAWN = {"parts": [{"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": PICTURE_B64}}], "role": "model"}
_COUNTED = {"candidatesTokenCount": 2, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 2}]}
_GOOGLE: list[Any] = [
    {"candidates": [{"content": _DRAWN, "finishReason": "STOP"}], "usageMetadata": _COUNTED, "responseId": "r"},
    {"promptFeedback": {"blockReason": "SAFETY", "safetyRatings": _RATED}, "usageMetadata": _COUNTED},
    {"candidates": [{"content": {"parts": [{"text": "no"}]}, "finishReason": "SAFETY", "safetyRatings": _RATED}]},
    _ERROR,
]
_DETAIL = {"detail": [{"loc": ["body", 1], "msg": "m", "type": "t"}]}
_TASK = {"task_id": "t", "task_status": "SUCCEEDED"}
_CHOICES = [{"message": {"content": [{"type": "image", "image": _LINK}]}}]
SHAPES: Mapping[str, list[Any]] = {
    "openai": [_DATA, _ERROR],
    "azure": [_DATA, _ERROR],
    "hub": [_DATA, _ERROR],
    "openrouter": [_DATA, _ERROR],
    "localai": [_DATA, _ERROR],
    "gemini": _GOOGLE,
    "vertex": _GOOGLE,
    "bedrock": [
        {"images": [PICTURE_B64, PICTURE_B64], "seeds": [1], "finish_reasons": [None]},
        {"finish_reasons": ["Filter reason: output"], "seeds": [1]},
        {"error": "content filters", "images": []},
    ],
    "ollama": [{"model": "m", "image": PICTURE_B64, "done_reason": "stop", "prompt_eval_count": 3}, {"error": "no"}],
    "zhipu": [
        _DATA,
        {"id": "a", "task_status": "PROCESSING"},
        {"id": "a", "task_status": "SUCCESS", "image_result": [{"url": _LINK}]},
        {"id": "a", "task_status": "FAIL"},
        {"error": {"code": "1301", "message": "m"}, "contentFilter": [{"role": "user", "level": 1}]},
    ],
    "workersai": [
        {"result": {"image": PICTURE_B64}, "success": True, "errors": []},
        {"success": False, "errors": [{"code": 3030, "message": "NSFW"}], "result": None},
    ],
    "dashscope": [
        {"output": {"task_id": "t", "task_status": "PENDING"}, "request_id": "r"},
        {"output": {**_TASK, "results": [{"url": _LINK}, {"code": "c", "message": "m"}], "choices": _CHOICES}},
        {"output": {**_TASK, "task_status": "FAILED", "code": "c", "message": "m"}},
        {"code": "Throttling", "message": "m"},
    ],
    "mistral": [
        {
            "conversation_id": "c",
            "outputs": [{"content": [{"type": "text", "text": "a"}, {"type": "tool_file", "file_id": "f"}]}],
            "usage": _USAGE,
        },
        {"outputs": [{"content": "words"}]},
        _DETAIL,
    ],
    "huggingface": [
        {"images": [{"url": _LINK}], "has_nsfw_concepts": [False]},
        {"id": "i", "status": "processing", "urls": {"get": f"{_LINK}/api/v1"}, "output": [_LINK], "error": None},
        {"data": {"id": "i", "status": "created", "urls": {"get": f"{_LINK}/api/v3"}, "outputs": [_LINK]}},
        {"error": ["a", "b"], "estimated_time": 3},
        {"status": "failed", "error": "nsfw"},
    ],
    "bfl": [
        {"id": "i", "polling_url": "https://api.us.bfl.ai/v1/get_result?id=i", "cost": 3.0},
        {"id": "i", "status": "Ready", "result": {"sample": _LINK}, "cost": 4},
        {"id": "i", "status": "Request Moderated", "details": {"Moderation Reasons": ["violence"]}},
        _DETAIL,
    ],
}
"""A vendor → its responses."""
_ODD: tuple[Any, ...] = (
    *(None, True, -1, 10**400, float("nan"), float("inf"), "x", "\ud800"),
    *([], [None], [5], [[]], {}, {"a": 1}, [{"url": 5}]),
)
"""What may stand anywhere in a JSON document."""


def mangled(whole: Any) -> Iterator[Any]:
    """The document with each of its parts replaced by each odd value, or left out."""
    yield from _ODD
    pairs = list(whole.items() if isinstance(whole, dict) else enumerate(whole) if isinstance(whole, list) else ())
    for key, part in pairs:
        if isinstance(whole, dict):
            yield {name: value for name, value in pairs if name != key}
        for other in mangled(part):
            if isinstance(whole, dict):
                yield {**whole, key: other}
            else:
                yield [*whole[:key], other, *whole[key + 1 :]]
