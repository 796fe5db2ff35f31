"""A strict fake of Hugging Face's router, and of the partners behind it.

Source: huggingface_hub 2.4.0, `inference/_providers/*.py`; fal.ai for `has_nsfw_concepts`.
"""

from __future__ import annotations

import base64
from typing import Any

from fake_vendor import PICTURE, PICTURE_B64, Asked, Fake, Fault, Reply, only

KEY = "hf_0123456789abcdefghij"
MODEL = "black-forest-labs/FLUX.1-schnell"
ROUTES = {
    "hf-inference": f"/hf-inference/models/{MODEL}",
    "fal-ai": "/fal-ai/fal-ai/flux/schnell",
    "together": "/together/v1/images/generations",
    "nscale": "/nscale/v1/images/generations",
    "replicate": "/replicate/v1/models/black-forest-labs/flux-schnell/predictions",
    "wavespeed": "/wavespeed/api/v3/wavespeed-ai/flux-schnell",
    "zai-org": "/zai-org/api/paas/v4/async/images/generations",
}
NAMES = {
    "fal-ai": "fal-ai/flux/schnell",
    "together": "black-forest-labs/FLUX.1-schnell",
    "nscale": "black-forest-labs/FLUX.1-schnell",
    "replicate": "black-forest-labs/flux-schnell",
    "wavespeed": "wavespeed-ai/flux-schnell",
    "zai-org": "glm-image",
}
"""What each partner calls the model."""
EDITOR = "black-forest-labs/FLUX.1-Kontext-dev"
EDIT_ROUTES = {
    "hf-inference": f"/hf-inference/models/{EDITOR}",
    "fal-ai": "/fal-ai/fal-ai/flux-kontext/dev",
    "together": "/together/v1/images/generations",
    "replicate": "/replicate/v1/models/black-forest-labs/flux-kontext-dev/predictions",
    "wavespeed": "/wavespeed/api/v3/wavespeed-ai/flux-kontext-dev",
}
EDIT_NAMES = {
    "fal-ai": "fal-ai/flux-kontext/dev",
    "together": "black-forest-labs/FLUX.1-kontext-dev",
    "replicate": "black-forest-labs/flux-kontext-dev",
    "wavespeed": "wavespeed-ai/flux-kontext-dev",
}
_REQUESTS = "/fal-ai/fal-ai/flux-kontext/requests/q-1"
_QUEUE = {"_subdomain": "queue"}
_EDGES = ("width", "height", "seed")
_BODIES: dict[str, tuple[set[str], tuple[str, ...]]] = {
    "hf-inference": ({"inputs"}, ("parameters",)),
    "fal-ai": ({"prompt"}, ("image_size", "seed")),
    "together": ({"prompt", "model", "response_format"}, _EDGES),
    "nscale": ({"prompt", "model", "response_format"}, ("size", "seed")),
    "replicate": ({"input"}, ()),
    "wavespeed": ({"prompt"}, _EDGES),
    "zai-org": ({"prompt", "model"}, ("size",)),
}
_SIZED = ("target_size", "seed")
_EDITS: dict[str, tuple[set[str], tuple[str, ...]]] = {
    "hf-inference": ({"inputs", "parameters"}, ()),
    "fal-ai": ({"prompt", "image_url", "image_urls"}, ("image_size", "seed")),
    "together": ({"prompt", "image_url", "model", "response_format"}, _SIZED),
    "replicate": ({"input"}, ()),
    "wavespeed": ({"prompt", "image"}, _SIZED),
}
"""What a body with a picture to edit holds."""


