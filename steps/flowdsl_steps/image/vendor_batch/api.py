"""What is asked of OpenAI's Files API and Batch API. Only `create` is paid for, and it alone is never sent again here.

Source: openai-python 3.57, `resources/files.py` and `resources/batches.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, BinaryIO

import httpx

from flowdsl.errors import ServiceError, ServiceRefused, ServiceUnavailable
from flowdsl_steps.http.attempt import Lost, attempted
from flowdsl_steps.http.connection import Delivery
from flowdsl_steps.http.multipart import Multipart, Part
from flowdsl_steps.http.pause import delay_s
from flowdsl_steps.http.request import HttpRequest, merged
from flowdsl_steps.http.transport import Client, exchanged
from flowdsl_steps.image.retry import FailedAttempt, classify
from flowdsl_steps.image.vendor import Endpoint, Head, Vendor

_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "flowdsl"}
_ANSWER_S = 60.0
_UPLOAD_S = 900.0
_TRIES = 6
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""With these the vendor does not say what is asked for, and may do so later."""
_MOST_BYTES = 8 * 1024 * 1024
_SILENCE_S = 60.0
_LIST = "data"
_NOT_FOUND = 404
UNKNOWN = "batch-in-doubt"
"""The code of the error for a batch that the vendor does not know, or may have made."""
_HAS_ENDED = 409
_NO_SUCH_API = frozenset({404, 405, 501})


