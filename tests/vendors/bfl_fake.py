"""A strict fake of Black Forest Labs' API: an order at the address of a model, and questions for it.

Source: docs.bfl.ai, Quick start and FLUX1.1 [pro].
"""

from __future__ import annotations

from typing import Any

from fake_vendor import Asked, Fake, Fault, Reply, only

KEY = "bfl-key-0123456789abcdef"
CREDITS = {"flux-2-pro": 3.0, "flux-pro-1.1": 4.0}
ENDS = {"forbidden": "Request Moderated", "indecent": "Content Moderated", "doomed": "Error", "lost": "Task not found"}
"""A word in the prompt → how the order ends."""


class BlackForestLabsFake(Fake):
    """Takes orders that are done after `polls` questions."""

    def __init__(self, polls: int = 0) -> None:
        super().__init__()
        self.polls = polls
        self.orders: list[list[Any]] = []

    def respond(self, asked: Asked) -> Reply:
        if (picture := self.picture(asked)) is not None:
            return picture
        if asked.headers.get("x-key") != KEY or "authorization" in asked.headers:
            return Reply({"detail": "Not authenticated"}, 403)
        if asked.method == "GET" and asked.path == "/v1/get_result":
            return self.result(asked.query["id"])
        model = asked.path.removeprefix("/v1/")
        if asked.method != "POST" or model not in CREDITS or asked.query:
            raise Fault(f"{asked.method} {asked.target}")
        body = asked.json
        only(body, {"prompt"}, ("width", "height", "seed", "output_format"))
        prompt = body["prompt"]
        if ("busy" in prompt and self.times("busy") == 1) or "crowded" in prompt:
            return Reply({"detail": "Too many active tasks"}, 429, {"Retry-After": "0"})
        if "penniless" in prompt:
            return Reply({"detail": "Insufficient credits"}, 402)
        if "malformed" in prompt:
            return Reply(
                {"detail": [{"loc": ["body", "width"], "msg": "not a multiple of 32", "type": "value_error"}]}, 422
            )
        self.orders.append([prompt, 0])
        name = f"order-{len(self.orders)}"
        return Reply({"id": name, "polling_url": f"{self.url}/v1/get_result?id={name}", "cost": CREDITS[model]})

    def result(self, name: str) -> Reply:
        order = self.orders[int(name.rpartition("-")[2]) - 1]
        order[1] += 1
        found: dict[str, Any] = {"id": name, "result": None, "progress": None, "details": None}
        if order[1] <= self.polls:
            return Reply({**found, "status": "Pending"})
        for word, status in ENDS.items():
            if word in order[0]:
                details = {"Moderation Reasons": ["Safety Filter"]} if "Moderated" in status else None
                return Reply({**found, "status": status, "details": details})
        return Reply({**found, "status": "Ready", "result": {"sample": f"{self.url}/pictures/1.jpeg", "seed": 7}})