class HuggingFaceFake(Fake):
    """The router; orders of its partners are done after `polls` questions."""

    def __init__(self, polls: int = 2) -> None:
        super().__init__()
        self.polls = polls
        self.questions = 0
        self.prompt = ""

    def respond(self, asked: Asked) -> Reply:
        if (picture := self.picture(asked)) is not None:
            return picture
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return Reply({"error": "Invalid username or password."}, 401)
        if asked.method == "GET":
            if asked.path.startswith(_REQUESTS) and asked.query != _QUEUE:
                raise Fault(f"not asked of the queue: {asked.target}")
            return self.result(asked.path)
        is_edit = b'"data:image/' in asked.content or asked.path == EDIT_ROUTES["hf-inference"]
        routes = EDIT_ROUTES if is_edit else ROUTES
        partner = next((name for name, path in routes.items() if asked.path == path), None)
        if asked.method != "POST" or partner is None:
            raise Fault(f"{asked.method} {asked.target}")
        if asked.query != (_QUEUE if is_edit and partner == "fal-ai" else {}):
            raise Fault(f"the query is {asked.query}")
        return self.edited(partner, asked) if is_edit else self.ordered(partner, asked)

    def edited(self, partner: str, asked: Asked) -> Reply:
        """The response to a picture that is to be edited."""
        body = asked.json
        only(body, *_EDITS[partner])
        if partner == "hf-inference":
            only(body["parameters"], {"prompt"}, _SIZED)
            base64.b64decode(body["inputs"], validate=True)
        if partner == "replicate":
            pictures = {"image", "images", "input_image", "input_images"}
            only(body["input"], {"prompt", *pictures}, _SIZED)
        if body.get("model") not in (None, EDIT_NAMES.get(partner)):
            raise Fault(f"{partner} has no {body['model']}")
        held = body.get("parameters") or body.get("input") or body
        self.prompt = str(held["prompt"])
        if partner == "fal-ai":
            at = f"https://queue.fal.run{_REQUESTS.removeprefix('/fal-ai')}"
            return Reply({"status": "IN_QUEUE", "request_id": "q-1", "response_url": at, "status_url": f"{at}/status"})
        return self.begun(partner)

    def ordered(self, partner: str, asked: Asked) -> Reply:
        body = asked.json
        only(body, *_BODIES[partner])
        only(body.get("parameters", {}), set(), _EDGES)
        if body.get("model") not in (None, NAMES.get(partner)):
            raise Fault(f"{partner} has no {body['model']}")
        if partner == "hf-inference" and asked.headers.get("accept") != "image/png":
            raise Fault(f"a picture is not accepted: {asked.headers.get('accept')}")
        if partner == "replicate":
            only(body["input"], {"prompt"}, _EDGES)
            if asked.headers.get("prefer") != "wait":
                raise Fault("replicate is not asked to wait")
        if partner == "zai-org" and asked.headers.get("x-source-channel") != "hugging_face":
            raise Fault("zai-org is not told who asks")
        prompt = self.prompt = str(body.get("inputs") or body.get("prompt") or body["input"]["prompt"])
        if ("busy" in prompt and self.times("busy") == 1) or "crowded" in prompt:
            return Reply({"error": "You have reached the rate limit."}, 429, {"Retry-After": "0"})
        if "cold" in prompt:
            return Reply({"error": f"Model {MODEL} is currently loading", "estimated_time": 20.0}, 503)
        if "penniless" in prompt:
            return Reply({"error": "You have exceeded your monthly included credits for Inference Providers."}, 402)
        if "malformed" in prompt:
            return Reply({"error": ["Input should be shorter"]}, 422)
        if "broken" in prompt:
            return Reply({"error": "Internal Server Error"}, 500)
        return self.begun(partner)

    def begun(self, partner: str) -> Reply:
        url = f"{self.url}/pictures/1.png"
        if partner == "hf-inference":
            return Reply(PICTURE, headers={"Content-Type": "image/jpeg"})
        if partner == "fal-ai":
            flagged = "indecent" in self.prompt
            return Reply(
                {"images": [{"url": url, "width": 61, "height": 43}], "has_nsfw_concepts": [flagged], "seed": 1}
            )
        if partner == "replicate":
            found: dict[str, Any] = {"id": "r-1", "status": "succeeded", "output": [url]}
            if "slow" in self.prompt or "indecent" in self.prompt or "doomed" in self.prompt:
                found = {"id": "r-1", "status": "processing", "output": None}
            return Reply({**found, "urls": {"get": "https://api.replicate.com/v1/predictions/r-1"}}, 201)
        if partner == "wavespeed":
            get = "https://api.wavespeed.ai/api/v3/predictions/w-1/result"
            return Reply({"code": 200, "data": {"id": "w-1", "status": "created", "outputs": [], "urls": {"get": get}}})
        if partner == "zai-org":
            return Reply({"id": "z-1", "model": "glm-image", "request_id": "q-1", "task_status": "PROCESSING"})
        return Reply({"id": "t-1", "object": "list", "data": [{"index": 0, "b64_json": PICTURE_B64}]})

    def result(self, path: str) -> Reply:
        self.questions += 1
        waits = self.questions <= self.polls
        url = f"{self.url}/pictures/1.png"
        if path == f"{_REQUESTS}/status":
            status = "IN_PROGRESS" if waits else "COMPLETED"
            at = f"https://queue.fal.run{_REQUESTS.removeprefix('/fal-ai')}"
            return Reply({"status": status, "request_id": "q-1", "response_url": at})
        if path == _REQUESTS:
            if waits:
                raise Fault("the picture is asked for before it is there")
            return Reply({"images": [{"url": url}], "has_nsfw_concepts": ["indecent" in self.prompt], "seed": 1})
        if path == "/replicate/v1/predictions/r-1":
            if waits:
                return Reply({"id": "r-1", "status": "processing", "output": None})
            if "indecent" in self.prompt:
                return Reply({"id": "r-1", "status": "failed", "error": "NSFW content detected.", "output": None})
            if "doomed" in self.prompt:
                return Reply({"id": "r-1", "status": "failed", "error": "out of memory", "output": None})
            return Reply({"id": "r-1", "status": "succeeded", "output": url})
        if path == "/wavespeed/api/v3/predictions/w-1/result":
            if waits:
                return Reply({"code": 200, "data": {"id": "w-1", "status": "processing", "outputs": []}})
            if "doomed" in self.prompt:
                return Reply(
                    {"code": 200, "data": {"id": "w-1", "status": "failed", "error": "no luck", "outputs": []}}
                )
            return Reply({"code": 200, "data": {"id": "w-1", "status": "completed", "outputs": [url]}})
        if path == "/zai-org/api/paas/v4/async-result/z-1":
            if waits:
                return Reply({"id": "z-1", "task_status": "PROCESSING"})
            return Reply({"id": "z-1", "task_status": "SUCCESS", "image_result": [{"url": url}]})
        raise Fault(f"GET {path}")
