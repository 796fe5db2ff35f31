"""What the simulator remembers of the requests it got, without their secrets."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from urllib.parse import parse_qsl

from flowdsl_steps.image.simulator.form import File
from flowdsl_steps.image.simulator.json_body import parsed_json

HIDDEN = "***"
_SECRET_NAMES = re.compile(r"auth|secret|token(?!s)|password|credential|cookie|api[-_]?key|(^|[-_])(key|sig(nature)?)$")


@dataclass(slots=True)
class RecordedRequest:
    """A request as it came in, secrets hidden, and what became of it.

    `json` is the parsed body, None without one. `status` is that of the response, None as long as there is none: a hung
    or reset request keeps None. `fault` is the kind of fault committed. `time` is in unix seconds.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    json: object
    time: float
    status: int | None = None
    fault: str | None = None

    @property
    def is_generation(self) -> bool:
        """Whether the request asks for images, which a vendor would bill."""
        return self.method == "POST" and self.path.endswith(("/images/generations", "/images/edits"))


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced by `***`."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def redacted(fields: Mapping[str, str], secrets: Collection[str]) -> dict[str, str]:
    """Headers or query parameters without secrets, in lower case for headers as ASGI gives them."""
    return {
        name: HIDDEN if _SECRET_NAMES.search(name.lower()) else hide(value, secrets) for name, value in fields.items()
    }


class Ledger:
    """All recorded requests in order of arrival, and how many were open at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[RecordedRequest] = []
        self._open = 0
        self.peak_concurrency = 0

    def enter(
        self, method: str, path: str, query: str, headers: Mapping[str, str], secrets: Collection[str], time: float
    ) -> RecordedRequest:
        """The new record of a request whose body is not read yet."""
        request = RecordedRequest(
            method,
            hide(path, secrets),
            redacted(dict(parse_qsl(query)), secrets),
            redacted(headers, secrets),
            None,
            time,
        )
        with self._lock:
            self._requests.append(request)
            if request.is_generation:
                self._open += 1
                self.peak_concurrency = max(self.peak_concurrency, self._open)
        return request

    def leave(self, request: RecordedRequest) -> None:
        """Marks the request as over."""
        if request.is_generation:
            with self._lock:
                self._open -= 1

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The records so far."""
        with self._lock:
            return tuple(self._requests)

    @property
    def generation_count(self) -> int:
        """How many requests asked for images."""
        return sum(request.is_generation for request in self.requests)

    def clear(self) -> None:
        """Forgets the records; requests still open go on being counted as open."""
        with self._lock:
            self._requests.clear()
            self.peak_concurrency = self._open

    def as_json(self) -> dict[str, object]:
        """The records for the wire."""
        requests = self.requests
        return {
            "count": self.generation_count,
            "peak_concurrency": self.peak_concurrency,
            "requests": [asdict(request) for request in requests],
        }


def form_as_json(fields: Mapping[str, str], files: Iterable[File], secrets: Collection[str]) -> object:
    """A form for the record: its fields, and of its files what can be told of them."""
    told = [
        {
            "field": file.field,
            "filename": file.name,
            "contentType": file.media_type,
            "bytes": len(file.content),
            "sha256": hashlib.sha256(file.content).hexdigest(),
        }
        for file in files
    ]
    return {**{name: hide(value, secrets) for name, value in fields.items()}, "files": told}


def body_as_json(body: bytes, secrets: Collection[str]) -> object:
    """The body for the record: parsed when it is JSON, text otherwise, None when empty."""
    text = hide(body.decode("utf-8", "replace"), secrets)
    if not text:
        return None
    parsed = parsed_json(text)
    return text if parsed is None and text != "null" else parsed
