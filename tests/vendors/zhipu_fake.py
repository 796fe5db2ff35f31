"""A strict fake of Zhipu AI's images API and of its orders.

Source: docs.z.ai, Generate Image, Generate Image (Async), Retrieve Result and Error Codes.
"""

from __future__ import annotations

from typing import Any

from fake_vendor import Asked, Fake, Fault, Reply, only

KEY = "0123456789abcdef.zhipu-secret"
ROOT = "/api/paas/v4"
NOW, LATER = f"{ROOT}/images/generations", f"{ROOT}/async/images/generations"
OPTIONS = ("size", "quality", "user_id", "watermark_enabled", "request_id")
ERRORS = {
    "forbidden": (400, "1301", "The system detected potentially unsafe or sensitive content in the input."),
    "crowded": (429, "1302", "High concurrency usage of this API."),
    "penniless": (429, "1113", "Your account is in arrears, please recharge and try again."),
    "malformed": (400, "1214", "The parameter is invalid."),
    "broken": (500, "500", "Internal Error"),
}
"""A word in the prompt → what is said to it."""


class ZhipuFake(Fake):
    """Draws at once, or takes orders that are done after `polls` questions."""

    def __init__(self, polls: int = 2) -> None:
        super().__init__()
        self.polls = polls
        self.orders: dict[str, list[Any]] = {}

    def respond(self, asked: Asked) -> Reply:
        if (picture := self.picture(asked)) is not None:
            return picture
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return Reply({"error": {"code": "1000", "message": "Authentication Failed"}}, 401)
        if asked.method == "GET" and asked.path.startswith(f"{ROOT}/async-result/"):
            return self.result(asked.path.rpartition("/")[2])
        if asked.method != "POST" or asked.path not in (NOW, LATER) or asked.query:
            raise Fault(f"{asked.method} {asked.target}")
        body = asked.json
        only(body, {"model", "prompt"}, OPTIONS)
        if (asked.path == LATER) != (body["model"] == "glm-image"):
            raise Fault(f"{body['model']} was asked at {asked.path}")
        if "busy" in body["prompt"] and self.times("busy") == 1:
            return Reply({"error": {"code": "1302", "message": "Too many requests."}}, 429, {"Retry-After": "0"})
        for word, (status, code, message) in ERRORS.items():
            if word in body["prompt"]:
                role = {"contentFilter": [{"role": "user", "level": 1}]} if code == "1301" else {}
                return Reply({"error": {"code": code, "message": message}, **role}, status)
        if asked.path == NOW:
            links = [{"url": f"{self.url}/pictures/1.png"}]
            return Reply(
                {"created": 1_760_000_000, "data": links, "content_filter": [{"role": "assistant", "level": 3}]}
            )
        name = f"task-{len(self.orders) + 1}"
        self.orders[name] = [body, 0]
        return Reply({"id": name, "model": body["model"], "request_id": f"r-{name}", "task_status": "PROCESSING"})

    def result(self, name: str) -> Reply:
        body, asked = self.orders[name]
        self.orders[name][1] += 1
        found = {"id": name, "model": body["model"], "request_id": f"r-{name}"}
        if asked < self.polls:
            return Reply({**found, "task_status": "PROCESSING"})
        if "doomed" in body["prompt"]:
            return Reply({**found, "task_status": "FAIL"})
        if "indecent" in body["prompt"]:
            error = {"code": "1301", "message": "The generated content may be unsafe."}
            return Reply({"error": error, "contentFilter": [{"role": "assistant", "level": 0}]}, 400)
        return Reply({**found, "task_status": "SUCCESS", "image_result": [{"url": f"{self.url}/pictures/1.png"}]})
