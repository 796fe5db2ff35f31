"""A strict fake of Cloudflare's Workers AI: JSON or a form in, JSON or the picture itself out.

Source: cloudflare/cloudflare-docs, `workers-ai-models/*.json`, `platform/errors.mdx`, changelog 2026-01-28.
"""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import unquote

from fake_vendor import PICTURE, PICTURE_B64, Asked, Fake, Fault, Reply, only

KEY = "cloudflare-token-0123456789"
ACCOUNT = "0a1b2c3d4e5f"
ROOT = f"/client/v4/accounts/{ACCOUNT}/ai/run/"
FORMS = ("@cf/black-forest-labs/flux-2-dev", "@cf/black-forest-labs/flux-2-klein-4b")
SCHNELL = "@cf/black-forest-labs/flux-1-schnell"
LUCID = "@cf/leonardo/lucid-origin"
RAW = {"@cf/leonardo/phoenix-1.0": "image/jpeg", "@cf/stabilityai/stable-diffusion-xl-base-1.0": "image/png"}
ERRORS = {
    "forbidden": (400, 3030, "AiError: Input prompt contains NSFW content."),
    "crowded": (429, 3040, "Capacity temporarily exceeded, please try again."),
    "penniless": (429, 3036, "You have used up your daily free allocation of 10,000 neurons."),
    "malformed": (400, 5004, "Invalid data"),
    "broken": (500, 8000, "Internal server error"),
    "hidden": (200, 3003, "Incomplete request"),
}
"""A word in the prompt → status, code and message; `hidden` stands for an error with the status of a success."""


def failed(status: int, code: int, message: str) -> Reply:
    return Reply(
        {"result": None, "success": False, "errors": [{"code": code, "message": message}], "messages": []}, status
    )


class WorkersAIFake(Fake):
    """Runs models under one account."""

    def respond(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return failed(401, 10000, "Authentication error")
        if asked.method != "POST" or not asked.path.startswith(ROOT) or asked.query:
            raise Fault(f"{asked.method} {asked.target}")
        model = unquote(asked.path.removeprefix(ROOT))  # the client of Cloudflare encodes the slashes in a name
        if model not in (*FORMS, SCHNELL, LUCID, *RAW):
            return failed(400, 5007, "No such model " + model)
        body = fields_of(asked) if model in FORMS else asked.json
        pictures = tuple(f"input_image_{number}" for number in range(4)) if model in FORMS else ()
        only(body, {"prompt"}, () if model == SCHNELL else ("width", "height", "seed", *pictures))
        if "busy" in body["prompt"] and self.times("busy") == 1:
            return failed(429, 3040, "Capacity temporarily exceeded.")._replace(headers={"Retry-After": "0"})
        for word, (status, code, message) in ERRORS.items():
            if word in body["prompt"]:
                return failed(status, code, message)
        if model in RAW:
            return Reply(PICTURE, headers={"Content-Type": RAW[model]})
        return Reply({"result": {"image": PICTURE_B64}, "success": True, "errors": [], "messages": []})


def fields_of(asked: Asked) -> dict[str, str]:
    """The fields of a form.

    Raises:
        Fault: it is none.
    """
    kind = asked.headers["content-type"]
    if not kind.startswith("multipart/form-data; boundary="):
        raise Fault(f"the body is {kind}, and not a form")
    parts = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + asked.content).iter_parts()
    found = {}
    for part in parts:
        name, content = str(part.get_param("name", header="content-disposition")), part.get_payload(decode=True)
        if name.startswith("input_image_") and (part.get_filename() is None or not content.startswith(b"\x89PNG")):
            raise Fault(f"{name} is no picture")
        found[name] = content.decode("latin-1")
    return found
