"""A run against an image service that says anything, and all that the run tells of what was paid."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import resource
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from image_pictures import PICTURES
from web_server import Routes, Web, response

from flowdsl import Environment, Event, Limits, Note, RunError, Storage

PNG, JPEG, GIF = (PICTURES[name][0] for name in ("png", "jpg", "gif"))
ORDER = "POST /v1/images/generations"
BOAT = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A paper boat\n"
JSON = "content-type: application/json\r\n"


def b64(content: bytes) -> dict[str, str]:
    return {"b64_json": base64.b64encode(content).decode()}


def order(*items: dict[str, str]) -> bytes:
    return response(json.dumps({"data": items}).encode(), headers="content-type: application/json\r\n")


class Told:
    """What a run came to; `left` are the paths of addresses that its notes or its error's hint tell."""

    def __init__(self, web: Web, error: RunError | None, result: Any, events: list[Event]) -> None:
        self.error = error
        self.result = error.result if error is not None else result
        self.made = [Path(image.original).read_bytes() for image in self.result.made]
        self.targets = [seen.target for seen in web.seen if seen.method == "GET"]
        self.orders = len(web.seen) - len(self.targets)
        notes = [event.text for event in events if isinstance(event, Note) and event.code == "image-left"]
        texts = [*notes, str(error and error.hint)]
        self.left = sorted({*re.findall(rf"{web.url[7:]}(/\w+)", " ".join(texts))})


def told(folder: Path, web: Web, flow: str = BOAT, **service: Any) -> Told:
    """A run of `flow` whose service is `web`."""
    events: list[Event] = []
    entry = {"endpoint": f"{web.url}/v1", "apiKey": "sk-0123456789", "maxRetries": 1, **service}
    environment = Environment(
        services={"OPENAI_IMAGE_GENERATION": entry},
        storage=Storage(images=folder),
        limits=Limits(private_addresses=True),
    )
    try:
        return Told(web, None, environment.load(flow).run(on_event=events.append), events)
    except RunError as error:
        return Told(web, error, None, events)


def serving(web: Web, orders: list[bytes], **pictures: bytes) -> Web:
    """A server of links beside its orders; `HERE` in an order is its address."""
    own = web.url.removeprefix("http://").encode()
    filled = [response(each.partition(b"\r\n\r\n")[2].replace(b"HERE", own), headers=JSON) for each in orders]
    web.routes = Routes({ORDER: filled, **{f"GET /{name}": [each] for name, each in pictures.items()}})
    return web


@contextlib.contextmanager
def files_of(most: int) -> Iterator[None]:
    """No file may have more bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def stream(*events: dict[str, Any], cut: str = "") -> bytes:
    """A stream of events, the last of them as far as `cut`, without an end that HTTP knows."""
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    text = text[: text.index(cut) + len(cut)] if cut else text
    return f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nCONTENT\r\n\r\n{text}".encode()


def sent(whole: bytes, then: Callable[[Any, threading.Event], None] | None = None) -> Any:
    """A response that is cut where its bytes end, or followed by `then`."""

    def send(connection: Any, ended: threading.Event) -> None:
        length = b"content-length: 100000\r\n"
        connection.sendall(whole.replace(b"CONTENT\r\n", length))
        if then is not None:
            then(connection, ended)

    return send
