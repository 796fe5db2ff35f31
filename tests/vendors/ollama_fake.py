"""A strict fake of an Ollama server that draws, or (`draws` false) of one since 0.32.6.

Source: ollama/ollama, server/routes.go and docs/api.md before and after its commit 4713800b0.
"""

from __future__ import annotations

from fake_vendor import PICTURE_B64, SOON, Asked, Fake, Fault, Reply, only


class OllamaFake(Fake):
    """Ollama."""

    draws = True

    def respond(self, asked: Asked) -> Reply:
        if (asked.method, asked.target) != ("POST", "/api/generate"):
            raise Fault(f"{asked.method} {asked.target} is no operation")
        if "authorization" in asked.headers:
            raise Fault("a server of one's own gets no key")
        body = asked.json
        only(body, {"model", "prompt", "stream"}, {"width", "height", "options"})
        only(body.get("options", {}), set(), {"seed"})
        if body["stream"] is not False or ("width" in body) is not ("height" in body):
            raise Fault(f"wrong options: {body}")
        if not self.draws:
            return Reply({"error": "image generation models are not currently supported"}, 400)
        if body["model"] == "missing":
            return Reply({"error": "model 'missing' not found"}, 404)
        if "busy" in body["prompt"] and self.times("busy") == 1:
            return Reply({"error": "server busy, please try again.  maximum pending requests exceeded"}, 503, SOON)
        done = {"model": body["model"], "created_at": "2026-07-01T10:00:00Z", "done": True, "done_reason": "stop"}
        if body["model"] == "llama3.2":
            return Reply({**done, "response": "A lighthouse is a tower."})
        return Reply({**done, "image": PICTURE_B64, "prompt_eval_count": 12, "total_duration": 5191566416})