class BatchApi:
    """The two APIs of one account, at the address `url`, with the headers of an endpoint."""

    def __init__(self, client: Client, vendor: Vendor, endpoint: Endpoint, url: str) -> None:
        self._client = client
        self._vendor = vendor
        self._endpoint = endpoint
        self._url = url

    async def upload(self, file: BinaryIO, name: str) -> str:
        """Uploads a file of requests, and gives its id. It costs nothing.

        Raises:
            ServiceError: it is not taken.
        """
        parts = Part("purpose", "batch"), Part("file", b"", name, "application/jsonl", opened=file)
        for last in (False, False, True):
            try:
                found = await self._once("POST", "/files", _UPLOAD_S, Multipart(parts))
            except ServiceError as error:
                if error.status in _NO_SUCH_API:
                    raise self._without_batch(error.status) from error
                known = await self.file_named(name) if error.charge_possible else None
                if known is not None:
                    return known
                if last or not (error.retryable or error.charge_possible):
                    error.charge_possible = False
                    raise
            else:
                return str(found["id"])
        raise AssertionError

    def _without_batch(self, status: int | None) -> ServiceRefused:
        service, host = self._endpoint.service, self._endpoint.host
        return ServiceRefused(
            f"{service} at {host} has no Batch API: it responds to {self._url}/files with {status}",
            service=service,
            status=status,
            code="batch-refused",
            hint="ask it without a batch, or set the `endpoint` of an API that has one, such as OpenAI's own",
        )

    async def file_named(self, name: str) -> str | None:
        """The id of a file of requests that was uploaded under a name; None where there is none."""
        after = ""
        while True:
            found = await self._asked("GET", f"/files?purpose=batch&limit=1000{after}", _LIST)
            for file in found["data"]:
                if file.get("filename") == name:
                    return str(file["id"])
            if not found.get("has_more") or not found["data"]:
                return None
            after = f"&after={found['data'][-1]['id']}"

    async def file_made_at(self, file: str) -> float | None:
        """When a file was uploaded, by the vendor's clock; None where it is gone, or nobody says."""
        try:
            said = (await self._asked("GET", f"/files/{file}")).get("created_at")
        except ServiceError:
            return None
        return float(said) if isinstance(said, (int, float)) else None

    async def create(self, file: str, operation: str, metadata: Mapping[str, str]) -> dict[str, Any]:
        """Makes a batch: this is what is paid for.

        Raises:
            ServiceError: with `charge_possible` where it may be made nevertheless.
        """
        body = {"input_file_id": file, "endpoint": operation, "completion_window": "24h", "metadata": dict(metadata)}
        return await self._once("POST", "/batches", _ANSWER_S, json.dumps(body).encode())

    async def batch(self, identity: str) -> dict[str, Any]:
        """A batch as it stands.

        Raises:
            ServiceError: the vendor does not say, or knows no such batch.
        """
        try:
            return await self._asked("GET", f"/batches/{identity}", "status")
        except ServiceError as error:
            if error.status != _NOT_FOUND:
                raise
            service = self._endpoint.service
            raise ServiceUnavailable(
                f"{service} knows no batch {identity}, in which this request is: it may be done, and billed",
                service=service,
                status=error.status,
                code=UNKNOWN,
                charge_possible=True,
                hint=f"use a key of the project that made the batch, and go on; {service}'s own account shows its "
                "batches. Where it is gone, `flowdsl runs release` lets its requests be sent again",
            ) from error

    async def cancel(self, identity: str) -> None:
        """Has a batch end, which takes up to ten minutes; what is done until then is billed.

        Raises:
            ServiceError: the vendor does not do it.
        """
        try:
            await self._once("POST", f"/batches/{identity}/cancel", _ANSWER_S)
        except ServiceError as error:
            if error.status != _HAS_ENDED:
                raise

    async def batches(self) -> AsyncGenerator[dict[str, Any]]:
        """All batches of the account, the newest first."""
        after = ""
        while True:
            found = await self._asked("GET", f"/batches?limit=100{after}", _LIST)
            for batch in found["data"]:
                yield batch
            if not found.get("has_more") or not found["data"]:
                return
            after = f"&after={found['data'][-1]['id']}"

    async def delete(self, file: str) -> None:
        """Deletes a file; that it is gone already is as good."""
        with contextlib.suppress(ServiceError):
            await self._asked("DELETE", f"/files/{file}")

    @contextlib.asynccontextmanager
    async def content(self, file: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The content of a file, in pieces as they arrive.

        Raises:
            ServiceError: it is not given.
            httpx.HTTPError: it broke off.
            TimeoutError: nothing came for a minute.
        """
        request = self._request("GET", f"/files/{file}/content", b"")
        async with exchanged(self._client, request, Delivery()) as response:
            if not response.is_success:
                raise await self._refused(response)
            yield _in_time(response.aiter_raw())

    async def _asked(self, method: str, path: str, wants: str = "id") -> dict[str, Any]:
        """The answer to a request that costs nothing and may be sent again; it `wants` that in it."""
        for tried in range(_TRIES):
            try:
                return await self._once(method, path, _ANSWER_S, wants=wants)
            except ServiceError as error:
                passes = error.status is None or error.status in PASSING
                if not passes or tried == _TRIES - 1:
                    error.charge_possible = False
                    raise
            await asyncio.sleep(delay_s(tried, {}) or 0.0)
        raise AssertionError

    async def _once(
        self, method: str, path: str, limit_s: float, content: bytes | Multipart = b"", wants: str = "id"
    ) -> dict[str, Any]:
        try:
            return await attempted(lambda delivery: self._answer(method, path, content, delivery, wants), limit_s)
        except Lost as lost:
            who = f"{self._endpoint.service} at {self._endpoint.host}"
            raise ServiceUnavailable(
                f"{who} did not answer to {method} {path.partition('?')[0]}: {lost.reason or lost.kind}",
                service=self._endpoint.service,
                retryable=True,
                charge_possible=lost.sent,
                hint="check the network, and the `endpoint` of the service",
            ) from lost

    async def _answer(
        self, method: str, path: str, content: bytes | Multipart, delivery: Delivery, wants: str
    ) -> dict[str, Any]:
        async with exchanged(self._client, self._request(method, path, content), delivery) as response:
            if not response.is_success:
                raise await self._refused(response)
            found: Any = None
            body = await _read(response)
            with contextlib.suppress(ValueError, RecursionError):
                found = json.loads(body)
            if not isinstance(found, dict) or not _holds(found.get(wants), is_list=wants == _LIST):
                raise ServiceUnavailable(
                    f"{self._endpoint.service} sent an unusable answer to {method} {path.partition('?')[0]}",
                    service=self._endpoint.service,
                    code="broken-response",
                    charge_possible=True,
                )
            return found

    def _request(self, method: str, path: str, content: bytes | Multipart) -> HttpRequest:
        typed = {"Content-Type": "application/json"} if isinstance(content, bytes) and content else {}
        headers = merged(_HEADERS, typed, self._endpoint.headers)
        return HttpRequest(method, self._url + path, headers, content)

    async def _refused(self, response: httpx.Response) -> ServiceError:
        body = await _read(response)
        failure = self._vendor.failure(Head(response.status_code, response.headers), body)
        failed = FailedAttempt("status", status=response.status_code, headers=response.headers, vendor=failure)
        verdict = classify(failed, self._endpoint)
        verdict.error.retryable = verdict.retry_class == "retry"
        return verdict.error


def _holds(value: Any, *, is_list: bool) -> bool:
    if not is_list:
        return isinstance(value, str)
    return isinstance(value, list) and all(isinstance(each, dict) and isinstance(each.get("id"), str) for each in value)


async def _read(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > _MOST_BYTES:
            break
    return body


async def _in_time(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, none of which may be waited for longer than a minute."""
    while True:
        try:
            piece = await asyncio.wait_for(anext(pieces), _SILENCE_S)
        except StopAsyncIteration:
            return
        yield piece
