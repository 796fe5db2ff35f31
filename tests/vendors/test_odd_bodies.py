"""Bodies that no vendor documents: whatever stands in place of anything, a response is read, or told to be broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_vendor import Reply, running
from image_bench import Bench
from vendor_cases import CASES

from flowdsl.errors import ServiceError
from flowdsl.image.store import ImageStore
from flowdsl.step.service import Service
from flowdsl_steps.image.failure import Failure
from flowdsl_steps.image.received import BrokenResponse, Received
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import Endpoint, Head, Vendor
from flowdsl_steps.image.vendors import vendor_named

ODD: tuple[Any, ...] = (None, 5, "x", [], {}, [5], {"a": [5]})


def replies(name: str, folder: Path) -> tuple[list[Reply], Vendor, Endpoint]:
    """What the fake responds to a prompt that is drawn, and to those that are not; and the vendor that reads it."""
    case = CASES[name]
    with running(case.fake()) as fake:
        entry = {"provider": name, "endpoint": fake.url, **case.entry, **case.more(fake)}
        bench = Bench(folder, entry)
        for prompt in ("a lighthouse", *case.refused, "busy"):
            try:
                bench.run(model=None, instruction=prompt, maxRetries=0)
            except ServiceError:
                continue
        vendor = vendor_named(name)
        endpoint = vendor.endpoint(Service("S", entry), ImageRequest(prompt="a", model=str(case.entry["model"])))
        return [reply for reply in fake.replies if not isinstance(reply.body, bytes)], vendor, endpoint


def changed(body: Any) -> Iterator[Any]:
    """The body with something odd in place of each of its parts, and without each of them."""
    yield from ODD
    if isinstance(body, dict):
        for key, value in body.items():
            rest = {name: other for name, other in body.items() if name != key}
            yield rest
            yield from ({**rest, key: odd} for odd in changed(value))
    elif isinstance(body, list):
        for at, value in enumerate(body):
            yield from ([*body[:at], odd, *body[at + 1 :]] for odd in changed(value))


def read(vendor: Vendor, endpoint: Endpoint, reply: Reply, body: Any, store: ImageStore) -> None:
    """Reads it as the sender does; what is raised that nobody catches is the mistake that is looked for."""
    head = Head(reply.status, {name.lower(): value for name, value in reply.headers.items()})
    content = json.dumps(body).encode()
    found: object
    if reply.status >= 300:
        found = vendor.failure(head, content)
        assert found is None or isinstance(found, Failure)
        return
    reader = vendor.decode(Head(reply.status, {"content-type": "application/json", **head.headers}), store, 10**6)
    try:
        reader.feed(content)
        received = reader.finish()
        assert isinstance(received, Received)
        vendor.next(received, endpoint)
    except BrokenResponse as broken:
        if broken.payload is not None:
            found = vendor.failure(head, broken.payload)
            assert found is None or isinstance(found, Failure)
        reader.salvage()
    finally:
        reader.abort()


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(CASES))
def test_nothing_in_a_body_is_taken_for_what_it_is_not(name: str, tmp_path: Path) -> None:
    found, vendor, endpoint = replies(name, tmp_path)
    store = ImageStore(tmp_path / "odd")
    store.prepare()
    seen = set()
    for reply in found:
        for body in changed(reply.body):
            text = f"{reply.status} {json.dumps(body)}"
            if text in seen:
                continue
            seen.add(text)
            try:
                read(vendor, endpoint, reply, body, store)
            except Exception as error:
                error.add_note(f"in the body {text[:400]}")
                raise
    assert len(seen) > len(ODD)
