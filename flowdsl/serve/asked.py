"""Questions of a server of tools that wait: each is answered once, by the call that it was asked of."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

from flowdsl.journal.place import make

MOST = 1000
LIFE_S = 3600.0
"""So long a question waits that is in a file."""
_FOLDER = "asked"


class Asked(Protocol):
    """The questions that wait."""

    def put(self, call: str) -> str:
        """Keeps a question of a call, and gives its id.

        Raises:
            OSError: it cannot be kept.
        """

    def take(self, id: str) -> str | None:
        """The call of a question, which waits no more; None where none of this id waits."""


class AskedHere:
    """Those of one process."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, str] = OrderedDict()

    def put(self, call: str) -> str:
        """See `Asked`."""
        id = _new_id()
        self._calls[id] = call
        if len(self._calls) > MOST:
            self._calls.popitem(last=False)
        return id

    def take(self, id: str) -> str | None:
        """See `Asked`."""
        return self._calls.pop(id, None)


class AskedByAll:
    """Those of all processes that share a folder: whichever gets the answer finds its question, a file whose name only
    the client can say."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._folder = state / _FOLDER

    def put(self, call: str) -> str:
        """See `Asked`."""
        make(self._state)
        self._folder.mkdir(0o700, exist_ok=True)
        self._tidy()
        id = _new_id()
        self._file(id).write_text(call, encoding="ascii")
        return id

    def take(self, id: str) -> str | None:
        """See `Asked`."""
        file = self._file(id)
        try:
            is_over = time.time() - file.stat().st_mtime > LIFE_S
            call = file.read_text(encoding="ascii")
            file.unlink()  # of two processes one does, and the other one is told that there is no such file
        except OSError:
            return None
        return None if is_over else call

    def _file(self, id: str) -> Path:
        return self._folder / hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()

    def _tidy(self) -> None:
        """Takes away what nobody has answered, the oldest first."""
        found = []
        for file in self._folder.iterdir():
            try:
                found.append((file.stat().st_mtime, file))
            except FileNotFoundError:
                continue  # it is answered
        eldest, surplus = time.time() - LIFE_S, len(found) - MOST + 1
        for number, (at, file) in enumerate(sorted(found)):
            if at >= eldest and number >= surplus:
                break
            file.unlink(missing_ok=True)


def _new_id() -> str:
    return secrets.token_urlsafe(24)
