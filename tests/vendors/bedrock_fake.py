"""A strict fake of Amazon Bedrock's `InvokeModel`, which works every signature out again.

Source: AWS docs, Signature Version 4, how to create a canonical request; botocore 1.44, bedrock-runtime service model;
Bedrock model parameters of Stable Image, Stable Diffusion 3.5, Stability AI Image Services and Nova Canvas. Nothing of
botocore is used here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from fake_vendor import PICTURE_B64, SOON, Asked, Fake, Fault, Reply, only
from PIL import Image as Pillow

KEY_ID, SECRET, TOKEN = "AKIAFAKEKEYID0123456", "fake/secret+access/key0123456789abcdefghij", "fake-session-token=="
BEARER = "ABSKQmVkcm9ja0FQSUtleS1mYWtlLTAxMjM0NTY3ODk="
REGION = "us-west-2"
_PATH = re.compile(r"/model/([^/]+)/invoke")
_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([\w-]+)/([\w-]+)/aws4_request, "
    r"SignedHeaders=([\w;-]+), Signature=([0-9a-f]{64})"
)
_RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")


class BedrockFake(Fake):
    """Bedrock. `token` is whether its key is one that expires, with a session token."""

    token = False

    def respond(self, asked: Asked) -> Reply:
        path = _PATH.fullmatch(asked.path)
        if asked.method != "POST" or path is None or asked.query:
            raise Fault(f"{asked.method} {asked.target} is no operation")
        if asked.headers.get("accept") != "application/json":
            raise Fault("no JSON is accepted")
        if (refused := self._not_let_in(asked)) is not None:
            return refused
        named = unquote(path[1])
        model = named.removeprefix("us.")
        if model in SERVICES and named == model:
            said = f"Invocation of model ID {model} with on-demand throughput isn’t supported."
            return error(400, "ValidationException", said)
        prompt = _amazon(asked) if model.startswith("amazon.") else _stability(asked, model)
        if "unheard" in model:
            return error(404, "ResourceNotFoundException", "Could not resolve the foundation model.")
        return self._told(prompt, asked)

    def _not_let_in(self, asked: Asked) -> Reply | None:
        given = asked.headers.get("authorization", "")
        if given.startswith("Bearer "):
            is_known = given == f"Bearer {BEARER}"
            return None if is_known else error(403, "AccessDeniedException", "Authentication failed: API Key not valid")
        signed = _SIGNED.fullmatch(given)
        if signed is None:
            return error(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        key_id, day, region, service, names, signature = signed.groups()
        if (region, service) != (REGION, "bedrock"):
            return error(403, "InvalidSignatureException", f"Credential should be scoped to {REGION}/bedrock")
        if key_id != KEY_ID or (asked.headers.get("x-amz-security-token") or None) != (TOKEN if self.token else None):
            return error(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        wanted = {"content-type", "host", "x-amz-date", *(["x-amz-security-token"] if self.token else [])}
        if not wanted <= set(names.split(";")) or names.split(";") != sorted(names.split(";")):
            raise Fault(f"signed are {names}")
        at = datetime.strptime(asked.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(datetime.now(UTC) - at) > timedelta(minutes=5) or at.strftime("%Y%m%d") != day:
            return error(403, "InvalidSignatureException", "Signature expired")
        if not hmac.compare_digest(signature, signature_of(asked, names.split(";"), day)):
            return error(403, "InvalidSignatureException", "The request signature we calculated does not match.")
        return None

    def _told(self, prompt: str, asked: Asked) -> Reply:
        if "forbidden" in prompt:
            return Reply({"finish_reasons": ["Filter reason: prompt"]})
        if "unsafe picture" in prompt:
            return Reply({"seeds": [1], "finish_reasons": ["Filter reason: output image"], "images": []})
        if "breaks inside" in prompt:
            return Reply({"finish_reasons": ["Inference error"]})
        if "all blocked" in prompt:
            return Reply({"error": "All of the generated images have been blocked by our content filters."})
        if "blocked before" in prompt:
            said = "This request has been blocked by our content filters. Please adjust your text prompt."
            return error(400, "ValidationException", said)
        if "busy" in prompt and self.times("busy") == 1:
            busy = error(429, "ThrottlingException", "Too many requests, please wait before trying again.")
            return busy._replace(headers={**busy.headers, **SOON})
        if "too much" in prompt:
            return error(400, "ServiceQuotaExceededException", "Your request exceeds the service quota.")
        count = asked.json.get("imageGenerationConfig", {}).get("numberOfImages", 1)
        if "imageGenerationConfig" in asked.json:
            return Reply({"images": [PICTURE_B64] * count})
        return Reply({"seeds": [2130420379], "finish_reasons": [None], "images": [PICTURE_B64]}, headers=NAMED)


NAMED = {"x-amzn-RequestId": "0b4c6a2e-request"}


SERVICES = {
    f"stability.stable-image-{name}-v1:0": fields
    for name, fields in (
        ("inpaint", {"prompt", "image", "mask"}),
        ("control-structure", {"prompt", "image"}),
        ("control-sketch", {"prompt", "image"}),
    )
}
"""Models of Stability AI Image Services → the fields that a body must have here; AWS gives them by a profile alone."""


def _stability(asked: Asked, model: str) -> str:
    body = asked.json
    if model in SERVICES:
        only(body, SERVICES[model], {"output_format", "seed", "negative_prompt"})
    elif model.startswith("stability.sd3-5") and body.get("mode") == "image-to-image":
        only(body, {"prompt", "mode", "image", "strength"}, {"output_format", "seed", "negative_prompt"})
        if not 0 <= body["strength"] <= 1:
            raise Fault(f"the strength is {body['strength']}")
    else:
        only(body, {"prompt"}, {"aspect_ratio", "output_format", "seed", "mode", "negative_prompt"})
    for name in {"image", "mask"} & set(body):
        with Pillow.open(io.BytesIO(base64.b64decode(body[name], validate=True))) as picture:
            if name == "mask" and (picture.mode != "L" or set(picture.tobytes()) - {0, 255}):
                raise Fault("a mask is white where the picture is edited, and black elsewhere")
    if body.get("aspect_ratio", "1:1") not in _RATIOS or body.get("output_format", "PNG") not in ("PNG", "JPEG"):
        raise Fault(f"wrong options: {body}")
    return str(body["prompt"])


def _amazon(asked: Asked) -> str:
    body = asked.json
    only(body, {"taskType", "textToImageParams", "imageGenerationConfig"})
    only(body["textToImageParams"], {"text"}, {"negativeText"})
    only(body["imageGenerationConfig"], set(), {"numberOfImages", "width", "height", "quality", "cfgScale", "seed"})
    if body["taskType"] != "TEXT_IMAGE":
        raise Fault(f"the task is {body['taskType']}")
    return str(body["textToImageParams"]["text"])


def signature_of(asked: Asked, names: list[str], day: str) -> str:
    """The signature that a request must have: the path is encoded once more, as for every service but S3."""
    headers = "".join(f"{name}:{' '.join(asked.headers[name].split())}\n" for name in names)
    body = hashlib.sha256(asked.content).hexdigest()
    canonical = "\n".join([asked.method, quote(asked.path, safe="/-_.~"), "", headers, ";".join(names), body])
    scope = f"{day}/{REGION}/bedrock/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{asked.headers['x-amz-date']}\n{scope}\n{digest}"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def error(status: int, name: str, message: str) -> Reply:
    """An exception of the service: its name in a header, its message in the body."""
    headers = {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/", **NAMED}
    return Reply({"message": message}, status, headers)
