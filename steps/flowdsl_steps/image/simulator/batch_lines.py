"""The lines of a batch: whether a file of them is one, and what comes of each.

Source: OpenAI Batch guide (mirrored 2026-11-11): at most 50,000 requests and 200 MB, one model and one endpoint for all
of them, each `custom_id` once. An edit has its pictures as JSON, see openai-openapi `EditImageBodyJsonParam`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flowdsl_steps.image.simulator.edits import validated_edit
from flowdsl_steps.image.simulator.fault_responses import fault_response
from flowdsl_steps.image.simulator.form import File
from flowdsl_steps.image.simulator.gallery import Picture
from flowdsl_steps.image.simulator.json_body import parsed_json
from flowdsl_steps.image.simulator.models import find_model
from flowdsl_steps.image.simulator.refusal import Refusal, model_not_found, refused
from flowdsl_steps.image.simulator.responses import generation_body
from flowdsl_steps.image.simulator.state import State
from flowdsl_steps.image.simulator.validation import AcceptedRequest, validated

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
_LONGEST_DATA_URL = 20_971_520
_MOST_PROBLEMS = 10


class Line(NamedTuple):
    """One request of a batch."""

    custom_id: str
    body: dict[str, Any]


class Problem(NamedTuple):
    """What makes a file none for a batch."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


def read_lines(path: Path, endpoint: str, most: tuple[int, int]) -> tuple[list[Line], list[Problem]]:
    """The requests of a file, and what is wrong with it: more than `most` lines or bytes, or a line that is none."""
    lines: list[Line] = []
    problems: list[Problem] = []
    most_lines, most_bytes = most
    if path.stat().st_size > most_bytes:
        return [], [Problem("max_file_size", f"The file is larger than the limit of {most_bytes} bytes.")]
    seen: set[str] = set()
    model: object = None
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            found = _line(raw, endpoint)
            if isinstance(found, Line):
                model = found.body.get("model") if model is None else model
                if found.custom_id in seen:
                    found = Problem("duplicate_custom_id", "The custom_id is not unique.", number, "custom_id")
                elif found.body.get("model") != model:
                    found = Problem("mismatched_model", "All requests must be for one model.", number, "body.model")
            if isinstance(found, Line):
                seen.add(found.custom_id)
                lines.append(found)
            elif len(problems) < _MOST_PROBLEMS:
                problems.append(found._replace(line=number))
    if not lines and not problems:
        problems.append(Problem("empty_file", "The input file is empty."))
    if len(lines) > most_lines:
        problems.append(Problem("task_count_exceeded", f"The file has more than {most_lines} requests."))
    return lines, problems


def _line(raw: bytes, endpoint: str) -> Line | Problem:
    value = parsed_json(raw)
    if not isinstance(value, dict):
        return Problem("invalid_json_line", "This line is not parseable as valid JSON.")
    strange = set(value) - {"custom_id", "method", "url", "body"}
    if strange:
        return Problem("unknown_parameter", f"Unknown parameter: '{min(strange)}'.", param=min(strange))
    if not isinstance(value.get("custom_id"), str) or not value["custom_id"]:
        return Problem("missing_required_parameter", "Missing required parameter: 'custom_id'.", param="custom_id")
    if value.get("method") != "POST":
        return Problem("invalid_method", "The method must be 'POST'.", param="method")
    if value.get("url") != endpoint:
        return Problem("mismatched_endpoint", "The URL does not match the endpoint of the batch.", param="url")
    if not isinstance(value.get("body"), dict):
        return Problem("missing_required_parameter", "Missing required parameter: 'body'.", param="body")
    return Line(value["custom_id"], value["body"])


async def made(state: State, line: Line, endpoint: str) -> Iterator[bytes]:
    """The body of the response to a line, in pieces.

    Raises:
        Refusal: as the vendor refuses it.
    """
    prompt = line.body.get("prompt")
    fault = state.faults.take(prompt if isinstance(prompt, str) else "", None)
    error = None if fault is None else fault_response(fault, "openai", state.clock())
    if error is not None:
        raise Refusal(error)
    request = _accepted(state, line.body, endpoint)
    if request.stream:
        raise refused("Streaming is not supported in batches.", param="stream", code="unsupported_parameter")
    request = state.numbered(request)
    pictures: list[Picture] = []
    for index in range(request.n):
        known = state.gallery.known(request, index, 1.0)
        if known is None:
            known = await asyncio.to_thread(state.gallery.picture, request, index, 1.0)
        pictures.append(known)
    return generation_body(request, pictures, int(state.clock()), "openai", None)


def _accepted(state: State, body: Mapping[str, Any], endpoint: str) -> AcceptedRequest:
    asked = body.get("model")
    if not isinstance(asked, str):
        raise refused("You must provide a model parameter.", param="model", code="missing_required_parameter")
    rules = find_model(state.models.get(asked, asked))
    if rules is None or rules.is_dall_e or not rules.served("openai", state.as_of):
        raise model_not_found(asked)
    if endpoint == GENERATIONS:
        return validated(body, rules, vendor="openai", asked_model=asked)
    fields, files = edit_in_json(state, body)
    return validated_edit(fields, files, rules, vendor="openai", asked_model=asked, in_json=True)


def edit_in_json(state: State, body: Mapping[str, Any]) -> tuple[dict[str, Any], list[File]]:
    """The fields of an edit that is JSON, and its pictures, as parts of a form would be.

    Raises:
        Refusal: they are none.
    """
    files = [*_files(state, body.get("images"), "image[]")]
    if body.get("mask") is not None:
        files += _files(state, [body["mask"]], "mask")
    return {name: value for name, value in body.items() if name not in ("images", "mask")}, files


def _files(state: State, given: object, field: str) -> Iterator[File]:
    """The pictures of an edit, as parts of a form would be."""
    name = field.removesuffix("[]")
    if not isinstance(given, list) or not given:
        raise refused(f"Invalid type for '{name}s': expected an array.", param=f"{name}s", code="invalid_type")
    for each in given:
        if not isinstance(each, dict) or len(each) != 1 or not {"image_url", "file_id"} & set(each):
            raise refused("Provide exactly one of 'image_url' and 'file_id'.", param=f"{name}s")
        if "file_id" in each:
            path = state.uploads.path(each["file_id"])
            if path is None:
                raise refused(f"No such File object: {each['file_id']}", param=f"{name}s", status=404)
            yield File(field, name, _media_type(path.read_bytes()[:16]), path.read_bytes())
            continue
        url = each["image_url"]
        head, comma, text = url.partition(",") if isinstance(url, str) else ("", "", "")
        if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
            raise refused(f"Failed to download image from {str(url)[:64]}.", param=f"{name}s")
        if len(url) > _LONGEST_DATA_URL:
            raise refused(f"The URL is longer than {_LONGEST_DATA_URL} characters.", param=f"{name}s")
        try:
            content = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise refused("Invalid base64 image_url.", param=f"{name}s") from None
        yield File(field, name, head.removeprefix("data:").removesuffix(";base64"), content)


def _media_type(head: bytes) -> str:
    if head.startswith(b"\x89PNG"):
        return "image/png"
    return "image/webp" if head[8:12] == b"WEBP" else "image/jpeg"


def answered(identity: str, line: Line, request_id: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A line of the output file."""
    head = json.dumps({"id": identity, "custom_id": line.custom_id}).encode()[:-1]
    yield head + f', "response": {{"status_code": 200, "request_id": "{request_id}", "body": '.encode()
    yield from pieces
    yield b'}, "error": null}\n'


def failed(identity: str, line: Line, request_id: str, refusal: Refusal) -> bytes:
    """A line of the error file, of a request that was refused."""
    response = {
        "status_code": refusal.response.status,
        "request_id": request_id,
        "body": refusal.response.body,
    }
    value = {"id": identity, "custom_id": line.custom_id, "response": response, "error": None}
    return json.dumps(value).encode() + b"\n"


def left(identity: str, line: Line, code: str, message: str) -> bytes:
    """A line of the error file, of a request that was not done."""
    error = {"code": code, "message": message}
    value = {"id": identity, "custom_id": line.custom_id, "response": None, "error": error}
    return json.dumps(value).encode() + b"\n"
