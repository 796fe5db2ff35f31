"""A strict fake of Mistral's conversations with the tool that draws, and of its files.

Source: mistralai 3.7.0, `conversations.py`, `files.py` and `models/`; mistralai/platform-docs-public, Image generation.
"""

from __future__ import annotations

from typing import Any

from fake_vendor import PICTURE, Asked, Fake, Fault, Reply, only

KEY = "mistral-key-0123456789abcdef"
AGENT = "ag_01"
USAGE = {"prompt_tokens": 129, "completion_tokens": 94, "total_tokens": 292, "connector_tokens": 69}


class MistralFake(Fake):
    """Starts conversations, and gives the files that they made."""

    def respond(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return Reply({"detail": "Unauthorized"}, 401)
        if asked.method == "GET" and asked.path.startswith("/v1/files/file-") and asked.path.endswith("/content"):
            if "lost" in asked.path:
                return Reply(
                    {"object": "error", "message": "No file found", "type": "invalid_request", "code": "1001"}, 404
                )
            return Reply(PICTURE, headers={"Content-Type": "application/octet-stream"})
        if asked.method != "POST" or asked.path != "/v1/conversations" or asked.query:
            raise Fault(f"{asked.method} {asked.target}")
        body = asked.json
        if "agent_id" in body:
            only(body, {"agent_id", "inputs", "stream"})
        else:
            only(body, {"model", "inputs", "tools", "instructions", "stream"})
            if body["tools"] != [{"type": "image_generation"}]:
                raise Fault(f"the tools are {body['tools']}")
        if body["stream"] is not False:
            raise Fault("a stream is asked for")
        return self.said(body["inputs"])

    def said(self, prompt: str) -> Reply:
        if ("busy" in prompt and self.times("busy") == 1) or "crowded" in prompt:
            limit = {"object": "error", "message": "Rate limit exceeded", "type": "rate_limited", "code": "1300"}
            return Reply(limit, 429, {"Retry-After": "0"})
        if "malformed" in prompt:
            detail = {"type": "string_too_short", "loc": ["body", "inputs"], "msg": "String too short", "input": ""}
            return Reply({"detail": [detail]}, 422)
        if "broken" in prompt:
            return Reply({"object": "error", "message": "Service unavailable", "type": "internal", "code": "3000"}, 500)
        if "talk" in prompt:
            return self.turn("I would rather talk about it.")
        names = ["file-1", "file-lost"] if "half" in prompt else ["file-1", "file-2"] if "two" in prompt else ["file-1"]
        tool = {"type": "tool_file", "tool": "image_generation", "file_name": "image_0", "file_type": "png"}
        parts: list[Any] = [{"type": "text", "text": "Here it is:\n\n"}, *({**tool, "file_id": name} for name in names)]
        return self.turn([*parts, {"type": "text", "text": "\n\nMore?"}])

    def turn(self, content: Any) -> Reply:
        entry = {"object": "entry", "created_at": "2026-11-26T20:00:00Z", "completed_at": "2026-11-26T20:00:09Z"}
        execution = {
            **entry,
            "type": "tool.execution",
            "id": "tool_exec_1",
            "name": "image_generation",
            "arguments": "{}",
        }
        message = {**entry, "type": "message.output", "id": "msg_1", "role": "assistant", "content": content}
        outputs = [message] if isinstance(content, str) else [execution, message]
        found = {"conversation_id": "conv_1", "object": "conversation.response", "usage": USAGE, "outputs": outputs}
        return Reply(found)
