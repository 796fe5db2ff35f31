"""Mistral AI: a text model is given the tool that draws, and the files that it made are fetched.

Source: mistralai 3.7.0, `conversations.py`, `files.py` and `models/`; mistralai/platform-docs-public, Image generation.
There is no images API: who draws, and in which size, is Mistral's choice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlunsplit

from flowdsl.step.problem import Problem
from flowdsl.step.service import Service
from flowdsl.step.spec import Key
from flowdsl_steps.image.endpoint import missing, named_model, split_endpoint
from flowdsl_steps.image.failure import Failure, json_object, place_of
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.resolved_model import ResolvedModel
from flowdsl_steps.image.vendor import Endpoint, Head, Poll
from flowdsl_steps.image.vendors.openai import bearer_endpoint

if TYPE_CHECKING:
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.response import ResponseReader

_ROOT = "/v1"
_OPERATION = "/conversations"
_TOOL = {"type": "image_generation"}
_TASK = "Draw the picture that the user describes with the image generation tool. Ask nothing back."
"""What the text model is told: without it, it may respond with words. An agent has instructions of its own."""
_LONGEST_SAID = 200


class Mistral(Offering):
    """A conversation of one turn; its pictures are files of the account."""

    name = "mistral"
    title = "Mistral AI"
    watched_as = "mistral_ai"
    hosts = ("api.mistral.ai", "api.eu.mistral.ai", "api.us.mistral.ai")
    settings = (Key("agentId", "text", "The Mistral agent with the image generation tool, in place of a model."),)
    environment: Mapping[str, tuple[str, ...]] = {"apiKey": ("MISTRAL_API_KEY",)}

    def supports(self, request: ImageRequest, model: ResolvedModel) -> Iterator[Problem]:
        """What the file says, which is little: a prompt is taken. An agent needs no model."""
        agent = model.service.get("agentId") if model.service is not None else None
        for problem in super().supports(request, model):
            if problem.key in ("size", "quality", "background"):
                hint = f"remove it, and say in the prompt what the {problem.key} should be like"
                yield problem._replace(hint=hint)
            elif not (agent and problem.code == "missing-key"):
                yield problem

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The conversations of the API: at Mistral, in one of its regions, or behind the entry's own address.

        Raises:
            ConfigError: a bad endpoint, no key, neither a model nor an agent.
        """
        parts = split_endpoint(service, service.endpoint or f"https://{self.hosts[0]}")
        agent = service.get("agentId")
        model = named_model(request, service) if agent else self.named(request, service)
        if not (service.get("apiKey") or service.get("authKey")) and parts.hostname in self.hosts:
            raise missing(service, "apiKey", self.environment["apiKey"][0])
        path = parts.path.rstrip("/").removesuffix("/chat/completions").removesuffix(_OPERATION) or _ROOT
        url = urlunsplit(parts._replace(path=path + _OPERATION, fragment=""))
        endpoint = bearer_endpoint(service, url, str(model or agent), self.environment["apiKey"])
        asked = {"agent_id": str(agent)} if agent else {"model": model, "tools": [_TOOL], "instructions": _TASK}
        return endpoint._replace(model=None if agent else model, body=asked)

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """The prompt as the first turn of a conversation."""
        from flowdsl_steps.http.request import HttpRequest

        content = json.dumps({**endpoint.body, "inputs": request.prompt, "stream": False}, ensure_ascii=False).encode()
        return HttpRequest("POST", endpoint.url, {"Content-Type": "application/json"}, content)

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """The turn of the conversation, or a file."""
        from flowdsl_steps.image.response import JsonResponse, RawResponse

        if head.headers.get("content-type", "").lower().startswith("application/json"):
            return JsonResponse(store, limit, _received)
        return RawResponse(store, limit)

    def next(self, received: Received, endpoint: Endpoint) -> Poll | None:
        """Asks for the files, one after the other."""
        from flowdsl_steps.http.request import HttpRequest

        names = _files(received.payload)
        if len(received.images) >= len(names):
            return None
        name = quote(names[len(received.images)], safe="", errors="replace")
        url = f"{endpoint.url.removesuffix(_OPERATION)}/files/{name}/content"
        return Poll(HttpRequest("GET", url), after_s=0, kept=received, is_made=True)

    def failure(self, head: Head, body: bytes | Mapping[str, Any]) -> Failure | None:
        """Its error; a list of details where the body is invalid; or what a model says that has drawn nothing."""
        found = json_object(body)
        if found is None:
            return super().failure(head, body)
        if isinstance(found.get("outputs"), list):
            said = " ".join(_words(found).split())[:_LONGEST_SAID]
            return Failure(said or "the model drew nothing", "no-picture", retry_class="never", billed=True)
        details = found.get("detail")
        if isinstance(details, list) and details and isinstance(details[0], Mapping):
            said, code = str(details[0].get("msg", "")), str(details[0].get("type", ""))
            return Failure(said, code, place_of(details[0]), "invalid")
        return super().failure(head, body)


def _chunks(payload: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What the model says in a turn, piece by piece."""
    outputs = payload.get("outputs")
    for entry in outputs if isinstance(outputs, list) else ():
        content = entry.get("content") if isinstance(entry, Mapping) else None
        if isinstance(content, str):
            yield {"type": "text", "text": content}
        for chunk in content if isinstance(content, list) else ():
            if isinstance(chunk, Mapping):
                yield chunk


def _files(payload: Mapping[str, Any]) -> list[str]:
    """The names of the files that the tool made, each once."""
    names = [chunk.get("file_id") for chunk in _chunks(payload) if chunk.get("type") == "tool_file"]
    return list(dict.fromkeys(name for name in names if isinstance(name, str) and name))


def _words(payload: Mapping[str, Any]) -> str:
    return " ".join(str(chunk.get("text", "")) for chunk in _chunks(payload) if chunk.get("type") == "text")


def _received(payload: dict[str, Any]) -> Received:
    """A turn: the files are fetched after it."""
    from flowdsl_steps.image.received import MOST_PICTURES, BrokenResponse, Received

    if not isinstance(payload.get("outputs"), list):
        known = payload if payload.get("detail") or payload.get("message") else None
        raise BrokenResponse("malformed", "the response has no `outputs`", payload=known)
    names = _files(payload)
    if not names:
        raise BrokenResponse("vendor-error", "the model drew nothing", payload=payload)
    if len(names) > MOST_PICTURES:
        raise BrokenResponse("too-large", f"the response holds more than {MOST_PICTURES} pictures")
    used, name = payload.get("usage"), payload.get("conversation_id")
    usage = None
    if isinstance(used, dict):
        words = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens", "total_tokens": "total_tokens"}
        usage = {ours: used[theirs] for ours, theirs in words.items() if isinstance(used.get(theirs), int)}
    return Received((), payload, usage, request_id=name if isinstance(name, str) else None)


VENDOR = Mistral()
