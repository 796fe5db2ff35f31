"""Strict fakes of OpenAI's images operations, of Azure's form of it with a deployment, and of a HUB.

Source: OpenAI API reference, Create image; Microsoft Learn, image generation how-to. The simulator has the whole API.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from fake_vendor import PICTURE_B64, SOON, Asked, Fake, Fault, Reply, only
from workersai_fake import fields_of

KEY = "sk-proj-openai-0123456789"
TENANT, CLIENT = "72f988bf-tenant", "6731de76-client"
SECRET, TOKEN = "entra~secret.0123456789", "eyJ0eXAi.fake-entra-token.0123456789"
TOKENS = {"low": 196, "medium": 1756, "high": 7024}
"""Tokens of a picture of gpt-image-2 of 1024x1024. Source: OpenAI image generation guide."""
_OPTIONS = {"n", "size", "quality", "output_format", "output_compression", "background", "moderation", "user"}


class OpenAIFake(Fake):
    """OpenAI; `target` and `names_model` are what its brothers do otherwise."""

    target = "/v1/images/generations"
    names_model = True
    quality = "low"
    """What it makes of `auto`."""

    def is_let_in(self, asked: Asked) -> bool:
        """Whether the key is in its place."""
        return asked.headers.get("authorization") == f"Bearer {KEY}" and "api-key" not in asked.headers

    def respond(self, asked: Asked) -> Reply:
        is_edit = asked.target == self.target.replace("/images/generations", "/images/edits")
        if asked.method != "POST" or not (is_edit or asked.target == self.target):
            raise Fault(f"{asked.method} {asked.target} is no operation")
        if not self.is_let_in(asked):
            return error(401, "invalid_api_key", "Incorrect API key provided")
        body = fields_of(asked) if is_edit else asked.json
        only(body, {"prompt", *(["model"] if self.names_model else []), *(["image"] if is_edit else [])}, _OPTIONS)
        if "forbidden" in body["prompt"]:
            return error(400, "moderation_blocked", "Your request was rejected by the safety system.")
        if "busy" in body["prompt"] and self.times("busy") == 1:
            return error(429, "rate_limit_exceeded", "Rate limit reached")._replace(headers=SOON)
        details = {"text_tokens": 8, "image_tokens": 0}
        drawn = TOKENS[body.get("quality", self.quality)] * int(body.get("n", 1))
        usage = {"input_tokens": 8, "output_tokens": drawn, "total_tokens": 8 + drawn, "input_tokens_details": details}
        return Reply({"created": 1795000000, "data": [{"b64_json": PICTURE_B64}] * body.get("n", 1), "usage": usage})


class AzureFake(OpenAIFake):
    """Azure OpenAI with a deployment in the address."""

    target = "/openai/deployments/images/images/generations?api-version=2025-04-01-preview"
    names_model = False
    quality = "high"

    def is_let_in(self, asked: Asked) -> bool:
        return asked.headers.get("api-key") == KEY and "authorization" not in asked.headers


class EntraFake(AzureFake):
    """The same resource for an application of Entra, whose tokens come from here too; `tokens` counts them."""

    tokens = 0

    def respond(self, asked: Asked) -> Reply:
        if asked.path != f"/{TENANT}/oauth2/v2.0/token":
            return super().respond(asked)
        form = {name: values[0] for name, values in parse_qs(asked.content.decode()).items()}
        scope = "https://cognitiveservices.azure.com/.default"
        wanted = {"client_id": CLIENT, "grant_type": "client_credentials", "scope": scope}
        if asked.method != "POST" or {name: form.get(name) for name in wanted} != wanted:
            raise Fault(f"no request for a token: {form}")
        if form.get("client_secret") != SECRET:
            said = "AADSTS7000215: Invalid client secret provided."
            return Reply({"error": "invalid_client", "error_description": said}, 401)
        self.tokens += 1
        return Reply({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": TOKEN})

    def is_let_in(self, asked: Asked) -> bool:
        return asked.headers.get("authorization") == f"Bearer {TOKEN}" and "api-key" not in asked.headers


class HubFake(OpenAIFake):
    """A HUB that hands requests to the target that a header names."""

    def is_let_in(self, asked: Asked) -> bool:
        return super().is_let_in(asked) and asked.headers.get("x-target") == "pictures"


def error(status: int, code: str, message: str) -> Reply:
    """OpenAI's error object."""
    said: dict[str, Any] = {"message": message, "type": "image_generation_user_error", "param": None, "code": code}
    return Reply({"error": said}, status)
