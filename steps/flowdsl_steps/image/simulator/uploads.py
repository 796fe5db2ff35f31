"""Files that clients upload and batches leave behind: OpenAI's Files API, as far as batches need it.

Source: openai-python 3.57, `resources/files.py` and `types/file_object.py`; openai-openapi, `/files`.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qs

from flowdsl_steps.image.simulator.asgi import Asgi
from flowdsl_steps.image.simulator.faults import FaultQueue
from flowdsl_steps.image.simulator.form import parsed_form
from flowdsl_steps.image.simulator.record import RecordedRequest
from flowdsl_steps.image.simulator.refusal import refused
from flowdsl_steps.image.simulator.scene import digest_of

_PATH = re.compile(r"/v1/files(?:/([^/]+)(/content)?)?")
_LONGEST = 512 * 1024 * 1024
_PIECE = 256 * 1024
_PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_EXPIRES_S = {"batch": 30 * 24 * 3600}
_MOST_LISTED = 10_000


class Uploads:
    """The files of one simulator, on its disk."""

    def __init__(self, clock: Callable[[], float], faults: FaultQueue) -> None:
        self._clock = clock
        self._faults = faults
        self._folder: Path | None = None
        self._files: dict[str, dict[str, object]] = {}
        self._number = 0

    def new_path(self) -> Path:
        """Where the bytes of a new file may be put."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="flowdsl-simulator-"))
        self._number += 1
        return self._folder / f"{self._number}"

    def keep(self, path: Path, name: str, purpose: str, expires_s: int | None = None) -> dict[str, object] | None:
        """Takes a file in, and gives its object as the API shows it; None for one that is empty or not there."""
        if not path.exists() or not path.stat().st_size:
            return None
        now = int(self._clock())
        expires_s = expires_s or _EXPIRES_S.get(purpose)
        identity = f"file-{digest_of('file', len(self._files), str(path))[:22]}"
        self._files[identity] = {
            "id": identity,
            "object": "file",
            "bytes": path.stat().st_size,
            "created_at": now,
            "expires_at": None if expires_s is None else now + expires_s,
            "filename": name,
            "purpose": purpose,
            "status": "processed",
            "status_details": None,
            "_path": str(path),
        }
        return _shown(self._files[identity])

    def path(self, identity: object, purpose: str | None = None) -> Path | None:
        """Where the bytes of a file are; None when there is no such file, or it is for another purpose."""
        file = self._files.get(str(identity))
        if file is None or (purpose is not None and file["purpose"] != purpose):
            return None
        return Path(str(file["_path"]))

    def clear(self) -> None:
        """Forgets all files."""
        self._files.clear()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    async def serve(self, asgi: Asgi, record: RecordedRequest) -> None:
        """Responds to a request to the Files API.

        Raises:
            Refusal: as the vendor refuses.
        """
        found = _PATH.fullmatch(asgi.path)
        identity, content = (found[1], found[2]) if found else (None, None)
        if found and identity is None and asgi.method == "POST":
            await self._upload(asgi, record)
        elif found and identity is None and asgi.method == "GET":
            await asgi.respond_json(200, self._listed(asgi.query))
        elif identity is not None and asgi.method in ("GET", "DELETE"):
            file = self._files.get(identity)
            if file is None:
                raise refused(f"No such File object: {identity}", param="id", code=None, status=404)
            if asgi.method == "DELETE" and not content:
                self._drop(identity)
                await asgi.respond_json(200, {"id": identity, "object": "file", "deleted": True})
            elif content and asgi.method == "GET":
                await self._content(asgi, Path(str(file["_path"])), record)
            else:
                await asgi.respond_json(200, _shown(file))
        else:
            raise refused(f"Not allowed to {asgi.method} on {asgi.path}.", code=None, status=405)

    def _drop(self, identity: str) -> None:
        Path(str(self._files.pop(identity)["_path"])).unlink(missing_ok=True)

    async def _upload(self, asgi: Asgi, record: RecordedRequest) -> None:
        raw = await asgi.body(_LONGEST)
        if raw is None:
            raise refused(f"File is larger than {_LONGEST} bytes.", code=None, status=413)
        fields, files = parsed_form(asgi.headers.get("content-type", ""), raw)
        if fields.get("purpose") not in _PURPOSES:
            raise refused(f"'{fields.get('purpose')}' is not one of {list(_PURPOSES)} - 'purpose'", code=None)
        if [file.field for file in files] != ["file"]:
            raise refused("'file' is a required property", code=None)
        file = files[0]
        if fields["purpose"] == "batch" and not file.name.endswith(".jsonl"):
            raise refused("Invalid file format for Batch API. Must be .jsonl", code=None)
        path = self.new_path()
        path.write_bytes(file.content)
        expires = fields.get("expires_after[seconds]", "")
        kept = self.keep(path, file.name, fields["purpose"], int(expires) if expires.isdecimal() else None)
        record.json = {"file": kept}
        fault = self._faults.take_of_batch("upload_lost", file.name)
        if fault is not None:
            record.fault = fault.kind
            await asgi.cut()
            return
        await asgi.respond_json(200, kept)

    def _listed(self, query: str) -> dict[str, object]:
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        files = [file for file in self._files.values() if asked.get("purpose") in (None, file["purpose"])]
        if asked.get("order", "desc") == "desc":
            files.reverse()
        return page(files, asked, _MOST_LISTED, _MOST_LISTED)

    async def _content(self, asgi: Asgi, path: Path, record: RecordedRequest) -> None:
        size = os.path.getsize(path)  # noqa: ASYNC240, PTH202
        fault = self._faults.take_of_batch("batch_cut", path.name)
        await asgi.start(200, {"content-type": "application/octet-stream", "content-length": str(size)})
        left = size
        if fault is not None:
            record.fault, left = fault.kind, size // 2
        for piece in _pieces(path, left):
            await asgi.write(piece)
        if fault is not None:
            if not await asgi.left_within(0.02):  # what was written needs a moment to reach the client
                await asgi.cut()
            return
        await asgi.finish()


def page(
    items: list[dict[str, object]], asked: Mapping[str, str], most: int, usual: int, key: str = "limit"
) -> dict[str, object]:
    """One page of a list: behind the item that `after` names, at most as many as are asked for.

    Raises:
        Refusal: a limit that is none, or an item that is not there.
    """
    given = asked.get(key, str(usual))
    if not given.isdecimal() or not 1 <= int(given) <= most:
        raise refused(f"Invalid 'limit': must be between 1 and {most}.", param="limit")
    start = 0
    if after := asked.get("after"):
        start = next((number + 1 for number, item in enumerate(items) if item["id"] == after), -1)
        if start < 0:
            raise refused(f"No such object: {after}", param="after", code=None, status=404)
    found = items[start : start + int(given)]
    return {
        "object": "list",
        "data": [_shown(item) for item in found],
        "first_id": found[0]["id"] if found else None,
        "last_id": found[-1]["id"] if found else None,
        "has_more": start + len(found) < len(items),
    }


def _shown(item: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in item.items() if not name.startswith("_")}


def _pieces(path: Path, left: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while left > 0 and (piece := file.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece
