"""OpenAI's Batch API: a file of requests is worked on in the background, and leaves a file of answers.

Source: openai-python 3.57, `resources/batches.py` and `types/batch.py`; OpenAI Batch guide (mirrored 2026-11-11).
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Mapping
from typing import Any, BinaryIO
from urllib.parse import parse_qs

from flowdsl_steps.image.simulator.asgi import Asgi
from flowdsl_steps.image.simulator.batch_lines import (
    EDITS,
    GENERATIONS,
    Line,
    Problem,
    answered,
    failed,
    left,
    made,
    read_lines,
)
from flowdsl_steps.image.simulator.json_body import parsed_json
from flowdsl_steps.image.simulator.record import RecordedRequest
from flowdsl_steps.image.simulator.refusal import Refusal, refused
from flowdsl_steps.image.simulator.scene import digest_of
from flowdsl_steps.image.simulator.state import State
from flowdsl_steps.image.simulator.uploads import page

_PATH = re.compile(r"/v1/batches(?:/([^/]+)(/cancel)?)?")
_LONGEST_BODY = 1024 * 1024
_ENDS = ("completed", "failed", "expired", "cancelled")
_WINDOW_S = 24 * 3600
_FIELDS = {"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"}
_LEFT = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "cancelled": ("batch_cancelled", "This request was not executed because the batch was cancelled."),
}


class Batches:
    """The batches of one simulator."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._batches = state.batches
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, asgi: Asgi, record: RecordedRequest) -> None:
        """Responds to a request to the Batch API.

        Raises:
            Refusal: as the vendor refuses.
        """
        found = _PATH.fullmatch(asgi.path)
        identity, cancel = (found[1], found[2]) if found else (None, None)
        if found and identity is None and asgi.method == "POST":
            await self._create(asgi, record)
        elif found and identity is None and asgi.method == "GET":
            asked = {name: values[-1] for name, values in parse_qs(asgi.query).items()}
            await asgi.respond_json(200, page([*self._batches.values()][::-1], asked, 100, 20))
        elif identity is not None and (asgi.method, bool(cancel)) in (("GET", False), ("POST", True)):
            batch = self._batches.get(identity)
            if batch is None:
                raise refused(f"No batch found with id '{identity}'.", param="batch_id", code=None, status=404)
            if cancel:
                self._cancel(batch)
            await asgi.respond_json(200, _shown(batch))
        else:
            raise refused(f"Not allowed to {asgi.method} on {asgi.path}.", code=None, status=405)

    async def _create(self, asgi: Asgi, record: RecordedRequest) -> None:
        raw = await asgi.body(_LONGEST_BODY)
        body = parsed_json(raw or b"")
        if not isinstance(body, dict):
            raise refused("We could not parse the JSON body of your request.", code=None)
        record.json = body
        _check(body)
        if self._state.uploads.path(body["input_file_id"], "batch") is None:
            message = f"Invalid 'input_file_id': no file with the purpose 'batch' is called {body['input_file_id']}."
            raise refused(message, param="input_file_id", status=404)
        number, now = len(self._batches), self._now()
        batch: dict[str, Any] = {
            "id": f"batch_{digest_of('batch', number, body['input_file_id'])[:32]}",
            "object": "batch",
            "endpoint": body["endpoint"],
            "model": None,
            "errors": None,
            "input_file_id": body["input_file_id"],
            "completion_window": "24h",
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": now,
            **{f"{name}_at": None for name in ("in_progress", "finalizing", "cancelling", *_ENDS)},
            "expires_at": now + _WINDOW_S,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "usage": None,
            "metadata": body.get("metadata"),
            "_stop": None,
        }
        self._batches[batch["id"]] = batch
        task = asyncio.get_running_loop().create_task(self._work(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        fault = self._state.faults.take_of_batch("batch_lost", str(body.get("metadata")))
        if fault is not None:
            record.fault = fault.kind
            await asgi.cut()
            return
        await asgi.respond_json(200, _shown(batch))

    def _cancel(self, batch: dict[str, Any]) -> None:
        if batch["status"] in _ENDS:
            message = f"Cannot cancel a batch with status '{batch['status']}'."
            raise refused(message, code=None, status=409)
        self._enter(batch, "cancelling")
        batch["_stop"] = "cancelled"

    async def _work(self, batch: dict[str, Any]) -> None:
        """Leads a batch from its file to its end."""
        seconds = self._state.batch_s
        await asyncio.sleep(seconds / 10)
        lines, problems = await asyncio.to_thread(self._read, batch)
        fault = self._state.faults.take_of_batch("batch_failed", str(batch["metadata"]))
        if fault is not None:
            problems = [Problem("token_limit_exceeded", "Enqueued token limit reached for this model.")]
        if problems:
            batch["errors"] = {"object": "list", "data": [each._asdict() for each in problems]}
            self._enter(batch, "failed")
            return
        batch["model"] = lines[0].body.get("model")
        batch["request_counts"]["total"] = len(lines)
        if batch["_stop"] is None:
            self._enter(batch, "in_progress")
        stop_at = None
        if self._state.faults.take_of_batch("batch_expired", str(batch["metadata"])) is not None:
            stop_at = len(lines) // 2
        output, errors = self._state.uploads.new_path(), self._state.uploads.new_path()
        with open(output, "wb") as answers, open(errors, "wb") as failures:  # noqa: ASYNC230, PTH123
            await self._answer(batch, lines, answers, failures, stop_at)
        if batch["_stop"] is None:
            self._enter(batch, "finalizing")
        await asyncio.sleep(seconds / 10)
        for name, made_of in (("output", output), ("error", errors)):
            kept = self._state.uploads.keep(made_of, f"{batch['id']}_{name}.jsonl", "batch_output")
            if kept is not None:
                batch[f"{name}_file_id"] = kept["id"]
        self._enter(batch, batch["_stop"] or "completed")

    def _read(self, batch: dict[str, Any]) -> tuple[list[Line], list[Problem]]:
        path = self._state.uploads.path(batch["input_file_id"])
        if path is None:
            return [], [Problem("invalid_input_file", "The input file is gone.")]
        return read_lines(path, str(batch["endpoint"]), self._state.batch_limits)

    async def _answer(
        self, batch: dict[str, Any], lines: list[Line], answers: BinaryIO, failures: BinaryIO, stop_at: int | None
    ) -> None:
        """Works on the lines, in no order that anybody could count on."""
        counts, began = batch["request_counts"], time.monotonic()
        random.Random(batch["id"]).shuffle(lines)
        for number, line in enumerate(lines):
            if number == stop_at:
                batch["_stop"] = "expired"
            identity = f"batch_req_{digest_of(batch['id'], number)[:32]}"
            if batch["_stop"] is not None:
                failures.write(left(identity, line, *_LEFT[batch["_stop"]]))
                continue
            ahead = self._state.batch_s * 0.8 * (number + 1) / len(lines) - (time.monotonic() - began)
            await asyncio.sleep(max(0.0, ahead) if ahead > 0.02 or number == len(lines) - 1 else 0)
            if batch["_stop"] is not None:
                failures.write(left(identity, line, *_LEFT[batch["_stop"]]))
                continue
            record = self._state.ledger.enter(
                "POST", batch["endpoint"], "", {"x-batch-id": batch["id"]}, (), self._state.clock()
            )
            record.json = line.body
            request_id = f"req_{digest_of(identity)[:32]}"
            try:
                answers.writelines(
                    answered(identity, line, request_id, await made(self._state, line, batch["endpoint"]))
                )
                record.status = 200
                counts["completed"] += 1
            except Refusal as refusal:
                failures.write(failed(identity, line, request_id, refusal))
                record.status = refusal.response.status
                counts["failed"] += 1
            finally:
                self._state.ledger.leave(record)

    def _enter(self, batch: dict[str, Any], status: str) -> None:
        batch["status"] = status
        batch[f"{status}_at"] = self._now()

    def _now(self) -> int:
        return int(self._state.clock())


def _check(body: Mapping[str, Any]) -> None:
    """Raises: Refusal for a body that the vendor would not take."""
    strange = set(body) - _FIELDS
    if strange:
        raise refused(f"Unknown parameter: '{min(strange)}'.", param=min(strange), code="unknown_parameter")
    if not isinstance(body.get("input_file_id"), str):
        raise refused("Missing required parameter: 'input_file_id'.", param="input_file_id", code=_MISSING)
    if body.get("endpoint") not in (GENERATIONS, EDITS):
        raise refused(f"Invalid value: '{body.get('endpoint')}'.", param="endpoint")
    if body.get("completion_window") != "24h":
        raise refused(f"Invalid value: '{body.get('completion_window')}'. Supported: '24h'.", param="completion_window")
    metadata = body.get("metadata")
    if metadata is not None and not (
        isinstance(metadata, dict)
        and len(metadata) <= 16
        and all(isinstance(value, str) and len(name) <= 64 and len(value) <= 512 for name, value in metadata.items())
    ):
        raise refused("Invalid 'metadata': at most 16 pairs of text, of 64 and 512 characters.", param="metadata")
    expires = body.get("output_expires_after")
    if expires is not None and not (
        isinstance(expires, dict)
        and expires.get("anchor") == "created_at"
        and isinstance(expires.get("seconds"), int)
        and 3600 <= expires["seconds"] <= 2_592_000
    ):
        raise refused("Invalid 'output_expires_after'.", param="output_expires_after")


_MISSING = "missing_required_parameter"


def _shown(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if not name.startswith("_")}
