"""Questions of a server of tools that wait: each is answered once, by the call that it was asked of, of the same owner.
Who leaves very many without an answer loses the oldest, and nobody else does."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

from flowdsl.journal.place import make

MOST = 1000
"""So many of one owner wait."""
LIFE_S = 3600.0
"""So long a question waits that is in a file."""
_FOLDER = "asked"
_OF_OWNER = 16
"""So much of the hash of an owner stands before that of an id."""


class Asked(Protocol):
    """The questions that wait."""

    def put(self, call: str, owner: str) -> str:
        """Keeps a question of a call, and gives its id; `owner` is whose call it is.

        Raises:
            OSError: it cannot be kept.
        """

    def take(self, id: str, owner: str) -> str | None:
        """The call of a question, which waits no more; None where the owner has none of this id that waits."""


class AskedHere:
    """Those of one process."""

    def __init__(self) -> None:
        self._calls: dict[str, OrderedDict[str, str]] = {}

    def put(self, call: str, owner: str) -> str:
        """See `Asked`."""
        id, calls = _new_id(), self._calls.setdefault(owner, OrderedDict())
        calls[id] = call
        if len(calls) > MOST:
            calls.popitem(last=False)
        return id

    def take(self, id: str, owner: str) -> str | None:
        """See `Asked`."""
        calls = self._calls.get(owner)
        return None if calls is None else calls.pop(id, None)


class AskedByAll:
    """Those of all processes that share a folder: whichever gets the answer finds its question, a file whose name only
    the client can say, behind that of the owner."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._folder = state / _FOLDER

    def put(self, call: str, owner: str) -> str:
        """See `Asked`."""
        make(self._state)
        self._folder.mkdir(0o700, exist_ok=True)
        self._tidy(owner)
        id = _new_id()
        self._file(id, owner).write_text(call, encoding="ascii")
        return id

    def take(self, id: str, owner: str) -> str | None:
        """See `Asked`."""
        file = self._file(id, owner)
        try:
            is_over = time.time() - file.stat().st_mtime > LIFE_S
            call = file.read_text(encoding="ascii")
            file.unlink()  # of two processes one does, and the other one is told that there is no such file
        except OSError:
            return None
        return None if is_over else call

    def _file(self, id: str, owner: str) -> Path:
        return self._folder / f"{_name(owner)[:_OF_OWNER]}-{_name(id)}"

    def _tidy(self, owner: str) -> None:
        """Takes away what nobody has answered in time, and the oldest of an owner who has too many."""
        eldest, own = time.time() - LIFE_S, []
        for file in self._folder.iterdir():
            try:
                at = file.stat().st_mtime
            except FileNotFoundError:
                continue  # it is answered
            if at < eldest:
                file.unlink(missing_ok=True)
            elif file.name.startswith(f"{_name(owner)[:_OF_OWNER]}-"):
                own.append((at, file))
        for _, file in sorted(own)[: max(0, len(own) - MOST + 1)]:
            file.unlink(missing_ok=True)


def _name(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _new_id() -> str:
    return secrets.token_urlsafe(24)
