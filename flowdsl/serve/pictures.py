"""Addresses of pictures: signed, so that nobody makes one up, and good for an hour."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from flowdsl.errors import UsageError
from flowdsl.image.formats import EXTENSIONS
from flowdsl.image.own_addresses import NoPicture
from flowdsl.journal.place import make
from flowdsl.serve.published import published

LIFE_S = 3600
"""So long the vendor's own addresses live."""
_KEY_FILE = "serve.key"
_KEY_BYTES = 32
_KEY = re.compile(f"[0-9a-f]{{{2 * _KEY_BYTES}}}")
_ADDRESS = re.compile(r"https?://[^/?#]+(?:/[^?#]*)?/pictures/([0-9a-f]{40})/([0-9]{1,11})/([^/?#]+)", re.ASCII)
_NAME = re.compile(r"[0-9a-f]{64}\.(?:" + "|".join(EXTENSIONS.values()) + ")")
_TYPES = {extension: mime for mime, extension in EXTENSIONS.items()}


class Pictures:
    """Gives addresses to pictures in a folder, and knows them again. Processes that share `state` share them.
    `public_url` is what the addresses begin with, where that is not what the client asked; `private` are folders of
    which nobody is told."""

    def __init__(
        self,
        folder: Path,
        state: Path,
        public_url: str | None = None,
        clock: Callable[[], float] = time.time,
        private: Iterable[Path] = (),
    ) -> None:
        self._folder = folder
        self._private = [*dict.fromkeys(str(each) for one in private for each in (one.absolute(), one.resolve()))]
        self._public_url = public_url
        try:
            self._key = _key_in(state)
        except OSError as error:
            why = error.strerror or str(error)
            raise UsageError(f"the key for addresses of pictures cannot be kept in {state}: {why}") from error
        self._clock = clock

    def address_of(self, name: str, base: str) -> str:
        """The address of the file of a picture; `base` is the gateway's own, as the client sees it."""
        expires = int(self._clock()) + LIFE_S
        return f"{(self._public_url or base).rstrip('/')}/pictures/{self._signature(name, expires)}/{expires}/{name}"

    def kept(self, digest: str) -> dict[str, Any] | None:
        """The picture whose bytes have this SHA-256, as JSON values; None where its file is gone."""
        for extension, mime in _TYPES.items():
            file = self._folder / f"{digest}.{extension}"
            if file.is_file():
                return {"path": str(file), "mime": mime, "sha256": digest}
        return None

    def published(self, value: Any, base: str, known: Container[str] | None = None) -> Any:
        """JSON values as they leave this machine: pictures by their addresses, those that are `known`, and no path."""
        return published(value, lambda name: self.address_of(name, base), self._private, known)

    def file_of(self, signature: str, expires: str, name: str) -> tuple[Path, str] | None:
        """The file and the media type of an address; None for one that is not ours, or over."""
        if not self._is_ours(signature, expires, name) or int(expires) < self._clock():
            return None
        return self._folder / name, _TYPES[name.rpartition(".")[2]]

    def own_file(self, link: str) -> str | None:
        """The path of the file that an address of ours leads to, whatever name of the gateway it has; None for one that
        is not. It needs what a GET needs: to be good still.

        Raises:
            NoPicture: it is over, or the picture is gone.
        """
        parts = _ADDRESS.fullmatch(link)
        if parts is None or not self._is_ours(*parts.groups()):
            if self._public_url is not None and link.startswith(f"{self._public_url.rstrip('/')}/pictures/"):
                raise NoPicture("there is no such picture")
            return None
        found = self.file_of(*parts.groups())
        if found is None:
            raise NoPicture("its address is over: addresses are good for an hour")
        if not found[0].is_file():
            raise NoPicture("there is no such picture any more")
        return str(found[0])

    def _is_ours(self, signature: str, expires: str, name: str) -> bool:
        """Whether we have given out an address, over by now or not."""
        if not (expires.isascii() and expires.isdigit() and len(expires) < 12 and _NAME.fullmatch(name)):
            return False
        return hmac.compare_digest(signature.encode(), self._signature(name, int(expires)).encode())

    def _signature(self, name: str, expires: int) -> str:
        said = f"{name}/{expires}".encode()
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()[:40]


def _key_in(state: Path) -> bytes:
    """The key that addresses are signed with, made by whoever needs it first.

    Raises:
        OSError: the folder cannot be written.
        UsageError: what is there is no key.
    """
    make(state)
    file = state / _KEY_FILE
    with suppress(FileNotFoundError):
        return _read(file)
    own = state / f"{_KEY_FILE}.{secrets.token_hex(8)}"
    try:
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as new:
            new.write(secrets.token_hex(_KEY_BYTES))
            new.flush()
            os.fsync(new.fileno())  # else a power cut may leave the name, with nothing in it
        with suppress(FileExistsError):  # another process was quicker
            os.link(own, file)
    finally:
        own.unlink(missing_ok=True)
    return _read(file)


def _read(file: Path) -> bytes:
    """The key of a file. An empty one would sign as well, and anybody could sign alike."""
    said = file.read_bytes().decode("latin-1").strip()
    if not _KEY.fullmatch(said):
        raise UsageError(
            f"{file} is no key for addresses of pictures: delete it, and a new one is made; the addresses that were "
            "given out before do not count then"
        )
    return bytes.fromhex(said)
