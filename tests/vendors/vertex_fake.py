"""A strict fake of Vertex AI and of the address where Google gives tokens, which verifies each JWT.

Source: RFC 7519 and 7523; Google, using OAuth 2.0 for server to server applications; google-genai 3.6, _api_client.py.
"""

from __future__ import annotations

import base64
import json
import re
import time
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fake_vendor import Asked, Fake, Fault, Reply
from gemini_fake import MODELS, error, generated

PROJECT, KEY_ID, WHO = "pictures-123", "fake-key-id", "painter@pictures-123.iam.gserviceaccount.com"
TOKEN = "ya29.fake-access-token-0123456789"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_AUDIENCE = "https://oauth2.googleapis.com/token"  # wherever the token is asked for
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_PATH = re.compile(r"/v1/projects/([\w-]+)/locations/([\w-]+)/publishers/google/models/([\w.-]+):generateContent")


@cache
def key() -> rsa.RSAPrivateKey:
    """The key of the service account, the same for all tests of a process."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(of: rsa.RSAPrivateKey | None = None) -> str:
    """A private key as such files hold it."""
    form, encoding = serialization.PrivateFormat.PKCS8, serialization.Encoding.PEM
    return (of or key()).private_bytes(encoding, form, serialization.NoEncryption()).decode()


class VertexFake(Fake):
    """Vertex AI; `tokens` counts those it gave."""

    tokens = 0

    @property
    def credentials(self) -> dict[str, Any]:
        """The service account, whose tokens come from here."""
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": KEY_ID,
            "private_key": pem(),
            "client_email": WHO,
            "token_uri": f"{self.url}/token",
        }

    def respond(self, asked: Asked) -> Reply:
        if (asked.method, asked.target) == ("POST", "/token"):
            return self._token(asked)
        path = _PATH.fullmatch(asked.path)
        if asked.method != "POST" or path is None or asked.query:
            raise Fault(f"{asked.method} {asked.target} is no operation")
        if "x-goog-api-key" in asked.headers:
            raise Fault("Vertex AI takes tokens, and no such key")
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if path[1] != PROJECT:
            return error(403, "PERMISSION_DENIED", f"Permission denied on resource project {path[1]}.")
        if path[3] not in MODELS:
            return error(404, "NOT_FOUND", f"Publisher Model `{path[3]}` was not found.")
        return generated(self, asked, path[3], is_vertex=True)

    def _token(self, asked: Asked) -> Reply:
        form = {name: values[0] for name, values in parse_qs(asked.content.decode()).items()}
        if set(form) != {"grant_type", "assertion"} or form["grant_type"] != _GRANT:
            raise Fault(f"no request for a token: {sorted(form)}")
        head, claims, signature = form["assertion"].split(".")
        try:
            key().public_key().verify(
                _bytes(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return Reply({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400)
        told, said = json.loads(_bytes(head)), json.loads(_bytes(claims))
        if told != {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}:
            raise Fault(f"the head is {told}")
        if (said["iss"], said["aud"], said["scope"]) != (WHO, _AUDIENCE, _SCOPE):
            raise Fault(f"the claims are {said}")
        if not (abs(said["iat"] - time.time()) < 300 and 0 < said["exp"] - said["iat"] <= 3600):
            raise Fault(f"the times are {said['iat']} and {said['exp']}")
        self.tokens += 1
        return Reply({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"})


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
