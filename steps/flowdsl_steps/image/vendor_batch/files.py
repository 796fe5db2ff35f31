"""Requests as files for batches: a line for each, which says what the direct request would.

Source: OpenAI Batch guide (mirrored 2026-11-11) and openai-python 3.57, `BatchCreateParams`: at most 50,000 requests
and 200 MB a file, all of one model and one endpoint, each with an id of its own. An edit has its pictures in JSON, as
openai-openapi `EditImageBodyJsonParam` (2026-08-21) has it: data URLs of at most 20,971,520 characters.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from flowdsl.errors import ConfigError
from flowdsl.image.image import Image
from flowdsl_steps.image.catalogue import parse_size
from flowdsl_steps.image.pictures_in_json import linked
from flowdsl_steps.image.request import ImageRequest, is_edit
from flowdsl_steps.image.vendor import Endpoint, Vendor

OPERATIONS = {False: "/images/generations", True: "/images/edits"}
_BYTES_PER_PIXEL = {"jpeg": 0.5, "webp": 0.5, "png": 1.6, None: 1.6}
"""Rough, and on the high side: measured on pictures of the simulator and on photographs."""
_USUAL_PIXELS = 1536 * 1024
_HEAD_BYTES = 1000


class Limits(NamedTuple):
    """The most of one file: requests, bytes, and expected bytes of what comes back, which has to be fetched whole."""

    requests: int = 50_000
    bytes: int = 200_000_000
    output_bytes: int = 1_000_000_000


USUAL = Limits()


class BatchRequest(NamedTuple):
    """A request for a batch; `id` tells it from all others, and is what the vendor's answer is known by."""

    id: str
    request: ImageRequest
    vendor: Vendor
    endpoint: Endpoint


class Part(NamedTuple):
    """A file of requests, for one batch of the vendor's: `file` has no name, and is gone when it is closed, or the
    process is killed, as its prompts may hold secrets. `url` is the vendor's address before the operation."""

    number: int
    file: BinaryIO
    digest: str
    ids: tuple[str, ...]
    service: str
    url: str
    operation: str
    model: str
    began: float = 0.0


def why_not(vendor: str, url: str) -> str | None:
    """Why requests to an address of a vendor cannot go through a batch, in words; None where they can."""
    if vendor != "openai":
        return f"`{vendor}` has no batch for pictures that we know of"
    if not url.endswith(tuple(OPERATIONS.values())):
        return f"the address {url} is not one of OpenAI's API"
    return None


def base_of(endpoint: Endpoint) -> str:
    """The address of the API that an endpoint is of."""
    return endpoint.url.rpartition("/images/")[0]


def body_of(each: BatchRequest) -> dict[str, Any]:
    """The body of a line: that of the direct request, which streams nothing.

    Raises:
        ConfigError: a picture to edit is larger than JSON may hold.
    """
    request = each.request._replace(stream=None, partial_images=None)
    if not is_edit(request):
        content = each.vendor.encode(request, each.endpoint).content
        found: dict[str, Any] = json.loads(content)  # type: ignore[arg-type]  # of OpenAI's it is JSON
        return found
    fields: dict[str, Any] = dict(each.vendor.fields(request, each.endpoint))  # type: ignore[attr-defined]  # OpenAI's
    fields["images"] = [_in_json(image) for image in request.images]
    if request.mask is not None:
        fields["mask"] = _in_json(request.mask)
    return fields


def line_of(each: BatchRequest) -> bytes:
    """The line of a request.

    Raises:
        ConfigError: see `body_of`.
    """
    url = "/v1" + OPERATIONS[is_edit(each.request)]
    value = {"custom_id": each.id, "method": "POST", "url": url, "body": body_of(each)}
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def expected_bytes(request: ImageRequest) -> int:
    """About as many bytes the answer to a request has, in base64."""
    pair = parse_size(request.size) if request.size else None
    pixels = pair[0] * pair[1] if pair else _USUAL_PIXELS
    each = pixels * _BYTES_PER_PIXEL.get(request.output_format, 1.6) * 4 / 3
    return _HEAD_BYTES + round(each * max(1, request.n))


def write_batch_files(
    requests: Iterable[BatchRequest], folder: Path, limits: Limits = USUAL, first: int = 1
) -> list[Part]:
    """Writes requests into files, of which none goes beyond the limits, and numbers them from `first` on.

    Raises:
        ConfigError: one of them does not fit into any file. No file is left.
        OSError: the folder takes them not.
    """
    open_: dict[tuple[str, str, str, str], _Writing] = {}
    parts: list[Part] = []
    number = first
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        for each in requests:
            line = line_of(each)
            size = expected_bytes(each.request)
            if len(line) > limits.bytes:
                raise ConfigError(
                    f"a request has {len(line):,} bytes, and a file of a batch at most {limits.bytes:,}",
                    code="request-too-large",
                    hint="edit smaller pictures, or send it without a batch",
                )
            operation = "/v1" + OPERATIONS[is_edit(each.request)]
            kind = each.endpoint.service, base_of(each.endpoint), operation, each.endpoint.label
            writing = open_.get(kind)
            if writing is not None and not writing.has_room(len(line), size, limits):
                parts.append(open_.pop(kind).closed())
                writing = None
            if writing is None:
                writing = open_[kind] = _Writing(folder, number, kind)
                number += 1
            writing.write(each.id, line, size)
        while open_:
            parts.append(open_.popitem()[1].closed())
    except BaseException:
        for file in (*(writing.file for writing in open_.values()), *(part.file for part in parts)):
            file.close()
        raise
    return sorted(parts, key=lambda part: part.number)


class _Writing:
    """A file that is being written."""

    def __init__(self, folder: Path, number: int, kind: tuple[str, str, str, str]) -> None:
        self._number = number
        self._kind = kind
        self._hash = hashlib.sha256()
        self._ids: list[str] = []
        self._bytes = self._output = 0
        self.file = cast("BinaryIO", tempfile.TemporaryFile(dir=folder))  # noqa: SIM115  it is closed when it is sent

    def has_room(self, size: int, output: int, limits: Limits) -> bool:
        return (
            len(self._ids) < limits.requests
            and self._bytes + size <= limits.bytes
            and self._output + output <= limits.output_bytes
        )

    def write(self, identity: str, line: bytes, output: int) -> None:
        self.file.write(line)
        self._hash.update(line)
        self._ids.append(identity)
        self._bytes += len(line)
        self._output += output

    def closed(self) -> Part:
        self.file.flush()
        return Part(self._number, self.file, self._hash.hexdigest(), tuple(self._ids), *self._kind)


def _in_json(image: Image) -> dict[str, str]:
    return linked(image, "a batch takes", "send it without a batch")
