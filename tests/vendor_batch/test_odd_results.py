"""What a vendor's files may say that nobody expects: a real server sends them, and no request fails for another."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest
from batch_bench import batch_of
from PIL import Image as Picture

from flowdsl.errors import ServiceError
from flowdsl_steps.http.transport import open_client
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.vendor_batch.journal import KeptPart, MemoryBatchJournal
from flowdsl_steps.image.vendor_batch.vendor_batch import Outcome

pytestmark = pytest.mark.long


def png() -> str:
    out = BytesIO()
    Picture.new("RGB", (16, 16), (9, 9, 9)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def line(id: str, body: Any = None, **more: Any) -> str:
    answer = {"created": 1, "data": [{"b64_json": png()}]} if body is None else body
    response = {"status_code": 200, "request_id": f"req_{id}", "body": answer}
    return json.dumps({"id": f"batch_req_{id}", "custom_id": id, "response": response, "error": None, **more})


@contextmanager
def vendor(answers: dict[str, str]) -> Iterator[str]:
    """A vendor that gives these answers, by their path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = answers.get(self.path.partition("?")[0])
            body = ("{}" if said is None else said).encode()
            self.send_response(404 if said is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_DELETE = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def found(folder: Path, answers: dict[str, str], ids: list[str]) -> dict[str, Outcome]:
    """What becomes of requests in a batch of a vendor."""

    async def main(url: str) -> dict[str, Outcome]:
        journal = MemoryBatchJournal("mine")
        part = KeptPart(1, "d", "openai", url, "/v1/images/generations", "gpt-image-2", "prepared", None, None, 0.0)
        await journal.prepared(part, ids)
        await journal.submitted(1, "b1")
        async with open_client() as client:
            at = cast("Simulator", SimpleNamespace(openai_base_url=url))
            batch = batch_of(client, at, journal, folder)
            assert await batch.recover() == [1]
            return {outcome.id: outcome async for outcome in batch.results(1)}

    with vendor(answers) as url:
        return asyncio.run(main(url))


def ended(**more: Any) -> str:
    return json.dumps({"id": "b1", "status": "completed", "output_file_id": "f1", "error_file_id": None, **more})


def test_lines_that_are_broken_missing_strange_or_there_twice_touch_no_others(tmp_path: Path) -> None:
    twice = line("b", {"data": [{"b64_json": "AAAA"}]})
    lines = [
        line("a"),
        line("b"),
        "{broken",
        "",
        "[1, 2]",
        line("stranger"),
        twice,
        line("c")[:-40],
        line("d", {"data": []}),
        line("e", {"data": [{"b64_json": "!!!!"}]}),
        line("f", "no object"),
        json.dumps({"custom_id": 7, "response": None}),
        json.dumps({"custom_id": "g", "response": None, "error": {"code": "request_timeout"}}),
        json.dumps({"custom_id": "h", "response": {"status_code": "200", "body": {}}, "error": None}),
        json.dumps({"custom_id": "i", "response": None, "error": {"code": "batch_expired"}}),
    ]
    answers = {"/v1/batches/b1": ended(), "/v1/files/f1/content": "\n".join(lines)}
    outcomes = found(tmp_path, answers, [*"abcdefghi", "missing"])
    assert sorted(outcomes) == [*"abcdefghi", "missing"]
    assert outcomes["a"].received is not None
    assert outcomes["b"].received is not None
    assert outcomes["i"].reason == "batch_expired"
    for id in (*"cdefgh", "missing"):
        error = outcomes[id].error
        assert error is not None, id
        assert error.charge_possible, id
    assert outcomes["missing"].error is not None
    assert outcomes["missing"].error.code == "not-in-batch-results"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param('{"id": "b1", "status": "completed"}', id="without files"),
        pytest.param('{"id": "b1", "status": "failed", "errors": ["odd"]}', id="with odd errors"),
        pytest.param('{"id": "b1", "status": "completed", "request_counts": 7}', id="with odd counts"),
    ],
)
def test_a_batch_that_says_little_ends_with_words_for_each_request(tmp_path: Path, answer: str) -> None:
    outcomes = found(tmp_path, {"/v1/batches/b1": answer}, ["a"])
    assert outcomes["a"].error is not None
    assert outcomes["a"].error.code in ("not-in-batch-results", "batch-refused")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param('{"id": "b1"}', id="no status"),
        pytest.param('{"id": "b1", "status": {}}', id="a status that is none"),
        pytest.param("{broken", id="no JSON"),
        pytest.param("[]", id="a list"),
    ],
)
def test_an_answer_that_is_none_is_an_error_in_words(
    tmp_path: Path, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowdsl_steps.image.vendor_batch.api._TRIES", 1)
    with pytest.raises(ServiceError, match="sent an unusable answer to GET /batches/b1"):
        found(tmp_path, {"/v1/batches/b1": answer}, ["a"])
