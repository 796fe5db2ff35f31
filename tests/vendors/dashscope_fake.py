"""A strict fake of DashScope: orders of the old and of the new form, responses at once, and questions for orders.

Source: Model Studio, Wan text-to-image V2 API reference and Manage asynchronous tasks; dashscope 2.0.2.
"""

from __future__ import annotations

import re
from typing import Any

from fake_vendor import Asked, Fake, Fault, Reply, only

KEY = "sk-dashscope-0123456789"
ROOT = "/api/v1"
OLD, NEW, AT_ONCE, EDIT = (
    f"{ROOT}/services/aigc/{path}"
    for path in (
        "text2image/image-synthesis",
        "image-generation/generation",
        "multimodal-generation/generation",
        "image2image/image-synthesis",
    )
)
MODELS = {
    "wan2.2-t2i-plus": OLD,
    "wan2.5-t2i-preview": OLD,
    "wan2.6-t2i": NEW,
    "qwen-image-2.0": AT_ONCE,
    "qwen-image-3.0": AT_ONCE,
    "qwen-image-edit-plus": AT_ONCE,
    "wan2.6-image": NEW,
    "wan2.7-image": NEW,
    "wan2.5-i2i-preview": EDIT,
}
MOST_PICTURES = {
    "qwen-image-2.0": 3,
    "qwen-image-3.0": 3,
    "qwen-image-edit-plus": 3,
    "wan2.6-image": 4,
    "wan2.7-image": 9,
    "wan2.5-i2i-preview": 3,
}
"""Of models that edit; of others, none."""
NEEDS_PICTURES = ("qwen-image-edit-plus", "wan2.6-image", "wan2.5-i2i-preview")
ERRORS = {
    "forbidden": (400, "DataInspectionFailed", "Input data may contain inappropriate content."),
    "crowded": (429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later."),
    "penniless": (400, "Arrearage", "Access denied, please make sure your account is in good standing."),
    "malformed": (400, "InvalidParameter", "size is invalid"),
    "broken": (500, "InternalError", "An internal error has occured."),
    "hidden": (200, "InvalidParameter", "the model is not there"),
    "shy": (200, "Throttling", "Requests throttling triggered."),
}
"""A word in the prompt → status, code and message; the last two are errors with the status of a success."""
FATES = {
    "indecent": ("FAILED", "DataInspectionFailed", "Output data may contain inappropriate content."),
    "doomed": ("FAILED", "InternalError.Timeout", "The image generation timed out."),
    "called off": ("CANCELED", None, None),
    "forgotten": ("UNKNOWN", None, None),
}
"""A word in the prompt → what becomes of an order."""


class DashScopeFake(Fake):
    """Takes orders that are done after `polls` questions."""

    def __init__(self, polls: int = 2) -> None:
        super().__init__()
        self.polls = polls
        self.orders: dict[str, list[Any]] = {}

    def respond(self, asked: Asked) -> Reply:
        if (picture := self.picture(asked)) is not None:
            return picture
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return Reply({"code": "InvalidApiKey", "message": "Invalid API-key provided.", "request_id": "r-0"}, 401)
        if asked.method == "GET" and asked.path.startswith(f"{ROOT}/tasks/"):
            return self.result(asked.path.rpartition("/")[2])
        if asked.method != "POST" or asked.path not in (OLD, NEW, AT_ONCE, EDIT) or asked.query:
            raise Fault(f"{asked.method} {asked.target}")
        if (asked.headers.get("x-dashscope-async") == "enable") != (asked.path != AT_ONCE):
            raise Fault(f"{asked.path} with X-DashScope-Async: {asked.headers.get('x-dashscope-async')}")
        body = asked.json
        only(body, {"model", "input", "parameters"})
        if MODELS[body["model"]] != asked.path:
            return Reply({"code": "InvalidParameter", "message": "url error", "request_id": "r-1"}, 400)
        # dashscope 2.0.2 sends its own `is_async` along
        only(body["parameters"], {"n"}, ("size", "seed", "watermark", "prompt_extend", "is_async"))
        if not re.fullmatch(r"\d+\*\d+", body["parameters"].get("size", "1*1")):
            raise Fault(f"no size: {body}")
        prompt, pictures = asked_in(body["input"], asked.path)
        if len(pictures) > MOST_PICTURES.get(body["model"], 0) or (not pictures and body["model"] in NEEDS_PICTURES):
            said = {"code": "InvalidParameter", "message": "the number of images is invalid", "request_id": "r-10"}
            return Reply(said, 400)
        if "busy" in prompt and self.times("busy") == 1:
            busy = {"code": "Throttling.RateQuota", "message": "Requests rate limit exceeded.", "request_id": "r-2"}
            return Reply(busy, 429, {"Retry-After": "0"})
        for word, (status, code, message) in ERRORS.items():
            if word in prompt:
                return Reply({"code": code, "message": message, "request_id": "r-3"}, status)
        if asked.path == AT_ONCE:
            return Reply({"output": {"choices": self.choices(body)}, "usage": {"image_count": 1}, "request_id": "r-4"})
        name = f"task-{len(self.orders) + 1}"
        self.orders[name] = [body, prompt, asked.path, 0]
        return Reply({"output": {"task_status": "PENDING", "task_id": name}, "request_id": "r-5"})

    def choices(self, body: Any) -> list[Any]:
        part = {"type": "image", "image": f"{self.url}/pictures/1.png"}
        message = {"role": "assistant", "content": [part]}
        return [{"finish_reason": "stop", "message": message} for _ in range(body["parameters"]["n"])]

    def result(self, name: str) -> Reply:
        body, prompt, path, asked = self.orders[name]
        self.orders[name][3] += 1
        output: dict[str, Any] = {"task_id": name, "submit_time": "2026-11-26 20:00:00.000"}
        if asked < self.polls:
            return Reply({"request_id": "r-6", "output": {**output, "task_status": ("PENDING", "RUNNING")[asked % 2]}})
        for word, (status, code, message) in FATES.items():
            if word in prompt:
                said = {"code": code, "message": message} if code else {}
                return Reply({"request_id": "r-7", "output": {**output, "task_status": status, **said}})
        output["task_status"] = "SUCCEEDED"
        n = body["parameters"]["n"]
        if path == NEW:
            return Reply(
                {"request_id": "r-8", "output": {**output, "choices": self.choices(body)}, "usage": {"image_count": n}}
            )
        results: list[Any] = [{"url": f"{self.url}/pictures/{at}.png", "orig_prompt": prompt} for at in range(n)]
        if "half" in prompt:
            results[-1] = {"code": "InternalError.Timeout", "message": "The image generation timed out."}
        return Reply({"request_id": "r-9", "output": {**output, "results": results}, "usage": {"image_count": n}})


def asked_in(found: Any, path: str) -> tuple[str, list[str]]:
    """The prompt in the input of a body, and the pictures to edit.

    Raises:
        Fault: it has another shape.
    """
    if path in (OLD, EDIT):
        only(found, {"prompt", *(["images"] if path == EDIT else [])})
        prompt, pictures = str(found["prompt"]), list(found.get("images", ()))
    else:
        only(found, {"messages"})
        [message] = found["messages"]
        only(message, {"role", "content"})
        *before, part = message["content"]
        only(part, {"text"})
        for each in before:
            only(each, {"image"})
        prompt, pictures = str(part["text"]), [each["image"] for each in before]
    for picture in pictures:
        if not picture.startswith("data:image/"):
            raise Fault(f"no picture: {picture[:40]}")
    return prompt, pictures
