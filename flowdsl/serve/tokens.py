"""Tokens: who may ask a gateway, for which models, how often and for how much.

They stand beside the journal, in a file of their own that all processes of a gateway read; of the tokens themselves
only a hash. Each is 256 random bits, so that a plain hash is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict, TypeVar, Unpack

from flowdsl.errors import UsageError
from flowdsl.image.part_file import lock
from flowdsl.journal.place import make
from flowdsl.nearest import nearest
from flowdsl.record import Record
from flowdsl.rewriting.files import put
from flowdsl.settings.said_tokens import SaidToken

T = TypeVar("T", int, float)
FILE = "tokens.json"
_START = "fdsl"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_PATIENCE_S, _PAUSE_S = 10.0, 0.02
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


class May(TypedDict, total=False):
    """What a token may at most, for so many days from now on. None says nothing: there is no limit, or it stays."""

    days: int | None
    models: tuple[str, ...] | None
    per_minute: int | None
    usd_per_day: float | None


class Token(Record):
    """What is kept of a token. `id` is the part of it by which it is found, `digest` the SHA-256 of all of it; times
    are Unix times in seconds, `models` the models and flows that it is for. None: no limit."""

    name: str
    id: str
    digest: str
    created: float
    expires: float | None = None
    models: tuple[str, ...] | None = None
    per_minute: int | None = None
    usd_per_day: float | None = None

    def may_use(self, name: str) -> bool:
        """Whether it is for a model, or a flow."""
        return self.models is None or name in self.models

    def lowered(self, said: SaidToken | None) -> Token:
        """The token with what settings let it at most: of two limits the lower one counts."""
        if said is None:
            return self
        models = said.models if self.models is None else self.models
        if said.models is not None and self.models is not None:
            models = tuple(name for name in self.models if name in said.models)
        return self._replace(
            models=models,
            per_minute=_lower(self.per_minute, said.per_minute),
            usd_per_day=_lower(self.usd_per_day, said.usd_per_day),
        )


class Tokens:
    """The tokens in a folder, each with what settings let it at most, `said` by name. `required`: there is a file of
    tokens, also where all of them are revoked; or there was one, as long as this process lives. `config` is the
    settings file that the command was given, which belongs to what people are told to write."""

    def __init__(
        self,
        state: Path,
        clock: Callable[[], float] = time.time,
        said: Mapping[str, SaidToken] = MappingProxyType({}),
        config: str | None = None,
    ) -> None:
        self._config = config
        self._file = state / FILE
        self._clock = clock
        self._said = said
        self._seen: tuple[int, int, int] | None = None
        self._was_there = False
        self._found: dict[str, Token] = {}

    @property
    def required(self) -> bool:
        """Whether a request needs one."""
        self._read()
        return self._was_there

    def command(self, action: str, name: str = "NAME") -> str:
        """The command that does something to a token of these."""
        words = "list" if action == "list" else f"{action} {name}"
        option = "" if self._config is None else f" --config {shlex.quote(self._config)}"
        return f"`flowdsl tokens {words}{option}`"

    def remedy(self, token: Token, limit: str) -> str:
        """What to ask whoever runs the gateway for where a limit of a token, by its name, is in the way."""
        said = self._said.get(token.name)
        if said is not None and getattr(said, limit) == getattr(token, limit):
            return f"ask whoever runs the gateway to raise `{limit}` below `[tokens.{token.name}]` in its settings"
        option = f"--{limit.replace('_', '-')}"
        return f"ask whoever runs the gateway to raise it: {self.command('change', f'{token.name} {option} N')}"

    def all(self) -> list[Token]:
        """The tokens, in the order of their names."""
        return [token.lowered(self._said.get(token.name)) for token in self._kept()]

    def of(self, text: str) -> Token | None:
        """The token of a text, also one that is over; None where it is none."""
        self._read()
        found = self._found.get(_id_of(text))
        digest = _NOBODY if found is None else found.digest
        is_it = hmac.compare_digest(hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(), digest)
        return found.lowered(self._said.get(found.name)) if found is not None and is_it else None

    def is_over(self, token: Token) -> bool:
        """Whether its time is over."""
        return token.expires is not None and token.expires <= self._clock()

    def create(self, name: str, **may: Unpack[May]) -> str:
        """Makes a token, and gives it: nobody can show it again.

        Raises:
            UsageError: the name cannot be, or is taken.
            OSError: the file cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(f"`{name}` is no name for a token: it takes letters, digits, `.`, `_` and `-`, 1 to 64")
        id, now = secrets.token_hex(6), self._clock()
        text = f"{_START}-{id}-{secrets.token_urlsafe(32)}"
        token = Token(
            name=name,
            id=id,
            digest=hashlib.sha256(text.encode()).hexdigest(),
            created=now,
            **_kept_of(may, now),
        )
        with self._changing() as tokens:
            if any(each.name == name for each in tokens):
                ends = self.command("revoke", name)
                raise UsageError(f"there is a token `{name}` already: take another name, or end that one first, {ends}")
            tokens.append(token)
        return text

    def change(self, name: str, **may: Unpack[May]) -> None:
        """Lets a token do something else from now on; what is None stays as it is.

        Raises:
            UsageError: there is none of that name.
            OSError: the file cannot be written.
        """
        given = _kept_of(may, self._clock())
        with self._changing() as tokens:
            number = self._number(name, tokens)
            tokens[number] = tokens[number]._replace(**given)

    def revoke(self, name: str) -> None:
        """Ends a token at once.

        Raises:
            UsageError: there is none of that name.
            OSError: the file cannot be written.
        """
        with self._changing() as tokens:
            del tokens[self._number(name, tokens)]

    def _number(self, name: str, tokens: list[Token]) -> int:
        """Which of the tokens has a name."""
        names = [each.name for each in tokens]
        if name not in names:
            near = nearest(name, names)
            hint = f"did you mean `{near}`?" if near else f"{self.command('list')} shows those there are"
            raise UsageError(f"there is no token `{name}`; {hint}")
        return names.index(name)

    def _kept(self) -> list[Token]:
        """The tokens as they were made."""
        self._read()
        return sorted(self._found.values(), key=lambda token: token.name)

    def _read(self) -> None:
        """Reads the file again where it has changed.

        Raises:
            UsageError: it cannot be read, or is none of ours.
        """
        try:
            about = self._file.stat()
        except FileNotFoundError:
            self._seen, self._found = None, {}
            return
        self._was_there = True
        seen = about.st_mtime_ns, about.st_ino, about.st_size
        if seen == self._seen:
            return
        try:
            found = json.loads(self._file.read_text("utf-8"))
            self._found = {each["id"]: _token(each) for each in found["tokens"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"the file of tokens {self._file} cannot be read ({type(error).__name__}): put it back as it was, or "
                "move it away and make new tokens"
            ) from None
        self._seen = seen

    @contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        """The tokens, to be changed by nobody else meanwhile; written when the block ends."""
        make(self._file.parent)
        descriptor = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            end = time.monotonic() + _PATIENCE_S
            while lock(descriptor) is False:
                if time.monotonic() > end:
                    raise UsageError(f"another process is changing {self._file}: try again")
                time.sleep(_PAUSE_S)
            self._seen = None
            tokens = self._kept()
            yield tokens
            self._write(tokens)
        finally:
            os.close(descriptor)

    def _write(self, tokens: list[Token]) -> None:
        content = json.dumps({"tokens": [_facts(each) for each in tokens]}, indent=1)
        put(str(self._file), content.encode(), mode=0o600)


def _id_of(text: str) -> str:
    start, _, rest = text.partition("-")
    return rest.partition("-")[0] if start == _START else ""


def _kept_of(may: May, now: float) -> dict[str, Any]:
    """What is kept of what a token may, but for what says nothing."""
    found: dict[str, Any] = {name: value for name, value in may.items() if value is not None}
    days = found.pop("days", None)
    return found if days is None else {**found, "expires": now + days * 86_400}


def _lower(first: T | None, second: T | None) -> T | None:
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)


def _facts(token: Token) -> dict[str, Any]:
    return {name: getattr(token, name) for name in Token._fields}


def _token(said: dict[str, Any]) -> Token:
    return Token(**{**said, "models": None if said["models"] is None else tuple(said["models"])})
